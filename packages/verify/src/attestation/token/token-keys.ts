/** Which key signed a token, and who vouches for it. */
import { toHex, utf8 } from '../../bytes/bytes.ts'
import type { Memory } from '../../bytes/memory.ts'
import type { Crypto } from '../../crypto/crypto.ts'
import { CountersignError } from '../../errors.ts'
import type { AppraisalInput } from '../appraised.ts'
import type { EvidenceChecks } from '../checks.ts'
import { type CollateralBundle, itemsOf } from '../collateral.ts'
import { readItems } from '../readable.ts'
import { parseCertificate } from '../x509/certificate.ts'
import { chainCurrentUntilMs, verifyChain } from '../x509/chain.ts'
import { parseJwks, type TokenKey, thumbprintOf } from './jwks.ts'
import { type UnverifiedJws, verifyJws } from './jws.ts'

/** Most keys of one name that are tried: whoever hands over key sets chooses how many have it. */
const MAX_TRIED = 8

/** A token as it came, and taken apart. */
export interface ReadToken {
  readonly text: string
  readonly jws: UnverifiedJws
}

/** Where a policy's signers pin the keys of a service. */
export interface PinNames {
  /** Thumbprints of keys, base64url. */
  readonly key: string
  /** SHA-256 of certificates (DER, hexadecimal) that issued the certificate of a key, themselves or by others. */
  readonly issuer: string
}

export const TOKEN_PINS: PinNames = { key: 'token_key', issuer: 'token_ca' }
export const NRAS_PINS: PinNames = { key: 'nras_key', issuer: 'nras_ca' }

/**
 * The check `signature`: each token was signed by a key of the collateral's sets. The keys, in the order of the tokens;
 * `undefined` where that is not shown. Where no set has a key of the token's name, nothing is known of the signature.
 */
export function checkSignatures<Name extends string>(
  list: EvidenceChecks<Name | 'signature'>,
  input: AppraisalInput,
  tokens: readonly ReadToken[],
): readonly TokenKey[] | undefined {
  const { keys, unread } = keysOf(input)
  const isMissing = ({ keyId, certificates }: UnverifiedJws) =>
    certificates.length === 0 && !keys.some((key) => key.keyId === keyId)
  const missing = tokens.find(({ jws }) => isMissing(jws))
  if (missing !== undefined) {
    const name = missing.jws.keyId === undefined ? 'a key, and the token names none' : `the key ${missing.jws.keyId}`
    list.notChecked('signature', [`no key set that was given has ${name}`, ...unread].join('; '))
    return undefined
  }
  return list.attempt('signature', () => tokens.map((token) => findSigner(input, token, keys)))
}

/** All keys of all sets. A set that cannot be read is as none, and a reason. */
function keysOf({ crypto, collateral, memory }: AppraisalInput): ReadKeys {
  const read = () => readKeys(crypto, collateral, memory)
  return memory === undefined ? read() : memory.recallOf('token/keys', collateral, collateral, read)
}

interface ReadKeys {
  readonly keys: readonly TokenKey[]
  readonly unread: readonly string[]
}

function readKeys(crypto: Crypto, collateral: CollateralBundle, memory: Memory | undefined): ReadKeys {
  const { items, unreadable } = readItems(itemsOf(collateral, 'jwks'), (bytes) => {
    const read = () => parseJwks(crypto, bytes)
    return memory?.recall('jwks', toHex(crypto.sha256(bytes)), read, bytes.length) ?? read()
  })
  const unread = unreadable.map(({ message }) => `a key set cannot be read: ${message}`)
  return { keys: items.flat(), unread }
}

/**
 * The key that signed the token. Sets of two issuers may use one name, so keys of that name are tried, up to eight, and that
 * of the certificate which the token brings.
 *
 * @throws {CountersignError} `signature/invalid`, `certificate/malformed`, `der/malformed`
 */
function findSigner({ crypto, memory }: AppraisalInput, { text, jws }: ReadToken, keys: readonly TokenKey[]): TokenKey {
  const [own] = jws.certificates
  const candidates = [
    ...keys.filter(({ keyId }) => keyId === jws.keyId).slice(0, MAX_TRIED),
    ...(own === undefined ? [] : [keyOfCertificates(crypto, own, jws.certificates, memory)]),
  ]
  const name = memory === undefined ? '' : toHex(crypto.sha256(utf8(text)))
  let refusal = new CountersignError('signature/invalid', 'no key of that name was given')
  for (const key of candidates) {
    const prove = () => verifyJws(crypto, jws, key)
    try {
      if (memory === undefined) prove()
      else memory.recall('token-signature', `${name} ${key.thumbprint} ${key.algorithm ?? ''}`, prove)
      return key
    } catch (thrown) {
      if (!(thrown instanceof CountersignError)) throw thrown
      refusal = thrown
    }
  }
  throw refusal
}

/** The key of the first certificate. Nothing says yet that the others issued it. */
function keyOfCertificates(
  crypto: Crypto,
  own: Uint8Array,
  certificates: readonly Uint8Array[],
  memory: Memory | undefined,
): TokenKey {
  const { publicKey } = parseCertificate(own, memory)
  return { keyId: '', key: publicKey, algorithm: undefined, thumbprint: thumbprintOf(crypto, publicKey), certificates }
}

/**
 * The check `token-key`: the policy pins each key, or who issued its certificate. Without a pin nobody vouches for a key:
 * whoever hands over a token can hand over a key set with it.
 *
 * Whether a certificate was revoked is not looked at: these services publish no lists. Returns until when the certificates that
 * this rests on are valid, milliseconds; infinite where it rests on none.
 */
export function checkPins<Name extends string>(
  list: EvidenceChecks<Name | 'token-key'>,
  input: AppraisalInput,
  keys: readonly TokenKey[],
  names: PinNames,
): number {
  const { policy } = input
  const [pins, issuers] = [policy?.signers[names.key], policy?.signers[names.issuer]]
  if (pins === undefined && issuers === undefined) {
    const why =
      policy === undefined
        ? 'no policy was given'
        : `the policy has no signers.${names.key} and no signers.${names.issuer}`
    const thumbprints = [...new Set(keys.map(({ thumbprint }) => thumbprint))].join(', ')
    list.notChecked('token-key', `key sets are unsigned, and ${why}: nobody vouches for the key ${thumbprints}`)
    return Number.POSITIVE_INFINITY
  }
  let untilMs = Number.POSITIVE_INFINITY
  list.attempt('token-key', () => {
    for (const key of keys) {
      if (pins?.includes(key.thumbprint)) continue
      if (issuers === undefined) {
        throw new CountersignError(
          'signature/unknown-key',
          `the token is signed by the key ${key.thumbprint}, which the policy does not pin in signers.${names.key}`,
        )
      }
      untilMs = Math.min(untilMs, verifyIssuedKey(input, key, issuers))
    }
  })
  return untilMs
}

/**
 * Proves that a pinned certificate issued the key's own, by itself or by those between, all of them valid at the time. Until when
 * they are.
 *
 * @throws {CountersignError} `signature/unknown-key` where none is pinned, `certificate/*`, `der/malformed`
 */
function verifyIssuedKey({ crypto, atMs, memory }: AppraisalInput, key: TokenKey, issuers: readonly string[]): number {
  const pinned = key.certificates.findIndex((der, i) => i > 0 && issuers.includes(toHex(crypto.sha256(der))))
  if (pinned < 0) {
    throw new CountersignError(
      'signature/unknown-key',
      `no certificate that the policy pins issued that of the key ${key.thumbprint}`,
    )
  }
  const chain = key.certificates.slice(0, pinned + 1).map((der) => parseCertificate(der, memory))
  const own = chain[0]
  if (own === undefined || thumbprintOf(crypto, own.publicKey) !== key.thumbprint) {
    throw new CountersignError('certificate/wrong-chain', 'the key set gives a key with the certificate of another')
  }
  verifyChain(crypto, chain, { roots: issuers, atMs, endsBelowRoot: true }, memory)
  return chainCurrentUntilMs(chain)
}
