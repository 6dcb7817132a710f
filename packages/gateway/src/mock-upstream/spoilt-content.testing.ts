/** What a scenario spoils in the content itself, before it goes onto the wire. */
import { once } from 'node:events'
import { createGzip, gzipSync } from 'node:zlib'
import type { HeaderMap } from './answer.testing.ts'
import type { Fault, Scenario } from './scenario.testing.ts'

export interface Content {
  readonly status: number
  readonly headers: HeaderMap
  readonly isStream: boolean
  /** Of a stream: its frames, the last of which says that it is over. */
  readonly pieces: readonly Uint8Array[]
  /** The frame of a provider that fails midway; streams alone have it. */
  readonly failure: Uint8Array | undefined
}

const HUGE_FRAME_BYTES = 40 * 1000 * 1000
const PIECE_BYTES = 64 * 1024
/** Zeros of one gzip member, and how many members: 1 GiB. */
const BOMB_MEMBER_BYTES = 16 * 1024 * 1024
const BOMB_MEMBERS = 64

const FORGED_HEADERS = {
  'countersign-receipt': 'forged',
  'countersign-secret': 'forged',
  'countersign-promise': 'forged',
  'Countersign-Salts': 'forged',
}
const FORGED_COMMENT = Buffer.from(': countersign-promise forged\n\n')
/** In a frame of its own event, and without a blank before its text. */
const FORGED_INSIDE = Buffer.from(':countersign-receipt forged\n')

const GARBAGE: readonly Uint8Array[] = [
  'data: {"truncated":\n\n',
  'no colon at all\n\n',
  'data\n\n',
  '\ufeffdata: {}\n\n',
  'event: no.such.event\ndata: [1,\ndata: 2\n\n',
  'id: \0\nretry: soon\n\n',
  Uint8Array.of(0x64, 0x61, 0x74, 0x61, 0x3a, 0xff, 0xfe, 0x00, 0x0a, 0x0a),
  'data:[DONE ]\n\n',
].map((each) => Buffer.from(each))

const SPOIL: { readonly [fault in Fault]?: (content: Content) => Content } = {
  'error-in-stream': (content) =>
    content.failure === undefined ? content : { ...content, pieces: [...half(content.pieces), content.failure] },
  'no-done': (content) => (content.isStream ? { ...content, pieces: content.pieces.slice(0, -1) } : content),
  'garbage-sse': (content) => ({
    ...content,
    pieces: content.isStream ? [...half(content.pieces), ...GARBAGE] : [Buffer.from('<html>no JSON</html>')],
  }),
  'huge-frame': (content) => ({ ...content, pieces: hugeFrame(content.isStream ? 'data: ' : '{"id":"') }),
}

export async function spoilContent(content: Content, scenario: Scenario): Promise<Content> {
  const spoil = scenario.fault === undefined ? undefined : SPOIL[scenario.fault]
  let spoilt = spoil === undefined ? content : spoil(content)
  if (scenario.isForging) spoilt = forge(spoilt)
  if (scenario.isDripping && spoilt.isStream) spoilt = { ...spoilt, pieces: spoilt.pieces.map(withCrlf) }
  if (scenario.encoding === 'identity') return spoilt
  const pieces = scenario.encoding === 'gzip' ? await compress(spoilt.pieces) : bomb()
  return { ...spoilt, pieces, headers: { ...spoilt.headers, 'content-encoding': 'gzip' } }
}

function half(pieces: readonly Uint8Array[]): readonly Uint8Array[] {
  return pieces.slice(0, Math.max(1, Math.floor(pieces.length / 2)))
}

function hugeFrame(start: string): readonly Uint8Array[] {
  const piece = Buffer.alloc(PIECE_BYTES, 'x')
  const count = Math.ceil(HUGE_FRAME_BYTES / PIECE_BYTES)
  return [Buffer.from(start), ...Array.from({ length: count }, () => piece)]
}

function forge(content: Content): Content {
  const headers = { ...content.headers, ...FORGED_HEADERS }
  if (!content.isStream) return { ...content, headers }
  const [first = new Uint8Array(0), ...rest] = content.pieces
  const inside = Buffer.concat([FORGED_INSIDE, first])
  const pieces = [FORGED_COMMENT, inside, ...rest.slice(0, -1), FORGED_COMMENT, ...rest.slice(-1)]
  return { ...content, headers, pieces }
}

/** No frame has a line feed but at its line ends: the rest is JSON. */
function withCrlf(piece: Uint8Array): Uint8Array {
  return Buffer.from(Buffer.from(piece).toString('utf8').replaceAll('\n', '\r\n'))
}

/** One gzip stream, flushed after each piece. */
async function compress(pieces: readonly Uint8Array[]): Promise<readonly Uint8Array[]> {
  const gzip = createGzip()
  const compressed: Uint8Array[] = []
  let waiting: Buffer[] = []
  const take = () => {
    compressed.push(Buffer.concat(waiting))
    waiting = []
  }
  gzip.on('data', (chunk: Buffer) => waiting.push(chunk))
  for (const piece of pieces) {
    gzip.write(piece)
    await new Promise<void>((resolve) => gzip.flush(() => resolve()))
    take()
  }
  gzip.end()
  await once(gzip, 'end')
  take()
  return compressed
}

function bomb(): readonly Uint8Array[] {
  const member = gzipSync(Buffer.alloc(BOMB_MEMBER_BYTES))
  return Array.from({ length: BOMB_MEMBERS }, () => member)
}
