/** `countersign key`: makes, lists and revokes API keys, beside a running gateway or without one. */
import { type ApiKey, ApiKeyStore, type ApiKeyTerms, listApiKeys, parseApiKeyTerms, RIGHTS } from '@countersign/gateway'
import { CountersignError, type Json, quote } from '@countersign/verify'
import type { Command } from 'commander'
import { formatMoney, parseMoney } from '../money.ts'
import { requireStore } from '../store-folder.ts'
import { formatTable } from '../table.ts'
import { print } from '../terminal.ts'

interface KeyOptions {
  readonly data: string
  readonly json?: boolean
}

interface CreateOptions extends KeyOptions {
  readonly name: string
  readonly deployment?: readonly string[]
  readonly right?: readonly string[]
  readonly requestsPerMinute?: string
  readonly tokensPerMinute?: string
  readonly budget?: string
  readonly expires?: string
}

const HOUR_MS = 3_600_000
const MAX_EXPIRY_DAYS = 36_500

const KEY_CODES = '\n\nExit codes: 0 done; 2 bad usage, or no data folder there.'

const CREATE_EXAMPLES = `
The token is shown once, and kept nowhere. A running gateway knows the key at once.

Examples:
  countersign key create --name "Loan desk"
  countersign key create --name "Loan desk" --deployment credit --requests-per-minute 60 --expires 90d
  countersign key create --name Research --budget 25.00EUR --tokens-per-minute 100000
  countersign key create --name Auditor --right receipts --right usage --json${KEY_CODES}`

const LIST_EXAMPLES = `\nExamples:\n  countersign key list\n  countersign key list --data /srv/countersign --json${KEY_CODES}`

const KEY_EXAMPLES = `
Examples:
  countersign key create --name "Loan desk"
  countersign key list${KEY_CODES}`

const REVOKE_EXAMPLES = `
A running gateway refuses the key within a second. It cannot be undone.

Examples:
  countersign key revoke key_0123456789abcdef${KEY_CODES}`

export function addKey(program: Command): void {
  const key = program.command('key').description('work with a gateway’s API keys').addHelpText('after', KEY_EXAMPLES)
  key
    .command('create')
    .description('make an API key and show its token')
    .requiredOption('--name <name>', 'what people call it')
    .option('--deployment <name>', 'a deployment that it is for; may stand often (default: all)', collect)
    .option('--right <right>', `what it may do: ${RIGHTS.join(', ')}; may stand often (default: infer)`, collect)
    .option('--requests-per-minute <number>', 'most requests of a minute')
    .option('--tokens-per-minute <number>', 'most tokens of a minute')
    .option('--budget <amount>', 'what it may spend in a calendar month (UTC), as in 25.00EUR')
    .option('--expires <time>', 'how long it is good for, as in 90d or 12h')
    .option('--data <folder>', 'data folder of the gateway', 'countersign-data')
    .option('--json', 'print JSON')
    .addHelpText('after', CREATE_EXAMPLES)
    .action((options: CreateOptions) => create(options, Date.now()))
  key
    .command('list')
    .description('list API keys, revoked ones too; never their tokens')
    .option('--data <folder>', 'data folder of the gateway', 'countersign-data')
    .option('--json', 'print JSON')
    .addHelpText('after', LIST_EXAMPLES)
    .action((options: KeyOptions) => list(options, Date.now()))
  key
    .command('revoke')
    .description('revoke an API key for good')
    .argument('<id>', 'id of the key')
    .option('--data <folder>', 'data folder of the gateway', 'countersign-data')
    .option('--json', 'print JSON')
    .addHelpText('after', REVOKE_EXAMPLES)
    .action((id: string, options: KeyOptions) => {
      const revoked = withStore(options.data, (store) => store.revoke(id, Date.now()))
      print(options.json ? JSON.stringify(revoked) : `${revoked.id} (${revoked.name}) is revoked`)
    })
}

function create(options: CreateOptions, nowMs: number): void {
  const terms = readTerms(options, nowMs)
  const { key, token } = withStore(options.data, (store) => store.create(terms, nowMs))
  if (options.json) {
    print(JSON.stringify({ key, token }))
    return
  }
  print(`key    ${key.id}  ${key.name}`)
  print(`token  ${token}`)
  print('Keep the token: it is not shown again.')
}

function readTerms(options: CreateOptions, nowMs: number): ApiKeyTerms {
  const { name, deployment = 'all', right = ['infer'], requestsPerMinute, tokensPerMinute, budget, expires } = options
  const terms = {
    name,
    deployments: deployment,
    rights: right,
    ...(requestsPerMinute === undefined ? {} : { requestsPerMinute: readCount(requestsPerMinute) }),
    ...(tokensPerMinute === undefined ? {} : { tokensPerMinute: readCount(tokensPerMinute) }),
    ...(budget === undefined ? {} : { monthlyBudget: { ...parseMoney(budget) } }),
    ...(expires === undefined ? {} : { expiresAtMs: nowMs + readDuration(expires) }),
  }
  return parseApiKeyTerms(terms as Json)
}

function readCount(text: string): number {
  if (!/^\d{1,15}$/.test(text)) throw new CountersignError('usage/invalid', `${quote(text)} is not a whole number`)
  return Number(text)
}

/** Milliseconds. */
function readDuration(text: string): number {
  const [, count, unit] = /^([1-9]\d{0,6})([dh])$/.exec(text) ?? []
  const hours = Number(count) * (unit === 'd' ? 24 : 1)
  if (unit === undefined || hours > MAX_EXPIRY_DAYS * 24) {
    throw new CountersignError('usage/invalid', `--expires: ${quote(text)} is no time; write it as in 90d or 12h`)
  }
  return hours * HOUR_MS
}

function list(options: KeyOptions, nowMs: number): void {
  const keys = listApiKeys(requireStore(options.data).apiKeys)
  if (options.json) {
    print(JSON.stringify(keys))
  } else if (keys.length === 0) {
    print('There are no API keys. Make one with: countersign key create --name NAME')
  } else {
    const rows = keys.map((key) => describe(key, nowMs))
    for (const line of formatTable(COLUMNS, rows)) print(line)
  }
}

const COLUMNS = ['id', 'state', 'rights', 'deployments', 'per minute', 'budget', 'name'].map((heading) => ({ heading }))

function describe(key: ApiKey, nowMs: number): readonly string[] {
  const { requestsPerMinute, tokensPerMinute, monthlyBudget } = key
  const limits = [
    requestsPerMinute === undefined ? [] : [`${requestsPerMinute} requests`],
    tokensPerMinute === undefined ? [] : [`${tokensPerMinute} tokens`],
  ].flat()
  return [
    key.id,
    stateOf(key, nowMs),
    key.rights.join(','),
    key.deployments === 'all' ? 'all' : key.deployments.join(','),
    limits.join(', ') || '-',
    monthlyBudget === undefined ? '-' : formatMoney(monthlyBudget.amountMicros, monthlyBudget.currency),
    key.name,
  ]
}

function stateOf({ revokedAtMs, expiresAtMs }: ApiKey, nowMs: number): string {
  if (revokedAtMs !== undefined) return 'revoked'
  if (expiresAtMs === undefined) return 'good'
  return expiresAtMs <= nowMs ? 'expired' : `until ${new Date(expiresAtMs).toISOString().slice(0, 10)}`
}

function withStore<T>(data: string, use: (store: ApiKeyStore) => T): T {
  const store = new ApiKeyStore(requireStore(data).apiKeys)
  try {
    return use(store)
  } finally {
    store.close()
  }
}

function collect(value: string, before: readonly string[] = []): readonly string[] {
  return [...before, value]
}
