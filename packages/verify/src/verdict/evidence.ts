/** What the rows of a verdict are decided from: what the record check has opened, and the statements around it. */

import type { TrustedRoots } from '../attestation/appraised.ts'
import type { CollateralBundle } from '../attestation/collateral.ts'
import { equalBytes, toHex } from '../bytes/bytes.ts'
import { createMemory, type Memory } from '../bytes/memory.ts'
import type { Crypto } from '../crypto/crypto.ts'
import type { UnverifiedDossier } from '../dossier/dossier.ts'
import { CountersignError } from '../errors.ts'
import type { ExecutionResult } from '../execution/comparison.ts'
import { canMeetTwice } from '../independence/coalition.ts'
import { type Confirmation, confirmationsAsOf, meetsQuorum, openConfirmations } from '../independence/confirmation.ts'
import type { UnverifiedReceipt } from '../log/bundle.ts'
import { type Checkpoint, openCheckpoint } from '../log/checkpoint.ts'
import { type Leaf, verifyLeaf } from '../log/leaf.ts'
import { type Hash, hashLeaf, type TreeHead, verifyConsistency, verifyInclusion } from '../log/merkle.ts'
import { formatNote, fullKeyId, type NoteKey, type UnverifiedNote } from '../log/note.ts'
import { requireHead } from '../log/receipt.ts'
import type { TlogPolicy } from '../log/tlog-policy.ts'
import type { Misbehaviour } from '../misbehaviour/misbehaviour.ts'
import { openEnvelope, type UnverifiedEnvelope } from '../statement/dsse.ts'
import type { CommittedSubject, Inference } from '../statement/inference.ts'
import { parseStatement, type Statement, type StatementDigest, statementDigest } from '../statement/statement.ts'
import { findSigner, type Party, type Role, type Trust } from '../trust/trust-file.ts'
import type { Revocation } from './revocation.ts'
import type { Standing } from './standing.ts'

/** Everything that a verdict depends on, beside the dossier. Same input, same verdict. */
export interface VerdictInput {
  readonly crypto: Crypto
  /** Without one, the record is `unproven`, and so is all that rests on it. */
  readonly trust?: Trust
  /** The time that the verdict is for, milliseconds since 1970. */
  readonly atMs: number
  readonly executions?: readonly ExecutionResult[]
  readonly misbehaviour?: readonly Misbehaviour[]
  /** Collateral of the time that the verdict is for: with it, evidence of the place is appraised again as of then. */
  readonly collateral?: CollateralBundle
  /** What is no longer to be trusted, by those whom the trust file lets say so. */
  readonly revocations?: readonly Revocation[]
  /** In place of the vendors' own roots: for tests with a PKI of their own. */
  readonly roots?: TrustedRoots
  /** Shared by the verdicts of many dossiers, to prove what they have in common once. */
  readonly memory?: Memory
}

/** What is known once the record holds. */
export interface RecordedAnswer {
  readonly inference: Inference
  /** SHA-256 of the SubjectPublicKeyInfo of the key that signed it. */
  readonly keyId: string
  readonly statement: StatementDigest
  readonly index: number
  readonly leafHash: Hash
  readonly operator: Party
  readonly head: Checkpoint
  readonly confirmations: readonly Confirmation[]
  /** Bytes whose openings check, by subject. */
  readonly content: ReadonlyMap<CommittedSubject, Uint8Array>
  readonly linked: LinkedStatements
}

/** A statement that the log holds, signed by a trusted party. */
export interface SignedStatement {
  readonly statement: Statement
  readonly digest: StatementDigest
  /** The log that holds it, and where. */
  readonly origin: string
  readonly index: number
  readonly signer: Party
  readonly keyId: string
}

/**
 * Proves single facts about the receipts that dossiers share, each once per memory. Shared parts are the same objects after
 * reading, so what follows from them is remembered by them.
 */
export class Prover {
  readonly crypto: Crypto
  readonly #memory: Memory

  constructor({ crypto, memory }: VerdictInput) {
    this.crypto = crypto
    this.#memory = memory ?? createMemory()
  }

  /** The head of a receipt, after the log's signature on it was checked. */
  openHead(receipt: UnverifiedReceipt, logKey: NoteKey): Checkpoint {
    const head = this.openCheckpoint(receipt.checkpoint, logKey)
    const keyId = this.#memory.recallOf('key-id', logKey, logKey, () => fullKeyId(this.crypto, logKey))
    requireHead(receipt, keyId, head)
    return head
  }

  /** A note that many dossiers carry, as one object: then what follows from it is proven once. */
  share(note: UnverifiedNote): UnverifiedNote {
    return this.#memory.recall('note', formatNote(note), () => note)
  }

  /** Who of the policy confirmed a head. */
  openConfirmations(note: UnverifiedNote, policy: TlogPolicy): readonly Confirmation[] {
    return this.#memory.recallOf('confirmations', note, policy, () => openConfirmations(this.crypto, note, policy))
  }

  /** Whether honest witnesses can meet the policy's quorum for two histories. */
  canMeetTwice(policy: TlogPolicy): boolean {
    return this.#memory.recallOf('can-meet-twice', policy, policy, () => canMeetTwice(policy))
  }

  /** A head that stands alone, after the log's signature on it was checked. */
  openCheckpoint(note: UnverifiedNote, logKey: NoteKey): Checkpoint {
    return this.#memory.recallOf('head', note, logKey, () => openCheckpoint(this.crypto, note, logKey))
  }

  /** The leaf hash, after the leaf was found to be for this envelope. */
  leafHash({ envelope, leaf, leafBytes }: UnverifiedReceipt): Hash {
    this.#memory.recallOf('leaf', envelope, leaf, () => verifyLeaf(this.crypto, leaf, envelope, leaf.spki))
    return this.#memory.recallOf('leaf-hash', leafBytes, leafBytes, () => hashLeaf(this.crypto, leafBytes))
  }

  /** The payload, signed by the leaf's key. */
  openEnvelope(envelope: UnverifiedEnvelope, leaf: Leaf): Uint8Array {
    return this.#memory.recallOf('signature', envelope, leaf, () => openEnvelope(this.crypto, envelope, leaf.spki))
  }

  /** What the payload is named by. */
  digest({ payload }: UnverifiedEnvelope): StatementDigest {
    return this.#memory.recallOf('digest', payload, payload, () => statementDigest(this.crypto, payload))
  }

  /** What the leaf's key is named by. */
  keyId({ spki }: Leaf): string {
    return this.#memory.recallOf('spki', spki, spki, () => toHex(this.crypto.sha256(spki)))
  }

  /** The statement in a payload of that digest. */
  parseStatement(payload: Uint8Array, digest: StatementDigest): Statement {
    return this.#memory.recall('statement', digest, () => parseStatement(payload), payload.length)
  }

  /** A predicate, by the digest of its statement; `kind` says which parser that is. */
  read<T>({ digest, statement }: SignedStatement, kind: string, parse: (statement: Statement) => T): T {
    // Only what is signed by a party of the trust file gets here, and the parsers bound what they read.
    return this.#memory.recall(kind, digest, () => parse(statement))
  }

  verifyInclusion(receipt: UnverifiedReceipt, head: Checkpoint): void {
    this.#memory.recallOf('inclusion', receipt, head, () =>
      verifyInclusion(this.crypto, head, receipt, this.leafHash(receipt)),
    )
  }

  /** Many answers cite one head, and are proven under one. */
  verifyConsistency(older: TreeHead, head: TreeHead, path: readonly Hash[]): void {
    const prove = () => {
      verifyConsistency(this.crypto, older, head, path)
      return older
    }
    const proven = this.#memory.recallOf('consistency', path, head, prove)
    if (proven.size !== older.size || !equalBytes(proven.root, older.root)) prove()
  }
}

interface CarriedStatement {
  readonly digest: StatementDigest
  readonly receipt: UnverifiedReceipt
}

/** The other statements of a dossier, found by digest and opened when asked for. */
export class LinkedStatements {
  readonly #prover: Prover
  readonly #trust: Trust
  /** The head of the answer, whose quorum is met before this is made. */
  readonly #confirmedHead: UnverifiedNote
  readonly #standing: Standing
  readonly #atMs: number
  readonly #receipts: readonly CarriedStatement[]
  /** What was opened, by roles and digest: several claims rest on the same statement. */
  readonly #opened = new Map<string, SignedStatement>()

  constructor(prover: Prover, trust: Trust, dossier: UnverifiedDossier, standing: Standing, atMs: number) {
    this.#standing = standing
    this.#atMs = atMs
    this.#prover = prover
    this.#trust = trust
    this.#confirmedHead = dossier.receipt.checkpoint
    this.#receipts = dossier.statements.map((receipt) => ({ digest: prover.digest(receipt.envelope), receipt }))
  }

  /** Digests of carried statements that say they are of that type and about `subject` (a SHA-256), true or not. */
  about(subject: StatementDigest, predicateType: string): readonly StatementDigest[] {
    return this.#receipts.filter((each) => this.#claimsToBe(each, predicateType, subject)).map((each) => each.digest)
  }

  /** Digests of carried statements that say they are of that type, each once, true or not. */
  ofType(predicateType: string): readonly StatementDigest[] {
    const found = this.#receipts.filter((each) => this.#claimsToBe(each, predicateType))
    return [...new Set(found.map((each) => each.digest))]
  }

  /**
   * The statement with that digest, after signature and inclusion were checked and its key found in the trust file with
   * one of `roles`.
   *
   * @throws {CountersignError} `opening/missing`, `signature/unknown-key`, `policy/unknown-log`, `policy/quorum-unmet`, and
   *   what opening a receipt throws
   */
  open(digest: StatementDigest, roles: readonly Role[]): SignedStatement {
    const name = `${roles.join()} ${digest}`
    const opened = this.#opened.get(name) ?? this.#open(digest, roles)
    this.#opened.set(name, opened)
    return opened
  }

  /** What `parse` reads out of an opened statement; read once per memory. */
  read<T>(signed: SignedStatement, kind: string, parse: (statement: Statement) => T): T {
    return this.#prover.read(signed, kind, parse)
  }

  /** One text may be there several times, signed by others as well: one that opens is enough, else the first decides. */
  #open(digest: StatementDigest, roles: readonly Role[]): SignedStatement {
    const candidates = this.#receipts.filter((each) => each.digest === digest)
    if (candidates.length === 0) {
      throw new CountersignError('opening/missing', `the dossier does not carry statement ${digest}`)
    }
    let firstError: unknown
    for (const [i, { receipt }] of candidates.entries()) {
      try {
        return this.#openReceipt(receipt, digest, roles)
      } catch (thrown) {
        if (!(thrown instanceof CountersignError)) throw thrown
        if (i === 0) firstError = thrown
      }
    }
    throw firstError
  }

  #openReceipt(receipt: UnverifiedReceipt, digest: StatementDigest, roles: readonly Role[]): SignedStatement {
    const head = this.#prover.openHead(receipt, logKeyFor(this.#trust, receipt))
    this.#requireQuorum(receipt)
    this.#standing.require(head, receipt.index)
    this.#prover.leafHash(receipt)
    const payload = this.#prover.openEnvelope(receipt.envelope, receipt.leaf)
    this.#prover.verifyInclusion(receipt, head)
    const keyId = this.#prover.keyId(receipt.leaf)
    const place = { origin: head.origin, index: receipt.index }
    const signer = roles.map((role) => findSigner(this.#trust, keyId, role, place)).find((each) => each)
    if (signer === undefined) {
      throw new CountersignError(
        'signature/unknown-key',
        `no party with role ${roles.join(' or ')} in the trust file has key ${keyId}`,
      )
    }
    return { statement: this.#prover.parseStatement(payload, digest), digest, ...place, signer: signer.party, keyId }
  }

  /** What the answer's own head had to meet, every other head must: else a fork of the operator's could carry them. */
  #requireQuorum({ checkpoint }: UnverifiedReceipt): void {
    const { policy } = this.#trust
    if (policy.quorum === 'none' || checkpoint === this.#confirmedHead) return
    const confirmations = this.#prover.openConfirmations(checkpoint, policy)
    if (!meetsQuorum(policy, confirmationsAsOf(confirmations, this.#atMs))) {
      throw new CountersignError(
        'policy/quorum-unmet',
        'the head over this statement does not meet the policy’s quorum',
      )
    }
  }

  #claimsToBe({ digest, receipt }: CarriedStatement, predicateType: string, subject?: StatementDigest): boolean {
    try {
      const statement = this.#prover.parseStatement(receipt.envelope.payload, digest)
      const isAbout = subject === undefined || statement.subjects.some((each) => each.digest.sha256 === subject)
      return statement.predicateType === predicateType && isAbout
    } catch {
      return false
    }
  }
}

/**
 * The trusted key of the log that the receipt says it is from.
 *
 * @throws {CountersignError} `policy/unknown-log`
 */
export function logKeyFor(trust: Trust | undefined, receipt: UnverifiedReceipt): NoteKey {
  if (trust === undefined)
    throw new CountersignError('policy/unknown-log', 'no trust file was given, so no log is trusted')
  const origin = receipt.checkpoint.text.split('\n')[0] ?? ''
  const log = trust.policy.logs.find((each) => each.key.name === origin)
  if (log === undefined) {
    throw new CountersignError('policy/unknown-log', `the trust file has no key for the log ${JSON.stringify(origin)}`)
  }
  return log.key
}
