/** Files of models, found by their digest. */
import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { CountersignError } from '@countersign/verify'
import { MAX_MODEL_BYTES } from './model.ts'

/** Deepest folder within a folder of models, and most files and folders in all of them. */
export const MAX_FOLDER_DEPTH = 4
export const MAX_FOLDER_ENTRIES = 1000

interface RememberedFile {
  readonly bytes: bigint
  readonly modifiedNs: bigint
  readonly digest: string
}

/**
 * Folders that hold models, to any of which a digest may lead. Digests are remembered by path, size and time of
 * modification for as long as this object lives; so whoever reads a file that it found must check the bytes.
 *
 * Symbolic links inside the folders are not followed, so that nothing outside them is read.
 */
export class ModelFolders {
  readonly #folders: readonly string[]
  readonly #remembered = new Map<string, RememberedFile>()

  constructor(folders: readonly string[]) {
    this.#folders = folders
  }

  /**
   * The path of a file with that SHA-256, hexadecimal.
   *
   * @throws {CountersignError} `execution/model-not-found`, also when the folders hold too much to search
   */
  async find(digest: string): Promise<string> {
    const paths = await this.#list()
    for (const path of paths) {
      if ((await this.#digestOf(path)) === digest) return path
    }
    const where = `${paths.length} files of ${this.#folders.length} model folders`
    throw new CountersignError('execution/model-not-found', `none of the ${where} has SHA-256 ${digest}`)
  }

  async #list(): Promise<readonly string[]> {
    const paths: string[] = []
    const folders = this.#folders.map((path) => ({ path, depth: 0 }))
    let entryCount = 0
    for (let next = folders.shift(); next !== undefined; next = folders.shift()) {
      const { path, depth } = next
      // A folder that is missing or closed to us is one that holds no model.
      const entries = await readdir(path, { withFileTypes: true }).catch(() => [])
      entryCount += entries.length
      if (entryCount > MAX_FOLDER_ENTRIES) {
        const message = `the model folders hold more than ${MAX_FOLDER_ENTRIES} files; name smaller ones`
        throw new CountersignError('execution/model-not-found', message)
      }
      for (const entry of entries) {
        if (entry.isFile()) paths.push(join(path, entry.name))
        if (entry.isDirectory() && depth < MAX_FOLDER_DEPTH)
          folders.push({ path: join(path, entry.name), depth: depth + 1 })
      }
    }
    return paths.sort()
  }

  /** `undefined` for a file that cannot be read, or is too large for a model. */
  async #digestOf(path: string): Promise<string | undefined> {
    try {
      const { size: bytes, mtimeNs: modifiedNs } = await stat(path, { bigint: true })
      const known = this.#remembered.get(path)
      if (known?.bytes === bytes && known.modifiedNs === modifiedNs) return known.digest
      if (bytes > MAX_MODEL_BYTES) return undefined
      const digest = await hashFile(path)
      if (this.#remembered.size >= MAX_FOLDER_ENTRIES) this.#remembered.clear()
      this.#remembered.set(path, { bytes, modifiedNs, digest })
      return digest
    } catch {
      return undefined
    }
  }
}

async function hashFile(path: string): Promise<string> {
  const hasher = createHash('sha256')
  for await (const chunk of createReadStream(path, { end: MAX_MODEL_BYTES })) hasher.update(chunk)
  return hasher.digest('hex')
}
