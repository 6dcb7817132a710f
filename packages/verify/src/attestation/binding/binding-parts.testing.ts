/** The keys, key sets and bound bytes that the cases of binding profiles are made of. */

import { ed25519 } from '@noble/curves/ed25519.js'
import { secp256k1 } from '@noble/curves/secp256k1.js'
import { toBase64 } from '../../bytes/base64.ts'
import { concat, toHex, utf8 } from '../../bytes/bytes.ts'
import { canonicalJson } from '../../bytes/canonical-json.ts'
import type { Json } from '../../bytes/json.ts'
import { keccak256 } from '../../crypto/ethereum.ts'
import type { Appraised } from '../appraised.ts'
import type { ProfileName } from '../profile-names.ts'
import { AT_MS, appraised, crypto, type Given, NONCE, p256Spki } from './binding.testing.ts'

export const SPKI = p256Spki(1)
export const OTHER = p256Spki(2)
export const filled = (length: number, fill: number) => new Uint8Array(length).fill(fill)
export const padded = (bytes: Uint8Array, length = 64) => concat(bytes, new Uint8Array(length - bytes.length))
export const key = (spki: Uint8Array) => toHex(crypto.sha256(spki))

export const ADDRESS = filled(20, 0xab)
export const FINGERPRINT = filled(32, 0xcd)
export const PCRS = Object.fromEntries([0, 1, 2].map((i) => [`pcr${i}`, toHex(filled(48, i + 1))]))
export const TEE_ID = toHex(keccak256(SPKI))
export const PCR_HASH = toHex(keccak256(filled(48, 1), filled(48, 2), filled(48, 3)))
export const RECEIPT_KEY = ed25519.getPublicKey(filled(32, 2))
export const RECEIPT_POINT = secp256k1.getPublicKey(filled(32, 4), false)

export function aciKeySet(): { readonly [name: string]: Json } {
  return {
    workload_identity: {
      public_key: { algo: 'ed25519', public_key: toHex(ed25519.getPublicKey(filled(32, 1))) },
      subject: null,
    },
    keyset_epoch: { version: 1, not_after: AT_MS / 1000 + 60 },
    receipt_signing_keys: [
      { key_id: 'signs', algo: 'ed25519', public_key: toHex(RECEIPT_KEY) },
      { key_id: 'signs too', algo: 'ecdsa-secp256k1', public_key: toHex(RECEIPT_POINT) },
    ],
    e2ee_public_keys: [{ key_id: 'encrypts', algo: 'x25519-aes-256-gcm-hkdf-sha256', public_key: '2e'.repeat(32) }],
    tls_public_keys: [{ spki_sha256: '1d'.repeat(32), domain: 'gateway.example' }],
  }
}

export function aciBeside(keySet: Json, secret = filled(32, 1), algo = 'ed25519'): { readonly [name: string]: Json } {
  const digest = `sha256:${toHex(crypto.sha256(utf8(canonicalJson(keySet))))}`
  const payload = canonicalJson({ purpose: 'aci.keyset.endorsement.v1', workload_keyset_digest: digest })
  const value = toHex(ed25519.sign(utf8(payload), secret))
  return { workload_keyset: keySet, keyset_endorsement: { algo, value } }
}

export function aciReport(keySet: { readonly [name: string]: Json }, nonce: string | null): Uint8Array {
  const identity = (keySet.workload_identity as { readonly public_key: Json }).public_key
  const digest = (value: Json) => `sha256:${toHex(crypto.sha256(utf8(canonicalJson(value))))}`
  const statement = {
    purpose: 'aci.report_data.v1',
    workload_id: digest(identity),
    workload_keyset_digest: digest(keySet),
    nonce,
  }
  return padded(crypto.sha256(utf8(canonicalJson(statement))))
}

export const tdx = (boundData: Uint8Array, changes: Partial<Appraised> = {}) =>
  appraised('tdx', { boundData, ...changes })
export const nitro = (changes: Partial<Appraised>) => appraised('nitro', { measurements: PCRS, ...changes })
export const near = (first: Uint8Array, second = NONCE) => tdx(concat(padded(first, 32), second))
export const hex0x = (bytes: Uint8Array) => `0x${toHex(bytes).toUpperCase()}`
export const userData = (tls: Uint8Array, signing: Uint8Array) => concat(filled(2, 9), tls, filled(2, 9), signing)
export const SNP_POLICY = { tee: 'sev-snp', profile: 'tinfoil', measurements: { measurement: ['aa'] } }
export const ACI_SET = aciKeySet()
export const OLD_SET = { ...ACI_SET, keyset_epoch: { version: 1, not_after: AT_MS / 1000 } }

export interface Case {
  readonly profile: ProfileName
  readonly name: string
  readonly given: Given
  /** Checks that must fail: all that do. */
  readonly fails?: readonly string[]
  /** Checks that must not have been made. */
  readonly open?: readonly string[]
  readonly keys?: readonly Json[]
  readonly answersNonce?: boolean
  readonly shown?: readonly string[]
}

export const COUNTERSIGN_GIVEN: Given = {
  items: [tdx(crypto.sha512(SPKI, NONCE))],
  nonce: NONCE,
  beside: { signingKey: toBase64(SPKI) },
}
export const NEAR_BESIDE = { signing_address: hex0x(ADDRESS), signing_algo: 'ecdsa' }
export const NEAR_KEY = { use: 'ethereum-address', address: toHex(ADDRESS) }
export const OG_ITEM = nitro({ boundData: userData(FINGERPRINT, crypto.sha256(SPKI)), answersNonce: true })
export const OG_BESIDE = { publicKey: toBase64(SPKI), teeId: `0x${TEE_ID}`, pcrHash: PCR_HASH }
export const OG_KEYS = [
  { use: 'tls-certificate', sha256: toHex(FINGERPRINT) },
  { use: 'signing-key', sha256: key(SPKI) },
]
export const SPACE_KEYS = [
  { use: 'tls-key', sha256: key(SPKI) },
  { use: 'signing-key', sha256: key(SPKI) },
]
export const space = (eat_nonce: Json, answersNonce = false) =>
  appraised('confidential-space', { claims: { eat_nonce }, answersNonce })
