/** What keys have used and what it cost, added up from the table of spend. @spec spec/access.md */
import { CountersignError, quote } from '@countersign/verify'
import type { Sqlite } from '../store/database.ts'
import { monthOf, type Spend } from './budgets.ts'

/** Spend as it is recorded. */
export interface RecordedSpend extends Spend {
  /** Requests among them whose usage nobody knows: they count with what was set aside, and with no tokens. */
  readonly unknownUsage: number
}

/** What rows can be grouped by. The currency always is. */
export const USAGE_DIMENSIONS = ['key', 'deployment', 'day', 'month'] as const
export type UsageDimension = (typeof USAGE_DIMENSIONS)[number]

export interface UsageQuery {
  readonly by: readonly UsageDimension[]
  /** First and last day (UTC) that counts, `YYYY-MM-DD`. */
  readonly from?: string
  readonly to?: string
}

/** One group: its dimensions, as far as they were asked for, and its sums. */
export interface UsageRow {
  readonly key?: string
  readonly deployment?: string
  readonly day?: string
  readonly month?: string
  readonly currency: string
  readonly amountMicros: number
  readonly requests: number
  readonly inputTokens: number
  readonly outputTokens: number
  readonly unknownUsage: number
}

/** Most groups of one answer. */
export const MAX_USAGE_ROWS = 100_000

const SUMS = ['amountMicros', 'requests', 'inputTokens', 'outputTokens', 'unknownUsage'] as const

const VALUE_OF: { readonly [dimension in UsageDimension]: (spend: Spend) => string } = {
  key: ({ keyId }) => keyId,
  deployment: ({ deployment }) => deployment,
  day: ({ day }) => day,
  month: ({ day }) => monthOf(day),
}

/**
 * Adds spend up, in the order of the dimensions asked for, then of currencies. With no dimension there is one row for each
 * currency. Sums are exact up to 2^53 − 1, where they end.
 *
 * @throws {CountersignError} `request/malformed` for days that are none and for more than {@link MAX_USAGE_ROWS} groups
 */
export function aggregateUsage(spend: Iterable<RecordedSpend>, query: UsageQuery): readonly UsageRow[] {
  const { from, to } = requireDays(query)
  const groups = new Map<string, UsageRow>()
  for (const row of spend) {
    if (row.day < from || row.day > to) continue
    const dimensions = query.by.map((dimension) => [dimension, VALUE_OF[dimension](row)] as const)
    const id = JSON.stringify([...dimensions.map(([, value]) => value), row.currency])
    const sum = groups.get(id)
    if (sum === undefined && groups.size >= MAX_USAGE_ROWS) {
      throw new CountersignError('request/malformed', `more than ${MAX_USAGE_ROWS} rows; ask for fewer days`)
    }
    groups.set(id, sum === undefined ? firstOf(row, dimensions) : add(sum, row))
  }
  return [...groups].sort(([a], [b]) => compareIds(a, b)).map(([, group]) => group)
}

/**
 * The recorded spend of a database, opened for reading alone. A database from before there were keys has none.
 *
 * @throws {CountersignError} `request/malformed` for days that are none
 */
export function* readSpend(database: Sqlite, query: Omit<UsageQuery, 'by'> = {}): Generator<RecordedSpend> {
  const { from, to } = requireDays(query)
  const table = database.prepare(`SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = 'spend'`).get()
  if (table === undefined) return
  const select = database.prepare(
    `SELECT key_id AS keyId, deployment, day, currency, amount_micros AS amountMicros, requests,
       input_tokens AS inputTokens, output_tokens AS outputTokens, unknown_usage AS unknownUsage
     FROM spend WHERE day >= ? AND day <= ?`,
  )
  yield* select.iterate(from, to) as IterableIterator<RecordedSpend>
}

/** Reads a list of dimensions as people write it: `key,month`. @throws {CountersignError} `request/malformed` */
export function parseUsageDimensions(text: string): readonly UsageDimension[] {
  const dimensions = text.split(',').map((name) => {
    const dimension = USAGE_DIMENSIONS.find((known) => known === name)
    if (dimension !== undefined) return dimension
    throw new CountersignError('request/malformed', `by: ${quote(name)} is none of ${USAGE_DIMENSIONS.join(', ')}`)
  })
  if (new Set(dimensions).size === dimensions.length) return dimensions
  throw new CountersignError('request/malformed', 'by: one stands there twice')
}

function requireDays({ from, to }: Omit<UsageQuery, 'by'>): { readonly from: string; readonly to: string } {
  for (const [name, day] of [
    ['from', from],
    ['to', to],
  ] as const) {
    if (day !== undefined && !isDay(day)) {
      throw new CountersignError('request/malformed', `${name}: ${quote(day)} is no day; write YYYY-MM-DD`)
    }
  }
  return { from: from ?? '0000-01-01', to: to ?? '9999-12-31' }
}

function isDay(text: string): boolean {
  if (!/^\d{4}-\d{2}-\d{2}$/.test(text)) return false
  const time = Date.parse(`${text}T00:00:00Z`)
  return !Number.isNaN(time) && new Date(time).toISOString().startsWith(text)
}

function firstOf(row: RecordedSpend, dimensions: readonly (readonly [UsageDimension, string])[]): UsageRow {
  const { currency, amountMicros, requests, inputTokens, outputTokens, unknownUsage } = row
  return {
    ...Object.fromEntries(dimensions),
    currency,
    amountMicros,
    requests,
    inputTokens,
    outputTokens,
    unknownUsage,
  }
}

function add(sum: UsageRow, row: RecordedSpend): UsageRow {
  const sums = SUMS.map((name) => [name, Math.min(Number.MAX_SAFE_INTEGER, sum[name] + row[name])] as const)
  return { ...sum, ...Object.fromEntries(sums) }
}

/** By UTF-16 units, so that the order is the same everywhere. */
function compareIds(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}
