/** What is installed here of the packages that run models. */
import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { CountersignError, Fields, PAYLOAD_LIMITS, parseJson } from '@countersign/verify'
import type { Profile } from './profile.ts'

/**
 * Proves that the engine which `import` would load here has the version that the profile names, or throws. Loads and
 * runs nothing of it.
 *
 * Takes the package's manifest at its word; that its files are the published ones is the lock file's job.
 *
 * @throws {CountersignError} `execution/profile-unmet`
 */
export async function verifyInstalledVersion({ id, engine, version }: Profile): Promise<void> {
  const installed = await readPackageVersion(engine)
  if (installed !== version) {
    const found = installed === undefined ? 'is not installed' : `is installed as ${installed}`
    throw new CountersignError('execution/profile-unmet', `profile ${id} needs ${engine} ${version}; it ${found}`)
  }
}

/** The version of a package as `import` would find it here; `undefined` when there is none. */
export async function readPackageVersion(engine: Profile['engine']): Promise<string | undefined> {
  try {
    const manifest = await readFile(besideEntry(engine, '../package.json'))
    return new Fields(parseJson(manifest, PAYLOAD_LIMITS), 'manifest').text('version', { maxLength: 64 })
  } catch {
    return undefined
  }
}

/**
 * The WebAssembly program of the profile: read, and proven to be the one that it names.
 *
 * @throws {CountersignError} `execution/profile-unmet`
 */
export async function openProgram({ id, engine, programDigest }: Profile): Promise<Uint8Array> {
  const program = await readFile(besideEntry(engine, 'ort-wasm-simd-threaded.wasm')).catch(() => undefined)
  if (program === undefined || createHash('sha256').update(program).digest('hex') !== programDigest) {
    throw new CountersignError('execution/profile-unmet', `the program that ${engine} has is not that of profile ${id}`)
  }
  return program
}

/** Both packages keep their entry point in `dist/`; the URL is the one that `import` resolves to. */
function besideEntry(engine: Profile['engine'], path: string): URL {
  return new URL(path, import.meta.resolve(engine))
}
