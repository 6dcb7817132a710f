import assert from 'node:assert/strict'
import { test } from 'node:test'
import { utf8 } from '../bytes/bytes.ts'
import { createNobleCrypto } from '../crypto/noble-provider.ts'
import { createNodeCrypto } from '../crypto/node-provider.ts'
import { jsonBytes, ORIGIN } from '../fixture.testing.ts'
import { parseTrustFile } from '../trust/trust-file.ts'
import { MISBEHAVIOUR_KINDS, verifyMisbehaviour } from './misbehaviour.ts'
import { misbehaviourCases, misbehaviourTrust } from './misbehaviour-cases.testing.ts'
import { parseMisbehaviour } from './proof-file.ts'

const cases = misbehaviourCases()

for (const [provider, crypto] of [
  ['node', createNodeCrypto()],
  ['noble', createNobleCrypto()],
] as const) {
  const trust = parseTrustFile(crypto, utf8(misbehaviourTrust()))
  for (const { name, description, proof, error } of cases) {
    test(`${name} (${provider}): ${description}`, () => {
      const verify = () => verifyMisbehaviour(crypto, trust, parseMisbehaviour(jsonBytes(proof)))
      if (error !== undefined) assert.throws(verify, { code: error })
      else assert.equal(`${verify().kind} ${verify().log}`, `${name} ${ORIGIN}`)
    })
  }
}

test('every kind is proven by a case, and has an honest pair that is not', () => {
  for (const kind of MISBEHAVIOUR_KINDS) {
    const ofKind = cases.filter(({ proof }) => (proof as { readonly kind: string }).kind === kind)
    assert.ok(
      ofKind.some(({ error }) => error === undefined),
      kind,
    )
    assert.ok(
      ofKind.some(({ error }) => error === 'misbehaviour/not-proven'),
      kind,
    )
  }
})

test('without a witness quorum no head proves when it was made', () => {
  const crypto = createNodeCrypto()
  const none = parseTrustFile(crypto, utf8(misbehaviourTrust().replace('quorum a', 'quorum none')))
  const late = cases.find(({ name }) => name === 'promise-not-covered')
  assert.ok(late)
  const proof = parseMisbehaviour(jsonBytes(late.proof))
  assert.throws(() => verifyMisbehaviour(crypto, none, proof), { code: 'misbehaviour/not-proven' })
})
