/**
 * Proof that a log or its operator broke its word: two signed things that cannot both be honest. Silence, and a proof
 * that merely was not given, prove nothing.
 *
 * @spec spec/misbehaviour.md
 */
import { equalBytes } from '../bytes/bytes.ts'
import type { Crypto } from '../crypto/crypto.ts'
import { CountersignError } from '../errors.ts'
import { meetsQuorum, openConfirmations } from '../independence/confirmation.ts'
import type { UnverifiedReceipt } from '../log/bundle.ts'
import { type Checkpoint, openCheckpoint } from '../log/checkpoint.ts'
import { type Hash, verifyConsistency, verifyInclusion } from '../log/merkle.ts'
import type { NoteKey, UnverifiedNote } from '../log/note.ts'
import { type LogPromise, openPromise } from '../log/promise.ts'
import { openReceipt } from '../log/receipt.ts'
import { INFERENCE_TYPE, parseInference } from '../statement/inference.ts'
import { parseStatement } from '../statement/statement.ts'
import { findSigner, type Trust } from '../trust/trust-file.ts'
import { type CommonHistory, NO_COMMON_HISTORY, type UnverifiedCommon, verifyCommonHistory } from './common-history.ts'

export const MISBEHAVIOUR_KINDS = [
  'two-heads-of-one-size',
  'head-of-another-history',
  'two-leaves-one-index',
  'promise-other-leaf',
  'promise-not-covered',
  'two-statements-one-receipt',
  'two-statements-one-sequence-number',
] as const
export type MisbehaviourKind = (typeof MISBEHAVIOUR_KINDS)[number]

/** A leaf hash, and the path that leads from it to a signed head. Says nothing of what the leaf holds. */
export interface UnverifiedPlace {
  readonly leafHash: Hash
  readonly path: readonly Hash[]
  readonly head: UnverifiedNote
}

type Pair<T> = readonly [T, T]

/** Two heads, and the root that the tree under the newer one had when it was as large as the older. */
export interface UnverifiedHistory {
  readonly older: UnverifiedNote
  readonly newer: UnverifiedNote
  readonly root: Hash
  /** Leads from that root to the newer head. */
  readonly path: readonly Hash[]
}

/** Kinds that show a history, so that a common beginning of it may be shown as well. */
type UnverifiedHistories = { readonly common: UnverifiedCommon | undefined } & (
  | { readonly kind: 'two-heads-of-one-size'; readonly heads: Pair<UnverifiedNote> }
  | { readonly kind: 'head-of-another-history'; readonly history: UnverifiedHistory }
  | { readonly kind: 'two-leaves-one-index'; readonly index: number; readonly places: Pair<UnverifiedPlace> }
  | { readonly kind: 'promise-other-leaf'; readonly promise: UnverifiedNote; readonly place: UnverifiedPlace }
  | { readonly kind: 'promise-not-covered'; readonly promise: UnverifiedNote; readonly head: UnverifiedNote }
)

/**
 * Whether a proof of that kind contests entries. A promise that a quorum did not see kept in time contests none: no two
 * histories are shown, a log that could not reach its witnesses looks the same, and whatever head comes to cover the index
 * either holds what was promised, or proves that it does not.
 */
export function contestsEntries(kind: MisbehaviourKind): boolean {
  return kind !== 'promise-not-covered'
}

/** A proof file as read; nothing in it is checked yet. */
export type UnverifiedMisbehaviour =
  | UnverifiedHistories
  | {
      readonly kind: 'two-statements-one-receipt' | 'two-statements-one-sequence-number'
      readonly receipts: Pair<UnverifiedReceipt>
    }

/** Proven misbehaviour of a log's operator, and what of its log the proof leaves standing, see {@link contestsEntries}. */
export interface Misbehaviour extends CommonHistory {
  readonly kind: MisbehaviourKind
  /** Origin of the log. */
  readonly log: string
  readonly summary: string
}

/** A contradiction that was shown, and the heads that show it. */
interface Contradiction {
  readonly key: NoteKey
  readonly summary: string
  readonly heads: readonly Checkpoint[]
  /** The first index that is contested. */
  readonly firstDoubtful: number
}

/**
 * Proves that a log of the trust file's policy misbehaved, or throws. Binds whoever holds that log's key, and nobody
 * else; statements bind the party that signed both.
 *
 * @throws {CountersignError} `misbehaviour/not-proven`, `policy/unknown-log`, and what opening the parts throws
 */
export function verifyMisbehaviour(crypto: Crypto, trust: Trust, proof: UnverifiedMisbehaviour): Misbehaviour {
  const { kind } = proof
  if ('receipts' in proof) {
    const { key, summary } = twoStatements(crypto, trust, proof.kind, proof.receipts)
    return { kind, log: key.name, summary, ...NO_COMMON_HISTORY }
  }
  const { key, summary, heads, firstDoubtful } = contradictionOf(crypto, trust, proof)
  const common =
    proof.common === undefined
      ? NO_COMMON_HISTORY
      : verifyCommonHistory(crypto, key, proof.common, heads, firstDoubtful)
  return { kind, log: key.name, summary, ...common }
}

function contradictionOf(crypto: Crypto, trust: Trust, proof: UnverifiedHistories): Contradiction {
  switch (proof.kind) {
    case 'two-heads-of-one-size':
      return twoHeads(crypto, trust, proof.heads)
    case 'head-of-another-history':
      return anotherHistory(crypto, trust, proof.history)
    case 'two-leaves-one-index':
      return twoLeaves(crypto, trust, proof.index, proof.places)
    case 'promise-other-leaf':
      return otherLeaf(crypto, trust, proof.promise, proof.place)
    case 'promise-not-covered':
      return notCovered(crypto, trust, proof.promise, proof.head)
  }
}

function twoHeads(crypto: Crypto, trust: Trust, notes: Pair<UnverifiedNote>): Contradiction {
  const key = logKeyOf(trust, notes[0])
  const heads = [openCheckpoint(crypto, notes[0], key), openCheckpoint(crypto, notes[1], key)] as const
  const [a, b] = heads
  if (a.size !== b.size || equalBytes(a.root, b.root)) throw notProven('the heads do not contradict each other')
  const summary = `the log signed two heads of size ${a.size} with different roots`
  return { key, summary, heads, firstDoubtful: a.size - 1 }
}

/**
 * A consistency proof leads from one older root alone, as no other hashes to the newer one. So when it leads from another
 * root than the older head's, the newer tree does not begin with the older.
 */
function anotherHistory(crypto: Crypto, trust: Trust, { older, newer, root, path }: UnverifiedHistory): Contradiction {
  const key = logKeyOf(trust, older)
  const heads = [openCheckpoint(crypto, older, key), openCheckpoint(crypto, newer, key)] as const
  const [a, b] = heads
  if (a.size >= b.size) throw notProven('the heads are not of different sizes, in this order')
  verifyConsistency(crypto, { size: a.size, root }, b, path)
  if (equalBytes(root, a.root)) throw notProven('the newer head continues the older one')
  const summary = `the log signed a head of size ${a.size} that its head of size ${b.size} does not continue`
  return { key, summary, heads, firstDoubtful: a.size - 1 }
}

function twoLeaves(crypto: Crypto, trust: Trust, index: number, places: Pair<UnverifiedPlace>): Contradiction {
  const key = logKeyOf(trust, places[0].head)
  const heads = places.map((place) => verifyPlace(crypto, key, index, place))
  if (equalBytes(places[0].leafHash, places[1].leafHash)) throw notProven('both places hold the same entry')
  const summary = `the log holds two different entries at index ${index}, under two of its heads`
  return { key, summary, heads, firstDoubtful: index }
}

function otherLeaf(crypto: Crypto, trust: Trust, note: UnverifiedNote, place: UnverifiedPlace): Contradiction {
  const { key, promise } = promiseOf(crypto, trust, note)
  const head = verifyPlace(crypto, key, promise.index, place)
  if (equalBytes(place.leafHash, promise.leafHash)) throw notProven('the log holds what it promised')
  const summary = `the log promised index ${promise.index} to receipt ${promise.receipt} and holds another entry there`
  return { key, summary, heads: [head], firstDoubtful: promise.index }
}

/**
 * A head has no time of its own, and its operator could have signed it at any; so the time is that of a quorum of the
 * policy's witnesses. A single one may have a wrong clock, or a grudge.
 */
function notCovered(crypto: Crypto, trust: Trust, note: UnverifiedNote, headNote: UnverifiedNote): Contradiction {
  const { key, promise } = promiseOf(crypto, trust, note)
  const head = openCheckpoint(crypto, headNote, key)
  if (head.size > promise.index) throw notProven('the head covers the promised index')
  const late = openConfirmations(crypto, headNote, trust.policy).filter(
    ({ cosignature }) => cosignature.timeSeconds > promise.coverBySeconds,
  )
  if (trust.policy.quorum === 'none' || !meetsQuorum(trust.policy, late)) {
    throw notProven('no quorum of the policy’s witnesses cosigned the head after the promised time')
  }
  const summary = `a head of ${head.size} entries, cosigned after the promised time, does not reach index ${promise.index}`
  return { key, summary, heads: [head], firstDoubtful: promise.index }
}

function twoStatements(
  crypto: Crypto,
  trust: Trust,
  kind: 'two-statements-one-receipt' | 'two-statements-one-sequence-number',
  receipts: Pair<UnverifiedReceipt>,
): Pick<Contradiction, 'key' | 'summary'> {
  const key = logKeyOf(trust, receipts[0].checkpoint)
  const [a, b] = [
    operatorsInference(crypto, trust, receipts[0], key),
    operatorsInference(crypto, trust, receipts[1], key),
  ]
  if (a.digest === b.digest) throw notProven('it is one statement')
  if (a.operator !== b.operator) throw notProven('the statements are by different operators')
  const same =
    kind === 'two-statements-one-receipt'
      ? a.receipt === b.receipt
      : a.deployment.name === b.deployment.name && a.epoch === b.epoch && a.sequence === b.sequence
  if (!same) throw notProven('the statements do not contradict each other')
  const what = kind === 'two-statements-one-receipt' ? `receipt ${a.receipt}` : `sequence number ${a.sequence}`
  return { key, summary: `operator ${a.operator} signed two different statements as ${what}` }
}

function operatorsInference(crypto: Crypto, trust: Trust, receipt: UnverifiedReceipt, key: NoteKey) {
  const { payload, statement: digest, keyId, index, checkpoint } = openReceipt(crypto, receipt, key)
  const statement = parseStatement(payload)
  if (statement.predicateType !== INFERENCE_TYPE) throw notProven('not an inference statement')
  const signer = findSigner(trust, keyId, 'operator', { origin: checkpoint.origin, index })
  if (signer === undefined) throw notProven('the statement is not signed by a trusted key of an operator')
  return { ...parseInference(statement), digest, operator: signer.party.name }
}

/** The head of a place that holds its leaf hash at `index`. */
function verifyPlace(
  crypto: Crypto,
  key: NoteKey,
  index: number,
  { leafHash, path, head: note }: UnverifiedPlace,
): Checkpoint {
  const head = openCheckpoint(crypto, note, key)
  verifyInclusion(crypto, head, { index, path }, leafHash)
  return head
}

function promiseOf(crypto: Crypto, trust: Trust, note: UnverifiedNote): { key: NoteKey; promise: LogPromise } {
  const origin = note.text.split('\n')[1] ?? ''
  const key = findLogKey(trust, origin)
  return { key, promise: openPromise(crypto, note, key) }
}

function logKeyOf(trust: Trust, note: UnverifiedNote): NoteKey {
  return findLogKey(trust, note.text.split('\n')[0] ?? '')
}

function findLogKey(trust: Trust, origin: string): NoteKey {
  const log = trust.policy.logs.find((each) => each.key.name === origin)
  if (log === undefined) throw new CountersignError('policy/unknown-log', 'the trust file has no key for this log')
  return log.key
}

function notProven(why: string): CountersignError {
  return new CountersignError('misbehaviour/not-proven', `this proves no misbehaviour: ${why}`)
}
