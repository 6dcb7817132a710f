import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseConfig } from './config-file.ts'
import { assertMistake, changedText, type Mistake } from './mistakes.testing.ts'

const LINES = [
  'format: countersign-config/v1', // 1
  'operator: { name: Example Operator, contact: operator@example.org }', // 2
  'deployments:', // 3
  '  credit:', // 4
  '    model: { path: credit.onnx }', // 5
  '    accountable: { party: Example Lender, contact: appeals@example.org, publicKey: lender.pem }', // 6
  'writers:', // 7
  '  - party: Example Auditor', // 8
  '    publicKey: auditor.pem', // 9
  '    roles: [auditor, party]', // 10
] as const

test('a writer may write what it is listed for; acceptances unless it says so', () => {
  const rolesOf = (changes = {}) => parseConfig(changedText(LINES, changes), '/etc').writers[0]?.roles
  assert.deepEqual(rolesOf(), ['auditor', 'party'])
  assert.deepEqual(rolesOf({ 10: undefined }), ['accountable'])
})

const MISTAKES: readonly Mistake[] = [
  {
    what: 'a role that is none',
    changes: { 10: '    roles: [arbiter]' },
    line: 10,
    says: /writers\[0\]\.roles\[0\]: expected one of accountable, auditor, party/,
  },
  {
    what: 'a quota of nothing',
    changes: { 10: '    perDay: 0' },
    line: 10,
    says: /writers\[0\]\.perDay: expected 1 to/,
  },
  {
    what: 'a writer of nothing',
    changes: { 10: '    roles: []' },
    line: 10,
    says: /writers\[0\]\.roles: expected at least one/,
  },
  {
    what: 'a role twice',
    changes: { 10: '    roles: [auditor, auditor]' },
    line: 10,
    says: /writers\[0\]\.roles: expected at least one, each once/,
  },
]

for (const mistake of MISTAKES) test(`a mistake is named: ${mistake.what}`, () => assertMistake(LINES, mistake))
