/** What the gateway costs a relayed request: latency, throughput, streams and memory, beside four other ways to go. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { closedLoop } from './load.ts'
import { CONNECTIONS, figuresOf, GOALS, type Measured, STREAM_CONNECTIONS } from './relay-figures.ts'
import { send, sequential, stream } from './relay-load.ts'
import { startTargets, type Target, type TargetName, withConnections } from './relay-targets.ts'
import { type Benchmark, percentile, requireRealDisk } from './result.ts'
import { startServer } from './server-process.ts'
import { measureSyncTimes } from './sync-times.ts'

interface Plan {
  readonly sequentialRounds: number
  /** Requests of one turn that count, and that warm its connection up before. */
  readonly sequentialRequests: number
  readonly warmUpRequests: number
  readonly throughputRounds: number
  readonly throughputMs: number
  readonly streamRounds: number
  readonly pacedMs: number
  readonly unpacedMs: number
  /** Requests between two looks at the gateway's memory, of which there are {@link MEMORY_LOOKS} in each quarter. */
  readonly memoryStep: number
}

const FULL: Plan = {
  sequentialRounds: 20,
  sequentialRequests: 150,
  warmUpRequests: 20,
  throughputRounds: 4,
  throughputMs: 2000,
  streamRounds: 3,
  pacedMs: 3000,
  unpacedMs: 2000,
  memoryStep: 5000,
}

const QUICK: Plan = {
  sequentialRounds: 3,
  sequentialRequests: 40,
  warmUpRequests: 10,
  throughputRounds: 1,
  throughputMs: 500,
  streamRounds: 1,
  pacedMs: 600,
  unpacedMs: 500,
  memoryStep: 100,
}

const WARM_UP_MS = 1000
const WARM_UP_CONNECTIONS = 16
const PACE_MS = 5
/** A stream of 100 events lasts about this long. */
const PACED_STREAM_MS = 500
const MEMORY_CONNECTIONS = 64
const MEMORY_QUARTERS = 4
const MEMORY_LOOKS = 10
/** What the collector leaves goes up and down by tens of MiB: the median of the last looks counts. */
const MEMORY_LOOKS_THAT_COUNT = 5

const WHOLE = { isStream: false, paceMs: 0 }
const STREAM = { isStream: true, paceMs: 0 }
const PACED_STREAM = { isStream: true, paceMs: PACE_MS }

const METHOD = `Chat completions of one upstream on loopback that answers from memory: 1 KiB, or a stream of 100 events. Load, upstream and
everything between share one machine. "direct" asks the upstream itself; "on" is the gateway as it is, with recording; "off"
is its relay code without recording; "bare" is a node:http and undici proxy that does nothing else; "portkey" is
@portkey-ai/gateway 1.15.2, with @hono/node-server held at 1.14.0, since with the newest version it answers 500 to every
stream. All of them by turns, each turn on fresh connections. Sequential: one connection, one request at a time,
${FULL.sequentialRounds} rounds of ${FULL.sequentialRequests} after ${FULL.warmUpRequests} that warm up; "added" is the difference to "direct" at the same percentile. sync: one-row durable
commits in another database on the same disk meanwhile. Throughput: closed loop, ${FULL.throughputRounds} rounds of ${FULL.throughputMs / 1000} s, medians. Streams: ${STREAM_CONNECTIONS} connections,
${FULL.streamRounds} rounds of ${FULL.pacedMs / 1000} s paced with one event in ${PACE_MS} ms, and of ${FULL.unpacedMs / 1000} s as fast as they come; first_token is from the request to the
first event, tokens are events: of one stream when paced (median), of all when unpaced. Memory: the resident set of
another gateway on the way to 200,000 requests over ${MEMORY_CONNECTIONS} connections; at each mark the median of ${MEMORY_LOOKS_THAT_COUNT} looks at the last 25,000.`

const NO_PORTKEY = '\nportkey could not be installed here: its figures are missing.'

type Turns<T> = ReadonlyMap<TargetName, readonly T[]>

export async function benchGateway(isQuick: boolean): Promise<Benchmark> {
  const plan = isQuick ? QUICK : FULL
  const folder = mkdtempSync(join(tmpdir(), 'countersign-bench-gateway-'))
  try {
    requireRealDisk(folder)
    const { targets, upstreamUrl, stop } = await startTargets(folder)
    try {
      const measured = await measure(plan, folder, targets)
      const residentMiB = await measureMemory(plan, join(folder, 'memory'), upstreamUrl)
      const hasPortkey = targets.some(({ name }) => name === 'portkey')
      return {
        method: hasPortkey ? METHOD : METHOD + NO_PORTKEY,
        figures: figuresOf({ ...measured, residentMiB }),
        goals: GOALS,
      }
    } finally {
      await stop()
    }
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

async function measure(plan: Plan, folder: string, targets: readonly Target[]): Promise<Omit<Measured, 'residentMiB'>> {
  await byTurns(targets, 1, async (target) => {
    await withConnections(target, WHOLE, WARM_UP_CONNECTIONS, (each) => closedLoop(each, WARM_UP_MS))
    await withConnections(target, STREAM, WARM_UP_CONNECTIONS, (each) => stream(each, WARM_UP_MS, 0))
  })
  const { latenciesMs, syncMs } = await measureLatency(plan, folder, targets)
  const throughput = new Map<number, Turns<number>>()
  for (const count of CONNECTIONS) {
    const run = (target: Target) => withConnections(target, WHOLE, count, (each) => closedLoop(each, plan.throughputMs))
    throughput.set(count, await byTurns(targets, plan.throughputRounds, run))
  }
  const paced = await byTurns(targets, plan.streamRounds, (target) =>
    withConnections(target, PACED_STREAM, STREAM_CONNECTIONS, (each) => stream(each, plan.pacedMs, PACED_STREAM_MS)),
  )
  const unpaced = await byTurns(targets, plan.streamRounds, (target) =>
    withConnections(target, STREAM, STREAM_CONNECTIONS, (each) => stream(each, plan.unpacedMs, 0)),
  )
  return { latenciesMs, syncMs, throughput, paced, unpaced }
}

async function measureLatency(plan: Plan, folder: string, targets: readonly Target[]) {
  const sync = measureSyncTimes(folder)
  let syncMs: readonly number[] = []
  let latenciesMs: Turns<readonly number[]>
  try {
    latenciesMs = await byTurns(targets, plan.sequentialRounds, (target) =>
      withConnections(target, WHOLE, 1, async ([connection]) => {
        if (connection === undefined) return []
        await sequential(connection, plan.warmUpRequests)
        return sequential(connection, plan.sequentialRequests)
      }),
    )
  } finally {
    syncMs = await sync.stop()
  }
  return { latenciesMs, syncMs }
}

/** Another target begins each round, so that none always has the same one before it. */
async function byTurns<T>(
  targets: readonly Target[],
  rounds: number,
  run: (target: Target) => Promise<T>,
): Promise<Turns<T>> {
  const results = new Map<TargetName, T[]>(targets.map(({ name }) => [name, []]))
  for (let round = 0; round < rounds; round++) {
    for (let i = 0; i < targets.length; i++) {
      const target = targets[(round + i) % targets.length]
      if (target !== undefined) results.get(target.name)?.push(await run(target))
    }
  }
  return results
}

/** Resident MiB of a fresh gateway towards the end of each quarter of the requests. */
async function measureMemory(plan: Plan, folder: string, upstreamUrl: string): Promise<readonly number[]> {
  const server = await startServer('relay-on', [folder, upstreamUrl])
  try {
    const target = { port: server.port, headers: {} }
    return await withConnections(target, WHOLE, MEMORY_CONNECTIONS, async (each) => {
      const residentMiB: number[] = []
      for (let quarter = 0; quarter < MEMORY_QUARTERS; quarter++) {
        const looks: number[] = []
        for (let look = 0; look < MEMORY_LOOKS; look++) {
          await send(each, plan.memoryStep)
          looks.push(server.residentMiB())
        }
        residentMiB.push(percentile(looks.slice(-MEMORY_LOOKS_THAT_COUNT), 0.5))
      }
      return residentMiB
    })
  } finally {
    await server.stop()
  }
}
