import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ed25519 } from '@noble/curves/ed25519.js'
import { p256 } from '@noble/curves/nist.js'
import fc from 'fast-check'
import { checkProperty } from '../fuzzing.testing.ts'
import { ed25519Cases, littleEndian } from './ed25519-cases.testing.ts'
import { createNobleCrypto } from './noble-provider.ts'
import { createNodeCrypto } from './node-provider.ts'
import { p256Cases } from './p256-cases.testing.ts'

const node = createNodeCrypto()
const noble = createNobleCrypto()

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
  })
})

test('the providers agree on SHA-256, in one part and in several', (t) => {
  checkProperty(t, [fc.array(fc.uint8Array({ maxLength: 200 }), { maxLength: 4 })], 200, (parts) => {
    const digest = node.sha256(...parts)
    assert.deepEqual(noble.sha256(...parts), digest)
    assert.deepEqual(node.sha256(Uint8Array.from(parts.flatMap((part) => [...part]))), digest)
  })
})

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
