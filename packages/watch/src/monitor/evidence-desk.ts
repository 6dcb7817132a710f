/** Where evidence of others comes in: files that the monitor is given, and statements that it may read. */
import { basename } from 'node:path'
import {
  CountersignError,
  type Crypto,
  codeOf,
  equalBytes,
  formatNote,
  hashLeaf,
  type Json,
  type NoteKey,
  openPromise,
  openReceipt,
  parseBundle,
  type Trust,
  toHex,
  type UnverifiedNote,
  type UnverifiedReceipt,
  utf8,
} from '@countersign/verify'
import { HttpReader } from '../log-client/http-reader.ts'
import type { LogClient } from '../log-client/log-client.ts'
import { type EvidenceFile, listEvidence, readEvidence } from './evidence-files.ts'
import { findPlace } from './head-comparison.ts'
import { openHeadNote } from './head-reader.ts'
import type { KeptTree } from './kept-tree.ts'
import { MAX_STATEMENTS_PER_ROUND } from './limits.ts'
import type { SignedHead } from './monitor-state.ts'
import type { MonitorStore } from './monitor-store.ts'
import type { Observation } from './observation.ts'
import { judgeStatement, readSeenStatement, type SeenStatement } from './statement-ledger.ts'
import { readStatements, type StatementAnswer } from './statement-reader.ts'
import { StatementTable } from './statement-table.ts'
import type { ForkedLeaf, ReadableHead } from './tree-forks.ts'

export interface EvidenceDeskOptions {
  readonly crypto: Crypto
  readonly trust: Trust
  readonly logKey: NoteKey
  readonly store: MonitorStore
  readonly client: LogClient
  readonly evidence: readonly string[]
  readonly statements?: { readonly url: string; readonly apiKey?: string }
  readonly timeoutMs: number
  readonly nowMs: () => number
}

/** What some evidence shows. `finish` makes sure that it is not read again, once what it shows was taken in. */
export interface EvidenceBatch {
  readonly heads: readonly { readonly source: string; readonly head: SignedHead; readonly note: UnverifiedNote }[]
  readonly observations: readonly Observation[]
  readonly finish: () => void
}

/** Files whose content is held at a time: one. Of what they show, as much as this many files give. */
const FILES_PER_BATCH = 64

export class EvidenceDesk {
  readonly #options: EvidenceDeskOptions
  readonly #table: StatementTable
  readonly #gateway: HttpReader | undefined
  /** Set while the gateway does not answer. */
  #isBlocked = false
  #hasMoreFiles = false

  /** @throws {CountersignError} `file/unreadable` for evidence that is not there, `usage/invalid` for an address that is none */
  constructor(options: EvidenceDeskOptions) {
    this.#options = options
    listEvidence(options.evidence)
    this.#table = new StatementTable(options.store.database)
    const { statements, timeoutMs } = options
    if (statements === undefined) return
    const { url: baseUrl, apiKey } = statements
    const headers = apiKey === undefined ? {} : { authorization: `Bearer ${apiKey}` }
    this.#gateway = new HttpReader({ baseUrl, timeoutMs, headers })
    // The key itself is kept nowhere.
    this.#table.begin(apiKey === undefined ? 'anyone' : toHex(options.crypto.sha256(utf8(apiKey))).slice(0, 16))
  }

  async close(): Promise<void> {
    await this.#gateway?.close()
  }

  /** Whether there are entries whose statements were not asked for. */
  hasMoreStatements(size: number): boolean {
    return this.#gateway !== undefined && !this.#isBlocked && this.#table.next < size
  }

  /** Whether there are files that there was no room for. */
  get hasMoreFiles(): boolean {
    return this.#hasMoreFiles
  }

  /**
   * Reads files that are new or changed, as long as there is room for the promises of so many more; the others come later.
   *
   * @throws {CountersignError} `file/unreadable` when a path is gone
   */
  *readFiles(hasRoomFor: (promises: number) => boolean): Generator<EvidenceBatch> {
    const { store, evidence } = this.#options
    const fresh = listEvidence(evidence).filter(({ path, stamp }) => store.stampOf(path) !== stamp)
    let read = 0
    for (; read < fresh.length && hasRoomFor(FILES_PER_BATCH); read += FILES_PER_BATCH) {
      yield this.#readSome(fresh.slice(read, read + FILES_PER_BATCH))
    }
    this.#hasMoreFiles = read < fresh.length
  }

  /** One transaction for all that is put into tables. */
  #readSome(files: readonly EvidenceFile[]): EvidenceBatch {
    const { store } = this.#options
    const heads: EvidenceBatch['heads'][number][] = []
    const observations: Observation[] = []
    const read = ({ path }: EvidenceFile) => {
      const subject = basename(path)
      const about = { finding: 'evidence-unreadable', subject, atMs: this.#options.nowMs() } as const
      try {
        const { receipts, promises } = readEvidence(path)
        for (const { receipt, bundle } of receipts)
          this.#takeReceipt(`file ${subject}`, receipt, bundle, heads, observations)
        for (const note of promises) observations.push(this.#readPromise(note))
        observations.push({ kind: 'fine', ...about })
      } catch (thrown) {
        if (!(thrown instanceof CountersignError)) throw thrown
        observations.push({ kind: 'trouble', summary: `${thrown.code}: ${thrown.message}`, ...about })
      }
    }
    store.transaction(() => {
      for (const file of files) read(file)
    })
    const finish = () => {
      for (const { path, stamp } of files) store.setStamp(path, stamp)
    }
    return { heads, observations, finish }
  }

  #takeReceipt(
    source: string,
    receipt: UnverifiedReceipt,
    bundle: Json,
    heads: EvidenceBatch['heads'][number][],
    observations: Observation[],
  ): void {
    const { crypto, logKey, trust } = this.#options
    const opened = openReceipt(crypto, receipt, logKey)
    const head = openHeadNote(crypto, receipt.checkpoint, logKey)
    heads.push({ source, head, note: receipt.checkpoint })
    this.#table.addReceipt(opened.statement, head, bundle)
    const seen = readSeenStatement(trust, opened, logKey.name)
    if (seen !== undefined) observations.push(...this.#judge(seen, false))
  }

  #judge(seen: SeenStatement, isComplete: boolean): readonly Observation[] {
    this.#table.add(seen)
    return judgeStatement(this.#table, seen, isComplete, this.#options.nowMs())
  }

  #readPromise(note: UnverifiedNote): Observation {
    const { crypto, logKey, nowMs } = this.#options
    const { receipt, index, leafHash, coverBySeconds } = openPromise(crypto, note, logKey)
    // Lines of others would make another note of it, and a longer one.
    const own = note.signatures.filter(({ name, id }) => name === logKey.name && equalBytes(id, logKey.id))
    const text = formatNote({ text: note.text, signatures: own.slice(0, 1) })
    const promise = { note: text, receipt, index, leafHash: toHex(leafHash), coverBySeconds }
    return { kind: 'promise', promise, atMs: nowMs() }
  }

  /** Asks for the statements of the next entries of the verified tree. */
  async readStatements(tree: KeptTree, signal: AbortSignal): Promise<EvidenceBatch> {
    const heads: EvidenceBatch['heads'][number][] = []
    const observations: Observation[] = []
    const { store } = this.#options
    let next = this.#table.next
    const gateway = this.#gateway
    const limit = Math.min(tree.size, next + MAX_STATEMENTS_PER_ROUND)
    const about = { finding: 'statement-withheld', subject: 'gateway' } as const
    while (gateway !== undefined && next < limit && !signal.aborted) {
      try {
        const answers = await readStatements({ ...this.#options, gateway }, tree, next)
        store.transaction(() => {
          for (const answer of answers) this.#takeAnswer(answer, heads, observations)
        })
        next += answers.length
        this.#isBlocked = false
        observations.push({ kind: 'fine', ...about, atMs: this.#options.nowMs() })
      } catch (thrown) {
        if (!(thrown instanceof CountersignError)) throw thrown
        this.#isBlocked = true
        observations.push({ kind: 'trouble', ...about, summary: thrown.message, atMs: this.#options.nowMs() })
        break
      }
    }
    const finish = () => {
      if (next !== this.#table.next) this.#table.next = next
    }
    return { heads, observations, finish }
  }

  #takeAnswer(answer: StatementAnswer, heads: EvidenceBatch['heads'][number][], observations: Observation[]): void {
    const { trust, logKey, nowMs } = this.#options
    const { index, digest } = answer
    if (answer.outcome === 'restricted' || answer.outcome === 'no-statement') return
    if (answer.outcome !== 'read') {
      const finding = answer.outcome === 'withheld' ? 'statement-withheld' : 'statement-differs'
      const summary = `the statement ${digest} of entry ${index}: ${answer.reason}`
      observations.push({ kind: 'trouble', finding, subject: digest, summary, atMs: nowMs() })
      return
    }
    const { payload, keyId, receipt } = answer
    try {
      if (receipt !== undefined) this.#takeReceipt('statement', receipt.receipt, receipt.bundle, heads, [])
      const seen = readSeenStatement(trust, { payload, statement: digest, keyId, index }, logKey.name)
      if (seen !== undefined) observations.push(...this.#judge(seen, true))
    } catch (thrown) {
      if (!(thrown instanceof CountersignError)) throw thrown
      const summary = `the statement ${digest} of entry ${index}, or its receipt, does not check: ${thrown.message}`
      observations.push({ kind: 'trouble', finding: 'statement-differs', subject: digest, summary, atMs: nowMs() })
    }
  }

  /** A leaf that a receipt shows under one head, and that is another one under the other. */
  async findOtherLeaf(head: SignedHead, other: ReadableHead): Promise<ForkedLeaf | undefined> {
    const { crypto } = this.#options
    for (const bundle of this.#table.receiptsUnder(head)) {
      try {
        const { index, path, leafBytes, checkpoint } = parseBundle(bundle)
        if (index >= other.head.size) continue
        const own = { leafHash: hashLeaf(crypto, leafBytes), path, head: formatNote(checkpoint) }
        const place = await findPlace(crypto, other.sources, index, other.head)
        if (!equalBytes(own.leafHash, place.leafHash)) return { index, places: [own, place] }
      } catch (thrown) {
        if (codeOf(thrown) === undefined) throw thrown
      }
    }
    return undefined
  }
}
