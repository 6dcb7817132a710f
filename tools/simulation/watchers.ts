/** Those who watch an operator, each in a process of its own; and strangers, who have nothing but files. */
import { copyFileSync, existsSync, mkdtempSync, readdirSync } from 'node:fs'
import { basename, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { AuditReport } from '@countersign/watch'
import { grantAudit, type Operator } from './operator.ts'
import type { Ended, Running } from './processes.ts'
import { AUDITORS, type World } from './world.ts'

const LIMIT_MS = 240_000

export interface MonitorRun {
  readonly ended: Ended
  /** The last line that it printed. */
  readonly summary: {
    readonly size: number
    readonly proven: number
    readonly missing: number
    readonly warnings: number
  }
  /** Proof files, of this run and of those before. */
  readonly proofs: readonly string[]
}

export interface MonitorOptions {
  readonly trust: string
  /** Further arguments: what it is given besides. */
  readonly given?: readonly string[]
}

/** A monitor of the operator's log; runs of one name continue one another. */
export function startMonitor(world: World, operator: Operator, name: string, options: MonitorOptions): Running {
  const { trust, given = [] } = options
  const state = ['--state', stateOf(world, operator, name), '--trust', trust]
  const args = ['monitor', `${operator.url}/log`, ...state, '--json', '--grace', '2', '--timeout', '30', ...given]
  return world.processes.start(args, { folder: world.folder, limitMs: LIMIT_MS })
}

export async function monitorOnce(world: World, operator: Operator, name: string, options: MonitorOptions) {
  const given = [...(options.given ?? []), '--once']
  const ended = await startMonitor(world, operator, name, { ...options, given }).ended
  return monitorRun(ended, join(stateOf(world, operator, name), 'proofs'))
}

export function monitorRun(ended: Ended, proofFolder: string): MonitorRun {
  const line = ended.stdout.trim().split('\n').at(-1) ?? ''
  if (!line.includes('"ended"')) throw new Error(`the monitor did not end in order: ${ended.stdout}${ended.stderr}`)
  return { ended, summary: JSON.parse(line) as MonitorRun['summary'], proofs: filesIn(proofFolder) }
}

/** By the log's name: a monitor follows a log, wherever it is served. */
function stateOf(world: World, { name }: Operator, monitor: string): string {
  return join(world.folder, `${name}.${monitor}`)
}

/** The one proof of that kind among the files. */
export function proofOf(proofs: readonly string[], kind: string): string {
  const found = proofs.find((path) => basename(path).startsWith(`${kind}-`))
  if (found === undefined)
    throw new Error(`no proof of ${kind} among ${proofs.map((path) => basename(path)).join(', ')}`)
  return found
}

export interface AuditOptions {
  readonly trust: string
  readonly apiKey: string
  readonly rate: number
  readonly entries: number
  /** As the command takes it. */
  readonly answerWithin: string
  /** Where it is told that the gateway is, if that is not the operator's own address. */
  readonly url?: string
}

export interface AuditRun {
  readonly ended: Ended
  readonly report: AuditReport
  /** Folder of the audit's files. */
  readonly folder: string
}

/** An audit that is under way: its commitment is in the log. */
export interface Audit {
  readonly ended: Promise<AuditRun>
}

/** Starts an audit; resolves when it has committed itself. */
async function startAudit(
  world: World,
  operator: Operator,
  auditor: string,
  { trust, apiKey, rate, entries, answerWithin, url = operator.url }: AuditOptions,
): Promise<Audit> {
  const state = join(world.folder, `${operator.name}.${auditor}`)
  const files = ['--trust', trust, '--key', world.privateKeyOf(auditor), '--api-key-file', apiKey, '--state', state]
  const plan = ['--rate', String(rate), '--entries', String(entries), '--answer-within', answerWithin]
  const args = ['audit', url, ...files, ...plan, '--once', '--json']
  const running = world.processes.start(args, { folder: world.folder, limitMs: LIMIT_MS })
  await running.said(/^committed/m)
  const run = async (): Promise<AuditRun> => {
    const ended = await running.ended
    if (!ended.stdout.startsWith('{')) throw new Error(`the audit gave no report: ${ended.stderr}`)
    const [folder = ''] = readdirSync(join(state, 'audits'))
    return { ended, report: JSON.parse(ended.stdout) as AuditReport, folder: join(state, 'audits', folder) }
  }
  return { ended: run() }
}

/** Both auditors, committed. What was asked before is not in their epochs, and what is asked now is. */
export async function startAudits(world: World, operator: Operator, options: Omit<AuditOptions, 'trust' | 'apiKey'>) {
  const trust = world.trustFile(operator.name, false)
  const keys = await Promise.all(AUDITORS.map((auditor) => grantAudit(world, operator, auditor)))
  return Promise.all(
    AUDITORS.map((auditor, i) => startAudit(world, operator, auditor, { trust, apiKey: keys[i] ?? '', ...options })),
  )
}

export function filesIn(folder: string): readonly string[] {
  return existsSync(folder) ? readdirSync(folder).map((name) => join(folder, name)) : []
}

/** What a stranger finds who checks the audit itself, in a fresh process: see check-audit.ts. */
export async function askStrangerOfAudit(world: World, { name, url }: Operator, folder: string): Promise<CheckedAudit> {
  const program = fileURLToPath(new URL('./check-audit.ts', import.meta.url))
  const args = ['--import', import.meta.resolve('tsx'), program, folder, world.trustFile(name, false), `${url}/log`]
  const { code, stdout, stderr } = await world.processes.startNode(args, { folder: world.folder, limitMs: LIMIT_MS })
    .ended
  if (code !== 0) throw new Error(`the audit does not check: ${stderr}`)
  return JSON.parse(stdout) as CheckedAudit
}

export interface CheckedAudit {
  readonly counts: AuditReport['counts']
  readonly entries: readonly { readonly index: number; readonly outcome: string }[]
}

/**
 * What `countersign verify` says to someone who has never heard of any of this: a fresh process in a folder with these
 * files and a trust file, and nothing else.
 */
export function askStranger(world: World, trust: string, files: readonly string[], ...more: readonly string[]) {
  const folder = mkdtempSync(join(world.folder, 'stranger-'))
  for (const file of files) copyFileSync(file, join(folder, basename(file)))
  copyFileSync(trust, join(folder, 'trust.yaml'))
  const args = ['verify', ...files.map((file) => basename(file)), '--trust', 'trust.yaml', ...more]
  return world.processes.run(args, { folder, limitMs: LIMIT_MS })
}
