/** The secret of a receipt: opens its receipt and dossier to whoever got the answer. The id alone grants nothing. */
import { createHash, hkdfSync, timingSafeEqual } from 'node:crypto'
import { toBase64Url } from '@countersign/verify'

const LABEL = 'countersign-receipt-secret-v1'

/** Derived from the root key, the receipt's id, and how often its secret was revoked. 43 characters. */
export function receiptSecret(rootKey: Uint8Array, receipt: Uint8Array, generation: number): string {
  return toBase64Url(new Uint8Array(hkdfSync('sha256', rootKey, receipt, `${LABEL}:${generation}`, 32)))
}

/** Compares two secrets in time that does not depend on where they differ. */
export function sameSecret(a: string, b: string): boolean {
  const digest = (text: string) => createHash('sha256').update(text).digest()
  return timingSafeEqual(digest(a), digest(b))
}
