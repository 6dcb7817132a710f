/** llama.cpp for tests: as installed on this machine, else installed beside the development tools. */
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { enginesFolder } from './engine-folder.ts'
import { installLlama } from './engine-installation.ts'
import { findLlama } from './library.ts'

const FOLDER = fileURLToPath(new URL('../../../../node_modules/.engines/', import.meta.url))

export const TINY_ENGLISH = fileURLToPath(
  new URL('../../../../models/tiny-english/tiny-english-f16.gguf', import.meta.url),
)
export const TINY_ENGLISH_DIGEST = '6e48b6564871205cc1ec8567178e787fd102cd52363b27d9384bb9835f019627'

export interface TestEngines {
  readonly folder: string
  /** Why tests that need the engine cannot run here, or `false`. */
  readonly skip: string | false
}

/** A test of the `engine` command fails where it cannot be installed; tests that only use it skip themselves. */
export async function findTestEngines(): Promise<TestEngines> {
  for (const folder of [enginesFolder(), FOLDER]) {
    const isThere = await findLlama(folder).then(
      () => true,
      () => false,
    )
    if (isThere) return { folder, skip: false }
  }
  return installLlama(FOLDER).then(
    () => ({ folder: FOLDER, skip: false }),
    (thrown: Error) => ({ folder: FOLDER, skip: `llama.cpp is not installed, and cannot be: ${thrown.message}` }),
  )
}

export function digestOf(path: string): string {
  return createHash('sha256').update(readFileSync(path)).digest('hex')
}
