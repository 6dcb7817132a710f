/** Contradictions and gaps among statements: what two of them, or their places in the log, say of those between. */
import {
  findSigner,
  INFERENCE_TYPE,
  type Json,
  type OpenedReceipt,
  parseInference,
  parseStatement,
  type Trust,
} from '@countersign/verify'
import type { Observation, ProofDraft } from './observation.ts'

/** An operator's statement of one answer, at its place in the log. */
export interface SeenStatement {
  readonly digest: string
  readonly index: number
  readonly operator: string
  readonly receipt: string
  /** Operator, deployment and epoch. */
  readonly series: string
  readonly sequence: number
}

/** Statements that were seen before. */
export interface StatementLedger {
  ofReceipt(receipt: string, operator: string, except: string): SeenStatement | undefined
  ofNumber(series: string, sequence: number, except: string): SeenStatement | undefined
  /** The nearest one of a series on either side of a place. */
  before(series: string, index: number): SeenStatement | undefined
  after(series: string, index: number): SeenStatement | undefined
  /** A receipt of a statement, where one was kept. */
  receiptOf(digest: string): Json | undefined
}

/**
 * The statement, when it is an answer's and signed by an operator of the trust file.
 *
 * @throws {CountersignError} `shape/*`, `json/*`, `bytes/*` when an operator signed what cannot be read
 */
export function readSeenStatement(
  trust: Trust,
  { payload, statement: digest, keyId, index }: Pick<OpenedReceipt, 'payload' | 'statement' | 'keyId' | 'index'>,
  origin: string,
): SeenStatement | undefined {
  const signer = findSigner(trust, keyId, 'operator', { origin, index })
  const statement = signer === undefined ? undefined : parseStatement(payload)
  if (signer === undefined || statement?.predicateType !== INFERENCE_TYPE) return undefined
  const { receipt, deployment, epoch, sequence } = parseInference(statement)
  const operator = signer.party.name
  return { digest, index, operator, receipt, series: `${operator}\n${deployment.name}\n${epoch}`, sequence }
}

/**
 * What a statement shows beside those that are known. `isComplete`: all statements of its series that stand before it were
 * read, so that numbers must follow one another.
 */
export function judgeStatement(
  ledger: StatementLedger,
  seen: SeenStatement,
  isComplete: boolean,
  atMs: number,
): readonly Observation[] {
  const { digest, index, operator, receipt, series, sequence } = seen
  const before = ledger.before(series, index)
  const after = ledger.after(series, index)
  return [
    ...contradiction(
      ledger,
      'two-statements-one-receipt',
      receipt,
      seen,
      ledger.ofReceipt(receipt, operator, digest),
      atMs,
    ),
    ...contradiction(
      ledger,
      'two-statements-one-sequence-number',
      `${nameOf(series)} ${sequence}`,
      seen,
      ledger.ofNumber(series, sequence, digest),
      atMs,
    ),
    ...judgeNeighbours(before, seen, isComplete, atMs),
    ...(after === undefined ? [] : judgeNeighbours(seen, after, false, atMs)),
  ]
}

function contradiction(
  ledger: StatementLedger,
  kind: Extract<ProofDraft['kind'], `two-statements-${string}`>,
  subject: string,
  seen: SeenStatement,
  twin: SeenStatement | undefined,
  atMs: number,
): readonly Observation[] {
  if (twin === undefined) return []
  const [first, second] = [ledger.receiptOf(twin.digest), ledger.receiptOf(seen.digest)]
  if (first !== undefined && second !== undefined) {
    return [{ kind: 'contradiction', draft: { kind, subject, receipts: [first, second] }, atMs }]
  }
  const summary = `statements ${twin.digest} and ${seen.digest} contradict each other (${kind}), and a receipt of one is missing`
  return [{ kind: 'trouble', finding: 'statement-withheld', subject: seen.digest, summary, atMs }]
}

/** Numbers of one series grow with the index, and there is a place for each. */
function judgeNeighbours(
  before: SeenStatement | undefined,
  seen: SeenStatement,
  isComplete: boolean,
  atMs: number,
): readonly Observation[] {
  const numbers = seen.sequence - (before?.sequence ?? -1)
  const places = seen.index - (before?.index ?? -1)
  const name = nameOf(seen.series)
  const subject = `${name} ${seen.sequence}`
  const from = before === undefined ? 'the beginning' : `number ${before.sequence} at entry ${before.index}`
  // Numbers that are equal are proven elsewhere.
  if (numbers === 0) return []
  if (numbers < 0) {
    const summary = `${name}: number ${seen.sequence} at entry ${seen.index} comes after ${from}`
    return [{ kind: 'trouble', finding: 'sequence-disorder', subject, summary, atMs }]
  }
  if (numbers <= (isComplete ? 1 : places)) return []
  const lost = numbers - (isComplete ? 1 : places)
  const summary = `${name}: between ${from} and number ${seen.sequence} at entry ${seen.index}, ${lost} of the log’s own numbers are missing`
  return [{ kind: 'trouble', finding: 'sequence-gap', subject, summary, atMs }]
}

const nameOf = (series: string) => series.split('\n').slice(1).join(' ')
