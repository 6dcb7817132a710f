/** The claim `record`: is this exactly what the log holds, under the trust file's policy? */
import { equalBytes, parseHex, toHex } from '../bytes/bytes.ts'
import type { Crypto } from '../crypto/crypto.ts'
import type { UnverifiedDossier } from '../dossier/dossier.ts'
import { CountersignError } from '../errors.ts'
import { type Confirmation, confirmationsAsOf, MAX_CLOCK_SKEW_MS, meetsQuorum } from '../independence/confirmation.ts'
import { quorumMetBy } from '../independence/time-interval.ts'
import { type Checkpoint, parseCheckpoint } from '../log/checkpoint.ts'
import { isProofFrom } from '../log/consistency-proof.ts'
import { verifyLeaf } from '../log/leaf.ts'
import { type Hash, hashLeaf, verifyInclusion } from '../log/merkle.ts'
import type { NoteKey, UnverifiedNote } from '../log/note.ts'
import { type LogPromise, openPromise } from '../log/promise.ts'
import { verifyOpening } from '../statement/commitment.ts'
import { openEnvelope } from '../statement/dsse.ts'
import { type CommittedSubject, type Inference, parseInference } from '../statement/inference.ts'
import { parseStatement, statementDigest } from '../statement/statement.ts'
import { findSigner, type Party, type Trust } from '../trust/trust-file.ts'
import { Checklist, type ClaimRow } from './checklist.ts'
import { LinkedStatements, logKeyFor, Prover, type RecordedAnswer, type VerdictInput } from './evidence.ts'
import { Standing } from './standing.ts'

const DOES_NOT_PROVE = [
  'that the answer is right, or that the model and hardware are the ones named: see the other claims',
  'that nothing was left out of the log before this answer was given',
]
const MS_PER_DAY = 86_400_000

const NOBODY_ELSE = 'that anyone but the operator was shown this log: no witness confirmed a single history'

const TWO_QUORUMS =
  'that the log has one history: witnesses who are each shown another can meet this quorum twice, all of them honest'

/** The row, and what it opened when the record holds. */
export interface RecordDecision {
  readonly row: ClaimRow
  readonly answer: RecordedAnswer | undefined
}

/** Decides `record`. Never throws for what a dossier holds: what is wrong with it is in the row. */
export function decideRecord(dossier: UnverifiedDossier, input: VerdictInput): RecordDecision {
  const { crypto, trust } = input
  const { receipt } = dossier
  const prover = new Prover(input)
  const list = new Checklist('record')
  const statement = statementDigest(crypto, receipt.envelope.payload)

  // The answer is in this dossier alone: what is proven of it is not worth remembering.
  const leafHash = list.attempt('leaf', () => {
    verifyLeaf(crypto, receipt.leaf, receipt.envelope, receipt.leaf.spki)
    return hashLeaf(crypto, receipt.leafBytes)
  })
  if (leafHash !== undefined) {
    list.attempt('signature', () => openEnvelope(crypto, receipt.envelope, receipt.leaf.spki))
  }
  const inference = list.attempt('statement', () => parseInference(parseStatement(receipt.envelope.payload)))
  if (inference !== undefined) list.attempt('receipt-id', () => checkReceiptId(dossier, inference))
  const logKey = list.attempt('log', () => logKeyFor(trust, receipt))
  const operator = list.attempt('key', () => findOperator(input, dossier, logKey))
  const head = readHead(list, prover, dossier, logKey)
  if (head !== undefined) checkPlace(list, crypto, dossier, head, leafHash)
  if (inference !== undefined && leafHash !== undefined) {
    checkPromise(list, input, dossier, { receipt: inference.receipt, statement, leafHash }, logKey)
  }
  if (inference !== undefined && head !== undefined) checkConsistency(list, prover, dossier, inference, head)
  const content = inference === undefined ? new Map() : checkOpenings(list, input, dossier, inference)
  const confirmations = list.attempt('quorum', () => checkQuorum(prover, input, receipt.checkpoint)) ?? []
  const standing = new Standing(prover, dossier, input.misbehaviour)
  checkMisbehaviour(list, input, standing, head, receipt.index)
  if (inference !== undefined) checkAge(list, input, inference, confirmations)

  const row = list.row(held(trust, logKey, confirmations), {
    basis: [`statement ${statement}`, ...headBasis(head)],
    trusts: logKey === undefined ? [] : [`the operator of log ${logKey.name}`, ...names(confirmations)],
    doesNotProve: [
      ...DOES_NOT_PROVE,
      ...(confirmations.length === 0 ? [NOBODY_ELSE] : trust && prover.canMeetTwice(trust.policy) ? [TWO_QUORUMS] : []),
      ...(head === undefined || list.failed !== undefined ? [] : standing.caveats(head.origin)),
    ],
  })
  if (row.status !== 'holds' || !trust || !inference || !operator || !head || !leafHash) {
    return { row, answer: undefined }
  }
  const linked = new LinkedStatements(prover, trust, dossier, standing, input.atMs)
  const place = { index: receipt.index, leafHash, head }
  const keyId = prover.keyId(receipt.leaf)
  const answer = { inference, keyId, statement, ...place, operator, confirmations, content, linked }
  return { row, answer }
}

function checkReceiptId(dossier: UnverifiedDossier, inference: Inference): void {
  if (dossier.receiptId !== inference.receipt) {
    throw new CountersignError(
      'dossier/wrong-receipt',
      `the dossier is for receipt ${dossier.receiptId}, its statement for ${inference.receipt}`,
    )
  }
}

function findOperator(
  { crypto, trust }: VerdictInput,
  { receipt }: UnverifiedDossier,
  logKey: NoteKey | undefined,
): Party {
  const keyId = toHex(crypto.sha256(receipt.leaf.spki))
  const place = { origin: logKey?.name ?? '', index: receipt.index }
  const signer = trust && findSigner(trust, keyId, 'operator', place)
  if (signer === undefined) {
    const why = trust === undefined ? 'no trust file was given' : `no operator in the trust file has it at this index`
    throw new CountersignError('signature/unknown-key', `the statement is signed with key ${keyId}; ${why}`)
  }
  return signer.party
}

/** The head, signed where its log is trusted; else as it stands, so that what contradicts itself is still refuted. */
function readHead(
  list: Checklist,
  prover: Prover,
  { receipt }: UnverifiedDossier,
  logKey: NoteKey | undefined,
): Checkpoint | undefined {
  if (logKey !== undefined) return list.attempt('checkpoint', () => prover.openHead(receipt, logKey))
  list.notChecked('checkpoint', 'its log is not trusted')
  return list.attempt('checkpoint-text', () => parseCheckpoint(receipt.checkpoint.text))
}

function checkPlace(
  list: Checklist,
  crypto: Crypto,
  { receipt }: UnverifiedDossier,
  head: Checkpoint,
  leafHash: Hash | undefined,
): void {
  const covered = list.attempt('coverage', () => {
    if (head.size > receipt.index) return true
    const why = `the head has ${head.size} entries and does not reach index ${receipt.index}`
    throw new CountersignError('proof/index-out-of-range', why)
  })
  if (covered === undefined || leafHash === undefined) return
  list.attempt('inclusion', () => verifyInclusion(crypto, head, receipt, leafHash))
}

function checkPromise(
  list: Checklist,
  { crypto }: VerdictInput,
  dossier: UnverifiedDossier,
  { receipt, statement, leafHash }: Pick<LogPromise, 'receipt' | 'statement' | 'leafHash'>,
  logKey: NoteKey | undefined,
): void {
  const note = dossier.promise
  if (note === undefined || logKey === undefined) {
    list.notChecked('promise', note === undefined ? 'the dossier carries no promise' : 'its log is not trusted')
    return
  }
  list.attempt('promise', () => {
    const promise = openPromise(crypto, note, logKey)
    const kept =
      promise.receipt === receipt &&
      promise.statement === statement &&
      promise.index === dossier.receipt.index &&
      equalBytes(promise.leafHash, leafHash)
    if (!kept) throw new CountersignError('promise/mismatch', 'the promise is for another receipt, statement or place')
  })
}

function checkConsistency(
  list: Checklist,
  prover: Prover,
  dossier: UnverifiedDossier,
  { checkpoint }: Inference,
  head: Checkpoint,
): void {
  const { origin, size, root } = checkpoint
  if (size === 0) {
    list.notChecked('consistency', 'the statement cites the empty log, with which all is consistent')
    return
  }
  const proof = dossier.consistency.find((each) => isProofFrom(each, size, root))
  if (proof === undefined) {
    list.notChecked('consistency', `the dossier carries no proof from the cited head of ${size} entries`)
    return
  }
  list.attempt('consistency', () => {
    if (origin !== head.origin) throw new CountersignError('checkpoint/wrong-origin', 'it cites a head of another log')
    prover.verifyConsistency({ size, root: parseHex(root, 32) }, head, proof.path)
  })
}

function checkOpenings(
  list: Checklist,
  { crypto }: VerdictInput,
  dossier: UnverifiedDossier,
  inference: Inference,
): Map<CommittedSubject, Uint8Array> {
  const content = new Map<CommittedSubject, Uint8Array>()
  for (const opening of dossier.openings) {
    for (const subject of opening.subjects) {
      list.attempt(`opening-${subject}`, () => {
        const commitment = inference.commitments[subject]
        if (commitment === undefined) {
          throw new CountersignError('opening/commitment-mismatch', 'the statement makes no such commitment')
        }
        verifyOpening(crypto, commitment, opening)
        content.set(subject, opening.content)
      })
    }
  }
  return content
}

function checkQuorum(prover: Prover, { trust, atMs }: VerdictInput, note: UnverifiedNote): readonly Confirmation[] {
  if (trust === undefined)
    throw new CountersignError('policy/unknown-log', 'no trust file was given, so no policy either')
  const confirmations = confirmationsAsOf(prover.openConfirmations(note, trust.policy), atMs)
  if (meetsQuorum(trust.policy, confirmations)) return confirmations
  const quorum = JSON.stringify(trust.policy.quorum)
  throw new CountersignError(
    'policy/quorum-unmet',
    `${confirmations.length === 1 ? 'one witness does' : `${confirmations.length} witnesses do`} not meet the quorum ${quorum}`,
  )
}

function checkMisbehaviour(
  list: Checklist,
  { misbehaviour }: VerdictInput,
  standing: Standing,
  head: Checkpoint | undefined,
  index: number,
): void {
  if (misbehaviour === undefined) {
    list.notChecked('misbehaviour', 'no proofs of misbehaviour were supplied')
    return
  }
  list.attempt('misbehaviour', () => head && standing.require(head, index))
}

/** An answer is at least as old as its record: that its operator says a later time makes it no younger. */
function checkAge(
  list: Checklist,
  { trust, atMs }: VerdictInput,
  { endedAtMs }: Inference,
  confirmations: readonly Confirmation[],
): void {
  const seen = trust && quorumMetBy(trust.policy, confirmations)
  const youngestMs = seen === undefined ? endedAtMs : Math.min(endedAtMs, seen.timeSeconds * 1000 + 999)
  if (endedAtMs > atMs + MAX_CLOCK_SKEW_MS) {
    list.missing('age', 'the answer says that it ended after the time that this verdict is for')
  } else if (trust?.maximumAgeMs !== undefined && atMs - youngestMs > trust.maximumAgeMs) {
    const days = ((atMs - youngestMs) / MS_PER_DAY).toFixed(1)
    list.missing('age', `the answer is ${days} days old, older than the trust file allows`)
  }
}

function held(trust: Trust | undefined, logKey: NoteKey | undefined, confirmations: readonly Confirmation[]) {
  const log = logKey?.name ?? ''
  if (trust !== undefined && trust.policy.quorum !== 'none') {
    const reason = `log ${log} holds this statement, under a head confirmed by ${names(confirmations).join(', ')}`
    return { grade: 'witnessed' as const, reason }
  }
  const others = confirmations.length === 0 ? 'nobody else' : names(confirmations).join(', ')
  const reason = `log ${log} holds this statement; the policy asks for no witness, and ${others} confirmed it`
  return { grade: 'operator-asserted' as const, reason }
}

function headBasis(head: Checkpoint | undefined): readonly string[] {
  return head === undefined ? [] : [`head ${head.origin} size ${head.size} root ${toHex(head.root)}`]
}

function names(confirmations: readonly Confirmation[]): readonly string[] {
  return confirmations.map((confirmation) => `witness ${confirmation.witness}`)
}
