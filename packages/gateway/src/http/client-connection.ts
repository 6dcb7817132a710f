/** Connections of clients: whose turn it is there, how long they may be quiet, and which nobody has used. */
import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import type { Server as SecureServer } from 'node:https'
import type { Socket } from 'node:net'
import { CountersignError } from '@countersign/verify'

/** Most requests of one connection that wait behind the one that is being answered. */
export const MAX_WAITING = 16

/** How to end the waiting of each request of a connection. */
const waiting: WeakMap<Socket, Set<() => void>> = /* @__PURE__ */ new WeakMap()

/**
 * Resolves when the response is the next on its connection: requests may come one behind another, and are answered in
 * turn. Before its turn a response has no connection, and would never learn that its client is gone.
 *
 * @throws {CountersignError} `request/malformed` when the client leaves before, `queue/full` when too many wait there
 */
export function whenItsTurn(request: IncomingMessage, response: ServerResponse): Promise<void> | undefined {
  if (response.socket !== null || response.destroyed) return undefined
  const { socket } = request
  return new Promise((resolve, reject) => {
    const onClose = () => reject(new CountersignError('request/malformed', 'the client left before its turn'))
    if (socket.destroyed) return onClose()
    const others = waitingOn(socket)
    if (others.size >= MAX_WAITING) {
      return reject(new CountersignError('queue/full', `more than ${MAX_WAITING} requests wait on this connection`))
    }
    others.add(onClose)
    response.once('socket', () => {
      others.delete(onClose)
      resolve()
    })
  })
}

/** One listener on a connection, however many requests wait there. */
function waitingOn(socket: Socket): Set<() => void> {
  const known = waiting.get(socket)
  if (known !== undefined) return known
  const onCloses = new Set<() => void>()
  waiting.set(socket, onCloses)
  socket.once('close', () => {
    for (const onClose of onCloses) onClose()
  })
  return onCloses
}

/**
 * Keeps a connection on which nothing moves because the answer is still to come: how long an upstream may take is a limit
 * of its own. A client that does not take what is there for it is cut off all the same.
 */
export function tolerateQuiet(response: ServerResponse): void {
  response.on('timeout', () => {
    if (response.writableLength > 0) response.socket?.destroy()
  })
}

/**
 * Watches for connections on which no request has come yet: clients open some in advance. Node takes them for busy, and
 * the end of the server would wait for them. What is returned closes them.
 */
export function watchUnused(server: Server | SecureServer): () => void {
  const unused = new Set<Socket>()
  const note = (socket: Socket) => {
    unused.add(socket)
    socket.once('close', () => unused.delete(socket))
  }
  server.on('setSecureContext' in server ? 'secureConnection' : 'connection', note)
  server.on('request', ({ socket }: IncomingMessage) => unused.delete(socket))
  return () => {
    for (const socket of unused) socket.destroy()
  }
}
