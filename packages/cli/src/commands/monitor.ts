/** `countersign monitor`: follows a log, and says what is wrong with it. */
import { join, resolve } from 'node:path'
import { CountersignError, parseTrustFile, parseUtf8, type Trust } from '@countersign/verify'
import { createNodeCrypto } from '@countersign/verify/crypto/node'
import {
  findLogKey,
  isMissing,
  Monitor,
  type MonitorOptions,
  type MonitorSummary,
  type Report,
} from '@countersign/watch'
import type { Command } from 'commander'
import { EXIT, type ExitCode } from '../exit-codes.ts'
import { readInput } from '../files.ts'
import { readFrom } from '../named-file.ts'
import { createProgress, paint, print, warn } from '../terminal.ts'

interface MonitorFlags {
  readonly trust: string
  readonly origin?: string
  readonly state: string
  readonly proofs?: string
  readonly witness?: readonly string[]
  readonly receipts?: readonly string[]
  readonly statements?: string
  readonly apiKeyFile?: string
  readonly webhook?: string
  readonly once?: boolean
  readonly interval: string
  readonly grace: string
  readonly maxAge?: string
  readonly timeout: string
  readonly json?: boolean
}

const EXAMPLES = `
Examples:
  countersign monitor https://gateway.example/log --trust trust.yaml
  countersign monitor https://gateway.example/log --trust trust.yaml --once --json
  countersign monitor https://gateway.example/log --trust trust.yaml --receipts ./dossiers --witness https://w.example/
  COUNTERSIGN_API_KEY=csk_… countersign monitor https://gateway.example/log --trust trust.yaml \\
    --statements https://gateway.example --webhook https://alerts.example/countersign

--receipts takes dossiers, receipts and promises, as files or folders; it looks into folders again in each round.
--statements reads the statement of every entry; restricted ones with an API key that has the right "receipts", from
COUNTERSIGN_API_KEY or --api-key-file. COUNTERSIGN_WEBHOOK names the webhook where its address holds a secret.

Exit codes: 0 nothing was found; 1 misbehaviour is proven, by a file in --proofs; 3 something that an honest log would
show is missing or too old; 2 bad usage, or state that cannot be used. Without --once it ends when it is told to (SIGTERM).`

export function addMonitor(program: Command): void {
  program
    .command('monitor')
    .description('follow a log: check every entry, compare all that it shows to anyone, prove what contradicts itself')
    .argument('<log url>', 'where the log is served: <log url>/checkpoint is its checkpoint')
    .requiredOption('--trust <file>', 'whom you trust: the log’s key, witnesses, operators (YAML)')
    .option('--origin <name>', 'name of the log, where the trust file has several')
    .option('--state <folder>', 'what the monitor remembers', 'countersign-monitor')
    .option('--proofs <folder>', 'where proofs of misbehaviour go (default: proofs in the state’s folder)')
    .option('--witness <url...>', 'witnesses to ask, beside those of the trust file’s policy')
    .option('--receipts <path...>', 'dossiers, receipts, promises: files, or folders of them')
    .option('--statements <url>', 'read statements from this gateway, and look for gaps')
    .option('--api-key-file <file>', 'an API key that opens restricted statements')
    .option('--webhook <url>', 'where alerts are posted')
    .option('--once', 'look once, and end')
    .option('--interval <seconds>', 'time between two looks', '5')
    .option('--grace <seconds>', 'how long something may be missing before it counts', '60')
    .option('--max-age <seconds>', 'oldest head that is fresh (default: no limit)')
    .option('--timeout <seconds>', 'time for one request', '10')
    .option('--json', 'print one JSON object a line, for programs')
    .addHelpText('after', EXAMPLES)
    .action(async (url: string, flags: MonitorFlags) => {
      process.exitCode = await monitor(url, flags)
    })
}

async function monitor(logUrl: string, flags: MonitorFlags): Promise<ExitCode> {
  const options = readOptions(logUrl, flags)
  const running = new Monitor(options)
  const stop = () => running.stop()
  process.once('SIGTERM', stop)
  process.once('SIGINT', stop)
  try {
    if (!flags.json) printBeginning(options, flags.once === true)
    if (flags.once) await running.once()
    else await running.follow()
  } finally {
    process.removeListener('SIGTERM', stop)
    process.removeListener('SIGINT', stop)
    await running.close()
  }
  const summary = running.summary()
  const exitCode = exitCodeOf(summary)
  if (flags.json) print(JSON.stringify({ event: 'ended', ...summary, exitCode }))
  else printEnd(summary)
  return exitCode
}

function exitCodeOf({ proven, missing }: MonitorSummary): ExitCode {
  return proven > 0 ? EXIT.refuted : missing > 0 ? EXIT.unproven : EXIT.ok
}

/** @throws {CountersignError} `usage/invalid`, `trust/malformed`, `file/unreadable`, `policy/unknown-log` */
function readOptions(logUrl: string, flags: MonitorFlags): MonitorOptions {
  const crypto = createNodeCrypto()
  const trust: Trust = readFrom(flags.trust, (content) => parseTrustFile(crypto, content))
  const apiKey = readApiKey(flags)
  const webhookUrl = flags.webhook ?? process.env.COUNTERSIGN_WEBHOOK
  if (apiKey !== undefined && flags.statements === undefined) {
    throw new CountersignError('usage/invalid', 'an API key is of no use without --statements')
  }
  const stateFolder = resolve(flags.state)
  return {
    ...{ crypto, trust, logUrl, stateFolder },
    proofFolder: flags.proofs === undefined ? join(stateFolder, 'proofs') : resolve(flags.proofs),
    witnessUrls: flags.witness ?? [],
    evidence: flags.receipts ?? [],
    intervalMs: readSeconds('--interval', flags.interval),
    graceMs: readSeconds('--grace', flags.grace),
    timeoutMs: Math.max(100, readSeconds('--timeout', flags.timeout)),
    nowMs: () => Date.now(),
    onReport: flags.json ? (report) => print(JSON.stringify(report)) : printReport,
    onProgress: createCatchingUp(),
    ...(flags.origin === undefined ? {} : { origin: flags.origin }),
    ...(flags.maxAge === undefined ? {} : { maximumAgeMs: readSeconds('--max-age', flags.maxAge) }),
    ...(webhookUrl === undefined ? {} : { webhookUrl }),
    ...(flags.statements === undefined
      ? {}
      : { statements: { url: flags.statements, ...(apiKey === undefined ? {} : { apiKey }) } }),
  }
}

/** A key comes from a file or the environment: what stands in arguments, every user of the machine can read. */
function readApiKey({ apiKeyFile, statements }: MonitorFlags): string | undefined {
  const fromEnvironment = statements === undefined ? undefined : process.env.COUNTERSIGN_API_KEY
  const key = apiKeyFile === undefined ? fromEnvironment : parseUtf8(readInput(apiKeyFile)).trim()
  if (key === undefined || key === '') return undefined
  if (!/^[!-~]{1,256}$/.test(key))
    throw new CountersignError('usage/invalid', 'the API key is no word of visible ASCII')
  return key
}

const MAX_SECONDS = 31_536_000

function readSeconds(flag: string, text: string): number {
  const seconds = Number(text)
  if (!/^[0-9]{1,8}(\.[0-9]{1,3})?$/.test(text) || seconds > MAX_SECONDS) {
    throw new CountersignError('usage/invalid', `${flag}: ${text} is not a number of seconds up to ${MAX_SECONDS}`)
  }
  return seconds * 1000
}

/** One bar for each head that is caught up with; none for a few entries. */
function createCatchingUp(): MonitorOptions['onProgress'] {
  let bar: { readonly total: number; readonly progress: ReturnType<typeof createProgress> } | undefined
  return (done, total) => {
    if (bar?.total !== total) {
      if (done === total) return
      bar = { total, progress: createProgress('catching up', total) }
    }
    bar.progress.update(done)
  }
}

function printBeginning(options: MonitorOptions, isOnce: boolean): void {
  print(`monitoring ${findLogKey(options).name}`)
  print(`log     ${options.logUrl}`)
  print(`state   ${options.stateFolder}`)
  print(`proofs  ${options.proofFolder}`)
  if (isOnce)
    print(`looking once; what is missing is waited for ${options.graceMs / 1000} s before it counts (--grace)`)
}

function printReport(report: Report): void {
  const time = new Date(report.atMs).toISOString()
  switch (report.event) {
    case 'verified':
      print(`${time}  ${report.size} entries verified`)
      return
    case 'misbehaviour': {
      const { summary, file } = report.misbehaviour
      print(`${time}  ${paint('red', 'misbehaviour')}  ${summary}\n${' '.repeat(26)}proof: ${file}`)
      return
    }
    case 'alert-dropped':
      warn(`${time}  an alert was dropped, as too many wait: ${report.alert.summary}`)
      return
    default:
      printFinding(time, report)
  }
}

/** Something that is not there yet is no news; that it is still not there after the grace is. */
function printFinding(time: string, { event, finding }: Extract<Report, { readonly finding: unknown }>): void {
  const { kind, summary } = finding
  if (!isMissing(finding)) {
    if (event === 'opened') print(`${time}  warning  ${kind}: ${summary}`)
    return
  }
  const about =
    event === 'opened' ? 'not there yet' : event === 'due' ? paint('yellow', 'missing') : paint('green', 'resolved')
  print(`${time}  ${about}  ${kind}: ${summary}`)
}

function printEnd({ origin, size, proven, missing, warnings }: MonitorSummary): void {
  const found = proven > 0 ? `misbehaviour is proven (${proven})` : missing > 0 ? `${missing} missing` : 'nothing found'
  print(`${origin}: ${size} entries verified, ${found}, ${warnings} warnings`)
}
