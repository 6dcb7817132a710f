import { constants, createHash, createPublicKey, hash, type KeyObject, verify } from 'node:crypto'
import { toBase64Url } from '../bytes/base64.ts'
import type { Crypto, HashName, RsaKey, RunningSha256 } from './crypto.ts'
import { isRsaShape } from './rsa.ts'

/** Keys seen lately, made ready once: taking a key apart costs as much as checking a signature with it. */
const MAX_REMEMBERED_KEYS = 256

/** Up to here, joining the parts costs less than hashing them one by one. */
const MAX_JOINED_BYTES = 4096
const SHA256_BYTES = 32

/** DER headers before the raw public keys. @spec RFC 8410 §4, RFC 5480 §2 */
const ED25519_SPKI_HEADER = Buffer.from('302a300506032b6570032100', 'hex')
const P256_SPKI_HEADER = Buffer.from('3059301306072a8648ce3d020106082a8648ce3d030107034200', 'hex')
const P384_SPKI_HEADER = Buffer.from('3076301006072a8648ce3d020106052b81040022036200', 'hex')

/** Public keys made ready for `verify`; `undefined` for what OpenSSL takes for no key. */
interface KeyRing {
  /** Of a raw public key, by the DER that stands before it. */
  ofRaw(header: Buffer, raw: Uint8Array): KeyObject | undefined
  ofRsa(key: RsaKey): KeyObject | undefined
}

function createKeyRing(): KeyRing {
  const remembered = new Map<string, KeyObject>()

  function recall(name: string, make: () => KeyObject): KeyObject | undefined {
    const known = remembered.get(name)
    if (known !== undefined) return known
    let key: KeyObject
    try {
      key = make()
    } catch {
      return undefined
    }
    if (remembered.size >= MAX_REMEMBERED_KEYS) remembered.clear()
    remembered.set(name, key)
    return key
  }

  return {
    ofRaw(header, raw) {
      const der = Buffer.concat([header, raw])
      return recall(der.toString('latin1'), () => createPublicKey({ key: der, format: 'der', type: 'spki' }))
    },
    ofRsa({ modulus, exponent }) {
      const jwk = { kty: 'RSA', n: toBase64Url(modulus), e: toBase64Url(exponent) }
      return recall(`rsa ${jwk.n} ${jwk.e}`, () => createPublicKey({ key: jwk, format: 'jwk' }))
    },
  }
}

/** The crypto port on `node:crypto`. Remembers up to 256 public keys; keeps no secret. */
export function createNodeCrypto(): Crypto {
  const keys = createKeyRing()
  // Parts are joined here and hashed at once; nothing of it is read again.
  const joined = new Uint8Array(MAX_JOINED_BYTES)

  return {
    sha256(...parts) {
      const [only] = parts
      if (parts.length === 1 && only !== undefined) return hashAtOnce(only)
      let length = 0
      for (const part of parts) length += part.length
      if (length <= MAX_JOINED_BYTES) return hashAtOnce(joinInto(joined, parts))
      const hasher = createHash('sha256')
      for (const part of parts) hasher.update(part)
      return new Uint8Array(hasher.digest())
    },

    ed25519Accepts(publicKey, message, signature) {
      if (publicKey.length !== 32 || signature.length !== 64) return false
      const key = keys.ofRaw(ED25519_SPKI_HEADER, publicKey)
      return key !== undefined && verify(null, message, key, signature)
    },

    p256Accepts(publicKey, message, signature) {
      // OpenSSL would also read the hybrid form, which begins with 6 or 7.
      if (publicKey.length !== 65 || publicKey[0] !== 4 || signature.length !== 64) return false
      const key = keys.ofRaw(P256_SPKI_HEADER, publicKey)
      return key !== undefined && verify('sha256', message, { key, dsaEncoding: 'ieee-p1363' }, signature)
    },

    sha384: (...parts) => hashParts('sha384', parts),
    sha512: (...parts) => hashParts('sha512', parts),

    p384Accepts(publicKey, message, signature) {
      if (publicKey.length !== 97 || publicKey[0] !== 4 || signature.length !== 96) return false
      const key = keys.ofRaw(P384_SPKI_HEADER, publicKey)
      return key !== undefined && verify('sha384', message, { key, dsaEncoding: 'ieee-p1363' }, signature)
    },

    rsaAccepts(rsaKey, scheme, message, signature) {
      if (!isRsaShape(rsaKey, scheme, signature)) return false
      const key = keys.ofRsa(rsaKey)
      if (key === undefined) return false
      const padding =
        scheme.padding === 'pss'
          ? { padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: scheme.saltBytes }
          : { padding: constants.RSA_PKCS1_PADDING }
      return verify(scheme.hash, message, { key, ...padding }, signature)
    },
  }
}

/** SHA-256 on `node:crypto`, of bytes that come in pieces. */
export function startNodeSha256(): RunningSha256 {
  const hasher = createHash('sha256')
  return {
    update(part) {
      hasher.update(part)
    },
    digest: () => new Uint8Array(hasher.digest()),
  }
}

function hashParts(name: HashName, parts: readonly Uint8Array[]): Uint8Array {
  const hasher = createHash(name)
  for (const part of parts) hasher.update(part)
  return new Uint8Array(hasher.digest())
}

function joinInto(joined: Uint8Array, parts: readonly Uint8Array[]): Uint8Array {
  let length = 0
  for (const part of parts) {
    joined.set(part, length)
    length += part.length
  }
  return joined.subarray(0, length)
}

/**
 * `crypto.hash` is a third faster than `createHash`, and came with Node 20.12. As text of a character per byte the digest comes
 * back in a third of the time that a buffer takes.
 */
function hashAtOnce(bytes: Uint8Array): Uint8Array {
  const text = hash('sha256', bytes, 'binary')
  const digest = new Uint8Array(SHA256_BYTES)
  for (let i = 0; i < SHA256_BYTES; i++) digest[i] = text.charCodeAt(i)
  return digest
}
