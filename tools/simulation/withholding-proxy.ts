/** What stands before the gateway of an operator that keeps some openings to itself: everything else goes through. */
import { createServer, request } from 'node:http'
import type { AddressInfo } from 'node:net'

export interface WithholdingProxy {
  readonly url: string
  close(): void
}

/** Starts a proxy that has no answer for auditors where `isHidden` says so. */
export async function startWithholding(
  gateway: string,
  isHidden: (index: number) => boolean,
): Promise<WithholdingProxy> {
  const server = createServer((asked, answer) => {
    const [, index] = /^\/audit\/entries\/(\d+)$/.exec(asked.url ?? '') ?? []
    if (index !== undefined && isHidden(Number(index))) {
      answer.writeHead(503, { 'content-type': 'application/json' }).end('{"error":"try again later"}')
      return
    }
    const { method = 'GET', headers } = asked
    const forwarded = request(new URL(asked.url ?? '/', gateway), { method, headers }, (reply) => {
      answer.writeHead(reply.statusCode ?? 502, reply.headers)
      reply.pipe(answer)
    })
    forwarded.on('error', () => answer.destroy())
    asked.pipe(forwarded)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  const close = () => {
    server.close()
    server.closeAllConnections()
  }
  return { url: `http://127.0.0.1:${port}`, close }
}
