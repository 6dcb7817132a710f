/** What an API of the mock upstream answers, before anything goes wrong on the way. */
import { createHash } from 'node:crypto'
import type { Scenario } from './scenario.testing.ts'

export interface HeaderMap {
  readonly [name: string]: string | readonly string[]
}

export interface Whole {
  readonly kind: 'whole'
  readonly status: number
  readonly headers: HeaderMap
  readonly body: Uint8Array
}

export interface Stream {
  readonly kind: 'stream'
  readonly status: number
  readonly headers: HeaderMap
  readonly frames: readonly Uint8Array[]
  /** The frame that says that it is over; the last of all. */
  readonly terminal: Uint8Array
  /** What is sent instead when the provider fails midway. */
  readonly failure: Uint8Array
}

export type Answer = Whole | Stream

/** A request that was understood so far. */
export interface Call {
  /** What stood for the placeholders of the path. */
  readonly parameters: readonly string[]
  readonly contentType: string
  readonly body: Uint8Array
  /** The body as JSON; an empty object where there is none. */
  readonly json: unknown
  readonly scenario: Scenario
  /** Hexadecimal, of method, path and body. All ids are derived from it: same request, same bytes. */
  readonly digest: string
}

/** 2026-01-01T00:00:00Z in Unix seconds: the time of every answer. */
export const CREATED_SECONDS = 1_767_225_600

export function digestOf(...parts: readonly (string | Uint8Array)[]): string {
  const hash = createHash('sha256')
  for (const part of parts) hash.update(part).update('\0')
  return hash.digest('hex')
}

/** A quarter of the request's bytes: the mock's count of tokens. */
export function inputTokensOf({ body }: Call): number {
  return Math.ceil(body.length / 4)
}

/** JSON as the scenario wants it: `usage` is left out, wherever it stands, where it says so. */
export function toJson(value: object, { hasUsage }: Scenario): string {
  return JSON.stringify(value, hasUsage ? undefined : (key, each) => (key === 'usage' ? undefined : each))
}

export function jsonAnswer(status: number, headers: HeaderMap, text: string): Whole {
  return { kind: 'whole', status, headers: { 'content-type': 'application/json', ...headers }, body: Buffer.from(text) }
}

/** A frame of server-sent events. */
export function frame(data: string, event?: string): Uint8Array {
  return Buffer.from(event === undefined ? `data: ${data}\n\n` : `event: ${event}\ndata: ${data}\n\n`)
}

export function streamAnswer(headers: HeaderMap, parts: Pick<Stream, 'frames' | 'terminal' | 'failure'>): Stream {
  const streaming = { 'content-type': 'text/event-stream; charset=utf-8', 'cache-control': 'no-cache' }
  return { kind: 'stream', status: 200, headers: { ...streaming, ...headers }, ...parts }
}
