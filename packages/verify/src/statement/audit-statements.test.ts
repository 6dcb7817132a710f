import assert from 'node:assert/strict'
import { test } from 'node:test'
import { buildAudit, sampleCommitment } from '../audit/audit-scene.testing.ts'
import { parseUtf8, utf8 } from '../bytes/bytes.ts'
import type { Json } from '../bytes/json.ts'
import { jsonBytes } from '../fixture.testing.ts'
import { assertRefusals, type Refusal, shapeRefusals } from '../refusals.testing.ts'
import { AUDIT_COMMITMENT_TYPE, auditCommitmentStatement, parseAuditCommitment } from './audit-commitment.ts'
import { AUDIT_RESULT_TYPE, auditResultStatement, parseAuditResult } from './audit-result.ts'
import { formatAuditEntries, parseAuditEntries } from './audited-entry.ts'
import { formatStatement, parseStatement } from './statement.ts'

const subjectOf = (digest: string) => [{ name: 'x', digest: { sha256: digest } }]

test('a commitment is read back, and refused with anything changed', () => {
  const commitment = sampleCommitment({ epoch: { entries: 10, untilMs: 5 }, deployments: ['credit', 'a/b:7b'] })
  const read = parseAuditCommitment(parseStatement(formatStatement(auditCommitmentStatement(commitment))))
  assert.deepEqual(read, commitment)
  const bad = (path: readonly (string | number)[], value: Json): Refusal => [path, value, 'shape/bad-value']
  assertRefusals(
    commitment as unknown as Json,
    (predicate) =>
      parseAuditCommitment({
        subjects: subjectOf(commitment.seedHash),
        predicateType: AUDIT_COMMITMENT_TYPE,
        predicate,
      }),
    [
      ...shapeRefusals(commitment as unknown as Json, ['untilMs', 'deployments']),
      bad(['rateMillionths'], 0),
      bad(['rateMillionths'], 1_000_001),
      bad(['epoch', 'entries'], 0),
      bad(['epoch', 'entries'], 1_000_001),
      bad(['epoch', 'entries'], 100_001),
      bad(['answerWithinSeconds'], 0),
      bad(['seedHash'], 'AB'.repeat(32)),
      bad(['seedHash'], 'ab'.repeat(32)),
      bad(['deployments'], []),
      bad(['deployments'], ['credit', 'credit']),
      bad(['deployments'], ['a b']),
      [['deployments'], 'some', 'shape/wrong-type'],
      [['rateMillionths'], 0.5, 'shape/wrong-type'],
    ],
  )
  const statement = auditCommitmentStatement(commitment)
  assert.throws(() => parseAuditCommitment({ ...statement, predicateType: AUDIT_RESULT_TYPE }), {
    code: 'statement/wrong-type',
  })
  for (const subjects of [[], [...statement.subjects, ...statement.subjects], subjectOf('00'.repeat(32))]) {
    assert.throws(() => parseAuditCommitment({ ...statement, subjects }), { code: 'shape/bad-value' })
  }
})

test('a result is read back, and refused with anything changed', () => {
  const base = parseAuditResult(parseStatement(buildAudit().result.payload))
  const [first, second, ...rest] = base.entries
  assert.ok(first && second)
  const entries = [{ ...first, outcome: 'refused' as const, code: 'vault/erased' }, second, ...rest]
  const result = { ...base, entries, cost: { computeMs: 5, amountMicros: 7, currency: 'EUR' } }
  const statement = auditResultStatement(result)
  assert.deepEqual(parseAuditResult(parseStatement(formatStatement(statement))), result)
  const bad = (path: readonly (string | number)[], value: Json): Refusal => [path, value, 'shape/bad-value']
  assertRefusals(
    result as unknown as Json,
    (predicate) =>
      parseAuditResult({ subjects: subjectOf(result.commitment), predicateType: AUDIT_RESULT_TYPE, predicate }),
    [
      ...shapeRefusals(result as unknown as Json, [
        'resultsFile',
        'statement',
        'profile',
        'code',
        'amountMicros',
        'currency',
      ]),
      [['cost', 'amountMicros'], undefined, 'shape/missing-field'],
      [['cost', 'currency'], undefined, 'shape/missing-field'],
      [['entries', 1, 'statement'], undefined, 'shape/missing-field'],
      bad(['entries', 1, 'index'], first.index),
      bad(['entries', 0, 'index'], 0),
      bad(['entries', 0, 'outcome'], 'fine'),
      bad(['from'], result.to + 1),
      bad(['to'], result.head.size + 1),
      bad(['resultsFile'], 'ab'.repeat(32)),
      bad(['bound', 'confidenceMillionths'], 1_000_000),
      bad(['bound', 'fraudMillionths'], 1_000_001),
      bad(['commitment'], 'ab'.repeat(32)),
      bad(['cost', 'currency'], 'eur'),
    ],
  )
  assert.throws(() => parseAuditResult({ ...statement, predicateType: AUDIT_COMMITMENT_TYPE }), {
    code: 'statement/wrong-type',
  })
  assert.throws(() => parseAuditResult({ ...statement, subjects: [] }), { code: 'shape/bad-value' })
})

test('a results file is read back, in order', () => {
  const { entries } = parseAuditResult(parseStatement(buildAudit().result.payload))
  const file = formatAuditEntries(entries)
  assert.deepEqual(parseAuditEntries(utf8(file)), entries)
  const value = JSON.parse(parseUtf8(utf8(file))) as Json
  assertRefusals(value, (changed) => parseAuditEntries(jsonBytes(changed)), [
    [['format'], 'other', 'shape/bad-value'],
    [['entries', 1, 'index'], 0, 'shape/bad-value'],
    ...shapeRefusals(value, ['statement', 'profile', 'code']),
  ])
})
