/** Where the independence report gets what it counts: files, folders of files, and a gateway's public pages. */
import { readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import {
  type ComparedDeclaration,
  CountersignError,
  type Crypto,
  compareDeclaration,
  contributionsOf,
  createMemory,
  DOSSIER_FORMAT,
  decideRecord,
  FILE_LIMITS,
  type Json,
  type OpenedDeclaration,
  openDeclaration,
  PARTY_TYPE,
  parseBundle,
  parseDossier,
  parseJson,
  Tally,
  type Trust,
  type UnverifiedReceipt,
} from '@countersign/verify'
import { readInput } from '../files.ts'
import { warn } from '../terminal.ts'

/** Most parties whose declarations are kept, and most warnings that are shown. */
const MAX_DECLARATIONS = 1024
const MAX_WARNINGS = 20

/** What was gathered so far, one file after another: nothing of a file is kept but what it adds to sums. */
export class Gathering {
  readonly crypto: Crypto
  readonly trust: Trust
  readonly atMs: number
  readonly tally: Tally
  #unreadable = 0
  #warnings = 0
  readonly #memory = createMemory()
  readonly #declarations = new Map<string, OpenedDeclaration>()

  constructor(crypto: Crypto, trust: Trust, atMs: number) {
    this.crypto = crypto
    this.trust = trust
    this.atMs = atMs
    this.tally = new Tally(trust)
  }

  /** How many files could not be read. */
  get unreadable(): number {
    return this.#unreadable
  }

  get declarations(): readonly ComparedDeclaration[] {
    return [...this.#declarations.values()].map((opened) => compareDeclaration(this.trust, opened))
  }

  /** Counts one file. What cannot be read is told, and counted as that. @throws {CountersignError} `independence/too-many` */
  addFile(path: string): void {
    try {
      this.#addJson(path, readInput(path))
    } catch (thrown) {
      if (!(thrown instanceof CountersignError) || thrown.code === 'independence/too-many') throw thrown
      this.#unreadable++
      this.note(`${path}: ${thrown.code}: ${thrown.message}`)
    }
  }

  /** Shows a warning, unless there were too many. */
  note(text: string): void {
    if (this.#warnings < MAX_WARNINGS) warn(text)
    if (this.#warnings === MAX_WARNINGS) warn('… and more of that kind')
    this.#warnings++
  }

  /** Keeps the newest declaration of each party. */
  addDeclaration(receipt: UnverifiedReceipt): void {
    const opened = openDeclaration(this.crypto, this.trust, receipt)
    const name = `${opened.origin} ${opened.known?.name ?? opened.keyId}`
    const older = this.#declarations.get(name)
    if (older !== undefined && older.index >= opened.index) return
    if (older === undefined && this.#declarations.size === MAX_DECLARATIONS) {
      throw new CountersignError('independence/too-many', `more than ${MAX_DECLARATIONS} parties declare themselves`)
    }
    this.#declarations.set(name, opened)
  }

  #addJson(path: string, bytes: Uint8Array): void {
    const value = parseJson(bytes, FILE_LIMITS) as { readonly [field: string]: Json } | null
    if (value?.format === DOSSIER_FORMAT) this.#addDossier(path, bytes)
    else if (value?.mediaType !== undefined) this.addDeclaration(parseBundle(value, 'bundle'))
    else if (value?.bundle !== undefined) this.addDeclaration(parseBundle(value.bundle, 'bundle'))
    else throw new CountersignError('file/unreadable', 'neither a dossier nor the receipt of a party’s statement')
  }

  #addDossier(path: string, bytes: Uint8Array): void {
    const { crypto, trust, atMs } = this
    const dossier = parseDossier(bytes, this.#memory)
    const { row, answer } = decideRecord(dossier, { crypto, trust, atMs, memory: this.#memory })
    if (answer === undefined) {
      this.tally.passOver()
      this.note(`${path}: not counted: the record is ${row.status}: ${row.reason}`)
      return
    }
    this.tally.addRecord(answer.statement, contributionsOf(answer, trust, crypto), answer.confirmations)
    for (const receipt of dossier.statements) this.#addCarried(path, receipt)
  }

  /** A dossier may carry what parties say of themselves; most statements in it are others. */
  #addCarried(path: string, receipt: UnverifiedReceipt): void {
    if (!Buffer.from(receipt.envelope.payload).includes(PARTY_TYPE)) return
    try {
      this.addDeclaration(receipt)
    } catch (thrown) {
      if (!(thrown instanceof CountersignError) || thrown.code === 'independence/too-many') throw thrown
      this.note(`${path}: a party’s statement is not shown: ${thrown.message}`)
    }
  }
}

/** The files that an argument names: itself, or the JSON files right in a folder. @throws {CountersignError} `file/unreadable` */
export function filesOf(path: string): readonly string[] {
  try {
    if (!statSync(path).isDirectory()) return [path]
    const names = readdirSync(path).filter((name) => name.endsWith('.json'))
    return names.sort().map((name) => join(path, name))
  } catch (thrown) {
    const code = (thrown as { code?: string }).code ?? 'unknown error'
    throw new CountersignError('file/unreadable', `${path}: cannot be read (${code})`)
  }
}
