/**
 * A reverse proxy that does nothing else: the same HTTP server and client as the gateway's. The request is read whole, the
 * answer is piped through as it comes. The fair baseline of what a hop costs. Argument: the upstream's URL.
 *
 * Not `pipeline`, which halves the throughput, and no request body as a stream, which takes another fifth.
 */
import { createServer, type IncomingHttpHeaders, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { Pool } from 'undici'

const MAX_CONNECTIONS = 512
/** What belongs to one connection, not to the message. */
const HOP_BY_HOP = new Set([
  'connection',
  'keep-alive',
  'transfer-encoding',
  'te',
  'trailer',
  'upgrade',
  'expect',
  'host',
])

function endToEnd(headers: IncomingHttpHeaders): IncomingHttpHeaders {
  const kept: IncomingHttpHeaders = {}
  for (const name in headers) if (!HOP_BY_HOP.has(name)) kept[name] = headers[name]
  return kept
}

async function relay(pool: Pool, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const { method = 'GET', url: path = '/', headers } = request
  const body = await readAll(request)
  const answer = await pool.request({
    path,
    method: method as 'POST',
    headers: endToEnd(headers),
    body: body.length === 0 ? null : body,
  })
  response.writeHead(answer.statusCode, endToEnd(answer.headers))
  response.once('close', () => answer.body.destroy())
  answer.body.once('error', () => response.destroy())
  answer.body.pipe(response)
}

function readAll(request: IncomingMessage): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = []
    request.on('data', (chunk: Buffer) => chunks.push(chunk))
    request.on('end', () => resolve(Buffer.concat(chunks)))
    request.on('error', reject)
  })
}

function main(upstream: string): void {
  const pool = new Pool(upstream, { connections: MAX_CONNECTIONS })
  const server = createServer((request, response) => {
    relay(pool, request, response).catch(() => response.destroy())
  })
  server.listen(0, '127.0.0.1', () => {
    const { port } = server.address() as AddressInfo
    process.stdout.write(`serving at http://127.0.0.1:${port}\n`)
  })
}

main(process.argv[2] ?? '')
