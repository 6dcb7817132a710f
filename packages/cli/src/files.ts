/** Files that commands read and write. */
import { mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { fileURLToPath } from 'node:url'
import { CountersignError } from '@countersign/verify'

const MAX_FILE_BYTES = 64 * 1024 * 1024

/** The models that come with Countersign. */
export function bundledModels(): string {
  return fileURLToPath(new URL('../../../models/', import.meta.url))
}

/** The example applications that come with Countersign. */
export function bundledExamples(): string {
  return fileURLToPath(new URL('../../../examples/', import.meta.url))
}

/** This release, as the package says it. */
export function readVersion(): string {
  const text = readFileSync(fileURLToPath(new URL('../package.json', import.meta.url)), 'utf8')
  return String((JSON.parse(text) as { version?: unknown }).version)
}

/** @throws {CountersignError} `file/unreadable` */
export function readInput(path: string): Uint8Array {
  try {
    if (statSync(path).size > MAX_FILE_BYTES) {
      throw new CountersignError('file/unreadable', `${path}: the file has more than ${MAX_FILE_BYTES} bytes`)
    }
    return readFileSync(path)
  } catch (thrown) {
    if (thrown instanceof CountersignError) throw thrown
    const code = (thrown as { code?: string }).code ?? 'unknown error'
    throw new CountersignError('file/unreadable', `${path}: cannot be read (${code})`)
  }
}

/** Writes a file and the folders that lead to it. */
export function writeOutput(path: string, content: string | Uint8Array): void {
  mkdirSync(dirname(path), { recursive: true })
  writeFileSync(path, content)
}

/** JSON for a file: indented, with a line feed at its end. */
export function formatJson(value: unknown): string {
  return `${JSON.stringify(value, null, 2)}\n`
}
