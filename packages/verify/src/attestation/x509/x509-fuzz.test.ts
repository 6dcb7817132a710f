import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { equalBytes, utf8 } from '../../bytes/bytes.ts'
import { createNodeCrypto } from '../../crypto/node-provider.ts'
import { checkProperty, expectTyped } from '../../fuzzing.testing.ts'
import { anyText, changedBytes } from '../../mutation.testing.ts'
import { type Certificate, parseCertificate, parsePemCertificates } from './certificate.ts'
import { verifyChain, verifyCrl } from './chain.ts'
import { parseCrl } from './crl.ts'
import { createTestKey, issue, issueChain, issueCrl, pemOf, pinOf, TEST_AT_MS } from './pki.testing.ts'

const crypto = createNodeCrypto()
const [p256, p384] = [createTestKey('p256'), createTestKey('p384')]
const chain = issueChain(
  { subject: 'root', key: p384 },
  { subject: 'middle', key: p256 },
  { subject: 'leaf', key: p384 },
)
const [leaf, middle, root] = chain as [Uint8Array, Uint8Array, Uint8Array]
const withRsa = issue({ subject: 'a', issuer: 'b', key: createTestKey('rsa2048'), signer: createTestKey('rsa4096') })
const crl = issueCrl({ issuer: 'middle', signer: p256, revoked: [{ serial: '0102' }, { serial: '03' }] })

test('certificates: any bytes, and changes to good ones, give a value or an error of ours', (t) => {
  checkProperty(t, [fc.oneof(fc.uint8Array({ maxLength: 300 }), changedBytes([...chain, withRsa]))], 2000, (bytes) => {
    expectTyped(() => parseCertificate(bytes))
  })
})

test('lists: any bytes, and changes to good ones, give a value or an error of ours', (t) => {
  checkProperty(t, [fc.oneof(fc.uint8Array({ maxLength: 300 }), changedBytes([crl]))], 2000, (bytes) => {
    expectTyped(() => parseCrl(bytes))
  })
})

test('PEM: any text, and changes to good ones, give a value or an error of ours', (t) => {
  const pem = utf8(pemOf(...chain))
  const changed = changedBytes([pem]).map((bytes) => new TextDecoder().decode(bytes))
  checkProperty(t, [fc.oneof(anyText(), changed)], 1000, (text) => {
    expectTyped(() => parsePemCertificates(text, 4))
  })
})

test('no change of any byte of a chain below its root passes', (t) => {
  const rules = { roots: [pinOf(root)], atMs: TEST_AT_MS }
  const proves = (first: Uint8Array, second: Uint8Array): Certificate | undefined =>
    expectTyped(() => {
      const certificates = [first, second, root].map((each) => parseCertificate(each))
      verifyChain(crypto, certificates, rules)
      return certificates[0]
    })
  assert.notEqual(proves(leaf, middle), undefined)
  let passed = 0
  for (let i = 0; i < leaf.length; i++) {
    const flipped = leaf.map((byte, at) => (at === i ? byte ^ (1 << (i % 8)) : byte))
    if (proves(flipped, middle) !== undefined) passed++
  }
  for (let i = 0; i < middle.length; i++) {
    const flipped = middle.map((byte, at) => (at === i ? byte ^ (1 << (i % 8)) : byte))
    if (proves(leaf, flipped) !== undefined) passed++
  }
  assert.equal(passed, 0)
  checkProperty(t, [changedBytes([leaf])], 500, (bytes) => {
    assert.ok(equalBytes(bytes, leaf) || proves(bytes, middle) === undefined)
  })
})

test('no change of any byte of a revocation list passes', () => {
  const issuer = parseCertificate(middle)
  verifyCrl(crypto, parseCrl(crl), issuer, TEST_AT_MS)
  for (let i = 0; i < crl.length; i++) {
    const flipped = crl.map((byte, at) => (at === i ? byte ^ (1 << (i % 8)) : byte))
    const proven = expectTyped(() => {
      verifyCrl(crypto, parseCrl(flipped), issuer, TEST_AT_MS)
      return true
    })
    assert.equal(proven, undefined, `byte ${i}`)
  }
})
