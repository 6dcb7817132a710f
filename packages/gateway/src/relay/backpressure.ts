/** Waiting for a client that reads slowly. */
import type { ServerResponse } from 'node:http'

/** Resolves when more may be written, or the client is gone. Costs nothing while the client keeps up. */
export function writable(response: ServerResponse): Promise<void> | undefined {
  if (!response.writableNeedDrain || response.destroyed) return undefined
  return new Promise((resolve) => {
    const done = () => {
      response.off('drain', done).off('close', done)
      resolve()
    }
    response.on('drain', done).on('close', done)
  })
}
