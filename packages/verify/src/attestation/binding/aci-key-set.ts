/** The key set of a Private AI Gateway: everything that one workload may sign, decrypt and serve with. */

import { toHex, utf8 } from '../../bytes/bytes.ts'
import { canonicalJson } from '../../bytes/canonical-json.ts'
import type { Json } from '../../bytes/json.ts'
import { Fields, type Path } from '../../bytes/shape.ts'
import type { Crypto } from '../../crypto/crypto.ts'
import { keccak256 } from '../../crypto/ethereum.ts'
import { CountersignError } from '../../errors.ts'
import type { BoundKey } from './binding-profile.ts'
import { looseHex } from './signed-bytes.ts'

const MAX_KEYS = 32
const ED25519_KEY_BYTES = 32
/** An uncompressed point of secp256k1, with or without the byte before it. */
const POINT_BYTES = 65
const ADDRESS_BYTES = 20

/** A key of the set: how it signs, and its bytes, where its algorithm is known here. */
export interface AciKey {
  readonly algorithm: string
  readonly publicKey: Uint8Array
}

export interface AciKeySet {
  readonly identity: AciKey
  /** Seconds since 1970 after which nothing may be accepted under the set. */
  readonly notAfterSeconds: number
  readonly receiptKeys: readonly AciKey[]
  /** SHA-256 of each TLS key's SubjectPublicKeyInfo, hexadecimal. */
  readonly tlsKeys: readonly string[]
  /** `sha256:…` of the identity's canonical form. */
  readonly workloadId: string
  /** `sha256:…` of the whole set's canonical form. */
  readonly digest: string
}

/**
 * Reads a key set. Keys for encrypting requests are counted and not read: nothing here encrypts.
 *
 * @throws {CountersignError} `shape/*`, `bytes/bad-hex`, `evidence/unsupported`
 */
export function readAciKeySet(crypto: Crypto, value: Json, path: Path): AciKeySet {
  const fields = new Fields(value, path)
  const identity = fields.object('workload_identity')
  const identityKey = identity.object('public_key')
  identity.any('subject')
  identity.end()
  const epoch = fields.object('keyset_epoch')
  epoch.integer('version')
  const set: AciKeySet = {
    identity: readKey(identityKey),
    notAfterSeconds: epoch.integer('not_after'),
    receiptKeys: fields.list('receipt_signing_keys', MAX_KEYS, readReceiptKey),
    tlsKeys: fields.optional('tls_public_keys', () => fields.list('tls_public_keys', MAX_KEYS, readTlsKey)) ?? [],
    workloadId: digestOf(crypto, identity.required('public_key')),
    digest: digestOf(crypto, value),
  }
  epoch.end()
  fields.list('e2ee_public_keys', MAX_KEYS, (item) => item)
  fields.end()
  return set
}

/** `sha256:` and the SHA-256 of a value's canonical form, as this provider writes digests. */
export function digestOf(crypto: Crypto, value: Json): string {
  return `sha256:${toHex(crypto.sha256(utf8(canonicalJson(value))))}`
}

function readKey(fields: Fields): AciKey {
  const algorithm = fields.text('algo', { maxLength: 64 })
  const key = { algorithm, publicKey: readPublicKey(fields, algorithm) }
  fields.end()
  return key
}

function readPublicKey(fields: Fields, algorithm: string): Uint8Array {
  if (algorithm === 'ed25519') return looseHex(fields, 'public_key', ED25519_KEY_BYTES)
  if (algorithm !== 'ecdsa-secp256k1') {
    throw new CountersignError('evidence/unsupported', `${fields.path}: no key of ${algorithm} is read here`)
  }
  const digits = fields.text('public_key', { maxLength: 2 + 2 * POINT_BYTES }).replace(/^0x/, '')
  if (digits.length === 2 * (POINT_BYTES - 1)) {
    return Uint8Array.of(4, ...looseHex(fields, 'public_key', POINT_BYTES - 1))
  }
  if (digits.length === 2 * POINT_BYTES) return looseHex(fields, 'public_key', POINT_BYTES)
  throw new CountersignError('evidence/unsupported', `${fields.path}: a compressed key is not read here`)
}

function readReceiptKey(item: Json, path: Path): AciKey {
  const fields = new Fields(item, path)
  fields.text('key_id', { maxLength: 256 })
  return readKey(fields)
}

function readTlsKey(item: Json, path: Path): string {
  const fields = new Fields(item, path)
  const digest = toHex(looseHex(fields, 'spki_sha256', 32))
  fields.any('domain')
  fields.end()
  return digest
}

/** Keys of the set that sign receipts or serve TLS. */
export function boundKeysOf({ receiptKeys, tlsKeys }: AciKeySet): readonly BoundKey[] {
  return [
    ...receiptKeys.map(({ algorithm, publicKey }): BoundKey => {
      if (algorithm === 'ed25519') return { use: 'ed25519', publicKey: toHex(publicKey) }
      return { use: 'ethereum-address', address: toHex(ethereumAddress(publicKey)) }
    }),
    ...tlsKeys.map((sha256): BoundKey => ({ use: 'tls-key', sha256 })),
  ]
}

/** The address of a secp256k1 key (65 bytes, uncompressed): the last 20 bytes of the hash of its point. */
export function ethereumAddress(publicKey: Uint8Array): Uint8Array {
  return keccak256(publicKey.subarray(1)).subarray(-ADDRESS_BYTES)
}
