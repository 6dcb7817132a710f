/** How an answer goes onto the wire, step by step: where what a scenario spoils is spoilt. */
import type { Answer, HeaderMap } from './answer.testing.ts'
import type { Fault, Scenario } from './scenario.testing.ts'
import { type Content, spoilContent } from './spoilt-content.testing.ts'

export type Step =
  | { readonly do: 'wait'; readonly ms: number }
  | { readonly do: 'head'; readonly status: number; readonly headers: HeaderMap }
  | { readonly do: 'write'; readonly bytes: Uint8Array }
  /** Past HTTP, straight onto the socket. */
  | { readonly do: 'write-raw'; readonly bytes: Uint8Array }
  /** Until the test releases it. */
  | { readonly do: 'hold' }
  /** Until the client leaves. */
  | { readonly do: 'hang' }
  | { readonly do: 'reset' }
  /** Closes the connection in order, in the middle of the answer. */
  | { readonly do: 'cut' }
  | { readonly do: 'end'; readonly trailers: { readonly [name: string]: string } }

/** Bytes by which a content-length is off. */
const OFF_BY = 7
/** What was sent before a reset is to reach the client. */
const BEFORE_RESET_MS = 20
const HUGE_HEADER = { 'x-huge': 'h'.repeat(64 * 1024) }
const TRAILERS = { 'x-mock-trailer': 'after the body' }

/** Faults before any header, in place of everything else. */
const BEFORE: { readonly [fault in Fault]?: readonly Step[] } = {
  hang: [{ do: 'hang' }],
  'reset-before': [{ do: 'reset' }],
  'garbage-http': [{ do: 'write-raw', bytes: Buffer.from('NOT HTTP AT ALL\r\n\r\n') }, { do: 'cut' }],
}

/** Faults after half of the answer. */
const MIDWAY: { readonly [fault in Fault]?: readonly Step[] } = {
  'hang-mid-stream': [{ do: 'hang' }],
  'reset-mid-stream': [{ do: 'wait', ms: BEFORE_RESET_MS }, { do: 'reset' }],
}

export async function planDelivery(answer: Answer, scenario: Scenario): Promise<readonly Step[]> {
  const { fault, startDelayMs } = scenario
  const wait: readonly Step[] = startDelayMs > 0 ? [{ do: 'wait', ms: startDelayMs }] : []
  const instead = fault === undefined ? undefined : BEFORE[fault]
  if (instead !== undefined) return [...wait, ...instead]
  const content = await spoilContent(contentOf(answer), scenario)
  const isPaced = content.isStream
  const writes = content.pieces.flatMap((bytes) => writeSteps(bytes, scenario, isPaced))
  return [...wait, headOf(content, scenario), ...bodySteps(writes, scenario)]
}

function contentOf(answer: Answer): Content {
  const { kind, status, headers } = answer
  if (kind === 'stream')
    return { status, headers, isStream: true, pieces: [...answer.frames, answer.terminal], failure: answer.failure }
  const middle = Math.ceil(answer.body.length / 2)
  const pieces = [answer.body.subarray(0, middle), answer.body.subarray(middle)]
  return { status, headers, isStream: false, pieces, failure: undefined }
}

function headOf({ status, headers, isStream, pieces }: Content, scenario: Scenario): Step {
  const { fault, closesConnection, hasTrailers } = scenario
  const length = pieces.reduce((sum, { length }) => sum + length, 0)
  const off = fault === 'short-body' ? OFF_BY : fault === 'long-body' ? -OFF_BY : 0
  const hasLength = (!isStream && !hasTrailers) || off !== 0
  return {
    do: 'head',
    status,
    headers: {
      ...headers,
      ...(hasLength ? { 'content-length': String(length + off) } : {}),
      ...(closesConnection ? { connection: 'close' } : {}),
      ...(hasTrailers ? { trailer: Object.keys(TRAILERS).join() } : {}),
      ...(fault === 'huge-headers' ? HUGE_HEADER : {}),
    },
  }
}

function writeSteps(bytes: Uint8Array, { isDripping, deltaDelayMs }: Scenario, isPaced: boolean): readonly Step[] {
  const pieces = isDripping ? Array.from(bytes, (byte) => Uint8Array.of(byte)) : [bytes]
  const writes = pieces.map((piece): Step => ({ do: 'write', bytes: piece }))
  return isPaced && deltaDelayMs > 0 ? [...writes, { do: 'wait', ms: deltaDelayMs }] : writes
}

function bodySteps(writes: readonly Step[], { fault, isHeld, hasTrailers }: Scenario): readonly Step[] {
  const midway = fault === undefined ? undefined : MIDWAY[fault]
  if (midway !== undefined) return [...writes.slice(0, Math.max(1, Math.floor(writes.length / 2))), ...midway]
  if (fault === 'short-body') return [...writes, { do: 'cut' }]
  const end: Step = { do: 'end', trailers: hasTrailers ? TRAILERS : {} }
  return isHeld ? [...writes.slice(0, 1), { do: 'hold' }, ...writes.slice(1), end] : [...writes, end]
}
