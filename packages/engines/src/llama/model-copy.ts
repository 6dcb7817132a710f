/** A copy of a model's file that nobody else writes to, made while its digest is computed. */
import { createHash } from 'node:crypto'
import { constants } from 'node:fs'
import { type FileHandle, mkdtemp, open, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { CountersignError, quote } from '@countersign/verify'
import { MAX_GGUF_HEAD_BYTES } from './gguf.ts'

export interface ModelCopy {
  readonly path: string
  readonly bytes: number
  /** The first bytes, at most {@link MAX_GGUF_HEAD_BYTES}. */
  readonly head: Uint8Array
  remove(): Promise<void>
}

/** Most bytes of a language model's file. The temporary folder needs as much space while the model is loaded. */
export const MAX_GGUF_BYTES = 8 * 1024 ** 3
const CHUNK_BYTES = 1024 * 1024

/**
 * Copies the file into a folder of its own (mode 0700) and proves that what was copied has the digest, or throws.
 *
 * The native library opens files by path, at a time of its choosing: it is given the copy, so what it reads is what was
 * hashed, whatever happens to the original. Holds against every other user of the machine. Whoever runs as this one, or
 * as root, can change the copy as it can this process.
 *
 * @throws {CountersignError} `execution/model-not-found`, `execution/model-digest-mismatch`, `execution/unsupported`;
 *   `execution/failed` when there is no space for the copy
 */
export async function copyModel(path: string, expectedDigest: string): Promise<ModelCopy> {
  const source = await open(path, constants.O_RDONLY | constants.O_NONBLOCK).catch((thrown: unknown) => {
    throw new CountersignError('execution/model-not-found', 'the file of the model cannot be read', { cause: thrown })
  })
  try {
    const status = await source.stat()
    if (!status.isFile()) throw new CountersignError('execution/model-not-found', 'the model is not a regular file')
    if (status.size > MAX_GGUF_BYTES) throw tooLarge()
    return await copyHandle(source, expectedDigest)
  } finally {
    await source.close()
  }
}

async function copyHandle(source: FileHandle, expectedDigest: string): Promise<ModelCopy> {
  const folder = await mkdtemp(join(tmpdir(), 'countersign-model-'))
  const remove = () => rm(folder, { recursive: true, force: true })
  try {
    const path = join(folder, 'model.gguf')
    const target = await open(path, 'wx', 0o600)
    try {
      const { digest, bytes, head } = await pump(source, target)
      if (digest !== expectedDigest) {
        const message = `the model's file has SHA-256 ${digest}, not ${quote(expectedDigest)}`
        throw new CountersignError('execution/model-digest-mismatch', message)
      }
      return { path, bytes, head, remove }
    } finally {
      await target.close()
    }
  } catch (thrown) {
    await remove()
    if (thrown instanceof CountersignError) throw thrown
    throw new CountersignError('execution/failed', 'the model could not be copied to be loaded', { cause: thrown })
  }
}

async function pump(
  source: FileHandle,
  target: FileHandle,
): Promise<{ digest: string; bytes: number; head: Uint8Array }> {
  const hasher = createHash('sha256')
  const chunk = new Uint8Array(CHUNK_BYTES)
  const heads: Uint8Array[] = []
  let bytes = 0
  for (;;) {
    const { bytesRead } = await source.read(chunk, 0, CHUNK_BYTES, bytes)
    if (bytesRead === 0) return { digest: hasher.digest('hex'), bytes, head: Buffer.concat(heads) }
    // The file may grow while it is read.
    if (bytes + bytesRead > MAX_GGUF_BYTES) throw tooLarge()
    const read = chunk.subarray(0, bytesRead)
    hasher.update(read)
    await target.writeFile(read)
    if (bytes < MAX_GGUF_HEAD_BYTES) heads.push(read.slice(0, MAX_GGUF_HEAD_BYTES - bytes))
    bytes += bytesRead
  }
}

function tooLarge(): CountersignError {
  return new CountersignError('execution/unsupported', `the model has more than ${MAX_GGUF_BYTES} bytes`)
}
