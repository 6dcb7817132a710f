/** Clients of plain sockets: they send what no library would, and at a pace of their own. */
import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { once } from 'node:events'
import type { Server } from 'node:http'
import { connect, type Socket } from 'node:net'
import type { Gateway } from '../gateway.ts'
import { takeApart, type WireParts } from '../mock-upstream/wire.testing.ts'

/** Longest time for one exchange. */
const MAX_MS = 15_000

/** A connection to a gateway, open. */
export async function connected({ url }: Gateway): Promise<Socket> {
  const { hostname, port } = new URL(url)
  const socket = connect(Number(port), hostname)
  // A reset shows as the end.
  socket.on('error', () => undefined)
  await once(socket, 'connect')
  return socket
}

/** Head of a request that is to be the last on its connection. */
export function head(path: string, headers: { readonly [name: string]: string | number } = {}): string {
  const lines = Object.entries({ host: 'gateway', connection: 'close', ...headers })
  return [`POST ${path} HTTP/1.1`, ...lines.map(([name, value]) => `${name}: ${value}`), '', ''].join('\r\n')
}

/** A whole request. */
export function requestText(path: string, body: string | Uint8Array, headers: object = {}): Buffer {
  const bytes = Buffer.from(body)
  return Buffer.concat([Buffer.from(head(path, { 'content-length': bytes.length, ...headers })), bytes])
}

/** All that came until the server closed, as it came. */
export async function readToEnd(socket: Socket): Promise<Buffer> {
  const reads: Buffer[] = []
  const timer = setTimeout(() => socket.destroy(), MAX_MS)
  socket.on('data', (chunk: Buffer) => reads.push(chunk))
  if (!socket.closed) await once(socket, 'close')
  clearTimeout(timer)
  return Buffer.concat(reads)
}

/** Sends bytes, and reads the one reply. */
export async function exchange(gateway: Gateway, bytes: Uint8Array): Promise<WireParts> {
  const socket = await connected(gateway)
  socket.write(bytes)
  return takeApart({ bytes: await readToEnd(socket), end: 'closed' })
}

/** The server of a gateway: Node hands it out with each request. */
export async function serverOf(gateway: Gateway): Promise<Server> {
  const port = Number(new URL(gateway.url).port)
  let found: Server | undefined
  const note = (message: unknown) => {
    const { server, socket } = message as { readonly server: Server; readonly socket: Socket }
    if (socket.localPort === port) found = server
  }
  subscribe('http.server.request.start', note)
  await fetch(`${gateway.url}/healthz`)
  unsubscribe('http.server.request.start', note)
  if (found === undefined) throw new Error('no request came')
  return found
}
