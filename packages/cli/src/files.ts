/** Files that commands read and write. */
import { accessSync, constants, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
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
    throw new CountersignError('file/unreadable', `${path}: cannot be read (${systemCode(thrown)})`)
  }
}

/** Writes a file and the folders that lead to it. @throws {CountersignError} `usage/invalid` where that cannot be */
export function writeOutput(path: string, content: string | Uint8Array): void {
  writing(path, () => {
    mkdirSync(dirname(path), { recursive: true })
    writeFileSync(path, content)
  })
}

/** Writes a file that opens people's data: for its user alone. @throws {CountersignError} `usage/invalid` where that cannot be */
export function writePrivateOutput(path: string, content: string): void {
  writing(path, () => writeFileSync(path, content, { mode: 0o600 }))
}

/**
 * Makes the folder for files that open people's data, for its user alone. One that is there stays as it is.
 *
 * @throws {CountersignError} `usage/invalid` where no file can be written there
 */
export function makePrivateOutputFolder(path: string): void {
  writing(path, () => {
    mkdirSync(path, { recursive: true, mode: 0o700 })
    accessSync(path, constants.W_OK)
  })
}

/**
 * Checks that a folder is at the path, or could be made there. Makes none, and does not say that this user may.
 *
 * @throws {CountersignError} `usage/invalid`
 */
export function requireFolderPath(option: string, path: string): void {
  try {
    if (statSync(path).isDirectory()) return
  } catch (thrown) {
    if (systemCode(thrown) === 'ENOENT') return
    throw new CountersignError('usage/invalid', `${option}: ${path} cannot be a folder (${systemCode(thrown)})`)
  }
  throw new CountersignError('usage/invalid', `${option}: ${path} is a file, and must be a folder`)
}

function writing(path: string, write: () => void): void {
  try {
    write()
  } catch (thrown) {
    const code = systemCode(thrown)
    throw new CountersignError('usage/invalid', `${path}: cannot be written (${code}${WHY[code] ?? ''}); name another`)
  }
}

const WHY: { readonly [code: string]: string } = {
  EISDIR: ': it is a folder',
  EEXIST: ': a file is where a folder must be',
  ENOTDIR: ': a file is where a folder must be',
}

function systemCode(thrown: unknown): string {
  return (thrown as { code?: string }).code ?? 'unknown error'
}

/** JSON for a file: indented, with a line feed at its end. */
export function formatJson(value: unknown): string {
  return `${JSON.stringify(value, null, 2)}\n`
}
