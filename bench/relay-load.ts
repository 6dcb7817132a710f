/** The kinds of load that relayed requests are measured under. Every answer is checked to be the one that was asked for. */
import { setTimeout as sleep } from 'node:timers/promises'
import type { Connection } from './load.ts'
import type { Answer } from './response-reader.ts'

const ANSWER_BYTES = 1024
const STREAM_EVENTS = 100

/** Milliseconds that each of `count` answers took, one after another. */
export async function sequential(connection: Connection, count: number): Promise<readonly number[]> {
  const latenciesMs: number[] = []
  for (let i = 0; i < count; i++) {
    const startMs = performance.now()
    requireWhole(await connection.ask())
    latenciesMs.push(performance.now() - startMs)
  }
  return latenciesMs
}

/** Sends `count` requests over all connections, each as soon as the one before it is answered. */
export async function send(connections: readonly Connection[], count: number): Promise<void> {
  let left = count
  await Promise.all(
    connections.map(async (connection) => {
      while (left-- > 0) requireWhole(await connection.ask())
    }),
  )
}

export interface StreamTimes {
  /** From the request to the first event, for each stream. */
  readonly firstEventMs: readonly number[]
  /** Events per second of each stream, from its request to its end. */
  readonly eachPerSecond: readonly number[]
  /** Events per second of all streams together. */
  readonly allPerSecond: number
}

/** Asks for streams for a time, one after another on each connection. The connections begin evenly over `spreadMs`. */
export async function stream(
  connections: readonly Connection[],
  durationMs: number,
  spreadMs: number,
): Promise<StreamTimes> {
  const firstEventMs: number[] = []
  const eachPerSecond: number[] = []
  const startMs = performance.now()
  await Promise.all(
    connections.map(async (connection, i) => {
      await sleep((i * spreadMs) / connections.length)
      while (performance.now() - startMs < durationMs) {
        const askedMs = performance.now()
        const { status, events, firstEventAtMs } = await connection.ask()
        const endedMs = performance.now()
        if (status !== 200 || events !== STREAM_EVENTS || firstEventAtMs === undefined) {
          throw new Error(`a stream had the status ${status} and ${events} events`)
        }
        firstEventMs.push(firstEventAtMs - askedMs)
        eachPerSecond.push(events / ((endedMs - askedMs) / 1000))
      }
    }),
  )
  const seconds = (performance.now() - startMs) / 1000
  return { firstEventMs, eachPerSecond, allPerSecond: (firstEventMs.length * STREAM_EVENTS) / seconds }
}

function requireWhole({ status, bodyBytes }: Answer): void {
  if (status !== 200 || bodyBytes !== ANSWER_BYTES) {
    throw new Error(`an answer had the status ${status} and ${bodyBytes} bytes`)
  }
}
