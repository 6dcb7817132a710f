/** `countersign usage`: what keys have used and what it cost. */
import { existsSync } from 'node:fs'
import {
  aggregateUsage,
  listApiKeys,
  NO_CURRENCY,
  openDatabaseReadOnly,
  parseUsageDimensions,
  readSpend,
  USAGE_DIMENSIONS,
  type UsageDimension,
  type UsageRow,
} from '@countersign/gateway'
import type { Command } from 'commander'
import { formatMoney } from '../money.ts'
import { requireStore } from '../store-folder.ts'
import { formatTable } from '../table.ts'
import { print } from '../terminal.ts'

interface UsageOptions {
  readonly by: string
  readonly from?: string
  readonly to?: string
  readonly data: string
  readonly json?: boolean
}

const EXAMPLES = `
What has no price is unpriced, and of the currency XXX in JSON. Requests of which nobody knows the usage count with what was set aside for them, and are told apart. What was answered
without a key is under the key "open".

Examples:
  countersign usage
  countersign usage --by key,month --from 2026-01-01 --to 2026-12-31
  countersign usage --by deployment --json

Exit codes: 0 shown; 2 bad usage, or no data folder there.`

export function addUsage(program: Command): void {
  program
    .command('usage')
    .description('show what API keys have used, and what it cost')
    .option('--by <dimensions>', `any of ${USAGE_DIMENSIONS.join(', ')}, with commas between`, 'key,deployment')
    .option('--from <day>', 'first day (UTC), as in 2026-01-31')
    .option('--to <day>', 'last day (UTC)')
    .option('--data <folder>', 'data folder of the gateway', 'countersign-data')
    .option('--json', 'print JSON')
    .addHelpText('after', EXAMPLES)
    .action((options: UsageOptions) => {
      const by = parseUsageDimensions(options.by)
      const report = readUsage(options, by)
      if (options.json) print(JSON.stringify(report))
      else if (report.rows.length === 0) print('Nothing was used.')
      else for (const line of describe(report, by, keyNames(options))) print(line)
    })
}

/** Names of keys by id. */
function keyNames({ data }: UsageOptions): ReadonlyMap<string, string> {
  return new Map(listApiKeys(requireStore(data).apiKeys).map(({ id, name }) => [id, name]))
}

function describe(report: UsageReport, by: readonly UsageDimension[], names: ReadonlyMap<string, string>) {
  const label = (row: UsageRow) =>
    by.map((dimension) => {
      const value = row[dimension] ?? ''
      const name = dimension === 'key' ? names.get(value) : undefined
      return name === undefined ? value : `${value} (${name})`
    })
  const totalLabel = by.map((_, i) => (i === 0 ? 'total' : ''))
  return formatTable(
    [...by.map((heading) => ({ heading })), ...SUM_COLUMNS],
    [
      ...report.rows.map((row) => [...label(row), ...sums(row)]),
      ...report.totals.map((total) => [...totalLabel, ...sums(total)]),
    ],
  )
}

interface UsageReport {
  readonly rows: readonly UsageRow[]
  /** One for each currency. */
  readonly totals: readonly UsageRow[]
}

function readUsage({ data, from, to }: UsageOptions, by: readonly UsageDimension[]): UsageReport {
  const { database: path } = requireStore(data)
  const days = { ...(from === undefined ? {} : { from }), ...(to === undefined ? {} : { to }) }
  if (!existsSync(path)) return { rows: aggregateUsage([], { by, ...days }), totals: [] }
  const database = openDatabaseReadOnly(path)
  try {
    // One view of the data, so that totals are those of the rows beside a gateway that writes.
    return database.transaction(() => ({
      rows: aggregateUsage(readSpend(database, days), { by, ...days }),
      totals: aggregateUsage(readSpend(database, days), { by: [], ...days }),
    }))()
  } finally {
    database.close()
  }
}

const SUM_COLUMNS = ['requests', 'input tokens', 'output tokens', 'unknown', 'cost'].map((heading) => ({
  heading,
  isNumber: true,
}))

function sums({ requests, inputTokens, outputTokens, unknownUsage, amountMicros, currency }: UsageRow) {
  return [
    ...[requests, inputTokens, outputTokens, unknownUsage].map(String),
    currency === NO_CURRENCY ? 'unpriced' : formatMoney(amountMicros, currency),
  ]
}
