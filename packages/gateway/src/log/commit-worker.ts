/** The commit thread: the only writer of the database. Gathers what waits into one transaction, and signs heads. */
import { type MessagePort, parentPort, workerData } from 'node:worker_threads'
import { CountersignError } from '@countersign/verify'
import { createNodeCrypto } from '@countersign/verify/crypto/node'
import { dataFolderAt } from '../data/data-folder.ts'
import { keyPaths, type LogKey, loadLogKey, loadStatementKey } from '../data/keys.ts'
import { createCosignedHeadStore } from '../store/cosigned-heads.ts'
import { openDatabase, storageError } from '../store/database.ts'
import { bringUpToDate, LookupReader } from '../store/lookup.ts'
import { Eraser } from '../vault/eraser.ts'
import { isSubjectKey, KeyStore } from '../vault/key-store.ts'
import { sealContent } from '../vault/record.ts'
import { ERASURE_BATCH, SubjectEraser } from '../vault/subject-eraser.ts'
import {
  type CommitThreadData,
  type FromCommitThread,
  HEAD_INTERVAL_MS,
  MAX_BATCH,
  SIGNED_HERE,
  SMALL_BATCH,
  type Task,
  type Ticketed,
  type ToCommitThread,
} from './commit-thread.ts'
import { openLog } from './open-log.ts'
import { type Committed, type Draft, Sequencer } from './sequencer.ts'

/** Until an erasure that the disk had no room for is tried again. */
const ERASURE_RETRY_MS = 1000

/** The key of a data subject that somebody waits for. */
interface AskedKey {
  readonly ticket: number
  readonly tag: Uint8Array
}

/** About 64 MiB. */
const MAX_WAL_PAGES = 16_384

class CommitThread {
  readonly #port: MessagePort
  readonly #database
  readonly #lookup: LookupReader
  readonly #keys: KeyStore
  readonly #sequencer: Sequencer
  readonly #logKey: LogKey
  readonly #promising = new Set<Promise<void>>()
  readonly #inbox: ToCommitThread[] = []
  readonly #eraser: Eraser
  readonly #subjectEraser: SubjectEraser
  readonly #revokeSecret
  readonly #keepHeads
  #isClosed = false
  #headTimer: NodeJS.Timeout | undefined
  #headDueMs = 0
  #lastTimeMs: number

  constructor(port: MessagePort, data: CommitThreadData) {
    const crypto = createNodeCrypto()
    const folder = dataFolderAt(data.dataRoot)
    const paths = keyPaths(folder.keys)
    const logKey = loadLogKey(paths.log, data.origin, false)
    const statementKey = loadStatementKey(paths.statement, false)
    this.#port = port
    this.#logKey = logKey
    this.#database = openDatabase(folder.database)
    // The publishing thread brings the write-ahead log into the database; here only when that thread is far behind.
    this.#database.pragma(`wal_autocheckpoint = ${MAX_WAL_PAGES}`)
    const { tree, head, published } = openLog(crypto, this.#database, logKey, folder.log)
    // From then on the publishing thread does that.
    bringUpToDate(folder)
    this.#lookup = new LookupReader(folder.lookup)
    this.#keys = new KeyStore(folder.vaultKeys, data.vaultWrappingKey)
    this.#sequencer = new Sequencer({ crypto, database: this.#database, statementKey, logKey, tree, head })
    this.#eraser = new Eraser(crypto, this.#database, this.#keys, this.#sequencer, this.#lookup)
    this.#subjectEraser = new SubjectEraser(crypto, this.#database, this.#keys, this.#sequencer)
    this.#revokeSecret = this.#database.prepare(
      `INSERT INTO secret_generations (receipt, generation) VALUES (?, 1)
       ON CONFLICT (receipt) DO UPDATE SET generation = generation + 1`,
    )
    this.#keepHeads = createCosignedHeadStore(this.#database)
    this.#lastTimeMs = head?.timeMs ?? 0
    this.#eraser.resume(this.#lastTimeMs)
    this.#subjectEraser.resume(this.#lastTimeMs)
    this.#advanceHead()
    this.#send({
      type: 'ready',
      size: tree.size,
      head: this.#sequencer.head,
      lastTimeMs: this.#lastTimeMs,
      publishedSize: published?.size ?? 0,
    })
  }

  /** Takes a message in. Handled once those that wait behind it are here as well, and other events had their turn. */
  receive(message: ToCommitThread): void {
    if (this.#inbox.push(message) === 1) setImmediate(() => this.#handleAll(this.#inbox.splice(0)))
  }

  /** In the order in which they came: an erasure may be of an answer right before it. */
  #handleAll(messages: readonly ToCommitThread[]): void {
    const waiting: Ticketed[] = []
    const asked: AskedKey[] = []
    for (const message of messages) {
      if (message.type === 'append') {
        this.#lastTimeMs = Math.max(this.#lastTimeMs, message.timeMs)
        waiting.push(...message.drafts)
      } else if (message.type === 'task' && message.task.kind === 'subject-key') {
        asked.push({ ticket: message.ticket, tag: message.task.tag })
      } else {
        this.#giveSubjectKeys(asked.splice(0))
        this.#commitAll(waiting.splice(0))
        this.#handle(message)
      }
    }
    this.#giveSubjectKeys(asked)
    this.#commitAll(waiting)
  }

  /**
   * Commits what waits, half of it at a time: the first half's answers leave while the second is on its way. All in one
   * batch, clients and this thread would take turns at waiting for each other.
   */
  #commitAll(waiting: readonly Ticketed[]): void {
    for (let start = 0; start < waiting.length; ) {
      const left = waiting.length - start
      const size = left <= SMALL_BATCH ? left : Math.min(MAX_BATCH, Math.max(SMALL_BATCH, Math.ceil(left / 2)))
      this.#commit(waiting.slice(start, start + size))
      start += size
    }
  }

  #handle(message: Exclude<ToCommitThread, { type: 'append' }>): void {
    switch (message.type) {
      case 'task':
        this.#perform(message.ticket, message.task, message.timeMs)
        return
      case 'close':
        void this.#close()
    }
  }

  #perform(ticket: number, task: Task, timeMs: number): void {
    this.#lastTimeMs = Math.max(this.#lastTimeMs, timeMs)
    try {
      switch (task.kind) {
        case 'erase':
          this.#eraser.erase(task.receipt, task.reason, this.#lastTimeMs)
          break
        case 'revoke-secret':
          this.#revokeSecret.run(Buffer.from(task.receipt, 'hex'))
          break
        case 'keep-heads':
          this.#keepHeads(task.heads, task.cited)
          break
        case 'subject-key':
          this.#giveSubjectKeys([{ ticket, tag: task.tag }])
          return
        case 'erase-subject': {
          const keyId = this.#subjectEraser.begin(task.tag, task.reason)
          if (keyId === undefined) this.#send({ type: 'done', ticket, result: 0 })
          else this.#eraseSubject(keyId, { ticket, count: 0 })
          return
        }
      }
      this.#send({ type: 'done', ticket, result: undefined })
    } catch (thrown) {
      this.#fail([ticket], thrown)
    }
    this.#scheduleHead()
  }

  #giveSubjectKeys(asked: readonly AskedKey[]): void {
    if (asked.length === 0) return
    const tickets = asked.map(({ ticket }) => ticket)
    try {
      const keys = this.#keys.subjectKeys(asked.map(({ tag }) => tag))
      for (const [i, result] of keys.entries()) this.#send({ type: 'done', ticket: tickets[i] ?? 0, result })
    } catch (thrown) {
      this.#fail(tickets, thrown)
    }
  }

  /**
   * One batch in a turn, so that answers are committed in between. Who asked is told when the last one is done; what the
   * disk has no room for is tried again, also when nobody waits for it any more.
   */
  #eraseSubject(keyId: number, asked?: { readonly ticket: number; readonly count: number }): void {
    if (this.#isClosed) return
    try {
      const erased = this.#subjectEraser.eraseSome(keyId, this.#lastTimeMs)
      this.#scheduleHead()
      const total = asked && { ...asked, count: asked.count + erased }
      if (erased === ERASURE_BATCH) setImmediate(() => this.#eraseSubject(keyId, total))
      else if (total !== undefined) this.#send({ type: 'done', ticket: total.ticket, result: total.count })
    } catch (thrown) {
      this.#fail(asked === undefined ? [] : [asked.ticket], thrown)
      if (asError(thrown).code !== 'disk/full') return
      setTimeout(() => this.#eraseSubject(keyId), ERASURE_RETRY_MS).unref()
    }
  }

  #fail(tickets: readonly number[], thrown: unknown): void {
    const error = asError(thrown)
    this.#send({ type: 'failed', tickets, ...error })
    if (error.code === 'data/damaged') this.#send({ type: 'halted', ...error })
  }

  #commit(batch: readonly Ticketed[]): void {
    try {
      const late = new Set<number>()
      const drafts = batch.map((each) => {
        const keyId = this.#erasedKey(each)
        if (keyId === undefined) return sealed(each)
        late.add(keyId)
        return each.draft
      })
      const committed = this.#sequencer.commit(drafts, this.#lastTimeMs)
      this.#promise(
        committed,
        batch.map((each) => each.ticket),
      )
      this.#scheduleHead()
      for (const keyId of late) this.#eraseSubject(keyId)
    } catch (thrown) {
      const { code, message } = asError(thrown)
      this.#send({ type: 'failed', tickets: batch.map((each) => each.ticket), code, message })
      if (code !== 'disk/full' && code !== 'statement/too-large') this.#send({ type: 'halted', code, message })
    }
  }

  /**
   * The key of an answer that was under way when its data subject was erased. The answer is recorded like any other, but
   * nothing of it is kept, and it is erased right after.
   */
  #erasedKey({ draft }: Ticketed): number | undefined {
    const keyId = draft.kind === 'inference' ? draft.vault?.keyId : undefined
    return keyId !== undefined && isSubjectKey(keyId) && this.#subjectEraser.isErased(keyId) ? keyId : undefined
  }

  /**
   * Hands out what is committed with its promises. Those of a large batch are signed by other threads while the next one
   * is on its way; for a small one the hop costs more than the signature.
   */
  #promise(committed: readonly Committed[], tickets: readonly number[]): void {
    if (committed.length <= SIGNED_HERE) {
      const results = committed.map(({ promiseText, ...rest }, i) => {
        return { ...rest, promise: this.#logKey.signNote(promiseText), ticket: tickets[i] ?? 0 }
      })
      this.#send({ type: 'committed', results })
      return
    }
    const promised = committed.map(async ({ promiseText, ...rest }, i) => ({
      ...rest,
      promise: await this.#logKey.signNoteAside(promiseText),
      ticket: tickets[i] ?? 0,
    }))
    const sent = Promise.all(promised)
      .then((results) => this.#send({ type: 'committed', results }))
      .catch((thrown: unknown) => this.#send({ type: 'halted', ...asError(thrown) }))
      .finally(() => this.#promising.delete(sent))
    this.#promising.add(sent)
  }

  /** A head follows within the interval, also when batches come so fast that no timer gets its turn. */
  #scheduleHead(): void {
    if (this.#headTimer === undefined) {
      this.#headDueMs = performance.now() + HEAD_INTERVAL_MS
      this.#headTimer = setTimeout(() => this.#advanceHead(), HEAD_INTERVAL_MS)
    } else if (performance.now() >= this.#headDueMs) {
      this.#advanceHead()
    }
  }

  #advanceHead(): void {
    clearTimeout(this.#headTimer)
    this.#headTimer = undefined
    try {
      const head = this.#sequencer.advanceHead(this.#lastTimeMs)
      if (head !== undefined) this.#send({ type: 'head', head })
    } catch (thrown) {
      const error = asError(thrown)
      // What is committed stays so; a head over it can be signed when there is room again.
      if (error.code === 'disk/full') this.#headTimer = setTimeout(() => this.#advanceHead(), HEAD_INTERVAL_MS)
      else this.#send({ type: 'halted', ...error })
    }
  }

  async #close(): Promise<void> {
    this.#isClosed = true
    clearTimeout(this.#headTimer)
    this.#advanceHead()
    clearTimeout(this.#headTimer)
    await Promise.all(this.#promising)
    this.#keys.close()
    this.#lookup.close()
    this.#database.close()
    this.#send({ type: 'closed' })
    this.#port.close()
  }

  #send(message: FromCommitThread): void {
    this.#port.postMessage(message)
  }
}

function sealed({ draft, seal }: Ticketed): Draft {
  if (seal === undefined || draft.kind !== 'inference') return draft
  const record = sealContent(seal.key.secret, draft.receipt, seal.content)
  return { ...draft, vault: { keyId: seal.key.id, record } }
}

function asError(thrown: unknown): { code: CountersignError['code']; message: string } {
  if (thrown instanceof CountersignError) return { code: thrown.code, message: thrown.message }
  const { code, message } = storageError(thrown)
  return { code, message }
}

function main(port: MessagePort): void {
  try {
    const thread = new CommitThread(port, workerData as CommitThreadData)
    port.on('message', (message: ToCommitThread) => thread.receive(message))
  } catch (thrown) {
    const refusal: FromCommitThread = { type: 'refused', ...asError(thrown) }
    port.postMessage(refusal)
    port.close()
  }
}

if (parentPort !== null) main(parentPort)
