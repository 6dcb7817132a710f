import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type AuditResult, auditResultStatement, boundOf, countOutcomes, formatStatement } from '@countersign/verify'
import type { StatementReader } from '../store/statement-reader.ts'
import { AuditResults, auditResultName } from './audit-results.ts'

const entries = [{ index: 3, leafHash: 'ab'.repeat(32), outcome: 'agreed' as const, statement: 'cd'.repeat(32) }]
const result: AuditResult = {
  ...{ auditor: 'auditor', commitment: '01'.repeat(32), log: 'example.org/log', seed: '02'.repeat(32) },
  ...{ from: 1, to: 5, head: { size: 5, root: '03'.repeat(32), confirmedAtSeconds: 1 } },
  ...{ counts: countOutcomes(entries), entries, cost: { computeMs: 1 } },
  bound: boundOf(countOutcomes(entries), 950_000),
  endedAtMs: 1,
}

test('a result that is read from the store before its logging is told of stands there once', () => {
  const payload = formatStatement(auditResultStatement(result))
  const statements = {
    *named() {
      yield { index: 7, name: auditResultName(result) }
    },
    byIndex: (index: number) => ({ index, payload }),
  } as unknown as StatementReader
  const results = new AuditResults(statements)
  const listed = () => results.listing(3).map(({ index }) => index)
  assert.deepEqual(listed(), [7])
  results.add(7, auditResultName(result))
  assert.deepEqual(listed(), [7])
  results.add(8, auditResultName(result))
  assert.deepEqual(listed(), [8, 7])
  results.add(9, 'of something else')
  assert.deepEqual(listed(), [8, 7])
})
