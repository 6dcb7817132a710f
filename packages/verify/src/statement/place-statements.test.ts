import assert from 'node:assert/strict'
import { test } from 'node:test'
import { toHex, utf8 } from '../bytes/bytes.ts'
import type { Json } from '../bytes/json.ts'
import type { JsonPath } from '../bytes/json-edit.testing.ts'
import { createNodeCrypto } from '../crypto/node-provider.ts'
import { assertRefusals, type Refusal, shapeRefusals } from '../refusals.testing.ts'
import { type AppraisalPredicate, appraisalStatement, parseAppraisal, tlsCertificateOf } from './appraisal.ts'
import { isSameKey, readBoundKey } from './bound-key.ts'
import { SAMPLE_APPRAISAL, SAMPLE_POLICY, SAMPLE_REVOKED, sampleRevocation } from './place.testing.ts'
import { parseRevocation, revocationStatement } from './revocation.ts'
import { formatStatement, parseStatement } from './statement.ts'

const crypto = createNodeCrypto()
const bad = (path: JsonPath, value: Json): Refusal => [path, value, 'shape/bad-value']
const appraisal = SAMPLE_APPRAISAL
const { evidence: _, collateral: __, ...withoutEvidence } = appraisal
const unavailable: AppraisalPredicate = { ...withoutEvidence, outcome: 'unavailable' }

test('an appraisal is read back, and refused with anything changed', () => {
  const statement = appraisalStatement(crypto, appraisal)
  assert.deepEqual(parseAppraisal(parseStatement(formatStatement(statement))), appraisal)
  assert.deepEqual(tlsCertificateOf(appraisal), Uint8Array.of(0x30, 0))
  assertRefusals(appraisal as unknown as Json, (predicate) => parseAppraisal({ ...statement, predicate }), [
    ...shapeRefusals(appraisal as unknown as Json, [
      'evidence',
      'collateral',
      'tlsCertificate',
      'tee',
      'measurements',
      'maxAgeMinutes',
      'pcr0',
    ]).filter(([path]) => path[0] !== 'policy'),
    bad(['evidence'], 'ef'.repeat(32)),
    bad(['collateral'], 'ef'.repeat(32)),
    bad(['outcome'], 'unavailable'),
    bad(['outcome'], 'fine'),
    bad(['place', 'origin'], 'ftp://example.org'),
    bad(['appraisedAtMs'], appraisal.gatheredAtMs - 1),
    bad(['facts', 1, 'name'], 'genuine-hardware'),
    bad(['keys', 0, 'use'], 'door'),
    bad(['keys', 0, 'sha256'], 'AB'.repeat(32)),
    bad(['keys', 2, 'address'], 'ab'.repeat(32)),
    bad(['policy'], { tee: 'x'.repeat(32_768) }),
    bad(['policy'], { minimum: 2 ** 60 }),
    bad(['policy', 'tee'], [[[[[[[[]]]]]]]]),
    [['policy'], 'any', 'shape/wrong-type'],
    [['tlsCertificate'], '!', 'bytes/bad-base64'],
    bad(['tlsCertificate'], 'A'.repeat(16_388)),
  ])
  assert.throws(() => parseAppraisal({ ...statement, predicateType: 'urn:example' }), { code: 'statement/wrong-type' })
})

test('an appraisal is about its evidence and collateral, or else about the place', () => {
  const statement = appraisalStatement(crypto, appraisal)
  const [first, second] = statement.subjects
  assert.ok(first && second)
  const more = { ...first, digest: { ...first.digest, sha512: 'ab'.repeat(32) } }
  for (const subjects of [[], [first], [second, first], [first, second, second], [more, second]]) {
    assert.throws(() => parseAppraisal({ ...statement, subjects }), { code: 'shape/bad-value' })
  }
  const without = appraisalStatement(crypto, unavailable)
  assert.deepEqual(parseAppraisal(without), unavailable)
  const sha256 = toHex(crypto.sha256(utf8(JSON.stringify(SAMPLE_POLICY))))
  assert.deepEqual(without.subjects, [{ name: 'provider', digest: { sha256 } }])
  assert.throws(() => parseAppraisal({ ...without, subjects: statement.subjects }), { code: 'shape/bad-value' })
})

test('a revocation of each kind is read back, and refused with anything changed', () => {
  for (const what of SAMPLE_REVOKED) {
    for (const since of [null, 5]) {
      const revocation = sampleRevocation(what, since)
      const statement = revocationStatement(crypto, revocation)
      assert.deepEqual(parseRevocation(parseStatement(formatStatement(statement))), revocation)
      assertRefusals(revocation as unknown as Json, (predicate) => parseRevocation({ ...statement, predicate }), [
        ...shapeRefusals(revocation as unknown as Json, ['states', 'advisories', 'fmspc']),
        bad(['what', 'kind'], 'model'),
        [['since'], '2026', 'shape/wrong-type'],
        bad(['since'], -1),
        bad(['reason'], ''),
      ])
      assert.throws(() => parseRevocation({ ...statement, subjects: [] }), { code: 'shape/bad-value' })
      const elsewhere = [{ name: 'model', digest: { sha256: 'ab'.repeat(32) } }]
      assert.throws(() => parseRevocation({ ...statement, subjects: elsewhere }), { code: 'shape/bad-value' })
      assert.throws(() => parseRevocation({ ...statement, predicateType: 'urn:x' }), { code: 'statement/wrong-type' })
    }
  }
})

test('values of a revocation are bounded, and one of nothing is none', () => {
  const refuse = (what: Json, code: string) => {
    const predicate = { ...sampleRevocation({ kind: 'device', ids: ['00'] }), what }
    const subjects = [{ name: String((what as { readonly kind: string }).kind), digest: { sha256: 'ab'.repeat(32) } }]
    assert.throws(() => parseRevocation({ ...statement, subjects, predicate }), { code }, JSON.stringify(what))
  }
  const statement = revocationStatement(crypto, sampleRevocation({ kind: 'device', ids: ['00'] }))
  refuse({ kind: 'device', ids: [] }, 'shape/bad-value')
  refuse({ kind: 'device', ids: ['0'] }, 'shape/bad-value')
  refuse({ kind: 'device', ids: ['00'.repeat(129)] }, 'shape/bad-value')
  refuse({ kind: 'certificate', issuer: '3000', serial: '00'.repeat(21) }, 'shape/bad-value')
  refuse({ kind: 'measurement', tee: 'tdx', register: 'mrtd', value: 'CD' }, 'shape/bad-value')
  refuse({ kind: 'tcb', tee: 'tdx' }, 'shape/missing-field')
  refuse({ kind: 'tcb', tee: 'tdx', states: [] }, 'shape/bad-value')
  refuse({ kind: 'tcb', tee: 'tdx', fmspc: '00' }, 'shape/bad-value')
})

test('keys are one when use and value are', () => {
  const key = readBoundKey({ use: 'tls-key', sha256: 'ab'.repeat(32) }, 'key')
  assert.ok(isSameKey(key, { use: 'tls-key', sha256: 'ab'.repeat(32) }))
  assert.ok(!isSameKey(key, { use: 'tls-certificate', sha256: 'ab'.repeat(32) }))
  assert.ok(!isSameKey(key, { use: 'tls-key', sha256: 'cd'.repeat(32) }))
  assert.ok(!isSameKey({ use: 'ed25519', publicKey: 'ab' }, { use: 'ed25519', publicKey: 'cd' }))
  assert.ok(!isSameKey({ use: 'ethereum-address', address: 'ab' }, { use: 'ethereum-address', address: 'cd' }))
})
