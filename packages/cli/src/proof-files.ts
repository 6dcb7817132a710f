/** Proofs of misbehaviour among the files of `countersign verify`: found, checked, shown. */
import {
  CountersignError,
  type Crypto,
  contestsEntries,
  FILE_LIMITS,
  formatNoteKey,
  MISBEHAVIOUR_FORMAT,
  type Misbehaviour,
  type MisbehaviourKind,
  parseJson,
  parseMisbehaviour,
  type Trust,
  toHex,
  verifyMisbehaviour,
} from '@countersign/verify'
import { errorJson } from './exit-codes.ts'
import { readInput } from './files.ts'
import { paint, wrap } from './terminal.ts'

/** A proof as a report for programs has it. @spec spec/verdict.md#report */
export interface MisbehaviourReport {
  readonly kind: MisbehaviourKind
  readonly log: string
  /** The key that is bound by it, as in the policy. */
  readonly key: string
  readonly summary: string
  readonly commonSize: number
  readonly commonRoot: string | null
}

/** The name before its version: what stands in every file of that format, however its JSON is escaped. */
const MARK = MISBEHAVIOUR_FORMAT.split('/')[0] ?? MISBEHAVIOUR_FORMAT

/** Whether a file says that it is a proof of misbehaviour. What cannot be read says nothing. */
function isProofFile(file: string): boolean {
  try {
    const bytes = readInput(file)
    if (!Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).includes(MARK)) return false
    const value = parseJson(bytes, FILE_LIMITS)
    return (
      typeof value === 'object' && value !== null && 'format' in value && String(value.format).split('/')[0] === MARK
    )
  } catch (thrown) {
    if (!(thrown instanceof CountersignError)) throw thrown
    return false
  }
}

/** What came of one proof file. */
export type ProofResult =
  | { readonly proven: Misbehaviour; readonly report: MisbehaviourReport }
  | { readonly error: { readonly code: string; readonly message: string } }

/** Checks the proofs among `files`: what came of them, by file. */
export function readProofFiles(
  crypto: Crypto,
  trust: Trust | undefined,
  files: readonly string[],
): ReadonlyMap<string, ProofResult> {
  const proofs = files.filter(isProofFile)
  const [first] = proofs
  if (first === undefined) return new Map()
  const trusted = requireTrust(trust, `${first} is a proof of misbehaviour, and`)
  return new Map(proofs.map((file) => [file, readProof(crypto, trusted, file)]))
}

/** The trust file. @throws {CountersignError} `usage/invalid` where there is none */
export function requireTrust(trust: Trust | undefined, what: string): Trust {
  if (trust === undefined) throw new CountersignError('usage/invalid', `${what} needs --trust: whose keys bind whom?`)
  return trust
}

function readProof(crypto: Crypto, trust: Trust, file: string): ProofResult {
  try {
    const proven = verifyMisbehaviour(crypto, trust, parseMisbehaviour(readInput(file)))
    return { proven, report: reportOf(trust, proven) }
  } catch (thrown) {
    if (!(thrown instanceof CountersignError)) throw thrown
    return { error: errorJson(thrown) }
  }
}

function reportOf(trust: Trust, { kind, log, summary, commonSize, commonRoot }: Misbehaviour): MisbehaviourReport {
  const known = trust.policy.logs.find((each) => each.key.name === log)
  return {
    ...{ kind, log, key: known === undefined ? '' : formatNoteKey(known.key), summary, commonSize },
    commonRoot: commonRoot === undefined ? null : toHex(commonRoot),
  }
}

/** A proof as people read it. */
export function formatMisbehaviour(report: MisbehaviourReport): string {
  const { kind, log, key, summary, commonRoot } = report
  return [
    `${paint('red', contestsEntries(kind) ? 'misbehaviour proven' : 'promise not kept in time')}  ${kind}`,
    `  against: whoever holds the key of log ${log}`,
    `  ${paint('dim', key)}`,
    `  ${wrap(summary, '  ')}`,
    `  ${wrap(whatStands(report), '  ')}`,
    ...(commonRoot === null ? [] : [`  ${paint('dim', `root ${commonRoot}`)}`]),
    `  ${paint('dim', `does not prove: intent, or anything about other logs; ${looksTheSame(kind)}`)}\n`,
  ].join('\n')
}

function whatStands({ kind, commonSize, commonRoot }: MisbehaviourReport): string {
  if (!contestsEntries(kind)) return 'answers of this log stand: no second history is shown'
  if (commonRoot === null) return 'common: not shown, so no answer of this log stands against this proof'
  return `common: the first ${commonSize} entries; answers shown to be among them stand`
}

/** What else could have made such a proof. */
function looksTheSame(kind: MisbehaviourKind): string {
  return kind === 'promise-not-covered'
    ? 'a lost key, and witnesses that the log could not reach, look the same'
    : 'a lost key looks the same'
}
