import assert from 'node:assert/strict'
import { test } from 'node:test'
import { codeOf, type Json } from '@countersign/verify'
import { type ApiKey, parseApiKeyTerms, RIGHTS, requireRight } from './api-key.ts'

const LEAST = { name: 'Loan desk', deployments: 'all', rights: ['infer'] }
const FULL = {
  name: 'Loan desk',
  deployments: ['credit', 'chat'],
  rights: ['infer', 'receipts'],
  requestsPerMinute: 60,
  tokensPerMinute: 100_000,
  monthlyBudget: { amountMicros: 25_000_000, currency: 'EUR' },
  expiresAtMs: 1_900_000_000_000,
}

test('terms are read as they were written', () => {
  assert.deepEqual(parseApiKeyTerms(LEAST), LEAST)
  assert.deepEqual(parseApiKeyTerms(FULL), FULL)
})

const BAD: readonly (readonly [string, { readonly [field: string]: Json }, string])[] = [
  ['no name', { name: '' }, 'shape/bad-value'],
  ['a name with a control character', { name: 'a\u001b[2J' }, 'shape/bad-value'],
  ['a name of 129 characters', { name: 'a'.repeat(129) }, 'shape/bad-value'],
  ['no deployment', { deployments: [] }, 'shape/bad-value'],
  ['a deployment twice', { deployments: ['a', 'a'] }, 'shape/bad-value'],
  ['a name that no deployment can have', { deployments: ['a b'] }, 'shape/bad-value'],
  ['65 deployments', { deployments: Array.from({ length: 65 }, (_, i) => `d${i}`) }, 'shape/bad-value'],
  ['any word for all', { deployments: 'any' }, 'shape/wrong-type'],
  ['no right', { rights: [] }, 'shape/bad-value'],
  ['a right twice', { rights: ['infer', 'infer'] }, 'shape/bad-value'],
  ['an unknown right', { rights: ['root'] }, 'shape/bad-value'],
  ['no requests', { requestsPerMinute: 0 }, 'shape/bad-value'],
  ['half a request', { requestsPerMinute: 0.5 }, 'shape/wrong-type'],
  ['too many tokens', { tokensPerMinute: 1_000_000_001 }, 'shape/bad-value'],
  ['less than no money', { monthlyBudget: { amountMicros: -1, currency: 'EUR' } }, 'shape/bad-value'],
  ['more money than a safe integer', { monthlyBudget: { amountMicros: 2 ** 53, currency: 'EUR' } }, 'shape/wrong-type'],
  ['a currency that is none', { monthlyBudget: { amountMicros: 1, currency: 'eur' } }, 'shape/bad-value'],
  ['a time that is a text', { expiresAtMs: '2030' }, 'shape/wrong-type'],
  ['an unknown field', { admin: true }, 'shape/unknown-field'],
]

for (const [what, change, code] of BAD) {
  test(`terms with ${what} are refused`, () => {
    assert.throws(() => parseApiKeyTerms({ ...LEAST, ...change }), { code })
  })
}

test('no right includes another', () => {
  for (const held of RIGHTS) {
    const key: ApiKey = { ...parseApiKeyTerms(LEAST), rights: [held], id: 'key_0', createdAtMs: 0 }
    for (const asked of RIGHTS) {
      if (asked === held) requireRight(key, asked, 'credit')
      else assert.throws(() => requireRight(key, asked), { code: 'auth/not-allowed' })
    }
  }
})

test('a key for some deployments is for no other', () => {
  const key: ApiKey = { ...parseApiKeyTerms(FULL), id: 'key_0', createdAtMs: 0 }
  requireRight(key, 'infer', 'credit')
  requireRight(key, 'infer')
  for (const other of ['cred', 'credit2', 'CREDIT', '', 'all']) {
    assert.throws(
      () => requireRight(key, 'infer', other),
      (thrown) => codeOf(thrown) === 'auth/not-allowed',
    )
  }
})
