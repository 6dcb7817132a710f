/** `countersign audit`: picks entries that the operator could not foresee, and runs them again. */
import {
  CountersignError,
  MAX_ANSWER_SECONDS,
  MAX_EPOCH_ENTRIES,
  MILLION,
  parseTrustFile,
  quote,
  type Trust,
} from '@countersign/verify'
import { createNodeCrypto } from '@countersign/verify/crypto/node'
import { type AuditorKey, type AuditPlan, type AuditReport, openAuditor, parseAuditorKey } from '@countersign/watch'
import type { Command } from 'commander'
import { readApiKey } from '../api-key.ts'
import { formatAuditReport } from '../audit-table.ts'
import { EXIT, type ExitCode, gravest } from '../exit-codes.ts'
import { bundledModels, readInput, requireFolderPath } from '../files.ts'
import { parseMoney } from '../money.ts'
import { readFrom } from '../named-file.ts'
import { parseShare } from '../share.ts'
import { print, warn } from '../terminal.ts'
import { addAuditCheck } from './audit-check.ts'
import { addAuditPlan } from './audit-plan.ts'

interface AuditOptions {
  readonly trust: string
  readonly rate: string
  readonly key: string
  readonly name?: string
  readonly apiKeyFile?: string
  readonly entries?: string
  readonly for?: string
  readonly deployment?: readonly string[]
  readonly answerWithin: string
  readonly confidence: string
  readonly state: string
  readonly models?: string
  readonly price?: string
  readonly once?: boolean
  readonly json?: boolean
}

const EXAMPLES = `
The gateway's operator must list your public key under "writers" with the role auditor, and give you an API key:
  countersign key create --name Auditor --right audit

Examples:
  countersign audit https://gateway.example --trust trust.yaml --rate 0.01 --key auditor.pem --api-key-file api-key
  countersign audit http://127.0.0.1:8787 --trust trust.yaml --rate 0.1 --key auditor.pem --for 10m --once --json
  countersign audit plan --fraud 0.01 --confidence 0.99

The API key is read from the file, or from the environment variable COUNTERSIGN_API_KEY. Stopped or killed, it goes on
where it was when it is started again with the same --state.

Exit codes: 0 everything that could be compared agreed; 1 something differed, or the log contradicts itself; 3 something
was refused, not shown, or could not be run here, or the result was not logged; 2 bad usage, or no gateway there.`

/** About as many as stand in one statement. */
const USUAL_SAMPLE = 1000

export function addAudit(program: Command): void {
  const audit = program
    .command('audit')
    .description('pick entries of a log that nobody could foresee, and run them again')
    .argument('<gateway>', 'address of the gateway')
    .option('--trust <file>', 'whom you trust: the log, its operator, witnesses (YAML); required')
    .option('--rate <share>', 'share of the entries to look at, as in 0.01; required')
    .option('--key <file>', 'your P-256 private key (PEM); it never leaves this machine; required')
    .option('--name <name>', 'your name, as the operator lists it (default: the trust file’s for your key)')
    .option('--api-key-file <file>', 'file with your API key (default: COUNTERSIGN_API_KEY)')
    .option('--entries <number>', `most entries of an epoch (default: for about ${USUAL_SAMPLE} selected ones)`)
    .option('--for <time>', 'end an epoch after that time, as in 10m, if it is not over before')
    .option('--deployment <name>', 'a deployment in scope; may stand often (default: all)', collect)
    .option('--answer-within <time>', 'how long the operator has to answer', '1h')
    .option('--confidence <share>', 'with which a rate of fraud is excluded', '0.99')
    .option('--state <folder>', 'where seed, statements and evidence are kept', 'countersign-audit')
    .option('--models <folder>', 'where model files are, found by digest (default: the bundled ones)')
    .option('--price <amount>', 'price of an hour on one core, as in 0.05EUR (default: unknown)')
    .option('--once', 'end after one epoch')
    .option('--json', 'print a report for programs: one JSON object per line')
    .addHelpText('after', EXAMPLES)
    .action(async (gateway: string, options: Partial<AuditOptions>) => {
      process.exitCode = await runAudits(gateway, requireOptions(options))
    })
  addAuditPlan(audit)
  addAuditCheck(audit)
}

/** The command line’s own check would ask for them in the subcommand, too. */
function requireOptions(options: Partial<AuditOptions>): AuditOptions {
  const { trust, rate, key } = options
  const missing = Object.entries({ trust, rate, key }).find(([, value]) => value === undefined)
  if (missing === undefined) return options as AuditOptions
  throw new CountersignError('usage/invalid', `--${missing[0]} is required; --help shows what is possible`)
}

async function runAudits(gateway: string, options: AuditOptions): Promise<ExitCode> {
  requireFolderPath('--state', options.state)
  const crypto = createNodeCrypto()
  const trust = readFrom(options.trust, (content) => parseTrustFile(crypto, content))
  const key = parseAuditorKey(new TextDecoder().decode(readInput(options.key)))
  const stop = new AbortController()
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => stop.abort())
  const auditor = openAuditor({
    ...{ crypto, trust, key, gateway, plan: readPlan(options), signal: stop.signal },
    name: options.name ?? nameIn(trust, key),
    confidenceMillionths: parseShare('--confidence', options.confidence, MILLION - 1),
    ...(options.price === undefined ? {} : { price: parseMoney(options.price) }),
    apiKey: readApiKey(options.apiKeyFile),
    statePath: options.state,
    modelFolders: [options.models ?? bundledModels()],
    onProgress: warn,
  })
  const codes: ExitCode[] = []
  try {
    do {
      const report = await auditor.run()
      if (report === undefined) break
      codes.push(report.exitCode)
      show(report, options)
    } while (options.once !== true && !stop.signal.aborted)
  } catch (thrown) {
    if (!isContradiction(thrown)) throw thrown
    warn(`${thrown.code}: ${thrown.message}`)
    warn('The log contradicts itself. Keep the state folder; countersign monitor collects proof.')
    codes.push(EXIT.refuted)
  } finally {
    await auditor.close()
  }
  return gravest(codes)
}

function show(report: AuditReport, { json }: AuditOptions): void {
  print(json ? JSON.stringify(report) : formatAuditReport(report))
}

function isContradiction(thrown: unknown): thrown is CountersignError {
  return thrown instanceof CountersignError && /^(proof|leaf|checkpoint|note)\//.test(thrown.code)
}

function readPlan(options: AuditOptions): AuditPlan {
  const rateMillionths = parseShare('--rate', options.rate, MILLION)
  const usual = Math.min(MAX_EPOCH_ENTRIES, Math.floor((USUAL_SAMPLE * MILLION) / rateMillionths))
  const entries = options.entries === undefined ? usual : readCount(options.entries)
  return {
    deployments: options.deployment ?? 'all',
    rateMillionths,
    answerWithinSeconds: Math.min(MAX_ANSWER_SECONDS, readDurationMs('--answer-within', options.answerWithin) / 1000),
    entries,
    ...(options.for === undefined ? {} : { forMs: readDurationMs('--for', options.for) }),
  }
}

function readCount(text: string): number {
  const count = /^[1-9]\d{0,6}$/.test(text) ? Number(text) : 0
  if (count >= 1 && count <= MAX_EPOCH_ENTRIES) return count
  throw new CountersignError('usage/invalid', `--entries: expected 1 to ${MAX_EPOCH_ENTRIES}`)
}

const UNIT_MS = { s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const

function readDurationMs(option: string, text: string): number {
  const [, count, unit] = /^([1-9]\d{0,5})([smhd])$/.exec(text) ?? []
  if (unit !== undefined) return Number(count) * UNIT_MS[unit as keyof typeof UNIT_MS]
  throw new CountersignError('usage/invalid', `${option}: ${quote(text)} is no time; write it as in 30s, 10m, 1h or 7d`)
}

/** The name that the trust file has for our key. */
function nameIn({ parties }: Trust, { keyId }: AuditorKey): string {
  const party = parties.find(({ roles, keys }) => roles.includes('auditor') && keys.some((key) => key.keyId === keyId))
  if (party !== undefined) return party.name
  throw new CountersignError('usage/invalid', 'no auditor in the trust file has this key; say who you are with --name')
}

function collect(value: string, before: readonly string[] = []): readonly string[] {
  return [...before, value]
}
