/** Keys that evidence of a place binds. @spec spec/appraisal.md */
import type { Json } from '../bytes/json.ts'
import { Fields, type Path } from '../bytes/shape.ts'

/** What a bound key is used for. */
export const KEY_USES = [
  'tls-certificate',
  'tls-key',
  'signing-key',
  'ed25519',
  'ethereum-address',
  'hpke-key',
] as const

/** A key that evidence binds, by what it is used for. Values are lower-case hexadecimal. */
export type BoundKey =
  /** SHA-256 of the certificate that the TLS server shows. */
  | { readonly use: 'tls-certificate'; readonly sha256: string }
  /** SHA-256 of the SubjectPublicKeyInfo of the TLS server's key. */
  | { readonly use: 'tls-key'; readonly sha256: string }
  /** SHA-256 of the SubjectPublicKeyInfo of a key that signs answers, or the statements of a gateway. */
  | { readonly use: 'signing-key'; readonly sha256: string }
  /** An Ed25519 key that signs answers, 32 bytes. */
  | { readonly use: 'ed25519'; readonly publicKey: string }
  /** An Ethereum address whose key signs answers, 20 bytes. */
  | { readonly use: 'ethereum-address'; readonly address: string }
  /** An HPKE key that requests are encrypted to, 32 bytes. */
  | { readonly use: 'hpke-key'; readonly publicKey: string }

/** Reads a key; its JSON form is the type itself. @throws {CountersignError} `shape/*` */
export function readBoundKey(item: Json, path: Path): BoundKey {
  const fields = new Fields(item, path)
  const key = readByUse(fields)
  fields.end()
  return key
}

function readByUse(fields: Fields): BoundKey {
  const use = fields.oneOf('use', KEY_USES)
  switch (use) {
    case 'tls-certificate':
    case 'tls-key':
    case 'signing-key':
      return { use, sha256: fields.hex('sha256', 32) }
    case 'ed25519':
    case 'hpke-key':
      return { use, publicKey: fields.hex('publicKey', 32) }
    case 'ethereum-address':
      return { use, address: fields.hex('address', 20) }
  }
}

/** Whether two keys are one, in the same use. */
export function isSameKey(a: BoundKey, b: BoundKey): boolean {
  return a.use === b.use && textOf(a) === textOf(b)
}

/** The value of a key, whatever it is. */
function textOf(key: BoundKey): string {
  if ('sha256' in key) return key.sha256
  return 'address' in key ? key.address : key.publicKey
}
