/** What an answer of the gateway about one entry is worth. */
import { type ModelStore, reexecute } from '@countersign/engines'
import {
  type AuditCommitment,
  type AuditedEntry,
  type AuditOutcome,
  type ClaimRow,
  CountersignError,
  type Crypto,
  codeOf,
  decideRecord,
  decideVerdict,
  type ErrorCode,
  type ExecutionResult,
  FILE_LIMITS,
  Fields,
  findRow,
  hashLeaf,
  INFERENCE_TYPE,
  type Memory,
  parseBundle,
  parseDossier,
  parseJson,
  parseStatement,
  planExecution,
  type RecordedAnswer,
  statementDigest,
  type Trust,
  toHex,
  type UnverifiedDossier,
  type Verdict,
  verifyLeaf,
} from '@countersign/verify'
import type { SampledEntry } from './decide-audit.ts'
import type { GatewayReply } from './gateway-access.ts'

export interface Judging {
  readonly crypto: Crypto
  readonly trust: Trust
  readonly models: ModelStore
  readonly memory: Memory
  readonly deployments: AuditCommitment['deployments']
  now(): number
}

/** What an entry came out as, and what shows it where it differed. */
export interface Judgement {
  readonly entry: AuditedEntry
  /**
   * `again`: the operator may yet answer. `bad`: what it gave opens nothing, and may do so once or twice by mistake.
   */
  readonly standing: 'final' | 'again' | 'bad'
  readonly computeMs: number
  /** The execution that differs. */
  readonly execution?: ExecutionResult
}

/** Codes of running a model that say something of this machine and nothing of the answer. */
const OWN_FAULTS: ReadonlySet<ErrorCode> = /* @__PURE__ */ new Set<ErrorCode>([
  'execution/engine-missing',
  'execution/model-not-found',
  'execution/model-digest-mismatch',
  'execution/profile-unmet',
  'execution/failed',
  'file/unreadable',
])

/** Codes that say that the operator did not give what it had to. */
const WITHHELD: ReadonlySet<ErrorCode> = /* @__PURE__ */ new Set<ErrorCode>([
  'opening/missing',
  'signature/unknown-key',
  'policy/unknown-log',
  'policy/quorum-unmet',
])

/** Refusals that another try may lift: the receipt is not covered yet, or the gateway is busy. */
function isPassing(status: number): boolean {
  return status === 202 || status === 401 || status === 408 || status === 429 || status >= 500
}

/** Judges a reply. Never throws for what the gateway said. */
export async function judgeReply(judging: Judging, asked: SampledEntry, reply: GatewayReply): Promise<Judgement> {
  const { status, body, code = 'receipt/not-yet-included' } = reply
  if (status === 200) return await judgeBody(judging, asked, body)
  if (status === 202 || status >= 500) return settle(asked, 'evidence-missing', 'again', code)
  const isElsewhere = code === 'auth/not-allowed' && judging.deployments !== 'all'
  if (isElsewhere) return settle(asked, 'out-of-scope', 'final', code)
  return settle(asked, 'refused', isPassing(status) ? 'again' : 'final', code)
}

async function judgeBody(judging: Judging, asked: SampledEntry, body: Uint8Array): Promise<Judgement> {
  try {
    const value = parseJson(body, FILE_LIMITS)
    const isStatement = new Fields(value, 'reply').has('envelope')
    if (isStatement) return judgeStatement(judging, asked, new Fields(value, 'reply'))
    return await judgeDossier(judging, asked, parseDossier(body))
  } catch (thrown) {
    const code = codeOf(thrown)
    if (code === undefined) throw thrown
    return settle(asked, 'evidence-missing', 'bad', code)
  }
}

/** A public statement: its leaf must be the one that was selected, and it must be no answer. */
function judgeStatement({ crypto }: Judging, asked: SampledEntry, fields: Fields): Judgement {
  const receipt = parseBundle(fields.required('bundle'), fields.at('bundle'))
  if (receipt.index !== asked.index || toHex(hashLeaf(crypto, receipt.leafBytes)) !== asked.leafHash) {
    return settle(asked, 'evidence-missing', 'bad', 'leaf/mismatch')
  }
  verifyLeaf(crypto, receipt.leaf, receipt.envelope, receipt.leaf.spki)
  const { payload } = receipt.envelope
  if (parseStatement(payload).predicateType !== INFERENCE_TYPE) {
    return settle(asked, 'not-an-answer', 'final', undefined, statementDigest(crypto, payload))
  }
  return settle(asked, 'evidence-missing', 'bad', 'opening/missing')
}

async function judgeDossier(judging: Judging, asked: SampledEntry, dossier: UnverifiedDossier): Promise<Judgement> {
  const { crypto, trust, memory } = judging
  const { receipt } = dossier
  if (receipt.index !== asked.index || toHex(hashLeaf(crypto, receipt.leafBytes)) !== asked.leafHash) {
    return settle(asked, 'evidence-missing', 'bad', 'leaf/mismatch')
  }
  verifyLeaf(crypto, receipt.leaf, receipt.envelope, receipt.leaf.spki)
  const input = { crypto, trust: withoutOthers(trust), atMs: judging.now(), memory }
  const { row, answer } = decideRecord(dossier, input)
  if (answer === undefined) {
    const decisive =
      row.checks.find(({ result }) => result === 'fail') ?? row.checks.find(({ result }) => result === 'missing')
    const isEarly = decisive?.code === 'policy/quorum-unmet'
    return settle(asked, 'evidence-missing', isEarly ? 'again' : 'bad', decisive?.code ?? 'opening/missing')
  }
  return await judgeAnswer(judging, asked, answer, (executions) => decideVerdict(dossier, { ...input, executions }))
}

/**
 * The trust file without what is no business of an auditor's: how old an answer may be is for those who rely on it, and what other
 * auditors say of it, whose results come along in dossiers, must not become our own word.
 */
function withoutOthers(trust: Trust): Trust {
  const parties = trust.parties.map((party) => ({ ...party, roles: party.roles.filter((role) => role !== 'auditor') }))
  return { ...trust, parties, maximumAgeMs: undefined }
}

async function judgeAnswer(
  { models }: Judging,
  asked: SampledEntry,
  answer: RecordedAnswer,
  decide: (executions: readonly ExecutionResult[]) => Verdict,
): Promise<Judgement> {
  const start = performance.now()
  const execution = await execute(answer, models)
  const computeMs = Math.round(performance.now() - start)
  const profile = execution.outcome === 'ran' ? execution.profile : undefined
  const { outcome, code } = conclude(decide([execution]), execution)
  const standing = outcome === 'evidence-missing' ? 'bad' : 'final'
  const settled = settle(asked, outcome, standing, code, answer.statement, profile)
  return { ...settled, computeMs, ...(outcome === 'differed' ? { execution } : {}) }
}

interface Conclusion {
  readonly outcome: AuditOutcome
  readonly code: ErrorCode | undefined
}

function conclude(verdict: Verdict, execution: ExecutionResult): Conclusion {
  const [output, model] = [findRow(verdict, 'output'), findRow(verdict, 'model')]
  for (const row of [output, model]) {
    const failed = row.checks.find(({ result }) => result === 'fail')?.code
    // What was signed or committed to speaks against the operator; broken proofs could be anybody's.
    if (failed !== undefined) return { outcome: isSigned(failed) ? 'differed' : 'evidence-missing', code: failed }
  }
  if (output.status === 'holds') return { outcome: 'agreed', code: undefined }
  const code = execution.outcome === 'ran' ? missingIn(output) : execution.code
  if (code !== undefined && OWN_FAULTS.has(code)) return { outcome: 'unavailable', code }
  // What it committed to as the request is none that this model takes: it could keep every wrong answer from being run again.
  if (code !== undefined && isSigned(code)) return { outcome: 'differed', code }
  return { outcome: code !== undefined && WITHHELD.has(code) ? 'evidence-missing' : 'not-comparable', code }
}

function missingIn({ checks }: ClaimRow): ErrorCode | undefined {
  return checks.find(({ result }) => result === 'missing')?.code
}

function isSigned(code: ErrorCode): boolean {
  return code === 'execution/output-differs' || /^(statement|shape|json|bytes|tensor)\//.test(code)
}

async function execute(answer: RecordedAnswer, models: ModelStore): Promise<ExecutionResult> {
  try {
    return await reexecute(planExecution(answer), { models })
  } catch (thrown) {
    if (!(thrown instanceof CountersignError)) throw thrown
    return { statement: answer.statement, outcome: 'unavailable', code: thrown.code, reason: thrown.message }
  }
}

function settle(
  { index, leafHash }: SampledEntry,
  outcome: AuditOutcome,
  standing: Judgement['standing'],
  code?: string,
  statement?: string,
  profile?: string,
): Judgement {
  const entry: AuditedEntry = {
    ...{ index, leafHash, outcome },
    ...(statement === undefined ? {} : { statement }),
    ...(profile === undefined ? {} : { profile }),
    ...(code === undefined ? {} : { code }),
  }
  return { entry, standing, computeMs: 0 }
}

/** What an entry is worth for which nothing came that could be read. */
export function unanswered(asked: SampledEntry, code: ErrorCode): Judgement {
  return settle(asked, 'evidence-missing', code === 'watch/bad-answer' ? 'bad' : 'again', code)
}
