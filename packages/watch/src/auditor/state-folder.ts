/** The folder of an auditor: state, statements, reports and evidence. For its user alone; one process at a time. */
import { existsSync, readFileSync, rmSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { CountersignError, type Crypto } from '@countersign/verify'
import Database from 'better-sqlite3'
import { makePrivateFile, makePrivateFolder, writeDurably } from '../durable-file.ts'
import { damagedState, formatAuditState, parseAuditState } from './audit-state.ts'
import type { AuditState } from './decide-audit.ts'

export class StateFolder {
  readonly path: string
  readonly #lock: Database.Database

  /** @throws {CountersignError} `data/locked`, `data/damaged` */
  constructor(path: string) {
    this.path = path
    makePrivateFolder(path)
    this.#lock = takeLock(join(path, 'lock.db'))
  }

  /** What was under way. @throws {CountersignError} `data/damaged` */
  load(crypto: Crypto): AuditState {
    const path = join(this.path, 'state.json')
    if (!existsSync(path)) return { phase: 'idle' }
    try {
      return parseAuditState(crypto, readFileSync(path))
    } catch (thrown) {
      throw damagedState(thrown)
    }
  }

  /** Durable when it returns. @throws {CountersignError} `disk/full`, `data/damaged` */
  save(state: AuditState): void {
    const text = formatAuditState(state)
    if (text !== undefined) this.write('state.json', text)
  }

  /** Puts a file below the folder, whole or not at all; its path. @throws {CountersignError} `disk/full`, `data/damaged` */
  write(name: string, text: string): string {
    const path = join(this.path, name)
    try {
      makePrivateFolder(dirname(path))
      writeDurably(path, text)
    } catch (thrown) {
      throw storageError(thrown)
    }
    return path
  }

  /** Forgets the state of an audit that is over and reported on; its statements and its report stay. */
  clear(): void {
    rmSync(join(this.path, 'state.json'), { force: true })
  }

  has(name: string): boolean {
    return existsSync(join(this.path, name))
  }

  close(): void {
    this.#lock.close()
  }
}

/** Held until the process ends, however it ends: the kernel lets go of it. */
function takeLock(path: string): Database.Database {
  makePrivateFile(path)
  const lock = new Database(path, { timeout: 0 })
  try {
    lock.pragma('locking_mode = EXCLUSIVE')
    lock.exec('BEGIN EXCLUSIVE; COMMIT')
    return lock
  } catch {
    lock.close()
    throw new CountersignError('data/locked', 'another process audits with this state folder; stop it, or name another')
  }
}

function storageError(thrown: unknown): CountersignError {
  if (thrown instanceof CountersignError) return thrown
  const { code } = thrown as { code?: unknown }
  if (code === 'ENOSPC' || code === 'EDQUOT') {
    return new CountersignError('disk/full', 'the disk takes no more data; nothing was sent')
  }
  return new CountersignError('data/damaged', `the state folder cannot be written (${String(code)})`, { cause: thrown })
}
