import assert from 'node:assert/strict'
import { existsSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { ApiKeyStore, apiKeysPath, dataFolderAt } from '@countersign/gateway'
import Database from 'better-sqlite3'
import { countersign } from '../run.testing.ts'

const TABLE = `CREATE TABLE spend (key_id TEXT NOT NULL, deployment TEXT NOT NULL, day TEXT NOT NULL,
  currency TEXT NOT NULL, amount_micros INTEGER NOT NULL, requests INTEGER NOT NULL, input_tokens INTEGER NOT NULL,
  output_tokens INTEGER NOT NULL, unknown_usage INTEGER NOT NULL,
  PRIMARY KEY (key_id, deployment, day, currency)) STRICT, WITHOUT ROWID`

function dataFolder(context: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'countersign-usage-test-'))
  context.after(() => rmSync(folder, { recursive: true, force: true }))
  mkdirSync(join(folder, 'store'))
  return folder
}

/** A database with spend of two keys, open as a gateway has it. */
function recordSpend(context: TestContext, data: string, first: string): void {
  const database = new Database(dataFolderAt(data).database)
  context.after(() => database.close())
  database.pragma('journal_mode = WAL')
  database.exec(TABLE)
  const insert = database.prepare('INSERT INTO spend VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)')
  insert.run(first, 'chat', '2027-01-31', 'USD', 1_250_000, 10, 5000, 700, 1)
  insert.run(first, 'chat', '2027-02-01', 'USD', 250_000, 2, 100, 10, 0)
  insert.run('key_b', 'credit', '2027-02-01', 'EUR', 125, 1, 0, 0, 0)
  insert.run('open', 'free', '2026-12-01', 'XXX', 0, 3, 0, 0, 0)
}

test('usage is shown with totals for each currency, beside a gateway that writes', async (context) => {
  const data = dataFolder(context)
  const store = new ApiKeyStore(apiKeysPath(data))
  context.after(() => store.close())
  const { key } = store.create({ name: 'Loan desk', deployments: 'all', rights: ['infer'] }, 1)
  recordSpend(context, data, key.id)
  const shown = await countersign('usage', '--by', 'key,month', '--data', data)
  assert.equal(shown.code, 0, shown.stderr)
  const lines = shown.stdout
    .trimEnd()
    .split('\n')
    .map((line) => line.trim().split(/ {2,}/))
  const named = `${key.id} (Loan desk)`
  assert.deepEqual(
    new Set(lines.map((cells) => cells.join('|'))),
    new Set([
      'key|month|requests|input tokens|output tokens|unknown|cost',
      `${named}|2027-01|10|5000|700|1|1.25 USD`,
      `${named}|2027-02|2|100|10|0|0.25 USD`,
      'key_b|2027-02|1|0|0|0|0.000125 EUR',
      'open|2026-12|3|0|0|0|unpriced',
      'total|1|0|0|0|0.000125 EUR',
      'total|3|0|0|0|unpriced',
      'total|12|5100|710|1|1.50 USD',
    ]),
  )
})

test('programs get rows and totals of the days that were asked for', async (context) => {
  const data = dataFolder(context)
  recordSpend(context, data, 'key_a')
  const ran = await countersign('usage', '--by', 'day', '--from', '2027-02-01', '--data', data, '--json')
  assert.equal(ran.code, 0, ran.stderr)
  const sums = { inputTokens: 100, outputTokens: 10, unknownUsage: 0 }
  const euro = { currency: 'EUR', amountMicros: 125, requests: 1, inputTokens: 0, outputTokens: 0, unknownUsage: 0 }
  const dollar = { currency: 'USD', amountMicros: 250_000, requests: 2, ...sums }
  assert.deepEqual(JSON.parse(ran.stdout), {
    rows: [
      { day: '2027-02-01', ...euro },
      { day: '2027-02-01', ...dollar },
    ],
    totals: [euro, dollar],
  })
})

test('data from before there were keys have no usage, and nothing is made', async (context) => {
  const data = dataFolder(context)
  const none = await countersign('usage', '--data', data)
  assert.deepEqual([none.code, none.stdout], [0, 'Nothing was used.\n'], none.stderr)
  assert.equal(existsSync(dataFolderAt(data).database), false)
  assert.equal(existsSync(apiKeysPath(data)), false)
  const old = new Database(dataFolderAt(data).database)
  old.exec('CREATE TABLE entries (idx INTEGER)')
  old.close()
  const ran = await countersign('usage', '--data', data, '--json')
  assert.deepEqual(JSON.parse(ran.stdout), { rows: [], totals: [] })
})

test('mistakes are named', async (context) => {
  const data = dataFolder(context)
  for (const [args, says] of [
    [['--by', 'keys'], /key, deployment, day, month/],
    [['--from', 'January'], /YYYY-MM-DD/],
    [['--to', '2027-02-30'], /YYYY-MM-DD/],
    [['--data', join(data, 'nowhere')], /--data/],
  ] as const) {
    const ran = await countersign('usage', '--data', data, ...args)
    assert.equal(ran.code, 2, args.join(' '))
    assert.match(ran.stderr, says)
  }
})
