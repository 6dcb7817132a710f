/** What recording costs an inference: latency at a steady load, throughput at the peak, memory over many receipts. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { bodies } from './credit.ts'
import { Connection, closedLoop, openLoop } from './load.ts'
import { type Benchmark, percentile, requireRealDisk, round } from './result.ts'
import { type ServerProcess, startServer } from './server-process.ts'
import { measureSyncTimes } from './sync-times.ts'

const CONNECTIONS = 64
const ROUNDS = 4
const PEAK_MS = 3000
const STEADY_MS = 4000
const STEADY_SHARE = 0.3
const RECEIPTS = 100_000

const METHOD = `The bundled credit model, one application a request, over ${CONNECTIONS} keep-alive connections on loopback, server and load on one
machine. "on" is the gateway, with vault mode content; "off" is the same HTTP, parsing and model without recording. Peak:
closed loop, ${ROUNDS} rounds of ${PEAK_MS / 1000} s each way, on and off by turns. Steady: open loop at 30% of the peak with recording, ${ROUNDS} rounds
of ${STEADY_MS / 1000} s each way by turns, latency from the time a request was due. sync: one-row durable commits in another
database on the same disk meanwhile. Memory: the gateway's resident set on the way to ${RECEIPTS.toLocaleString('en')} receipts.`

interface Pair<T> {
  readonly on: T
  readonly off: T
}

export async function benchInfer(): Promise<Benchmark> {
  const folder = mkdtempSync(join(tmpdir(), 'countersign-bench-infer-'))
  requireRealDisk(folder)
  const servers = { on: await startServer('infer-on', [join(folder, 'data')]), off: await startServer('infer-off', []) }
  try {
    await byTurns(1, (which) => withConnections(servers[which], (each) => closedLoop(each, 1000)))
    const peaks = await byTurns(ROUNDS, (which) => withConnections(servers[which], (each) => closedLoop(each, PEAK_MS)))
    const peak = { on: percentile(peaks.on, 0.5), off: percentile(peaks.off, 0.5) }
    const sync = measureSyncTimes(folder)
    const rate = peak.on * STEADY_SHARE
    const steady = await byTurns(ROUNDS, (which) =>
      withConnections(servers[which], (each) => openLoop(each, rate, STEADY_MS)),
    )
    const syncMs = await sync.stop()
    const memory = await withConnections(servers.on, (each) => fillTo(servers.on, each, peaks.on, steady.on))
    return {
      method: METHOD,
      ...figuresOf(peak, { on: steady.on.flat(), off: steady.off.flat() }, syncMs, rate, memory),
    }
  } finally {
    await servers.on.stop()
    await servers.off.stop()
    rmSync(folder, { recursive: true, force: true })
  }
}

function figuresOf(
  peak: Pair<number>,
  latencies: Pair<readonly number[]>,
  syncMs: readonly number[],
  rate: number,
  memory: { readonly halfMiB: number; readonly fullMiB: number },
) {
  const at = (share: number) => ({ on: percentile(latencies.on, share), off: percentile(latencies.off, share) })
  const [p50, p99] = [at(0.5), at(0.99)]
  const [f50, f99] = [percentile(syncMs, 0.5), percentile(syncMs, 0.99)]
  const figures = {
    peak_on_per_second: round(peak.on),
    peak_off_per_second: round(peak.off),
    peak_ratio: round(peak.on / peak.off),
    steady_rate_per_second: round(rate),
    steady_on_p50_ms: round(p50.on),
    steady_off_p50_ms: round(p50.off),
    steady_on_p99_ms: round(p99.on),
    steady_off_p99_ms: round(p99.off),
    sync_p50_ms: round(f50),
    sync_p99_ms: round(f99),
    added_p50_over_sync_ms: round(p50.on - p50.off - f50),
    added_p99_over_sync_ms: round(p99.on - p99.off - f99),
    resident_at_50000_mib: round(memory.halfMiB),
    resident_at_100000_mib: round(memory.fullMiB),
    resident_growth_mib: round(memory.fullMiB - memory.halfMiB),
  }
  return {
    figures,
    goals: {
      peak_ratio: { min: 0.5 },
      added_p50_over_sync_ms: { max: 0.4 },
      added_p99_over_sync_ms: { max: 4 },
      resident_at_100000_mib: { max: 350 },
      resident_growth_mib: { max: 5 },
    },
  }
}

async function byTurns<T>(rounds: number, run: (which: 'on' | 'off') => Promise<T>): Promise<Pair<T[]>> {
  const results: Pair<T[]> = { on: [], off: [] }
  for (let i = 0; i < rounds; i++) {
    for (const which of i % 2 === 0 ? (['on', 'off'] as const) : (['off', 'on'] as const)) {
      results[which].push(await run(which))
    }
  }
  return results
}

/** Fresh connections for each turn: a server closes those that lie idle during the other's. */
async function withConnections<T>(
  server: ServerProcess,
  run: (connections: readonly Connection[]) => Promise<T>,
): Promise<T> {
  const connections = await connect(server)
  try {
    return await run(connections)
  } finally {
    for (const connection of connections) connection.close()
  }
}

function connect({ port }: ServerProcess): Promise<readonly Connection[]> {
  const [body = new Uint8Array(0)] = bodies()
  return Promise.all(Array.from({ length: CONNECTIONS }, () => Connection.open(port, '/v2/models/credit/infer', body)))
}

/** A fresh gateway's memory is measured at half and at all of the receipts; what went before counts. */
async function fillTo(
  server: ServerProcess,
  connections: readonly Connection[],
  peaks: readonly number[],
  steady: readonly (readonly number[])[],
) {
  const before = Math.round(peaks.reduce((sum, each) => sum + (each * PEAK_MS) / 1000, 0)) + steady.flat().length
  const halfMiB = await grow(server, connections, RECEIPTS / 2 - before)
  const fullMiB = await grow(server, connections, RECEIPTS / 2)
  return { halfMiB, fullMiB }
}

async function grow(server: ServerProcess, connections: readonly Connection[], receipts: number): Promise<number> {
  let left = receipts
  await Promise.all(
    connections.map(async (connection) => {
      while (left-- > 0) await connection.send()
    }),
  )
  return server.residentMiB()
}
