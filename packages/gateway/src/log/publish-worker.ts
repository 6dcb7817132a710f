/**
 * The publishing thread: whatever takes time and can wait a little, away from commits and requests. It writes tiles and the
 * checkpoint, notes where statements stand, makes vault keys ready, and brings the write-ahead log into the database.
 */
import { type MessagePort, parentPort, workerData } from 'node:worker_threads'
import { CountersignError, codeOf, type ErrorCode } from '@countersign/verify'
import { createNodeCrypto } from '@countersign/verify/crypto/node'
import { dataFolderAt } from '../data/data-folder.ts'
import { openDatabase, type Sqlite, storageError } from '../store/database.ts'
import { LookupWriter } from '../store/lookup.ts'
import { KeyStore, type VaultKey } from '../vault/key-store.ts'
import type { FromAsker } from '../witnesses/asker.ts'
import type { Cosigner, CosignerParts, WitnessThreadData } from '../witnesses/cosigner.ts'
import { Publisher } from './publisher.ts'
import type { SignedHead } from './sequencer.ts'
import { TileReader } from './tile-reader.ts'

export interface PublishThreadData {
  readonly dataRoot: string
  readonly publishedSize: number
  /** Whom heads are shown to before they are published; `undefined` for nobody. */
  readonly witnesses: WitnessThreadData | undefined
  /** Wraps the vault's keys. */
  readonly vaultWrappingKey: Uint8Array
}

export type ToPublishThread =
  | { readonly type: 'publish'; readonly size: number; readonly note: string }
  | { readonly type: 'refill' }
  | { readonly type: 'quorums'; readonly names: readonly string[] }
  | { readonly type: 'close' }

export type FromPublishThread =
  | { readonly type: 'repaired'; readonly tiles: number }
  | { readonly type: 'published'; readonly size: number }
  | { readonly type: 'failed'; readonly message: string }
  | { readonly type: 'pool'; readonly keys: readonly VaultKey[] }
  /** No pool could be made; whoever waits for a key is refused. */
  | { readonly type: 'no-pool'; readonly code: ErrorCode; readonly message: string }
  | FromAsker
  /** The log must not go on; the gateway stops. */
  | { readonly type: 'halted'; readonly code: ErrorCode; readonly message: string }
  | { readonly type: 'closed' }

/** Pages of the write-ahead log from which on commits wait until it begins anew: about 32 MiB. */
const RESTART_PAGES = 8192

async function main(port: MessagePort, data: PublishThreadData): Promise<void> {
  const folder = dataFolderAt(data.dataRoot)
  const database = openDatabase(folder.database)
  const keys = new KeyStore(folder.vaultKeys, data.vaultWrappingKey)
  const lookup = new LookupWriter(folder.lookup, folder.database)
  const crypto = createNodeCrypto()
  const reader = new TileReader(crypto, database, folder.log)
  const publisher = new Publisher(reader, folder.log, data.publishedSize)
  const send = (message: FromPublishThread) => port.postMessage(message)
  const halt = (thrown: unknown): undefined => {
    send({ type: 'halted', code: codeOf(thrown) ?? 'data/damaged', message: textOf(thrown) })
    return undefined
  }
  const fail = (thrown: unknown) => {
    if (codeOf(thrown) === 'log/head-changed') halt(thrown)
    else send({ type: 'failed', message: textOf(thrown) })
  }
  const onCosigned = ({ size, note }: SignedHead) => void publisher.amend(size, note).catch(fail)
  const parts = { crypto, database, reader, logFolder: folder.log, send, onCosigned }
  const cosigning = startCosigner(parts, data.witnesses).catch(halt)
  let work: Promise<void> = publisher.repair().then((tiles) => send({ type: 'repaired', tiles }))
  port.on('message', (message: ToPublishThread) => {
    // Not behind the publishing that is under way: requests wait for keys.
    if (message.type === 'refill') return send(createPool(keys))
    work = work.then(async () => {
      const cosigner = await cosigning
      if (message.type === 'quorums') return cosigner?.setQuorums(message.names)
      if (message.type === 'close') {
        await cosigner?.close()
        lookup.advance()
        lookup.close()
        keys.close()
        database.close()
        send({ type: 'closed' })
        port.close()
        return
      }
      const { size, note } = message
      await publisher.publish(size, note, async () => cosigner?.cosigned(note) ?? note)
      send({ type: 'published', size })
      lookup.advance()
      checkpoint(database)
    })
    work = work.catch(fail)
  })
  await work.catch(fail)
  const cosigner = await cosigning
  cosigner?.begin()
}

function textOf(thrown: unknown): string {
  return thrown instanceof Error ? thrown.message : ''
}

/** Not before the thread listens, and only where there are witnesses: what it needs takes a while to load. */
async function startCosigner(
  parts: CosignerParts,
  witnesses: WitnessThreadData | undefined,
): Promise<Cosigner | undefined> {
  if (witnesses === undefined) return undefined
  const { openCosigner } = await import('../witnesses/cosigner.ts')
  return openCosigner(parts, witnesses)
}

function createPool(keys: KeyStore): FromPublishThread {
  try {
    return { type: 'pool', keys: keys.createPool() }
  } catch (thrown) {
    const { code, message } = thrown instanceof CountersignError ? thrown : storageError(thrown)
    return { type: 'no-pool', code, message }
  }
}

/**
 * Brings what was committed from the write-ahead log into the database, beside commits that go on. Under a load that never
 * pauses the log would only grow: then commits wait for the moment that it takes to begin it anew.
 */
function checkpoint(database: Sqlite): void {
  const [done] = database.pragma('wal_checkpoint(PASSIVE)') as { readonly log: number }[]
  if ((done?.log ?? 0) > RESTART_PAGES) database.pragma('wal_checkpoint(RESTART)')
}

if (parentPort !== null) void main(parentPort, workerData as PublishThreadData)
