import assert from 'node:assert/strict'
import { constants, createPrivateKey, type KeyObject, sign } from 'node:crypto'
import { test } from 'node:test'
import { ed25519 } from '@noble/curves/ed25519.js'
import { p256, p384 } from '@noble/curves/nist.js'
import { secp256k1 } from '@noble/curves/secp256k1.js'
import fc from 'fast-check'
import { toBase64Url } from '../bytes/base64.ts'
import { concat, toHex, utf8 } from '../bytes/bytes.ts'
import { checkProperty } from '../fuzzing.testing.ts'
import type { RsaScheme } from './crypto.ts'
import { p256Cases, p384Cases } from './ecdsa-cases.testing.ts'
import { ed25519Cases, littleEndian } from './ed25519-cases.testing.ts'
import { keccak256, recoverSecp256k1 } from './ethereum.ts'
import { createNobleCrypto } from './noble-provider.ts'
import { createNodeCrypto } from './node-provider.ts'
import { recoveryCases } from './recovery-cases.testing.ts'
import { rsaCases } from './rsa-cases.testing.ts'
import { bigEndian, inverse, power, testRsaKey, toInteger } from './rsa-keys.testing.ts'

const node = createNodeCrypto()
const noble = createNobleCrypto()

/** FIPS 180-4 as published; Keccak-256 as Ethereum has it for no code and for "abc". */
const KNOWN_DIGESTS = [
  ['sha384', '', '38b060a751ac96384cd9327eb1b1e36a21fdb71114be07434c0cc7bf63f6e1da274edebfe76f65fbd51ad2f14898b95b'],
  ['sha384', 'abc', 'cb00753f45a35e8bb5a03d699ac65007272c32ab0eded1631a8b605a43ff5bed8086072ba1e7cc2358baeca134c825a7'],
  [
    'sha512',
    '',
    'cf83e1357eefb8bdf1542850d66d8007d620e4050b5715dc83f4a921d36ce9ce47d0d13c5d85f2b0ff8318d2877eec2f63b931bd47417a81a538327af927da3e',
  ],
  [
    'sha512',
    'abc',
    'ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f',
  ],
  ['sha256', '', 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855'],
  ['sha256', 'abc', 'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad'],
] as const

for (const [provider, crypto] of [
  ['node', node],
  ['noble', noble],
] as const) {
  for (const { name, publicKey, message, signature, accepted } of ed25519Cases()) {
    test(`Ed25519, ${name}: ${accepted ? 'accepted' : 'refused'} (${provider})`, () => {
      assert.equal(crypto.ed25519Accepts(publicKey, message, signature), accepted)
    })
  }
  for (const { name, publicKey, message, signature, accepted } of p256Cases()) {
    test(`P-256, ${name}: ${accepted ? 'accepted' : 'refused'} (${provider})`, () => {
      assert.equal(crypto.p256Accepts(publicKey, message, signature), accepted)
    })
  }
  for (const { name, publicKey, message, signature, accepted } of p384Cases()) {
    test(`P-384, ${name}: ${accepted ? 'accepted' : 'refused'} (${provider})`, () => {
      assert.equal(crypto.p384Accepts(publicKey, message, signature), accepted)
    })
  }
  for (const { name, key, scheme, message, signature, accepted } of rsaCases()) {
    test(`RSA, ${name}: ${accepted ? 'accepted' : 'refused'} (${provider})`, () => {
      assert.equal(crypto.rsaAccepts(key, scheme, message, signature), accepted)
    })
  }
  test(`digests of known messages (${provider})`, () => {
    for (const [name, message, digest] of KNOWN_DIGESTS) {
      assert.equal(toHex(crypto[name](utf8(message))), digest, `${name} of ${JSON.stringify(message)}`)
    }
  })
}

const bytes = (length: number) => fc.uint8Array({ minLength: length, maxLength: length })

/** A few bits to flip, by position in the whole of what is given. */
const flips = fc.array(fc.nat({ max: 8 * 64 - 1 }), { maxLength: 2 })

function flip(original: Uint8Array, positions: readonly number[]): Uint8Array {
  const changed = original.slice()
  for (const position of positions) {
    const at = (position >> 3) % changed.length
    changed[at] = (changed[at] ?? 0) ^ (1 << (position & 7))
  }
  return changed
}

test('the providers agree on Ed25519 signatures, honest and changed', (t) => {
  let accepted = 0
  checkProperty(
    t,
    [bytes(32), fc.uint8Array({ maxLength: 64 }), flips, flips],
    150,
    (secret, message, inKey, inSignature) => {
      const publicKey = flip(ed25519.getPublicKey(secret), inKey)
      const signature = flip(ed25519.sign(message, secret), inSignature)
      const says = node.ed25519Accepts(publicKey, message, signature)
      if (says) accepted++
      assert.equal(noble.ed25519Accepts(publicKey, message, signature), says)
    },
  )
  assert.ok(accepted > 0, 'some signatures must have been accepted')
})

test('the providers agree on P-256 signatures, honest and changed', (t) => {
  let accepted = 0
  const secrets = bytes(32).filter((secret) => p256.utils.isValidSecretKey(secret))
  checkProperty(
    t,
    [secrets, fc.uint8Array({ maxLength: 64 }), flips, flips],
    150,
    (secret, message, inKey, inSignature) => {
      const publicKey = flip(p256.getPublicKey(secret, false), inKey)
      const signature = flip(p256.sign(message, secret, { prehash: true, lowS: false }), inSignature)
      const says = node.p256Accepts(publicKey, message, signature)
      if (says) accepted++
      assert.equal(noble.p256Accepts(publicKey, message, signature), says)
    },
  )
  assert.ok(accepted > 0, 'some signatures must have been accepted')
})

test('the providers agree on P-384 signatures, honest and changed', (t) => {
  let accepted = 0
  const secrets = bytes(48).filter((secret) => p384.utils.isValidSecretKey(secret))
  checkProperty(
    t,
    [secrets, fc.uint8Array({ maxLength: 64 }), flips, flips],
    100,
    (secret, message, inKey, inSignature) => {
      const publicKey = flip(p384.getPublicKey(secret, false), inKey)
      const signature = flip(p384.sign(message, secret, { prehash: true, lowS: false }), inSignature)
      const says = node.p384Accepts(publicKey, message, signature)
      if (says) accepted++
      assert.equal(noble.p384Accepts(publicKey, message, signature), says)
    },
  )
  assert.ok(accepted > 0, 'some signatures must have been accepted')
})

const hashName = fc.constantFrom('sha256', 'sha384', 'sha512')

test('the providers agree on RSA signatures of node:crypto, honest and changed', (t) => {
  const { key, modulus, primes } = testRsaKey(2048)
  const privateKey = privateRsaKey(modulus, primes)
  let accepted = 0
  checkProperty(
    t,
    [hashName, fc.constantFrom(undefined, 0, 20, 32, 48), fc.uint8Array({ maxLength: 64 }), flips, fc.boolean()],
    150,
    (hash, saltBytes, message, inSignature, isOtherScheme) => {
      const scheme: RsaScheme =
        saltBytes === undefined ? { padding: 'pkcs1-v1_5', hash } : { padding: 'pss', hash, saltBytes }
      const padding =
        saltBytes === undefined
          ? { padding: constants.RSA_PKCS1_PADDING }
          : { padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: saltBytes }
      const signature = flip(sign(hash, message, { key: privateKey, ...padding }), inSignature)
      const asked: RsaScheme = isOtherScheme ? { padding: 'pss', hash, saltBytes: 32 } : scheme
      const says = node.rsaAccepts(key, asked, message, signature)
      if (says) accepted++
      assert.equal(noble.rsaAccepts(key, asked, message, signature), says)
    },
  )
  assert.ok(accepted > 10, 'many signatures must have been accepted')
})

test('the providers agree on RSA encodings changed before they were signed', (t) => {
  const cases = rsaCases().filter(({ accepted, key }) => accepted && key.modulus.length <= 257)
  let accepted = 0
  const positions = fc.array(fc.nat({ max: 257 * 8 - 1 }), { maxLength: 2 })
  checkProperty(t, [fc.constantFrom(...cases), positions], 150, ({ key, scheme, message, signature }, inBlock) => {
    const signer = testRsaKey(key.modulus.length === 256 ? 2048 : 2049, toInteger(key.exponent))
    const block = bigEndian(power(toInteger(signature), toInteger(key.exponent), signer.modulus), key.modulus.length)
    const changed = toInteger(flip(block, inBlock)) % signer.modulus
    const resigned = signer.signRaw(bigEndian(changed, key.modulus.length))
    const says = node.rsaAccepts(key, scheme, message, resigned)
    if (says) accepted++
    assert.equal(noble.rsaAccepts(key, scheme, message, resigned), says)
    assert.equal(says, inBlock.length === 0 || changed === toInteger(block))
  })
  assert.ok(accepted > 0, 'some signatures must have been accepted')
})

test('the providers agree on RSA keys that nobody made', (t) => {
  const odd = (length: number) => bytes(length).map((raw) => raw.with(length - 1, (raw[length - 1] ?? 0) | 1))
  const modulus = fc.oneof(odd(256), odd(257), odd(512), bytes(256), fc.uint8Array({ maxLength: 520 }))
  const exponent = fc.oneof(odd(3), odd(4), fc.uint8Array({ maxLength: 6 }))
  const salt = fc.oneof(fc.constant(undefined), fc.integer({ min: -3, max: 500 }))
  checkProperty(t, [modulus, exponent, hashName, salt, fc.boolean()], 200, (n, e, hash, saltBytes, isSmall) => {
    const scheme: RsaScheme =
      saltBytes === undefined ? { padding: 'pkcs1-v1_5', hash } : { padding: 'pss', hash, saltBytes }
    const signature = isSmall ? new Uint8Array(n.length).fill(1) : n.map((byte) => byte >> 1)
    const key = { modulus: n, exponent: e }
    const message = new Uint8Array(0)
    assert.equal(noble.rsaAccepts(key, scheme, message, signature), node.rsaAccepts(key, scheme, message, signature))
  })
})

for (const { name, digest, signature, isOdd, signer } of recoveryCases()) {
  test(`secp256k1, ${name}: ${signer === undefined ? 'nobody' : 'the signer'}`, () => {
    assert.deepEqual(recoverSecp256k1(digest, signature, isOdd), signer)
  })
}

test('Keccak-256 of known messages, in one part and in several', () => {
  const empty = 'c5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470'
  const abc = '4e03657aea45a94fc7d47ba826c8d667c0d1e6e33a64a036ec44f58fa12d6c45'
  assert.equal(toHex(keccak256()), empty)
  assert.equal(toHex(keccak256(utf8('abc'))), abc)
  assert.equal(toHex(keccak256(utf8('a'), utf8(''), utf8('bc'))), abc)
})

test('a secp256k1 key is recovered from what node:crypto signed, by one of the two parities', (t) => {
  checkProperty(
    t,
    [bytes(32).filter((secret) => secp256k1.utils.isValidSecretKey(secret)), fc.uint8Array({ maxLength: 64 })],
    60,
    (secret, message) => {
      const publicKey = secp256k1.getPublicKey(secret, false)
      const [x, y, d] = [publicKey.slice(1, 33), publicKey.slice(33), secret].map((part) => toBase64Url(part))
      const jwk = { kty: 'EC', crv: 'secp256k1', x: x ?? '', y: y ?? '', d: d ?? '' }
      const key = createPrivateKey({ key: jwk, format: 'jwk' })
      const made = new Uint8Array(sign('sha256', message, { key, dsaEncoding: 'ieee-p1363' }))
      const s = toInteger(made.slice(32))
      const order = secp256k1.Point.Fn.ORDER
      const signature = s > order / 2n ? concat(made.slice(0, 32), bigEndian(order - s, 32)) : made
      const found = [false, true].map((isOdd) => recoverSecp256k1(noble.sha256(message), signature, isOdd))
      assert.ok(found.some((each) => each !== undefined && toHex(each) === toHex(publicKey)))
      const others = found.filter((each) => each !== undefined && toHex(each) !== toHex(publicKey))
      assert.equal(others.length, 1, 'the other parity is another key')
    },
  )
})

test('the providers agree on bytes that nobody signed', (t) => {
  // Small numbers, in either order of bytes, reach small-order points, and what is just above a modulus.
  const edges = [0n, 1n, 2n, 2n ** 255n - 19n, 2n ** 255n - 18n, 2n ** 256n - 1n, ed25519.Point.Fn.ORDER].map(
    littleEndian,
  )
  const part = fc.oneof(
    bytes(32),
    fc.constantFrom(...edges),
    fc.constantFrom(...edges.map((edge) => edge.toReversed())),
  )
  checkProperty(t, [part, part, part, part], 150, (first, second, r, s) => {
    const signature = Uint8Array.of(...r, ...s)
    const message = new Uint8Array(0)
    const point = Uint8Array.of(4, ...first, ...second)
    assert.equal(noble.ed25519Accepts(first, message, signature), node.ed25519Accepts(first, message, signature))
    assert.equal(noble.p256Accepts(point, message, signature), node.p256Accepts(point, message, signature))
    const wide = Uint8Array.of(4, ...first, ...second, ...first.slice(0, 16), ...second.slice(0, 16))
    const wideSignature = Uint8Array.of(...r, ...s, ...r)
    assert.equal(noble.p384Accepts(wide, message, wideSignature), node.p384Accepts(wide, message, wideSignature))
  })
})

for (const name of ['sha256', 'sha384', 'sha512'] as const) {
  test(`the providers agree on ${name}, in one part and in several`, (t) => {
    checkProperty(t, [fc.array(fc.uint8Array({ maxLength: 200 }), { maxLength: 4 })], 200, (parts) => {
      const digest = node[name](...parts)
      assert.deepEqual(noble[name](...parts), digest)
      assert.deepEqual(node[name](concat(...parts)), digest)
    })
  })
}

test('more keys than the node provider remembers change no answer', () => {
  const message = new Uint8Array(3)
  for (let round = 0; round < 2; round++) {
    for (let i = 0; i < 300; i++) {
      const secret = new Uint8Array(32).fill(1 + (i % 7))
      const signature = ed25519.sign(message, secret)
      const publicKey = i % 7 === 0 ? ed25519.getPublicKey(secret) : node.sha256(Uint8Array.of(i, i >> 8))
      assert.equal(node.ed25519Accepts(publicKey, message, signature), i % 7 === 0)
      if (i > 20 && round > 0) return
    }
  }
})

/** A private key of two primes, for node:crypto. */
function privateRsaKey(modulus: bigint, [p = 0n, q = 0n]: readonly bigint[]): KeyObject {
  const e = 65_537n
  const d = inverse(e, (p - 1n) * (q - 1n))
  const numbers = { n: modulus, e, d, p, q, dp: d % (p - 1n), dq: d % (q - 1n), qi: inverse(q, p) }
  const members = Object.entries(numbers).map(([name, number]) => [name, toBase64Url(bigEndian(number))])
  return createPrivateKey({ key: { kty: 'RSA', ...Object.fromEntries(members) }, format: 'jwk' })
}
