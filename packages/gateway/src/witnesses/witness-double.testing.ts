/** A witness for tests, on a real socket: honest, or wrong in every way that a witness can be. */
import { generateKeyPairSync, type KeyObject, sign } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import {
  type Checkpoint,
  concat,
  cosignatureMessage,
  equalBytes,
  formatCheckpoint,
  formatNoteKey,
  formatSignatureLine,
  NOTE_COSIGNATURE,
  type NoteKey,
  noteKey,
  parseAddCheckpoint,
  parseCheckpoint,
  uint64BigEndian,
  utf8,
  verifyConsistency,
} from '@countersign/verify'
import { createNodeCrypto } from '@countersign/verify/crypto/node'

export type Behaviour =
  | 'honest'
  /** Takes the request and never answers. */
  | 'silent'
  /** Signs another root than it was shown. */
  | 'other-root'
  | 'bad-signature'
  /** Signs with a key that nobody knows, under a name of its own. */
  | 'stranger'
  | 'future'
  | 'past'
  /** Says that it has cosigned some other size, whatever it is told. */
  | 'conflict-loop'
  /** Has cosigned more than there is. */
  | 'ahead'
  /** Has cosigned another root of the same size; `unprovable` says so as the draft does. */
  | 'forked'
  | 'unprovable'
  | 'endless'
  | 'garbage'
  | 'empty'
  | 'redirect'
  | 'failing'
  | 'busy'
  | 'forbidden'
  /** Ends the connection instead of answering. */
  | 'reset'

export interface WitnessDouble {
  readonly key: NoteKey
  /** Line of a policy. */
  readonly policyLine: string
  readonly url: string
  behaviour: Behaviour
  /** Before each answer. */
  delayMs: number
  /** What it has cosigned last; may be set. */
  seen: Checkpoint | undefined
  /** Sizes that it was asked for, with the old size that it was told. */
  readonly requests: { readonly oldSize: number; readonly size: number }[]
  /** Most requests that were under way at once. */
  readonly mostAtOnce: number
  close(): Promise<void>
}

const crypto = createNodeCrypto()

/** Starts a witness; it stops when the test is over. */
export async function startWitnessDouble(
  context: { after(done: () => Promise<void>): void },
  name: string,
  port = 0,
  known?: Pick<WitnessDouble, 'seen'> & { readonly secret?: KeyObject },
): Promise<WitnessDouble & { readonly secret: KeyObject }> {
  const secret = known?.secret ?? generateKeyPairSync('ed25519').privateKey
  const key = witnessKey(name, secret)
  const state = { underWay: 0, mostAtOnce: 0 }
  const server = createServer((request, response) => {
    state.mostAtOnce = Math.max(state.mostAtOnce, ++state.underWay)
    response.once('close', () => state.underWay--)
    void answer(double, request, response).catch(() => response.destroy())
  })
  server.listen(port, '127.0.0.1')
  await once(server, 'listening')
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const close = async () => {
    server.closeAllConnections()
    await new Promise<void>((resolve) => server.close(() => resolve()))
  }
  const double: WitnessDouble & { readonly secret: KeyObject } = {
    key,
    secret,
    url,
    policyLine: `witness ${name} ${formatNoteKey(key)} ${url}`,
    behaviour: 'honest',
    delayMs: 0,
    seen: known?.seen,
    requests: [],
    get mostAtOnce() {
      return state.mostAtOnce
    },
    close,
  }
  context.after(close)
  return double
}

function witnessKey(name: string, secret: KeyObject): NoteKey {
  const { x = '' } = secret.export({ format: 'jwk' })
  return noteKey(crypto, `${name}.example.org`, NOTE_COSIGNATURE, new Uint8Array(Buffer.from(x, 'base64url')))
}

async function answer(
  double: WitnessDouble & { readonly secret: KeyObject },
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const chunks: Buffer[] = []
  for await (const chunk of request) chunks.push(chunk as Buffer)
  const { oldSize, proof, checkpoint } = parseAddCheckpoint(Buffer.concat(chunks))
  const asked = parseCheckpoint(checkpoint.text)
  double.requests.push({ oldSize, size: asked.size })
  if (double.delayMs > 0) await sleep(double.delayMs)
  if (isAnsweredWrongly(double, asked, response)) return
  const { seen } = double
  const isForked = seen !== undefined && oldSize === asked.size && !equalBytes(seen.root, asked.root)
  if (isForked || oldSize !== (seen?.size ?? 0)) {
    conflict(response, seen?.size ?? 0)
    return
  }
  if (!isProven(seen, asked, proof)) {
    finish(response, 422, 'the proof does not lead here')
    return
  }
  double.seen = asked
  finish(response, 200, line(double, asked, Math.floor(Date.now() / 1000)))
}

function isProven(seen: Checkpoint | undefined, asked: Checkpoint, proof: readonly Uint8Array[]): boolean {
  if (seen === undefined) return proof.length === 0
  try {
    verifyConsistency(crypto, seen, asked, proof)
    return true
  } catch {
    return false
  }
}

function line({ key, secret }: { key: NoteKey; secret: KeyObject }, checkpoint: Checkpoint, timeSeconds: number) {
  const signature = sign(null, cosignatureMessage(timeSeconds, formatCheckpoint(checkpoint)), secret)
  return formatSignatureLine({
    name: key.name,
    id: key.id,
    signature: concat(uint64BigEndian(BigInt(timeSeconds)), signature),
  })
}

/** Everything but honest. */
function isAnsweredWrongly(
  double: WitnessDouble & { readonly secret: KeyObject },
  asked: Checkpoint,
  response: ServerResponse,
): boolean {
  const now = Math.floor(Date.now() / 1000)
  switch (double.behaviour) {
    case 'honest':
      return false
    case 'silent':
      return true
    case 'reset':
      response.destroy()
      return true
    case 'other-root':
      finish(response, 200, line(double, { ...asked, root: new Uint8Array(32) }, now))
      return true
    case 'bad-signature': {
      const signature = new Uint8Array(72)
      finish(response, 200, formatSignatureLine({ name: double.key.name, id: double.key.id, signature }))
      return true
    }
    case 'stranger': {
      const secret = generateKeyPairSync('ed25519').privateKey
      finish(response, 200, line({ key: witnessKey('stranger', secret), secret }, asked, now))
      return true
    }
    case 'future':
      finish(response, 200, line(double, asked, now + 3600))
      return true
    case 'past':
      finish(response, 200, line(double, asked, now - 86_400))
      return true
    default:
      refuse(double.behaviour, asked, response)
      return true
  }
}

/** Fixed answers: status, body, and a header. */
const ANSWERS: { readonly [behaviour in Behaviour]?: readonly [number, string, Record<string, string>?] } = {
  unprovable: [422, 'another root'],
  redirect: [302, '', { location: '/elsewhere' }],
  busy: [429, '', { 'retry-after': '1' }],
  garbage: [200, '\u0000\u0001 this is no line\n'],
  empty: [200, ''],
  forbidden: [403, ''],
  failing: [503, ''],
}

function refuse(behaviour: Behaviour, asked: Checkpoint, response: ServerResponse): void {
  const [status, body, headers] = ANSWERS[behaviour] ?? []
  if (status !== undefined) finish(response, status, body ?? '', headers)
  else if (behaviour === 'endless') pour(response)
  else if (behaviour === 'forked') conflict(response, asked.size)
  else if (behaviour === 'ahead') conflict(response, asked.size + 1_000_000)
  else conflict(response, Math.floor(Math.random() * asked.size))
}

/** A body without an end, as fast as it is taken. */
function pour(response: ServerResponse): void {
  response.writeHead(200)
  const chunk = utf8('— '.repeat(8192))
  const more = () => {
    while (!response.destroyed && response.write(chunk)) {
      // As much as the connection takes.
    }
    if (!response.destroyed) response.once('drain', more)
  }
  more()
}

function conflict(response: ServerResponse, size: number): void {
  finish(response, 409, `${size}\n`, { 'content-type': 'text/x.tlog.size' })
}

function finish(response: ServerResponse, status: number, body: string, headers: Record<string, string> = {}): void {
  response.writeHead(status, headers)
  response.end(body)
}
