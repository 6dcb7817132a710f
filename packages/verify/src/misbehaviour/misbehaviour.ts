/**
 * Proof that a log or its operator broke its word: two signed things that cannot both be honest. Silence, and a proof
 * that merely was not given, prove nothing.
 *
 * @spec spec/misbehaviour.md
 */
import { equalBytes, utf8 } from '../bytes/bytes.ts'
import { FILE_LIMITS, parseJson } from '../bytes/json.ts'
import { Fields } from '../bytes/shape.ts'
import type { Crypto } from '../crypto/crypto.ts'
import { CountersignError } from '../errors.ts'
import { openConfirmations } from '../independence/confirmation.ts'
import type { UnverifiedReceipt } from '../log/bundle.ts'
import { parseBundle } from '../log/bundle.ts'
import { openCheckpoint } from '../log/checkpoint.ts'
import { MAX_NOTE_BYTES, type NoteKey, parseNote, type UnverifiedNote } from '../log/note.ts'
import { type LogPromise, openPromise } from '../log/promise.ts'
import { type OpenedReceipt, openReceipt } from '../log/receipt.ts'
import { INFERENCE_TYPE, parseInference } from '../statement/inference.ts'
import { parseStatement } from '../statement/statement.ts'
import { findSigner, type Trust } from '../trust/trust-file.ts'

export const MISBEHAVIOUR_FORMAT = 'countersign-misbehaviour/v1'

export const MISBEHAVIOUR_KINDS = [
  'two-heads-of-one-size',
  'promise-other-leaf',
  'promise-not-covered',
  'two-statements-one-receipt',
  'two-statements-one-sequence-number',
] as const
export type MisbehaviourKind = (typeof MISBEHAVIOUR_KINDS)[number]

/** A proof file as read; nothing in it is checked yet. */
export type UnverifiedMisbehaviour =
  | { readonly kind: 'two-heads-of-one-size'; readonly heads: readonly [UnverifiedNote, UnverifiedNote] }
  | { readonly kind: 'promise-other-leaf'; readonly promise: UnverifiedNote; readonly receipt: UnverifiedReceipt }
  | { readonly kind: 'promise-not-covered'; readonly promise: UnverifiedNote; readonly head: UnverifiedNote }
  | {
      readonly kind: 'two-statements-one-receipt' | 'two-statements-one-sequence-number'
      readonly receipts: readonly [UnverifiedReceipt, UnverifiedReceipt]
    }

/** Proven misbehaviour of a log's operator. */
export interface Misbehaviour {
  readonly kind: MisbehaviourKind
  /** Origin of the log. */
  readonly log: string
  readonly summary: string
}

/**
 * Reads a proof file; proves nothing.
 *
 * @throws {CountersignError} `json/*`, `bytes/*`, `shape/*`, `note/malformed`, `bundle/malformed`
 */
export function parseMisbehaviour(bytes: Uint8Array): UnverifiedMisbehaviour {
  const fields = new Fields(parseJson(bytes, FILE_LIMITS), 'misbehaviour')
  fields.literal('format', MISBEHAVIOUR_FORMAT)
  const kind = fields.oneOf('kind', MISBEHAVIOUR_KINDS)
  const note = (name: string) => parseNote(utf8(fields.text(name, { maxLength: MAX_NOTE_BYTES })))
  const bundle = (name: string) => parseBundle(fields.required(name), fields.at(name))
  const proof = readProof(kind, note, bundle)
  fields.end()
  return proof
}

function readProof(
  kind: MisbehaviourKind,
  note: (name: string) => UnverifiedNote,
  bundle: (name: string) => UnverifiedReceipt,
): UnverifiedMisbehaviour {
  switch (kind) {
    case 'two-heads-of-one-size':
      return { kind, heads: [note('first'), note('second')] }
    case 'promise-other-leaf':
      return { kind, promise: note('promise'), receipt: bundle('receipt') }
    case 'promise-not-covered':
      return { kind, promise: note('promise'), head: note('head') }
    case 'two-statements-one-receipt':
    case 'two-statements-one-sequence-number':
      return { kind, receipts: [bundle('first'), bundle('second')] }
  }
}

/**
 * Proves that a log of the trust file's policy misbehaved, or throws. Binds whoever holds that log's key, and nobody else.
 *
 * @throws {CountersignError} `misbehaviour/not-proven`, `policy/unknown-log`, and what opening the parts throws
 */
export function verifyMisbehaviour(crypto: Crypto, trust: Trust, proof: UnverifiedMisbehaviour): Misbehaviour {
  switch (proof.kind) {
    case 'two-heads-of-one-size':
      return twoHeads(crypto, trust, proof.heads)
    case 'promise-other-leaf':
      return otherLeaf(crypto, trust, proof.promise, proof.receipt)
    case 'promise-not-covered':
      return notCovered(crypto, trust, proof.promise, proof.head)
    case 'two-statements-one-receipt':
    case 'two-statements-one-sequence-number':
      return twoStatements(crypto, trust, proof.kind, proof.receipts)
  }
}

function twoHeads(crypto: Crypto, trust: Trust, notes: readonly [UnverifiedNote, UnverifiedNote]): Misbehaviour {
  const key = logKeyOf(trust, notes[0])
  const [a, b] = [openCheckpoint(crypto, notes[0], key), openCheckpoint(crypto, notes[1], key)]
  if (a.size !== b.size || equalBytes(a.root, b.root)) throw notProven('the heads do not contradict each other')
  return {
    kind: 'two-heads-of-one-size',
    log: key.name,
    summary: `the log signed two heads of size ${a.size} with different roots`,
  }
}

function otherLeaf(crypto: Crypto, trust: Trust, note: UnverifiedNote, receipt: UnverifiedReceipt): Misbehaviour {
  const { key, promise } = promiseOf(crypto, trust, note)
  const opened = openReceipt(crypto, receipt, key)
  if (opened.index !== promise.index || equalBytes(opened.leafHash, promise.leafHash)) {
    throw notProven('the log holds what was promised there, or the receipt is for another index')
  }
  return {
    kind: 'promise-other-leaf',
    log: key.name,
    summary: `the log promised index ${promise.index} to receipt ${promise.receipt} and holds another entry there`,
  }
}

function notCovered(crypto: Crypto, trust: Trust, note: UnverifiedNote, headNote: UnverifiedNote): Misbehaviour {
  const { key, promise } = promiseOf(crypto, trust, note)
  const head = openCheckpoint(crypto, headNote, key)
  if (head.size > promise.index) throw notProven('the head covers the promised index')
  // Only the word of somebody else fixes the time: the head's own operator could have signed it at any.
  const confirmations = openConfirmations(crypto, headNote, trust.policy)
  const late = confirmations.find(({ cosignature }) => cosignature.timeSeconds > promise.coverBySeconds)
  if (late === undefined) throw notProven('no witness of the policy cosigned the head after the promised time')
  return {
    kind: 'promise-not-covered',
    log: key.name,
    summary: `a head of ${head.size} entries, cosigned after the promised time, does not reach index ${promise.index}`,
  }
}

function twoStatements(
  crypto: Crypto,
  trust: Trust,
  kind: 'two-statements-one-receipt' | 'two-statements-one-sequence-number',
  receipts: readonly [UnverifiedReceipt, UnverifiedReceipt],
): Misbehaviour {
  const key = logKeyOf(trust, receipts[0].checkpoint)
  const opened = receipts.map((receipt) => openReceipt(crypto, receipt, key))
  const [a, b] = opened.map((each) => operatorsInference(trust, each))
  if (a === undefined || b === undefined || a.digest === b.digest) throw notProven('it is one statement')
  const same =
    kind === 'two-statements-one-receipt'
      ? a.receipt === b.receipt
      : a.deployment.name === b.deployment.name && a.epoch === b.epoch && a.sequence === b.sequence
  if (!same) throw notProven('the statements do not contradict each other')
  const what = kind === 'two-statements-one-receipt' ? `receipt ${a.receipt}` : `sequence number ${a.sequence}`
  return { kind, log: key.name, summary: `the operator signed two different statements as ${what}` }
}

function operatorsInference(trust: Trust, opened: OpenedReceipt) {
  const statement = parseStatement(opened.payload)
  if (statement.predicateType !== INFERENCE_TYPE) throw notProven('not an inference statement')
  if (findSigner(trust, opened.keyId, 'operator', opened.index) === undefined) {
    throw notProven('the statement is not signed by a trusted key of the operator')
  }
  return { ...parseInference(statement), digest: opened.statement }
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
