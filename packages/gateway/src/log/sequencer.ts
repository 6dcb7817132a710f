/**
 * The sequencer: gives statements their place in the log. One SQL transaction is the commit point of a batch; the head
 * follows, by compare-and-swap. Runs where its caller runs; the gateway runs it in a thread of its own.
 */
import {
  CountersignError,
  type Crypto,
  formatCheckpoint,
  formatLeaf,
  formatPromise,
  type Hash,
  hashLeaf,
  MAX_PAYLOAD_BYTES,
  preAuthEncoding,
  toHex,
  utf8,
} from '@countersign/verify'
import type { LogKey, StatementKey } from '../data/keys.ts'
import { conversationName, indexPrefix, type Sqlite, storageError } from '../store/database.ts'
import type { CompactTree } from './compact-tree.ts'

/** Every head published this long after a promise covers it. */
export const PROMISE_SECONDS = 60

/** A vault record that is committed with its statement. */
export interface VaultRow {
  readonly keyId: number
  /** Sealed content, or `null` where only the key is kept. */
  readonly record: Uint8Array | null
}

/** What an answer costs, and whom. Added up per key, deployment, day and currency. @spec spec/access.md */
export interface Charge {
  readonly keyId: string
  /** `YYYY-MM-DD`, UTC: the day of the request. */
  readonly day: string
  readonly currency: string
  readonly amountMicros: number
  readonly inputTokens: number
  readonly outputTokens: number
  /** The upstream did not say how much it was; the amount is an estimate. */
  readonly isUsageUnknown: boolean
}

/** An object that an upstream keeps, and that only the same key may ask for again. A conversation is the first one's for ever. */
export interface UpstreamObject {
  readonly kind: 'answer' | 'conversation'
  readonly id: string
  readonly keyId: string
  readonly upstream: string
}

/** The first answer to an idempotency key. @spec spec/http.md */
export interface FirstAnswerRow {
  /** HMAC of whose key it is, and the key. */
  readonly scope: Uint8Array
  /** HMAC of the request. */
  readonly request: Uint8Array
  readonly status: number
  readonly contentType: string
  readonly expiresAtMs: number
}

/** A statement on its way into the log. */
export type Draft =
  | {
      /** An answer: its sequence number is assigned in the commit and written between the two parts of its payload. */
      readonly kind: 'inference'
      readonly deployment: string
      /** 16 bytes. */
      readonly receipt: Uint8Array
      readonly beforeSequence: string
      readonly afterSequence: string
      readonly vault: VaultRow | null
      readonly charge?: Charge
      readonly objects?: readonly UpstreamObject[]
      readonly first?: FirstAnswerRow
    }
  | {
      /** Any other statement of ours. */
      readonly kind: 'own'
      readonly type: StatementKind
      readonly name: string
      readonly payload: Uint8Array
    }
  | {
      /** A statement that somebody else signed. */
      readonly kind: 'foreign'
      readonly type: ForeignKind
      readonly name: string
      readonly payload: Uint8Array
      readonly signature: Uint8Array
      readonly spki: Uint8Array
    }

/** Kinds of statements that others sign. */
export const FOREIGN_KINDS = ['acceptance', 'party', 'audit-commitment', 'audit-result', 'revocation'] as const
export type ForeignKind = (typeof FOREIGN_KINDS)[number]

export type StatementKind =
  | 'inference'
  | 'deployment'
  | 'model'
  | 'erasure'
  | 'log-successor'
  | 'appraisal'
  | ForeignKind

/** What a committed statement got. */
export interface Committed {
  readonly index: number
  /** SHA-256 of the payload. */
  readonly digest: Uint8Array
  readonly leafHash: Hash
  /** Text of the promise, for the log's key to sign. */
  readonly promiseText: string
}

/** A signed head. */
export interface SignedHead {
  readonly size: number
  readonly root: Hash
  readonly note: string
  readonly timeMs: number
}

interface Ready {
  readonly draft: Draft
  readonly payload: Uint8Array
  readonly digest: Uint8Array
  readonly signature: Uint8Array
  readonly spki: Uint8Array
  readonly leafHash: Hash
  readonly index: number
}

interface BatchTimes {
  readonly coverBySeconds: number
  readonly timeMs: number
}

export interface SequencerOptions {
  readonly crypto: Crypto
  readonly database: Sqlite
  readonly statementKey: StatementKey
  readonly logKey: LogKey
  /** Rebuilt from the entries, and found to agree with the head. */
  readonly tree: CompactTree
  readonly head: SignedHead | undefined
}

export class Sequencer {
  readonly #options: SequencerOptions
  readonly #sql: ReturnType<typeof prepare>
  readonly #sequences = new Map<string, number>()
  #head: SignedHead | undefined

  constructor(options: SequencerOptions) {
    this.#options = options
    this.#sql = prepare(options.database)
    this.#head = options.head
    for (const { deployment, next } of this.#sql.sequences.all() as { deployment: string; next: number }[]) {
      this.#sequences.set(deployment, next)
    }
  }

  get size(): number {
    return this.#options.tree.size
  }

  get head(): SignedHead | undefined {
    return this.#head
  }

  /**
   * Signs a batch and commits it in one transaction. Either all of it is in the log, durably, or none of it.
   *
   * @throws {CountersignError} `disk/full`, `data/damaged`, `statement/too-large`
   */
  commit(drafts: readonly Draft[], timeMs: number): readonly Committed[] {
    const coverBySeconds = Math.ceil(timeMs / 1000) + PROMISE_SECONDS
    const next = new Map<string, number>()
    const ready = drafts.map((draft, i) => this.#makeReady(draft, this.size + i, next))
    this.#store(ready, next, { coverBySeconds, timeMs })
    for (const [deployment, value] of next) this.#sequences.set(deployment, value)
    for (const { leafHash } of ready) this.#options.tree.append(leafHash)
    return ready.map((each) => ({
      index: each.index,
      digest: each.digest,
      leafHash: each.leafHash,
      promiseText: this.#promiseText(each, coverBySeconds),
    }))
  }

  /**
   * Signs a head over everything committed and makes it the head; `undefined` when the head covers all of it already.
   *
   * @throws {CountersignError} `log/head-changed` when another process has moved the head: stop at once; `disk/full`,
   *   `data/damaged`
   */
  advanceHead(timeMs: number): SignedHead | undefined {
    const { tree, logKey } = this.#options
    const old = this.#head
    if (tree.size === (old?.size ?? 0)) return undefined
    const root = tree.root()
    const note = logKey.signNote(formatCheckpoint({ origin: logKey.note.name, size: tree.size, root }))
    const head: SignedHead = { size: tree.size, root, note, timeMs }
    if (!this.#swapHead(old, head)) {
      throw new CountersignError(
        'log/head-changed',
        'another process has moved the tree head; two gateways share one data folder',
      )
    }
    this.#head = head
    return head
  }

  #swapHead(old: SignedHead | undefined, { size, root, note, timeMs }: SignedHead): boolean {
    const { firstHead, nextHead } = this.#sql
    try {
      const swapped =
        old === undefined
          ? firstHead.run(size, root, note, timeMs)
          : nextHead.run(size, root, note, timeMs, old.size, old.root)
      return swapped.changes === 1
    } catch (thrown) {
      throw storageError(thrown)
    }
  }

  #makeReady(draft: Draft, index: number, next: Map<string, number>): Ready {
    const { crypto, statementKey } = this.#options
    const payload = draft.kind === 'inference' ? this.#numbered(draft, next) : draft.payload
    if (payload.length > MAX_PAYLOAD_BYTES) {
      throw new CountersignError('statement/too-large', `a statement has at most ${MAX_PAYLOAD_BYTES} bytes`)
    }
    const signature = draft.kind === 'foreign' ? draft.signature : statementKey.sign(preAuthEncoding(payload))
    const spki = draft.kind === 'foreign' ? draft.spki : statementKey.spki
    const digest = crypto.sha256(payload)
    const leafHash = hashLeaf(crypto, formatLeaf({ payloadHash: digest, signature, spki }))
    return { draft, payload, digest, signature, spki, leafHash, index }
  }

  #numbered(draft: Extract<Draft, { kind: 'inference' }>, next: Map<string, number>): Uint8Array {
    const sequence = next.get(draft.deployment) ?? this.#sequences.get(draft.deployment) ?? 0
    next.set(draft.deployment, sequence + 1)
    return utf8(`${draft.beforeSequence}${sequence}${draft.afterSequence}`)
  }

  #store(ready: readonly Ready[], next: ReadonlyMap<string, number>, { coverBySeconds, timeMs }: BatchTimes): void {
    const sql = this.#sql
    try {
      sql.begin.run()
      for (const { draft, payload, digest, signature, spki, leafHash, index } of ready) {
        const isAnswer = draft.kind === 'inference'
        sql.entry.run(index, leafHash)
        sql.statement.run(
          index,
          indexPrefix(digest),
          isAnswer ? indexPrefix(draft.receipt) : null,
          isAnswer ? 'inference' : draft.type,
          isAnswer ? draft.deployment : draft.name,
          payload,
          signature,
          spki,
          coverBySeconds,
        )
        if (isAnswer && draft.vault !== null) sql.vault.run(index, draft.vault.keyId, draft.vault.record)
        if (isAnswer) this.#storeBooks(draft, timeMs)
      }
      for (const [deployment, value] of next) sql.sequence.run(deployment, value)
      this.#storeSpend(ready)
      sql.commit.run()
    } catch (thrown) {
      if (this.#options.database.inTransaction) sql.rollback.run()
      throw storageError(thrown)
    }
  }

  /** One row for each key, deployment, day and currency of the batch. */
  #storeSpend(ready: readonly Ready[]): void {
    const sums = new Map<string, SpendSum>()
    for (const { draft } of ready) {
      if (draft.kind !== 'inference' || draft.charge === undefined) continue
      const { keyId, day, currency } = draft.charge
      const name = `${keyId}\n${draft.deployment}\n${day}\n${currency}`
      sums.set(name, addCharge(sums.get(name), draft.deployment, draft.charge))
    }
    for (const { keyId, deployment, day, currency, amountMicros, requests, inputTokens, ...rest } of sums.values()) {
      const { outputTokens, unknownUsage } = rest
      this.#sql.spend.run(
        keyId,
        deployment,
        day,
        currency,
        amountMicros,
        requests,
        inputTokens,
        outputTokens,
        unknownUsage,
      )
    }
  }

  #storeBooks({ receipt, objects = [], first }: Extract<Draft, { kind: 'inference' }>, nowMs: number): void {
    for (const { kind, id, keyId, upstream } of objects) {
      if (kind === 'answer') this.#sql.object.run(id, keyId, upstream)
      else this.#sql.conversation.run({ name: conversationName(id), keyId, upstream })
    }
    if (first !== undefined) {
      this.#sql.forgetFirst.run(nowMs)
      const { scope, request, status, contentType, expiresAtMs } = first
      this.#sql.first.run(scope, request, receipt, status, contentType, expiresAtMs)
    }
  }

  #promiseText({ draft, digest, index, leafHash }: Ready, coverBySeconds: number): string {
    const { logKey } = this.#options
    const receipt = draft.kind === 'inference' ? toHex(draft.receipt) : NO_RECEIPT
    const promise = { origin: logKey.note.name, receipt, statement: toHex(digest), index, leafHash, coverBySeconds }
    return formatPromise(promise)
  }
}

/** Where sums of spend end: the largest whole number that is exact everywhere. */
const MAX_SUM = Number.MAX_SAFE_INTEGER

interface SpendSum extends Omit<Charge, 'isUsageUnknown'> {
  readonly deployment: string
  readonly requests: number
  readonly unknownUsage: number
}

function addCharge(sum: SpendSum | undefined, deployment: string, charge: Charge): SpendSum {
  const { isUsageUnknown, ...rest } = charge
  return {
    ...rest,
    deployment,
    amountMicros: boundedSum(sum?.amountMicros ?? 0, charge.amountMicros),
    inputTokens: boundedSum(sum?.inputTokens ?? 0, charge.inputTokens),
    outputTokens: boundedSum(sum?.outputTokens ?? 0, charge.outputTokens),
    requests: (sum?.requests ?? 0) + 1,
    unknownUsage: (sum?.unknownUsage ?? 0) + (isUsageUnknown ? 1 : 0),
  }
}

/** Never fails, and is exact below its bound: nothing that an upstream says of its usage may keep a batch from the log. */
function boundedSum(sum: number, count: number): number {
  return Math.min(MAX_SUM, sum + (count > 0 ? Math.min(MAX_SUM, Math.floor(count)) : 0))
}

/** Statements that answer no request have no receipt id; their promise says so with zeros. */
const NO_RECEIPT = '0'.repeat(32)

function prepare(database: Sqlite) {
  return {
    begin: database.prepare('BEGIN IMMEDIATE'),
    commit: database.prepare('COMMIT'),
    rollback: database.prepare('ROLLBACK'),
    entry: database.prepare('INSERT INTO entries (idx, leaf_hash) VALUES (?, ?)'),
    statement: database.prepare(
      `INSERT INTO statements (idx, digest_prefix, receipt_prefix, kind, name, payload, signature, spki, cover_by)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`,
    ),
    vault: database.prepare('INSERT INTO vault (idx, key_id, record) VALUES (?, ?, ?)'),
    sequence: database.prepare(
      'INSERT INTO sequences (deployment, next) VALUES (?, ?) ON CONFLICT (deployment) DO UPDATE SET next = excluded.next',
    ),
    spend: database.prepare(
      `INSERT INTO spend (key_id, deployment, day, currency, amount_micros, requests, input_tokens, output_tokens,
                          unknown_usage)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
       ON CONFLICT (key_id, deployment, day, currency) DO UPDATE SET
         amount_micros = min(${MAX_SUM}, amount_micros + excluded.amount_micros),
         requests = requests + excluded.requests,
         input_tokens = min(${MAX_SUM}, input_tokens + excluded.input_tokens),
         output_tokens = min(${MAX_SUM}, output_tokens + excluded.output_tokens),
         unknown_usage = unknown_usage + excluded.unknown_usage`,
    ),
    object: database.prepare('INSERT OR REPLACE INTO upstream_objects (id, key_id, upstream) VALUES (?, ?, ?)'),
    conversation: database.prepare(
      `INSERT INTO upstream_objects (id, key_id, upstream) SELECT :name, :keyId, :upstream
       WHERE NOT EXISTS (SELECT 1 FROM upstream_objects WHERE id = :name)`,
    ),
    first: database.prepare(
      `INSERT OR REPLACE INTO first_answers (scope, request, receipt, status, content_type, expires_ms)
       VALUES (?, ?, ?, ?, ?, ?)`,
    ),
    forgetFirst: database.prepare('DELETE FROM first_answers WHERE expires_ms < ?'),
    sequences: database.prepare('SELECT deployment, next FROM sequences'),
    firstHead: database.prepare(
      `INSERT INTO head (id, size, root, note, time_ms) SELECT 1, ?, ?, ?, ?
       WHERE NOT EXISTS (SELECT 1 FROM head)`,
    ),
    nextHead: database.prepare(
      'UPDATE head SET size = ?, root = ?, note = ?, time_ms = ? WHERE id = 1 AND size = ? AND root = ?',
    ),
  }
}
