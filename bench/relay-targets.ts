/** What relayed requests are sent to, all in front of one upstream: that itself, our gateway, and others to compare with. */
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Connection } from './load.ts'
import { portkeyHeaders, startPortkey } from './portkey.ts'
import { type ServerProcess, startProgram, startServer } from './server-process.ts'

/**
 * `direct`: the upstream. `on`: the gateway as it is. `off`: the same without the recording. `bare`: a proxy that does
 * nothing else.
 */
export type TargetName = 'direct' | 'on' | 'off' | 'bare' | 'portkey'

export interface Target {
  readonly name: TargetName
  readonly port: number
  readonly headers: { readonly [name: string]: string }
}

export interface RelayTargets {
  /** Without those that could not be installed. */
  readonly targets: readonly Target[]
  readonly upstreamUrl: string
  stop(): Promise<void>
}

const PATH = '/v1/chat/completions'
const UPSTREAM = fileURLToPath(new URL('../packages/gateway/dist/mock-upstream/program.testing.js', import.meta.url))
const HEADERS = { authorization: 'Bearer x' }

/** Starts them all; the gateway keeps its data in `folder`. */
export async function startTargets(folder: string): Promise<RelayTargets> {
  const servers: ServerProcess[] = []
  const targets: Target[] = []
  const stop = async () => {
    for (const server of servers.splice(0)) await server.stop()
  }
  const add = (name: TargetName, server: ServerProcess, headers = {}) => {
    servers.unshift(server)
    targets.push({ name, port: server.port, headers: { ...HEADERS, ...headers } })
    return `http://127.0.0.1:${server.port}`
  }
  try {
    const upstreamUrl = add('direct', await startProgram([UPSTREAM]))
    add('on', await startServer('relay-on', [join(folder, 'data'), upstreamUrl]))
    add('off', await startServer('relay-off', [upstreamUrl]))
    add('bare', await startServer('bare-proxy', [upstreamUrl]))
    const portkey = await startPortkey()
    if (portkey !== undefined) add('portkey', portkey, portkeyHeaders(upstreamUrl))
    return { targets, upstreamUrl, stop }
  } catch (thrown) {
    await stop()
    throw thrown
  }
}

/** What is asked for: an answer of 1 KiB, or a stream of 100 events, at once or one in so many milliseconds. */
export type Question = { readonly isStream: boolean; readonly paceMs: number }

/** Fresh connections, closed at the end: servers close those that lie idle during another's turn. */
export async function withConnections<T>(
  { port, headers }: Pick<Target, 'port' | 'headers'>,
  question: Question,
  count: number,
  run: (connections: readonly Connection[]) => Promise<T>,
): Promise<T> {
  const body = bodyOf(question)
  const opened = await Promise.allSettled(
    Array.from({ length: count }, () => Connection.open(port, PATH, body, headers)),
  )
  const connections = opened.flatMap((each) => (each.status === 'fulfilled' ? [each.value] : []))
  try {
    if (connections.length < count) throw new Error('the server does not accept all connections')
    return await run(connections)
  } finally {
    for (const connection of connections) connection.close()
  }
}

/** A short conversation, as a client sends it. */
function bodyOf({ isStream, paceMs }: Question): Uint8Array {
  return Buffer.from(
    JSON.stringify({
      model: paceMs === 0 ? 'mock-bench' : `mock-bench-paced-${paceMs}ms`,
      messages: [
        { role: 'system', content: 'You are a helpful assistant. Answer briefly, and say so when you do not know.' },
        { role: 'user', content: 'What does a receipt prove that comes with an answer, and what does it not prove?' },
      ],
      temperature: 0.7,
      max_tokens: 256,
      stream: isStream,
    }),
  )
}
