/** Real evidence and certificates, where there are any: too large for the repository, or not ours to pass on. */
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

const folder = process.env.COUNTERSIGN_TEST_DATA

/** Why a test of real evidence is skipped; `false` where there is some. */
export const NO_REAL_DATA: string | false =
  folder !== undefined && existsSync(join(folder, 'attestation'))
    ? false
    : 'COUNTERSIGN_TEST_DATA names no folder with real evidence'

export function realData(path: string): Uint8Array {
  return new Uint8Array(readFileSync(join(folder ?? '', 'attestation', path)))
}

/** Paths of all files under one folder, for {@link realData}. */
export function realFiles(under: string): readonly string[] {
  const names = readdirSync(join(folder ?? '', 'attestation', under), { recursive: true, withFileTypes: true })
  return names
    .filter((each) => each.isFile())
    .map((each) => join(each.parentPath, each.name).slice(join(folder ?? '', 'attestation').length + 1))
}
