/** Evidence files and collateral, by SHA-256: whoever has a statement that names them is given them with it. */
import { createHash } from 'node:crypto'
import { existsSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { FILE_LIMITS } from '@countersign/verify'
import { makeFolderDurably, writeDurably } from '../data/durable-file.ts'

export interface EvidenceFolder {
  /** Keeps bytes, durably; the digest by which they are found. */
  keep(bytes: Uint8Array): string
  /** `undefined` for what is not there, or is not what it was. */
  find(digest: string): Uint8Array | undefined
}

/** Makes the folder when something is kept. */
export function openEvidenceFolder(path: string): EvidenceFolder {
  const pathOf = (digest: string) => join(path, `${digest}.json`)
  return {
    keep(bytes) {
      const digest = digestOf(bytes)
      // A file that is there but damaged is written anew.
      if (this.find(digest) === undefined) {
        makeFolderDurably(path)
        writeDurably(pathOf(digest), bytes)
      }
      return digest
    },
    find(digest) {
      const file = pathOf(digest)
      if (!existsSync(file) || statSync(file).size > FILE_LIMITS.maxBytes) return undefined
      const bytes = new Uint8Array(readFileSync(file))
      return digestOf(bytes) === digest ? bytes : undefined
    },
  }
}

function digestOf(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex')
}
