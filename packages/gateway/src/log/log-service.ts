/** The log as the rest of the gateway uses it: append, wait for a head, prove. Its writers run in threads of their own. */
import { Worker } from 'node:worker_threads'
import { CountersignError, type Crypto, type ErasureReason } from '@countersign/verify'
import type { DataFolder } from '../data/data-folder.ts'
import { openDatabase, openDatabaseReadOnly, type Sqlite } from '../store/database.ts'
import { bringUpToDate, type Lookup, LookupReader } from '../store/lookup.ts'
import { createKeyReserve } from '../vault/key-reserve.ts'
import { subjectTag, type VaultKey } from '../vault/key-store.ts'
import { createSubjectKeys, type SubjectKeys } from '../vault/subject-keys.ts'
import type { FromAsker } from '../witnesses/asker.ts'
import type { WitnessThreadData } from '../witnesses/cosigner.ts'
import { type Clock, createClock } from './clock.ts'
import type {
  CommitThreadData,
  FromCommitThread,
  Promised,
  Task,
  TaskResults,
  Ticketed,
  ToCommitThread,
} from './commit-thread.ts'
import { HeadWaiters } from './head-waiters.ts'
import type { FromPublishThread, PublishThreadData, ToPublishThread } from './publish-worker.ts'
import type { Draft, SignedHead } from './sequencer.ts'
import { TileReader } from './tile-reader.ts'

/** Between two publications. */
const PUBLISH_INTERVAL_MS = 1000

/** What these threads make lives for a batch; with the 48 MiB that Node gives, they would fill them before they clean up. */
const SMALL_HEAP = { maxYoungGenerationSizeMb: 12 }

export interface LogServiceOptions {
  readonly crypto: Crypto
  readonly folder: DataFolder
  readonly origin: string
  readonly vaultWrappingKey: Uint8Array
  readonly now: () => number
  /** Called when the log has its first head, and at start when it has one. */
  readonly onHead?: () => void
  /** Called once when the log must not go on. */
  readonly onHalt: (error: CountersignError) => void
  /** Called when the published tiles needed repair, and when publishing fails. */
  readonly onNotice: (message: string) => void
  /** Whom heads are shown to before they are published, and what is called with what is heard of them. */
  readonly witnesses?: WitnessThreadData | undefined
  readonly onWitnesses?: (message: FromAsker) => void
}

interface Pending {
  readonly resolve: (result: Promised | TaskResults[Task['kind']]) => void
  readonly reject: (error: CountersignError) => void
}

export class LogService {
  readonly #options: LogServiceOptions
  readonly #commits: Worker
  readonly #pending = new Map<number, Pending>()
  readonly #waiters = new HeadWaiters()
  readonly #subjectKeys: SubjectKeys
  readonly #keys = createKeyReserve(() => this.#postToPublisher({ type: 'refill' }))
  #clock: Clock = createClock(() => 0, 0)
  #publisher: Worker | undefined
  #publishTimer: NodeJS.Timeout | undefined
  #head: SignedHead | undefined
  #publishedSize = 0
  #publishing = false
  #outbox: Ticketed[] = []
  #nextTicket = 1
  #halted: CountersignError | undefined
  #opened: { readonly database: Sqlite; readonly lookup: LookupReader; readonly reader: TileReader } | undefined
  #whenClosed: (() => void) | undefined

  private constructor(options: LogServiceOptions, commits: Worker) {
    this.#options = options
    this.#commits = commits
    this.#subjectKeys = createSubjectKeys((tag) => this.perform({ kind: 'subject-key', tag }))
  }

  /**
   * Opens the log and starts its threads.
   *
   * @throws {CountersignError} what {@link openLog} refuses with, `clock/went-backwards`
   */
  static async start(options: LogServiceOptions): Promise<LogService> {
    const { folder, origin, vaultWrappingKey } = options
    const data: CommitThreadData = { dataRoot: folder.root, origin, vaultWrappingKey }
    const commits = new Worker(new URL('./commit-worker.bundle.js', import.meta.url), {
      workerData: data,
      resourceLimits: SMALL_HEAP,
    })
    const service = new LogService(options, commits)
    try {
      await service.#untilReady()
      service.#clock.read()
    } catch (thrown) {
      await commits.terminate()
      throw thrown
    }
    const database = openDatabaseReadOnly(folder.database)
    const reader = new TileReader(options.crypto, database, folder.log)
    service.#opened = { database, lookup: new LookupReader(folder.lookup), reader }
    service.#startPublisher()
    return service
  }

  get origin(): string {
    return this.#options.origin
  }

  /** The newest signed head; `undefined` before the first entry is covered. */
  get head(): SignedHead | undefined {
    return this.#head
  }

  get publishedSize(): number {
    return this.#publishedSize
  }

  get clock(): Clock {
    return this.#clock
  }

  /** Whether statements are still taken in. */
  get isOpen(): boolean {
    return this.#halted === undefined
  }

  /** Hashes and tiles of what is committed. */
  get reader(): TileReader {
    return this.#files().reader
  }

  /** The database, for reading alone. */
  get database(): Sqlite {
    return this.#files().database
  }

  /** Where statements stand. */
  get lookup(): Lookup {
    return this.#files().lookup
  }

  /**
   * Appends a statement. When this resolves it is durable and has its place; when it rejects, nothing was recorded.
   *
   * @throws {CountersignError} `disk/full`, `log/closed`, `statement/too-large`, `data/damaged`
   */
  append(draft: Draft, seal?: Ticketed['seal']): Promise<Promised> {
    if (this.#halted !== undefined) return Promise.reject(this.#halted)
    const ticket = this.#nextTicket++
    this.#outbox.push(seal === undefined ? { ticket, draft } : { ticket, draft, seal })
    // One message for all that this turn of the event loop appends.
    if (this.#outbox.length === 1) setImmediate(() => this.#flush())
    return new Promise((resolve, reject) => {
      this.#pending.set(ticket, { resolve: (result) => resolve(result as Promised), reject })
    })
  }

  /**
   * A vault key that nobody else gets, or the one of a data subject. It is durable already.
   *
   * @throws {CountersignError} `disk/full`, `log/closed`, `data/damaged`
   */
  takeKey(subject?: string): VaultKey | Promise<VaultKey> {
    if (this.#halted !== undefined) return Promise.reject(this.#halted)
    if (subject !== undefined) return this.#subjectKeys.take(subjectTag(this.#options.vaultWrappingKey, subject))
    return this.#keys.take()
  }

  /**
   * Performs a task on the commit thread; resolves when it is durable.
   *
   * @throws {CountersignError} `receipt/not-found`, `vault/erased`, `disk/full`, `log/closed`
   */
  perform<T extends Task>(task: T): Promise<TaskResults[T['kind']]> {
    if (this.#halted !== undefined) return Promise.reject(this.#halted)
    const ticket = this.#nextTicket++
    this.#post({ type: 'task', ticket, task, timeMs: this.#clock.read().timeMs })
    return new Promise((resolve, reject) => {
      this.#pending.set(ticket, { resolve: (result) => resolve(result as TaskResults[T['kind']]), reject })
    })
  }

  /**
   * Erases a data subject: destroys its key, and with it the content of every receipt under it; how many those were. The
   * next request of the subject gets a new key. An answer under way is recorded, and erased with the others.
   *
   * @throws {CountersignError} `disk/full`, `log/closed`, `data/damaged`; what was begun is finished at the next start
   */
  eraseSubject(subject: string, reason: ErasureReason): Promise<number> {
    const tag = subjectTag(this.#options.vaultWrappingKey, subject)
    // Right before the task is sent: keys that are asked for from here on are made after the erasure.
    this.#subjectKeys.forget(tag)
    return this.perform({ kind: 'erase-subject', tag, reason })
  }

  /**
   * Waits until a signed head covers `index`: true, or false when the time is up.
   *
   * @throws {CountersignError} `queue/full` when too many wait
   */
  waitForHead(index: number, timeoutMs: number): Promise<boolean> {
    if ((this.#head?.size ?? 0) > index) return Promise.resolve(true)
    if (timeoutMs <= 0) return Promise.resolve(false)
    return this.#waiters.wait(index, timeoutMs)
  }

  /** Tells which quorums of witnesses count. */
  setQuorums(names: readonly string[]): void {
    this.#postToPublisher({ type: 'quorums', names })
  }

  /** Signs a last head, publishes it, and stops the threads. */
  async close(): Promise<void> {
    clearInterval(this.#publishTimer)
    this.#flush()
    const closed = new Promise<void>((resolve) => {
      this.#whenClosed = resolve
    })
    this.#post({ type: 'close' })
    if (this.#halted === undefined) await closed
    this.#halted ??= new CountersignError('log/closed', 'the log is closed')
    this.#rejectAll(this.#halted)
    this.#publishing = false
    this.#publish()
    await this.#stopPublisher()
    this.#waiters.close()
    this.#opened?.database.close()
    this.#opened?.lookup.close()
    await this.#commits.terminate()
    // The last to close must be a writer: only a writer brings everything into the one file.
    openDatabase(this.#options.folder.database).close()
    bringUpToDate(this.#options.folder)
  }

  #files() {
    if (this.#opened === undefined) throw new CountersignError('log/closed', 'the log is not open')
    return this.#opened
  }

  #flush(): void {
    if (this.#outbox.length === 0) return
    const drafts = this.#outbox
    this.#outbox = []
    try {
      // What was admitted is recorded, whatever became of the clock since.
      this.#post({ type: 'append', drafts, timeMs: this.#clock.readClamped().timeMs })
    } catch (thrown) {
      const error = thrown instanceof CountersignError ? thrown : new CountersignError('data/damaged', 'cannot append')
      for (const { ticket } of drafts) this.#takePending(ticket)?.reject(error)
    }
  }

  #post(message: ToCommitThread): void {
    this.#commits.postMessage(message)
  }

  #untilReady(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#commits.on('message', (message: FromCommitThread) => {
        if (message.type === 'ready') {
          if (message.head !== undefined) this.#options.onHead?.()
          this.#head = message.head
          this.#publishedSize = message.publishedSize
          this.#clock = createClock(this.#options.now, message.lastTimeMs)
          resolve()
        } else if (message.type === 'refused') {
          reject(new CountersignError(message.code, message.message))
        } else {
          this.#receive(message)
        }
      })
      this.#commits.on('error', (error) => {
        reject(error)
        this.#halt(new CountersignError('data/damaged', `the commit thread failed: ${error.message}`))
      })
    })
  }

  #receive(message: Exclude<FromCommitThread, { type: 'ready' | 'refused' }>): void {
    switch (message.type) {
      case 'committed':
        for (const { ticket, ...promised } of message.results) this.#takePending(ticket)?.resolve(promised)
        return
      case 'failed':
        for (const ticket of message.tickets) {
          this.#takePending(ticket)?.reject(new CountersignError(message.code, message.message))
        }
        return
      case 'head':
        if (this.#head === undefined) this.#options.onHead?.()
        this.#head = message.head
        this.#waiters.cover(message.head.size)
        return
      case 'done':
        this.#takePending(message.ticket)?.resolve(message.result)
        return
      case 'halted':
        this.#halt(new CountersignError(message.code, message.message))
        return
      case 'closed':
        this.#whenClosed?.()
    }
  }

  #takePending(ticket: number): Pending | undefined {
    const pending = this.#pending.get(ticket)
    this.#pending.delete(ticket)
    return pending
  }

  #halt(error: CountersignError): void {
    if (this.#halted !== undefined) return
    this.#halted = error
    this.#rejectAll(error)
    this.#whenClosed?.()
    this.#options.onHalt(error)
  }

  #rejectAll(error: CountersignError): void {
    for (const ticket of [...this.#pending.keys()]) this.#takePending(ticket)?.reject(error)
    this.#keys.refuse(error)
  }

  #startPublisher(): void {
    const { folder, vaultWrappingKey, witnesses } = this.#options
    const publishedSize = this.#publishedSize
    const data: PublishThreadData = { dataRoot: folder.root, publishedSize, vaultWrappingKey, witnesses }
    this.#publisher = new Worker(new URL('./publish-worker.bundle.js', import.meta.url), {
      workerData: data,
      resourceLimits: SMALL_HEAP,
    })
    this.#publisher.on('message', (message: FromPublishThread) => this.#receiveFromPublisher(message))
    // Without it no key is made, and so nothing can be admitted.
    this.#publisher.on('error', ({ message }) =>
      this.#halt(new CountersignError('data/damaged', `the publishing thread failed: ${message}`)),
    )
    this.#publisher.on('exit', () => {
      this.#publisher = undefined
    })
    this.#publishTimer = setInterval(() => this.#publish(), PUBLISH_INTERVAL_MS)
  }

  #receiveFromPublisher(message: FromPublishThread): void {
    switch (message.type) {
      case 'pool':
        this.#keys.add(message.keys)
        return
      case 'no-pool': {
        const error = new CountersignError(message.code, message.message)
        this.#keys.refuse(error)
        if (error.code !== 'disk/full') this.#halt(error)
        return
      }
      case 'repaired':
        if (message.tiles > 0) this.#options.onNotice(`repaired ${message.tiles} tiles`)
        return
      case 'published':
        this.#publishing = false
        this.#publishedSize = message.size
        return
      case 'failed':
        this.#publishing = false
        this.#options.onNotice(`publishing failed, and will be tried again: ${message.message}`)
        return
      case 'halted':
        this.#halt(new CountersignError(message.code, message.message))
        return
      case 'closed':
        this.#publishing = false
        return
      default:
        this.#options.onWitnesses?.(message)
    }
  }

  #publish(): void {
    const head = this.#head
    if (head === undefined || head.size <= this.#publishedSize || this.#publishing) return
    this.#publishing = true
    this.#postToPublisher({ type: 'publish', size: head.size, note: head.note })
  }

  #postToPublisher(message: ToPublishThread): void {
    this.#publisher?.postMessage(message)
  }

  async #stopPublisher(): Promise<void> {
    const publisher = this.#publisher
    if (publisher === undefined) return
    const exited = new Promise<void>((resolve) => {
      publisher.once('exit', () => resolve())
    })
    this.#postToPublisher({ type: 'close' })
    await exited
  }
}
