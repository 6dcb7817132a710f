/** The entries of a log, one by one: place, leaf, signature, statement, sequence number. */
import {
  type AppraisalPredicate,
  equalBytes,
  formatLeaf,
  type Hash,
  hashLeaf,
  type Inference,
  openEnvelope,
  openLogSuccessor,
  parseAcceptance,
  parseAppraisal,
  parseAuditCommitment,
  parseAuditResult,
  parseDeployment,
  parseErasure,
  parseInference,
  parseModel,
  parseParty,
  parseRevocation,
  parseStatement,
  type ReceiptId,
  type StatementDigest,
  toHex,
  type VaultMode,
} from '@countersign/verify'
import { type EvidenceFolder, openEvidenceFolder } from '../place/evidence-folder.ts'
import { indexPrefix } from '../store/database.ts'
import { CompactTree } from './compact-tree.ts'
import type { Fsck } from './fsck-findings.ts'
import { FOREIGN_KINDS, type StatementKind } from './sequencer.ts'

/** What the checks after this one need to know. */
export interface CheckedEntries {
  readonly count: number
  /** Roots of the sizes that were asked for. */
  readonly roots: ReadonlyMap<number, Hash>
  readonly erased: ReadonlySet<ReceiptId>
  /** Answers that have or had something in the vault, by index. */
  readonly promised: ReadonlyMap<number, { readonly receipt: ReceiptId; readonly mode: VaultMode }>
}

interface Row {
  readonly idx: number
  readonly leaf_hash: Uint8Array
  readonly kind: StatementKind | null
  readonly name: string
  readonly payload: Uint8Array
  readonly signature: Uint8Array
  readonly spki: Uint8Array
  readonly digest_prefix: string
  readonly receipt_prefix: string | null
}

const ROWS = `SELECT e.idx, e.leaf_hash, s.kind, s.name, s.payload, s.signature, s.spki,
    CAST(s.digest_prefix AS TEXT) AS digest_prefix, CAST(s.receipt_prefix AS TEXT) AS receipt_prefix
  FROM entries e LEFT JOIN statements s ON s.idx = e.idx ORDER BY e.idx`

const PROGRESS_ENTRIES = 1000

/** Checks all entries. Keeps in memory what is said of each answer in the vault: tens of bytes per answer. */
export function checkEntries(fsck: Fsck, sizes: readonly number[]): CheckedEntries {
  const { database, findings, onProgress } = fsck
  const total = database.prepare('SELECT count(*) FROM entries').pluck().get() as number
  const tree = new CompactTree(fsck.crypto)
  const roots = new Map<number, Hash>([[0, tree.root()]])
  const reader = new EntryReader(fsck)
  for (const row of database.prepare(ROWS).iterate() as IterableIterator<Row>) {
    if (row.idx !== tree.size) {
      findings.error('index', `entry ${tree.size} is missing; the next one is ${row.idx}`)
      break
    }
    tree.append(new Uint8Array(row.leaf_hash))
    if (sizes.includes(tree.size)) roots.set(tree.size, tree.root())
    if (row.kind === null) findings.error('statement', `entry ${row.idx} has no statement`)
    else reader.check(row, row.kind)
    if (tree.size % PROGRESS_ENTRIES === 0) onProgress(tree.size, total)
  }
  reader.checkSequences()
  const stray = database.prepare('SELECT count(*) FROM statements WHERE idx NOT IN (SELECT idx FROM entries)')
  const strays = stray.pluck().get() as number
  if (strays > 0) findings.error('index', `${strays} statements stand at no entry`)
  onProgress(tree.size, total)
  return { count: tree.size, roots, erased: reader.erased, promised: reader.promised }
}

class EntryReader {
  readonly erased = new Set<ReceiptId>()
  readonly promised = new Map<number, { readonly receipt: ReceiptId; readonly mode: VaultMode }>()
  readonly #fsck: Fsck
  readonly #next = new Map<string, number>()
  readonly #modes = new Map<StatementDigest, VaultMode>()
  readonly #receipts = new Set<ReceiptId>()
  readonly #epoch: string | undefined
  readonly #evidence: EvidenceFolder

  constructor(fsck: Fsck) {
    this.#fsck = fsck
    this.#evidence = openEvidenceFolder(fsck.folder.evidence)
    const epoch = fsck.database.prepare(`SELECT value FROM meta WHERE name = 'epoch'`).pluck().get()
    this.#epoch = typeof epoch === 'string' ? epoch : undefined
  }

  check(row: Row, kind: StatementKind): void {
    const { crypto, findings, statementSpki } = this.#fsck
    const { idx, payload, signature } = row
    const spki = new Uint8Array(row.spki)
    const digest = crypto.sha256(payload)
    const leaf = hashLeaf(crypto, formatLeaf({ payloadHash: digest, signature, spki }))
    if (!equalBytes(leaf, row.leaf_hash)) findings.error('leaf', `entry ${idx} is not the leaf of its statement`)
    const isForeign = FOREIGN_KINDS.some((each) => each === kind)
    if (!isForeign && statementSpki !== undefined && !equalBytes(spki, statementSpki)) {
      findings.error('key', `entry ${idx} is signed with another key than the gateway's`)
    }
    if (row.digest_prefix !== String(indexPrefix(digest))) {
      findings.error('lookup', `entry ${idx} is not found by its digest`)
    }
    findings.attempt('signature', `entry ${idx}`, () =>
      openEnvelope(crypto, { payload, signature, keyId: toHex(crypto.sha256(spki)) }, spki),
    )
    findings.attempt('statement', `entry ${idx}`, () => this.#read(row, kind, toHex(digest)))
  }

  checkSequences(): void {
    const { database, findings } = this.#fsck
    const rows = database.prepare('SELECT deployment, next FROM sequences').all() as {
      deployment: string
      next: number
    }[]
    const kept = new Map(rows.map(({ deployment, next }) => [deployment, next]))
    for (const name of new Set([...kept.keys(), ...this.#next.keys()])) {
      const [next, counted] = [kept.get(name) ?? 0, this.#next.get(name) ?? 0]
      if (next !== counted) findings.error('sequence', `${name}: the next number is ${next}, ${counted} were given`)
    }
  }

  #read(row: Row, kind: StatementKind, digest: StatementDigest): void {
    const statement = parseStatement(row.payload)
    switch (kind) {
      case 'inference':
        this.#readInference(row, parseInference(statement))
        return
      case 'deployment':
        this.#modes.set(digest, parseDeployment(statement).vault)
        return
      case 'erasure':
        this.#readErasure(row.idx, parseErasure(statement).receipts)
        return
      case 'model':
        parseModel(this.#fsck.crypto, statement)
        return
      case 'log-successor':
        if (row.idx !== 0)
          this.#fsck.findings.error('statement', `entry ${row.idx} says which log came before; it is not the first`)
        openLogSuccessor(this.#fsck.crypto, statement)
        return
      case 'appraisal':
        this.#readAppraisal(row.idx, parseAppraisal(statement))
        return
      case 'acceptance':
        parseAcceptance(statement)
        return
      case 'party':
        parseParty(statement)
        return
      case 'revocation':
        parseRevocation(statement)
        return
      case 'audit-commitment':
        parseAuditCommitment(statement)
        return
      case 'audit-result':
        parseAuditResult(statement)
    }
  }

  #readInference(row: Row, inference: Inference): void {
    const { findings } = this.#fsck
    const { receipt, sequence, epoch, finish, attempts } = inference
    const { name, statement } = inference.deployment
    const expected = this.#next.get(name) ?? 0
    if (sequence !== expected) findings.error('sequence', `entry ${row.idx} of ${name} is ${sequence}, not ${expected}`)
    this.#next.set(name, sequence + 1)
    if (epoch !== this.#epoch) findings.error('sequence', `entry ${row.idx} is of another epoch`)
    if (name !== row.name || row.receipt_prefix !== String(indexPrefix(Buffer.from(receipt, 'hex')))) {
      findings.error('lookup', `entry ${row.idx} is not found by its receipt id and deployment`)
    }
    if (this.#receipts.has(receipt)) findings.error('receipt', `${receipt} has two statements, the later at ${row.idx}`)
    this.#receipts.add(receipt)
    const mode = this.#modes.get(statement)
    if (mode === undefined) findings.error('statement', `entry ${row.idx} names a manifest that is not before it`)
    // Of a request that a crash interrupted, there was nothing left to keep. What broke off otherwise is kept.
    const isRecovered = finish.reason === 'interrupted' && finish.by === 'gateway' && attempts.length === 0
    if (mode !== undefined && mode !== 'none' && !isRecovered) this.promised.set(row.idx, { receipt, mode })
  }

  /** Statements stand without their evidence, and show less then. */
  #readAppraisal(index: number, { evidence, collateral }: AppraisalPredicate): void {
    for (const digest of [evidence, collateral]) {
      if (digest === undefined || this.#evidence.find(digest) !== undefined) continue
      this.#fsck.findings.error('evidence', `the file ${digest} that entry ${index} names is missing or damaged`)
    }
  }

  #readErasure(index: number, receipts: readonly ReceiptId[]): void {
    for (const receipt of receipts) {
      if (!this.#receipts.has(receipt)) {
        this.#fsck.findings.error('erasure', `entry ${index} erases ${receipt}, which is not before it`)
      }
      this.erased.add(receipt)
    }
  }
}
