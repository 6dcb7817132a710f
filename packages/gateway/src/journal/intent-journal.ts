/**
 * The intent journal: which requests were admitted, so that none of them vanishes in a crash. A file of fixed slots,
 * allocated in advance; syncs are shared.
 *
 * @spec docs/operating.md, "What a crash leaves"
 */
import { createHash } from 'node:crypto'
import { closeSync, existsSync, openSync, readSync, statSync, writeSync } from 'node:fs'
import { type FileHandle, open } from 'node:fs/promises'
import {
  CountersignError,
  codeOf,
  concat,
  equalBytes,
  Fields,
  PAYLOAD_LIMITS,
  parseJson,
  type TextLimits,
  utf8,
} from '@countersign/verify'
import { writeDurably } from '../data/durable-file.ts'

/** What is known of a request when it is admitted. */
export interface Intent {
  readonly receipt: string
  readonly deployment: string
  /** Digest of the deployment's manifest. */
  readonly manifest: string
  /** As journaled it may be cut: then it ends with an ellipsis. */
  readonly model: string
  /** Commitment to the request as received. */
  readonly request: string
  readonly startedAtMs: number
  readonly checkpoint: { readonly origin: string; readonly size: number; readonly root: string }
}

/** Latest time of a statement. */
const MAX_TIME_MS = 8.64e15

/** Slots in the file: requests that can be under way at once. */
export const JOURNAL_SLOTS = 4096
const SLOT_BYTES = 1024
const MAGIC = /* @__PURE__ */ utf8('CSI1')
const HEADER_BYTES = 6
const CHECKSUM_BYTES = 32
const MAX_JSON_BYTES = SLOT_BYTES - HEADER_BYTES - CHECKSUM_BYTES
/** Behind a name that was too long for its slot. */
const CUT = '\u2026'
/** In place of a name that no statement takes. */
const UNREADABLE = 'unreadable'
const DEPLOYMENT_NAME: TextLimits = { maxLength: 128, pattern: /^[!-~]+$/ }
const OTHER_NAME: TextLimits = { maxLength: 256 }

/**
 * How long an intent may stay in memory that nobody wants synced: nothing of its answer can leave meanwhile, and most answers
 * of models that run here are on record before.
 */
const WRITE_AFTER_MS = 100

/** Up to here, the names of an intent fit into a slot however they are escaped. */
const ALWAYS_FITS_CHARACTERS = 48

/** A place in the journal, held until the answer's statement is durable. */
export type Slot = number

/**
 * The intents that a journal file holds, in no order; torn and empty slots are passed over. No slot can make this fail: a
 * name that no statement takes becomes `unreadable`, and one without its digests and times is passed over too.
 *
 * @throws {CountersignError} `data/damaged` when the file has the wrong length
 */
export function readIntents(path: string): readonly Intent[] {
  if (!existsSync(path)) return []
  if (statSync(path).size !== JOURNAL_SLOTS * SLOT_BYTES) {
    throw new CountersignError('data/damaged', 'the intent journal has the wrong length')
  }
  const file = openSync(path, 'r')
  const slot = new Uint8Array(SLOT_BYTES)
  const intents: Intent[] = []
  try {
    for (let i = 0; i < JOURNAL_SLOTS; i++) {
      readSync(file, slot, 0, SLOT_BYTES, i * SLOT_BYTES)
      const intent = parseSlot(slot)
      if (intent !== undefined) intents.push(intent)
    }
  } finally {
    closeSync(file)
  }
  return intents
}

/** Allocates an empty journal, durably, whole or not at all: afterwards, writing to it needs no new space on the disk. */
export function createJournalFile(path: string): void {
  writeDurably(path, new Uint8Array(JOURNAL_SLOTS * SLOT_BYTES))
}

/** What makes a file's content durable. */
type Datasync = (file: FileHandle) => Promise<void>

export class IntentJournal {
  readonly #file: FileHandle
  readonly #datasync: Datasync
  readonly #free: Slot[] = Array.from({ length: JOURNAL_SLOTS }, (_, i) => JOURNAL_SLOTS - 1 - i)
  /** In the order in which they came. */
  readonly #unwritten = new Map<Slot, Intent>()
  #writeTimer: NodeJS.Timeout | undefined
  #syncing: Promise<void> | undefined
  #nextSync: Promise<void> | undefined
  #hasFailed = false

  private constructor(file: FileHandle, datasync: Datasync) {
    this.#file = file
    this.#datasync = datasync
  }

  /** Opens a journal whose intents have been dealt with, and empties it. */
  static async open(path: string, datasync: Datasync = (file) => file.datasync()): Promise<IntentJournal> {
    createJournalFile(path)
    return new IntentJournal(await open(path, 'r+'), datasync)
  }

  /**
   * Takes a slot for an intent. With `mustSync` it is written there, and on the disk when `durable` settles. Otherwise it is
   * written within 100 ms, unless its slot is given back before: whoever sends nothing before the statement itself is
   * durable need not ask the disk twice. A kill before that leaves nothing, as if the request had never come; so may a power
   * cut at any time until {@link sync}.
   *
   * @throws {CountersignError} `queue/full` when all slots are taken, `request/malformed` when the names are too long,
   *   `data/damaged` after a sync that failed
   */
  write(intent: Intent, mustSync = true): { readonly slot: Slot; readonly durable: Promise<void> } {
    if (this.#hasFailed) throw unreliable()
    if (intent.deployment.length + intent.model.length > ALWAYS_FITS_CHARACTERS) formatSlot(intent)
    const slot = this.#free.pop()
    if (slot === undefined) throw new CountersignError('queue/full', 'too many requests are under way; try again later')
    this.#unwritten.set(slot, intent)
    if (!mustSync) {
      this.#writeTimer ??= setTimeout(() => this.#writeAll(), WRITE_AFTER_MS)
      return { slot, durable: Promise.resolve() }
    }
    const durable = this.sync()
    // Nobody may be waiting: a failed write then shows when the statement cannot be committed either.
    durable.catch(() => undefined)
    return { slot, durable }
  }

  /**
   * Resolves when everything that was written before is on the disk. Those who ask at one time share one sync.
   *
   * After one that failed, none succeeds any more: the kernel may have dropped what it could not write, and say of the next
   * sync that all is well.
   *
   * @throws {CountersignError} `data/damaged`
   */
  sync(): Promise<void> {
    this.#writeAll()
    this.#nextSync ??= this.#afterTheRunning()
    return this.#nextSync
  }

  /** Gives a slot back; its old content is known to recovery by the receipt that the log holds. */
  release(slot: Slot): void {
    this.#unwritten.delete(slot)
    this.#free.push(slot)
  }

  /** Slots in use. */
  get inUse(): number {
    return JOURNAL_SLOTS - this.#free.length
  }

  async close(): Promise<void> {
    this.#writeAll()
    await Promise.allSettled([this.#syncing, this.#nextSync])
    await this.#file.close()
  }

  /** On the spot: the slots lie in the kernel's memory, and to hand a kilobyte to another thread costs more. */
  #writeAll(): void {
    clearTimeout(this.#writeTimer)
    this.#writeTimer = undefined
    try {
      for (const [slot, intent] of this.#unwritten) {
        writeSync(this.#file.fd, formatSlot(intent), 0, SLOT_BYTES, slot * SLOT_BYTES)
      }
    } catch {
      // A slot that could not be written holds an old intent or half of one: no sync makes that right.
      this.#hasFailed = true
    }
    this.#unwritten.clear()
  }

  /** A sync that is running may have begun before the last write, so it does not count. */
  async #afterTheRunning(): Promise<void> {
    await this.#syncing?.catch(() => undefined)
    this.#nextSync = undefined
    if (this.#hasFailed) throw unreliable()
    this.#syncing = this.#datasync(this.#file)
    try {
      await this.#syncing
    } catch {
      this.#hasFailed = true
      throw unreliable()
    }
  }
}

function unreliable(): CountersignError {
  return new CountersignError(
    'data/damaged',
    'the journal could not be synced; nothing more is admitted until a restart',
  )
}

/** Magic (4), length of the JSON (2, big-endian), SHA-256 of the JSON (32), JSON, zeros. */
function formatSlot(intent: Intent): Uint8Array {
  const whole = utf8(JSON.stringify(intent))
  const json = whole.length > MAX_JSON_BYTES ? utf8(JSON.stringify(withShortModel(intent))) : whole
  const slot = new Uint8Array(SLOT_BYTES)
  slot.set(concat(MAGIC, Uint8Array.of(json.length >> 8, json.length & 0xff), checksum(json), json))
  return slot
}

/** As much of the model's name as there is room for. @throws {CountersignError} `request/malformed` */
function withShortModel(intent: Intent): Intent {
  let left = MAX_JSON_BYTES - utf8(JSON.stringify({ ...intent, model: CUT })).length
  if (left < 0) {
    throw new CountersignError('request/malformed', 'the name of the deployment is too long to be journaled')
  }
  let kept = ''
  for (const character of intent.model) {
    // Escapes count, but not the quotes around it.
    left -= utf8(JSON.stringify(character)).length - 2
    if (left < 0) break
    kept += character
  }
  return { ...intent, model: kept + CUT }
}

function parseSlot(slot: Uint8Array): Intent | undefined {
  const length = ((slot[4] ?? 0) << 8) | (slot[5] ?? 0)
  const start = HEADER_BYTES + CHECKSUM_BYTES
  if (!equalBytes(slot.subarray(0, 4), MAGIC) || start + length > SLOT_BYTES) return undefined
  const json = slot.slice(start, start + length)
  if (!equalBytes(slot.subarray(HEADER_BYTES, start), checksum(json))) return undefined
  return ifReadable(() => parseIntent(json))
}

function parseIntent(json: Uint8Array): Intent {
  const fields = new Fields(parseJson(json, PAYLOAD_LIMITS), 'intent')
  const checkpoint = fields.object('checkpoint')
  return {
    receipt: fields.hex('receipt', 16),
    deployment: nameIn(fields, 'deployment', DEPLOYMENT_NAME),
    manifest: fields.hex('manifest', 32),
    model: nameIn(fields, 'model', OTHER_NAME),
    request: fields.hex('request', 32),
    startedAtMs: fields.integer('startedAtMs', 0, MAX_TIME_MS),
    checkpoint: {
      origin: nameIn(checkpoint, 'origin', OTHER_NAME),
      size: checkpoint.integer('size'),
      root: checkpoint.hex('root', 32),
    },
  }
}

function nameIn(fields: Fields, name: string, limits: TextLimits): string {
  return ifReadable(() => fields.text(name, limits)) ?? UNREADABLE
}

/** What `read` gives, or `undefined` where it finds something that it cannot read. */
function ifReadable<T>(read: () => T): T | undefined {
  try {
    return read()
  } catch (thrown) {
    if (codeOf(thrown) === undefined) throw thrown
    return undefined
  }
}

function checksum(json: Uint8Array): Uint8Array {
  return new Uint8Array(createHash('sha256').update(json).digest())
}
