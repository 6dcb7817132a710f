/** An upstream that sends what a test hands it, in the pieces that it says: for bytes that no provider would send. */
import { createServer, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { TestContext } from 'node:test'

export interface Script {
  readonly status: number
  readonly contentType: string
  readonly pieces: readonly Uint8Array[]
  readonly headers?: { readonly [name: string]: string }
}

export interface ScriptedUpstream {
  readonly url: string
  /** Bodies of requests, oldest first. */
  readonly bodies: readonly Buffer[]
  /** What every request gets from now on. */
  play(script: Script | ((request: IncomingMessage) => Script)): void
}

export async function startScripted(context: TestContext): Promise<ScriptedUpstream> {
  let current: (request: IncomingMessage) => Script = () => ({ status: 500, contentType: 'text/plain', pieces: [] })
  const bodies: Buffer[] = []
  const server = createServer(async (request, response) => {
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(chunk as Buffer)
    bodies.push(Buffer.concat(chunks))
    const { status, contentType, pieces, headers = {} } = current(request)
    response.writeHead(status, { 'content-type': contentType, ...headers })
    // Each piece is a read of its own, most of the time.
    for (const piece of pieces) await new Promise((resolve) => response.write(piece, resolve))
    response.end()
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  context.after(() => {
    server.close()
    server.closeAllConnections()
  })
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    bodies,
    play(script) {
      current = typeof script === 'function' ? script : () => script
    },
  }
}
