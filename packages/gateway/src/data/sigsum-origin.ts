/** What Sigsum calls a log: by its key alone. @spec https://git.glasklar.is/sigsum/project/documentation, log.md */
import { createHash } from 'node:crypto'

/** Stands for the name in a configuration. */
export const SIGSUM = 'sigsum'

/** The name of the log with that Ed25519 key. */
export function sigsumOrigin(publicKey: Uint8Array): string {
  return `sigsum.org/v1/tree/${createHash('sha256').update(publicKey).digest('hex')}`
}
