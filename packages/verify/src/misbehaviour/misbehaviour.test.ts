import assert from 'node:assert/strict'
import { test } from 'node:test'
import { utf8 } from '../bytes/bytes.ts'
import type { Json } from '../bytes/json.ts'
import { createNobleCrypto } from '../crypto/noble-provider.ts'
import { createNodeCrypto } from '../crypto/node-provider.ts'
import { jsonBytes, ORIGIN } from '../fixture.testing.ts'
import { formatConsistency } from '../log/consistency-proof.ts'
import { buildScene } from '../scene.testing.ts'
import { parseTrustFile } from '../trust/trust-file.ts'
import { COMMON_SIZE, commonCases, forkProof } from './common-cases.testing.ts'
import { MISBEHAVIOUR_KINDS, verifyMisbehaviour } from './misbehaviour.ts'
import { misbehaviourCases, misbehaviourTrust } from './misbehaviour-cases.testing.ts'
import { MAX_AGREEING_HEADS, parseMisbehaviour } from './proof-file.ts'

const cases = [...misbehaviourCases(), ...commonCases()]

for (const [provider, crypto] of [
  ['node', createNodeCrypto()],
  ['noble', createNobleCrypto()],
] as const) {
  const trust = parseTrustFile(crypto, utf8(misbehaviourTrust()))
  for (const { name, description, proof, error, kind = name, commonSize = 0 } of cases) {
    test(`${name} (${provider}): ${description}`, () => {
      const verify = () => verifyMisbehaviour(crypto, trust, parseMisbehaviour(jsonBytes(proof)))
      if (error !== undefined) assert.throws(verify, { code: error })
      else {
        const { log, ...proven } = verify()
        assert.deepEqual([proven.kind, log, proven.commonSize], [kind, ORIGIN, commonSize])
        assert.equal(proven.commonRoot === undefined, commonSize === 0)
      }
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

test('statements show no histories, and so no common one', () => {
  const [proof] = cases.filter(({ name }) => name === 'two-statements-one-receipt').map((each) => each.proof)
  const common = { head: 'x', first: [] }
  assert.throws(() => parseMisbehaviour(jsonBytes({ ...(proof as { readonly [name: string]: Json }), common })), {
    code: 'shape/unknown-field',
  })
})

test('a common part has bounds', () => {
  const scene = buildScene()
  const one = formatConsistency(scene.log.consistency(1, COMMON_SIZE))
  const parse = (count: number) =>
    parseMisbehaviour(jsonBytes(forkProof(scene, COMMON_SIZE, { older: Array.from({ length: count }, () => one) })))
  parse(MAX_AGREEING_HEADS)
  assert.throws(() => parse(MAX_AGREEING_HEADS + 1), { code: 'shape/bad-value' })
})
