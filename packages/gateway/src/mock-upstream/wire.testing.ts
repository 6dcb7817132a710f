/** A client of plain sockets, which sees what was sent and how the connection ended. */
import { connect } from 'node:net'

export interface WireReply {
  /** All that came, head and all. */
  readonly bytes: Buffer
  readonly end: 'closed' | 'reset' | 'quiet'
}

/** The longest that one request takes. */
const MAX_MS = 20_000

/** Sends a JSON request and reads until the server closes, or says nothing for so long. */
export function requestOverWire(port: number, path: string, body: object, quietMs: number): Promise<WireReply> {
  const text = JSON.stringify(body)
  const head = `POST ${path} HTTP/1.1\r\nhost: mock\r\nauthorization: Bearer sk-test\r\ncontent-length: ${Buffer.byteLength(text)}\r\n\r\n`
  return new Promise((resolve) => {
    const reads: Buffer[] = []
    const socket = connect(port, '127.0.0.1', () => socket.write(head + text))
    const finish = (how: WireReply['end']) => {
      clearTimeout(latest)
      socket.destroy()
      resolve({ bytes: Buffer.concat(reads), end: how })
    }
    const latest = setTimeout(() => finish('quiet'), MAX_MS)
    socket.setTimeout(quietMs, () => finish('quiet'))
    socket.on('data', (chunk: Buffer) => reads.push(chunk))
    socket.on('end', () => finish('closed'))
    socket.on('error', () => finish('reset'))
  })
}

export interface WireParts {
  readonly statusLine: string
  readonly headers: ReadonlyMap<string, string>
  /** What follows the head, with its chunks joined. */
  readonly body: Buffer
  /** Sizes of the chunks; none without chunked encoding. */
  readonly chunkSizes: readonly number[]
}

/** Takes a reply apart. Reads a body that breaks off as far as it goes. */
export function takeApart({ bytes }: WireReply): WireParts {
  const headEnd = bytes.indexOf('\r\n\r\n')
  const [statusLine = '', ...lines] = bytes.subarray(0, headEnd).toString('latin1').split('\r\n')
  const headers = new Map(
    lines.map((line) => {
      const colon = line.indexOf(':')
      return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()]
    }),
  )
  const rest = bytes.subarray(headEnd + 4)
  if (headers.get('transfer-encoding') !== 'chunked') return { statusLine, headers, body: rest, chunkSizes: [] }
  const chunks: Buffer[] = []
  for (let at = 0; at < rest.length; ) {
    const lineEnd = rest.indexOf('\r\n', at)
    const size = Number.parseInt(rest.toString('latin1', at, lineEnd), 16)
    if (!(size > 0)) break
    chunks.push(rest.subarray(lineEnd + 2, lineEnd + 2 + size))
    at = lineEnd + 2 + size + 2
  }
  return { statusLine, headers, body: Buffer.concat(chunks), chunkSizes: chunks.map(({ length }) => length) }
}
