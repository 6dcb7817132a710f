/** The secret of a receipt: opens its receipt and dossier to whoever got the answer. The id alone grants nothing. */
import { createHash, timingSafeEqual } from 'node:crypto'
import { toBase64Url } from '@countersign/verify'
import { deriveKey } from '../data/derivation.ts'

const LABEL = 'countersign-receipt-secret-v1'

/** Derived from the root key, the receipt's id, and how often its secret was revoked. 43 characters. */
export function receiptSecret(rootKey: Uint8Array, receipt: Uint8Array, generation: number): string {
  return toBase64Url(deriveKey(rootKey, receipt, `${LABEL}:${generation}`))
}

/** Compares two secrets in time that does not depend on where they differ. */
export function sameSecret(a: string, b: string): boolean {
  const digest = (text: string) => createHash('sha256').update(text).digest()
  return timingSafeEqual(digest(a), digest(b))
}
