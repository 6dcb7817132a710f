/** What a gateway is made of: opened and checked in order, before anything is served. */
import { existsSync } from 'node:fs'
import { CountersignError, type Crypto, type TrustedRoots, utf8 } from '@countersign/verify'
import { createNodeCrypto } from '@countersign/verify/crypto/node'
import { type Access, openAccess } from './access/access.ts'
import { apiKeysPath } from './access/api-key-file.ts'
import type { Config, SecretSource } from './config/config.ts'
import type { LockedDataFolder } from './data/data-folder.ts'
import { writeDurably } from './data/durable-file.ts'
import { keyPaths, type LogKey, loadLogKey, loadSecret, loadStatementKey, parseSecret } from './data/keys.ts'
import { SIGSUM, sigsumOrigin } from './data/sigsum-origin.ts'
import { IntentJournal, readIntents } from './journal/intent-journal.ts'
import { LogService } from './log/log-service.ts'
import { checkpointPath } from './log/open-log.ts'
import { Places } from './place/places.ts'
import type { RecordingServices } from './recording/recording.ts'
import { recoverIntents } from './recording/recovery.ts'
import { openDatabase } from './store/database.ts'
import { type Identity, readIdentity } from './store/identity.ts'
import { StatementReader } from './store/statement-reader.ts'
import { type StartedUpstreams, startUpstreams } from './upstreams/start.ts'
import { KeyStore } from './vault/key-store.ts'
import { attachWitnessing, openWitnessing } from './witnesses/open-witnessing.ts'

/** Where a gateway writes what operators should know. Never content, never a secret. */
export interface Notices {
  info(message: string): void
  error(message: string): void
}

export interface PartsOptions {
  readonly config: Config
  readonly notices: Notices
  readonly now?: () => number
  /** Trusted in place of the roots of the hardware's makers: for tests with a PKI of their own. */
  readonly evidenceRoots?: TrustedRoots
  /** Called when the log must not go on; the process should end. */
  readonly onHalt?: (error: CountersignError) => void
}

/** Everything that stays the same for as long as the gateway runs. */
export interface Parts extends RecordingServices {
  readonly access: Access
  readonly places: Places
  readonly started: StartedUpstreams
  readonly folder: LockedDataFolder
  readonly logKey: LogKey
  readonly vaultKeys: KeyStore
  readonly operatorToken: string
}

/**
 * Opens the data, and finishes what a crash interrupted.
 *
 * @throws {CountersignError} `config/*`, `data/*`, `log/*`, `clock/went-backwards`, `key/malformed`, `vault/wrong-key`
 */
export async function openParts(options: PartsOptions, folder: LockedDataFolder): Promise<Parts> {
  const { config, notices, now = Date.now } = options
  const crypto = createNodeCrypto()
  const paths = keyPaths(folder.keys)
  const { isNew, origin, epoch } = openIdentity(folder, config)
  loadStatementKey(paths.statement, isNew)
  const logKey = loadLogKey(paths.log, origin, isNew)
  const rootKey = loadSecret(paths.root, isNew)
  const operatorToken = Buffer.from(loadSecret(paths.operatorToken, isNew)).toString('hex')
  const vaultWrappingKey = readVaultKey(config.vaultKey, paths.vault, isNew)
  const onHalt = (error: CountersignError) => {
    notices.error(`the log stopped: ${error.code}: ${error.message}`)
    options.onHalt?.(error)
  }
  const onNotice = (message: string) => notices.info(message)
  const onHead = () => markUsed(paths.used)
  const { witnessing, thread } = openWitnessing(crypto, config, logKey, notices)
  const onWitnesses = witnessing.receive.bind(witnessing)
  const told = { onHead, onHalt, onNotice, onWitnesses }
  const log = await LogService.start({ crypto, folder, origin, vaultWrappingKey, now, witnesses: thread, ...told })
  attachWitnessing(witnessing, log)
  try {
    const statements = new StatementReader(crypto, log.database, log.lookup)
    const interrupted = await recoverIntents(readIntents(folder.journal), log, statements, epoch)
    if (interrupted > 0) notices.info(`recorded ${interrupted} requests that a crash had interrupted`)
    const journal = await IntentJournal.open(folder.journal)
    const vaultKeys = new KeyStore(folder.vaultKeys, vaultWrappingKey)
    const keysPath = apiKeysPath(folder.root)
    const access = openAccess({ mode: config.access, keysPath, database: log.database, nowMs: now() })
    const places = openPlaces(options, folder, { crypto, log, now })
    const started = startUpstreams(config.upstreams)
    const opened = { folder, crypto, log, logKey, witnessing, journal, rootKey, epoch, vaultKeys, operatorToken }
    return { ...opened, access, places, started }
  } catch (thrown) {
    await log.close()
    throw thrown
  }
}

function openPlaces(
  { config, notices, evidenceRoots }: PartsOptions,
  folder: LockedDataFolder,
  { now, ...rest }: { readonly crypto: Crypto; readonly log: LogService; readonly now: () => number },
): Places {
  const { spki } = loadStatementKey(keyPaths(folder.keys).statement, false)
  return new Places({ ...rest, config, folders: folder, statementKey: spki, notices, nowMs: now, roots: evidenceRoots })
}

/** Who this log is. Keys are made for as long as it is empty: a first start that was cut short has signed nothing. */
function openIdentity(folder: LockedDataFolder, config: Config): Identity & { readonly isNew: boolean } {
  if (!existsSync(folder.database) && existsSync(checkpointPath(folder.log))) throw missingEntries()
  const database = openDatabase(folder.database)
  try {
    const isNew = database.prepare('SELECT 1 FROM entries LIMIT 1').get() === undefined
    if (isNew && existsSync(keyPaths(folder.keys).used)) throw missingEntries()
    return { isNew, ...readIdentity(database, configuredOrigin(config, folder, isNew), isNew) }
  } finally {
    database.close()
  }
}

/** The log's name as it was configured; Sigsum's follows from the log's key, which is made first then. */
function configuredOrigin({ origin }: Config, folder: LockedDataFolder, isNew: boolean): string | undefined {
  if (origin !== SIGSUM) return origin
  return sigsumOrigin(loadLogKey(keyPaths(folder.keys).log, SIGSUM, isNew).note.publicKey)
}

/** Notes beside the keys that they have signed a head, so that they are not used again for another log. */
function markUsed(path: string): void {
  if (!existsSync(path)) writeDurably(path, utf8('the log key has signed heads\n'))
}

/** The same key under the same name must never begin a second log: that would be a fork. */
function missingEntries(): CountersignError {
  return new CountersignError(
    'log/head-behind-published',
    'this log has signed heads, and the database with its entries is not there; put it back, or end this log and begin another with "countersign log recover"',
  )
}

/** The key that wraps the vault's keys: from the environment, a file elsewhere, or made in the data folder. */
function readVaultKey(source: SecretSource | undefined, path: string, isNew: boolean): Uint8Array {
  if (source === undefined) return loadSecret(path, isNew)
  if ('file' in source) return loadSecret(source.file, false)
  const value = process.env[source.env]
  if (value === undefined) {
    throw new CountersignError(
      'config/missing-file',
      `the environment variable ${source.env} with the vault's key is not set`,
    )
  }
  return parseSecret(value)
}
