/** The publishing thread: writes tiles and the checkpoint, away from commits and requests. */
import { type MessagePort, parentPort, workerData } from 'node:worker_threads'
import { createNodeCrypto } from '@countersign/verify/crypto/node'
import { dataFolderAt } from '../data/data-folder.ts'
import { openDatabaseReadOnly } from '../store/database.ts'
import { Publisher } from './publisher.ts'
import { TileReader } from './tile-reader.ts'

export interface PublishThreadData {
  readonly dataRoot: string
  readonly publishedSize: number
}

export type ToPublishThread =
  | { readonly type: 'publish'; readonly size: number; readonly note: string }
  | { readonly type: 'close' }

export type FromPublishThread =
  | { readonly type: 'repaired'; readonly tiles: number }
  | { readonly type: 'published'; readonly size: number }
  | { readonly type: 'failed'; readonly message: string }
  | { readonly type: 'closed' }

async function main(port: MessagePort, { dataRoot, publishedSize }: PublishThreadData): Promise<void> {
  const folder = dataFolderAt(dataRoot)
  const database = openDatabaseReadOnly(folder.database)
  const publisher = new Publisher(new TileReader(createNodeCrypto(), database, folder.log), folder.log, publishedSize)
  const send = (message: FromPublishThread) => port.postMessage(message)
  let work: Promise<void> = publisher.repair().then((tiles) => send({ type: 'repaired', tiles }))
  port.on('message', (message: ToPublishThread) => {
    work = work.then(async () => {
      if (message.type === 'close') {
        database.close()
        send({ type: 'closed' })
        port.close()
        return
      }
      await publisher.publish(message.size, message.note)
      send({ type: 'published', size: message.size })
    })
    work = work.catch((thrown: unknown) =>
      send({ type: 'failed', message: thrown instanceof Error ? thrown.message : '' }),
    )
  })
  await work.catch((thrown: unknown) =>
    send({ type: 'failed', message: thrown instanceof Error ? thrown.message : '' }),
  )
}

if (parentPort !== null) void main(parentPort, workerData as PublishThreadData)
