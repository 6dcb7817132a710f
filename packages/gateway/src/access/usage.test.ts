import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import Database from 'better-sqlite3'
import fc from 'fast-check'
import { openDatabaseReadOnly } from '../store/database.ts'
import {
  aggregateUsage,
  MAX_USAGE_ROWS,
  parseUsageDimensions,
  type RecordedSpend,
  readSpend,
  USAGE_DIMENSIONS,
} from './usage.ts'

const TABLE = `CREATE TABLE spend (key_id TEXT NOT NULL, deployment TEXT NOT NULL, day TEXT NOT NULL,
  currency TEXT NOT NULL, amount_micros INTEGER NOT NULL, requests INTEGER NOT NULL, input_tokens INTEGER NOT NULL,
  output_tokens INTEGER NOT NULL, unknown_usage INTEGER NOT NULL,
  PRIMARY KEY (key_id, deployment, day, currency)) STRICT, WITHOUT ROWID`

function row(keyId: string, deployment: string, day: string, amountMicros: number, currency = 'EUR'): RecordedSpend {
  return {
    keyId,
    deployment,
    day,
    currency,
    amountMicros,
    requests: 2,
    inputTokens: 10,
    outputTokens: 3,
    unknownUsage: 1,
  }
}

const ROWS = [
  row('key_a', 'chat', '2027-01-30', 100),
  row('key_a', 'chat', '2027-01-31', 20),
  row('key_a', 'credit', '2027-02-01', 3),
  row('key_b', 'chat', '2027-02-01', 4000),
  row('key_b', 'chat', '2027-02-01', 7, 'USD'),
]

test('spend is added up by what was asked for, and never across currencies', () => {
  const amounts = (by: Parameters<typeof aggregateUsage>[1]['by']) =>
    aggregateUsage(ROWS, { by }).map(({ key, deployment, day, month, currency, amountMicros }) =>
      [key, deployment, day, month, amountMicros, currency].filter((value) => value !== undefined).join(' '),
    )
  assert.deepEqual(amounts([]), ['4123 EUR', '7 USD'])
  assert.deepEqual(amounts(['key']), ['key_a 123 EUR', 'key_b 4000 EUR', 'key_b 7 USD'])
  assert.deepEqual(amounts(['month']), ['2027-01 120 EUR', '2027-02 4003 EUR', '2027-02 7 USD'])
  assert.deepEqual(amounts(['deployment', 'key']), [
    'key_a chat 120 EUR',
    'key_b chat 4000 EUR',
    'key_b chat 7 USD',
    'key_a credit 3 EUR',
  ])
  assert.deepEqual(aggregateUsage(ROWS, { by: ['key', 'month'] })[0], {
    key: 'key_a',
    month: '2027-01',
    currency: 'EUR',
    amountMicros: 120,
    requests: 4,
    inputTokens: 20,
    outputTokens: 6,
    unknownUsage: 2,
  })
})

test('first and last day count', () => {
  const sum = (days: { from?: string; to?: string }) =>
    aggregateUsage(ROWS, { by: [], ...days }).find(({ currency }) => currency === 'EUR')?.amountMicros
  assert.equal(sum({ from: '2027-01-31' }), 4023)
  assert.equal(sum({ to: '2027-01-31' }), 120)
  assert.equal(sum({ from: '2027-01-31', to: '2027-01-31' }), 20)
  assert.equal(sum({ from: '2027-02-02' }), undefined)
  for (const day of ['2027-1-1', '2027-02-30', '27-01-01', 'yesterday', '2027-01-01T00:00:00Z', '']) {
    assert.throws(() => aggregateUsage(ROWS, { by: [], from: day }), { code: 'request/malformed' })
    assert.throws(() => aggregateUsage(ROWS, { by: [], to: day }), { code: 'request/malformed' })
  }
})

test('names that look like others do not fall together', () => {
  const rows = [row('a', 'b","c', '2027-01-01', 1), row('a","b', 'c', '2027-01-01', 2)]
  assert.equal(aggregateUsage(rows, { by: ['key', 'deployment'] }).length, 2)
})

test('however it is grouped, the sums are those of all rows', () => {
  const rows = fc.array(
    fc.record({
      keyId: fc.constantFrom('a', 'b', 'c'),
      deployment: fc.constantFrom('x', 'y'),
      day: fc.constantFrom('2027-01-01', '2027-01-02', '2027-02-01'),
      currency: fc.constantFrom('EUR', 'USD'),
      amountMicros: fc.nat(),
      requests: fc.nat(),
      inputTokens: fc.nat(),
      outputTokens: fc.nat(),
      unknownUsage: fc.nat(),
    }),
  )
  fc.assert(
    fc.property(rows, fc.subarray([...USAGE_DIMENSIONS]), (spend, by) => {
      for (const currency of ['EUR', 'USD']) {
        const total = (list: readonly { currency: string; amountMicros: number; unknownUsage: number }[]) =>
          list
            .filter((each) => each.currency === currency)
            .reduce((sum, each) => sum + BigInt(each.amountMicros) + BigInt(each.unknownUsage), 0n)
        assert.equal(total(aggregateUsage(spend, { by })), total(spend))
      }
    }),
  )
})

test('a sum beyond a safe integer ends there', () => {
  const rows = [row('a', 'x', '2027-01-01', Number.MAX_SAFE_INTEGER), row('a', 'x', '2027-01-02', 1)]
  assert.equal(aggregateUsage(rows, { by: ['key'] })[0]?.amountMicros, Number.MAX_SAFE_INTEGER)
  assert.equal(aggregateUsage(rows, { by: ['day'] }).length, 2)
})

test('there are at most so many groups', () => {
  function* many(count: number): Generator<RecordedSpend> {
    for (let i = 0; i < count; i++) yield row(`key_${i}`, 'x', '2027-01-01', 1)
  }
  assert.equal(aggregateUsage(many(MAX_USAGE_ROWS), { by: ['key'] }).length, MAX_USAGE_ROWS)
  assert.throws(() => aggregateUsage(many(MAX_USAGE_ROWS + 1), { by: ['key'] }), { code: 'request/malformed' })
  assert.equal(aggregateUsage(many(MAX_USAGE_ROWS + 1), { by: ['day'] }).length, 1)
})

test('dimensions are read as people write them', () => {
  assert.deepEqual(parseUsageDimensions('key,month'), ['key', 'month'])
  for (const text of ['', 'keys', 'key,', 'key,key', 'currency', 'constructor']) {
    assert.throws(() => parseUsageDimensions(text), { code: 'request/malformed' })
  }
})

function databaseAt(context: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'countersign-usage-'))
  context.after(() => rmSync(folder, { recursive: true, force: true }))
  return join(folder, 'countersign.db')
}

test('the table of spend is read beside a writer, and where there is none there was none', (context) => {
  const path = databaseAt(context)
  const writer = new Database(path)
  writer.pragma('journal_mode = WAL')
  writer.exec('CREATE TABLE other (a TEXT)')
  const reader = openDatabaseReadOnly(path)
  context.after(() => {
    reader.close()
    writer.close()
  })
  assert.deepEqual([...readSpend(reader)], [])
  writer.exec(TABLE)
  const insert = writer.prepare('INSERT INTO spend VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)')
  for (const { keyId, deployment, day, currency, amountMicros } of ROWS) {
    insert.run(keyId, deployment, day, currency, amountMicros, 2, 10, 3, 1)
  }
  assert.deepEqual(
    new Set([...readSpend(reader)].map((each) => JSON.stringify(each))),
    new Set(ROWS.map((each) => JSON.stringify(each))),
  )
  assert.equal([...readSpend(reader, { from: '2027-02-01', to: '2027-02-01' })].length, 3)
  assert.throws(() => [...readSpend(reader, { from: 'x' })], { code: 'request/malformed' })
})
