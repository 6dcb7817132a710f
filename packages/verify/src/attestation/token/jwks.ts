/**
 * Key sets of token issuers. Nobody signs a key set, so what is in one is a candidate: it counts when its thumbprint is
 * pinned by somebody whom the reader trusts. @spec RFC 7517, RFC 7638
 */
import { parseBase64, parseBase64Url, toBase64Url } from '../../bytes/base64.ts'
import { concat, utf8 } from '../../bytes/bytes.ts'
import { type Json, type JsonLimits, parseJson } from '../../bytes/json.ts'
import { Fields, type Path, readText } from '../../bytes/shape.ts'
import type { Crypto } from '../../crypto/crypto.ts'
import { CountersignError, quote } from '../../errors.ts'
import { parseCertificate } from '../x509/certificate.ts'
import type { PublicKey } from '../x509/signature.ts'

/** A key that tokens are signed with. */
export interface TokenKey {
  readonly keyId: string
  readonly key: PublicKey
  /** The one algorithm that the set says it is for. */
  readonly algorithm: string | undefined
  /** SHA-256 thumbprint, base64url without padding. */
  readonly thumbprint: string
  /** Certificates that came with it, DER, its own first; nobody has looked at them, unless the key is from there. */
  readonly certificates: readonly Uint8Array[]
}

const LIMITS: JsonLimits = { maxBytes: 1024 * 1024, maxDepth: 6 }
const MAX_KEYS = 256
const MAX_NUMBER_LENGTH = 1024
const MAX_CERTIFICATES = 6
const MAX_CERTIFICATE_LENGTH = 16 * 1024
const CURVES = { 'P-256': { kind: 'p256', bytes: 32 }, 'P-384': { kind: 'p384', bytes: 48 } } as const

/**
 * The keys of a set that can check tokens: RSA, P-256 and P-384, with an identifier, for signatures. Others are passed over,
 * as the standard has it; a key of those kinds that is malformed refuses the set, and so do two of one identifier. A key may
 * be told by its certificate alone, as Azure does.
 *
 * @throws {CountersignError} `collateral/malformed`, `certificate/malformed`, `der/malformed`, `bytes/*`, `json/*`, `shape/*`
 */
export function parseJwks(crypto: Crypto, bytes: Uint8Array): readonly TokenKey[] {
  const fields = new Fields(parseJson(bytes, LIMITS), 'jwks')
  const keys = fields.list('keys', MAX_KEYS, (item, path) => readKey(crypto, item, path)).flat()
  const names = new Set<string>()
  for (const { keyId } of keys) {
    if (names.has(keyId)) throw malformed(`it has two keys of the name ${quote(keyId)}`)
    names.add(keyId)
  }
  return keys
}

/** One key, or none where it is not for checking tokens. */
function readKey(crypto: Crypto, item: Json, path: Path): readonly TokenKey[] {
  const fields = new Fields(item, path)
  const kind = fields.text('kty', { maxLength: 32 })
  const use = fields.optional('use', () => fields.text('use', { maxLength: 32 }))
  if ((kind !== 'RSA' && kind !== 'EC') || !fields.has('kid') || (use ?? 'sig') !== 'sig') return []
  if (fields.has('d')) throw malformed(`${path} is a private key`)
  const certificates = readCertificates(fields)
  const key = kind === 'RSA' ? readRsa(fields, certificates) : readPoint(fields)
  if (key === undefined) return []
  return [
    {
      certificates,
      keyId: fields.text('kid', { maxLength: 512 }),
      key,
      algorithm: fields.optional('alg', () => fields.text('alg', { maxLength: 32 })),
      thumbprint: thumbprintOf(crypto, key),
    },
  ]
}

/**
 * The certificates in `x5c`, DER, in their order; none where there is no such member. @spec RFC 7515 §4.1.6
 *
 * @throws {CountersignError} `bytes/bad-base64`, `shape/*`
 */
export function readCertificates(fields: Fields): readonly Uint8Array[] {
  const read = () =>
    fields.list('x5c', MAX_CERTIFICATES, (item, path) =>
      parseBase64(readText(item, path, { maxLength: MAX_CERTIFICATE_LENGTH })),
    )
  return fields.optional('x5c', read) ?? []
}

function readRsa(fields: Fields, [certificate]: readonly Uint8Array[]): PublicKey {
  if (!fields.has('n') && certificate !== undefined) {
    const { publicKey } = parseCertificate(certificate)
    if (publicKey.kind !== 'rsa') throw malformed(`${fields.path} has a certificate of another kind of key`)
    return publicKey
  }
  const [modulus, exponent] = [readBytes(fields, 'n'), readBytes(fields, 'e')]
  if (modulus[0] === 0 || exponent[0] === 0) throw malformed(`${fields.path} has a number with leading zeros`)
  return { kind: 'rsa', modulus, exponent }
}

function readPoint(fields: Fields): PublicKey | undefined {
  const name = fields.text('crv', { maxLength: 32 })
  if (name !== 'P-256' && name !== 'P-384') return undefined
  const { kind, bytes } = CURVES[name]
  const [x, y] = [readBytes(fields, 'x'), readBytes(fields, 'y')]
  if (x.length !== bytes || y.length !== bytes) throw malformed(`${fields.path} has a coordinate of another length`)
  return { kind, point: concat(Uint8Array.of(4), x, y) }
}

function readBytes(fields: Fields, name: string): Uint8Array {
  return parseBase64Url(fields.text(name, { maxLength: MAX_NUMBER_LENGTH }))
}

/**
 * SHA-256 of the members that make the key, in their one order and spelling; base64url. Two spellings of a set give one
 * thumbprint. @spec RFC 7638 §3
 */
export function thumbprintOf(crypto: Crypto, key: PublicKey): string {
  return toBase64Url(crypto.sha256(utf8(JSON.stringify(membersOf(key)))))
}

function membersOf(key: PublicKey): Json {
  if (key.kind === 'rsa') return { e: toBase64Url(key.exponent), kty: 'RSA', n: toBase64Url(key.modulus) }
  const bytes = (key.point.length - 1) / 2
  const [x, y] = [key.point.slice(1, 1 + bytes), key.point.slice(1 + bytes)]
  return { crv: key.kind === 'p256' ? 'P-256' : 'P-384', kty: 'EC', x: toBase64Url(x), y: toBase64Url(y) }
}

function malformed(why: string): CountersignError {
  return new CountersignError('collateral/malformed', `not a key set that can be used: ${why}`)
}
