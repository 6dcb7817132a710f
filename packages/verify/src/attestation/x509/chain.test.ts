import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createNodeCrypto } from '../../crypto/node-provider.ts'
import { parseCertificate } from './certificate.ts'
import { verifyChain } from './chain.ts'
import { createTestKey, issueChain, pinOf, TEST_AT_MS } from './pki.testing.ts'

const crypto = createNodeCrypto()

test('a chain of every kind of key holds', () => {
  for (const kind of ['p256', 'p384', 'rsa2048', 'rsa4096'] as const) {
    const [root, middle, leaf] = [
      createTestKey(kind, 'root'),
      createTestKey(kind, 'other'),
      createTestKey('p384', 'leaf'),
    ]
    const chain = issueChain(
      { subject: 'root', key: root },
      { subject: 'middle', key: middle },
      { subject: 'leaf', key: leaf },
    )
    const pin = pinOf(chain.at(-1) ?? new Uint8Array())
    verifyChain(
      crypto,
      chain.map((each) => parseCertificate(each)),
      { roots: [pin], atMs: TEST_AT_MS },
    )
  }
  assert.ok(true)
})
