/** What a log is called and which history of sequence numbers it counts: made once, kept for ever. */
import { randomBytes } from 'node:crypto'
import { existsSync } from 'node:fs'
import { CountersignError, quote } from '@countersign/verify'
import { dataFolderAt } from '../data/data-folder.ts'
import { openDatabaseReadOnly, type Sqlite } from './database.ts'

export interface Identity {
  /** Name of the log. */
  readonly origin: string
  /** 64 bits in hexadecimal. */
  readonly epoch: string
}

/**
 * The identity in the database, made when there is none. The name may still change while nothing was logged under it: a first start
 * that was refused binds nobody.
 *
 * @throws {CountersignError} `config/malformed` when the configuration names another log than the data
 */
export function readIdentity(database: Sqlite, configuredOrigin: string | undefined, isNew: boolean): Identity {
  const known = findIdentity(database)
  if (known !== undefined) {
    if (configuredOrigin === undefined || configuredOrigin === known.origin) return known
    if (!isNew) {
      throw new CountersignError(
        'config/malformed',
        `the data folder is of log ${quote(known.origin)}, the configuration of ${quote(configuredOrigin)}; a log never changes its name`,
      )
    }
    database.prepare(`UPDATE meta SET value = ? WHERE name = 'origin'`).run(configuredOrigin)
    return { ...known, origin: configuredOrigin }
  }
  const epoch = randomBytes(8).toString('hex')
  const identity = { origin: configuredOrigin ?? `localhost/countersign-${randomBytes(8).toString('hex')}`, epoch }
  const insert = database.prepare('INSERT INTO meta (name, value) VALUES (?, ?)')
  database.transaction(() => {
    insert.run('origin', identity.origin)
    insert.run('epoch', identity.epoch)
  })()
  return identity
}

/** The identity in the database, if it has one. */
function findIdentity(database: Sqlite): Identity | undefined {
  const select = database.prepare('SELECT value FROM meta WHERE name = ?').pluck()
  const origin = select.get('origin') as string | undefined
  const epoch = select.get('epoch') as string | undefined
  return origin === undefined || epoch === undefined ? undefined : { origin, epoch }
}

/** The identity in a data folder. @throws {CountersignError} `data/damaged` where the folder holds no log */
export function findIdentityAt(dataRoot: string): Identity {
  const { database: path } = dataFolderAt(dataRoot)
  const database = existsSync(path) ? openDatabaseReadOnly(path) : undefined
  const identity = database && findIdentity(database)
  database?.close()
  if (identity === undefined) throw new CountersignError('data/damaged', 'the data folder holds no log')
  return identity
}
