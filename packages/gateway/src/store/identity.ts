/** What a log is called and which history of sequence numbers it counts: made once, kept for ever. */
import { randomBytes } from 'node:crypto'
import { CountersignError, quote } from '@countersign/verify'
import type { Sqlite } from './database.ts'

export interface Identity {
  /** Name of the log. */
  readonly origin: string
  /** 64 bits in hexadecimal. */
  readonly epoch: string
}

/**
 * The identity in the database, made when there is none.
 *
 * @throws {CountersignError} `config/malformed` when the configuration names another log than the data
 */
export function readIdentity(database: Sqlite, configuredOrigin: string | undefined): Identity {
  const known = readMeta(database)
  if (known !== undefined) {
    if (configuredOrigin !== undefined && configuredOrigin !== known.origin) {
      throw new CountersignError(
        'config/malformed',
        `the data folder is of log ${quote(known.origin)}, the configuration of ${quote(configuredOrigin)}; a log never changes its name`,
      )
    }
    return known
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

function readMeta(database: Sqlite): Identity | undefined {
  const select = database.prepare('SELECT value FROM meta WHERE name = ?').pluck()
  const origin = select.get('origin') as string | undefined
  const epoch = select.get('epoch') as string | undefined
  return origin === undefined || epoch === undefined ? undefined : { origin, epoch }
}
