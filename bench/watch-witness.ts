/** How soon a quorum of witnesses has cosigned a checkpoint, and what one witness costs whoever runs it. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Pool } from 'undici'
import { GrowingLog } from '../packages/watch/dist/witness/growing-log.testing.js'
import { type Benchmark, percentile, requireRealDisk, round } from './result.ts'
import { type ServerProcess, startProgram } from './server-process.ts'
import { measureSyncTimes } from './sync-times.ts'

const WITNESSES = 5
const QUORUM = 3
const COSIGNED = 1000
const WARM_UP = 50
/** Entries between two checkpoints. */
const STEP = 100

const LOGS = 16
const CHECKPOINTS_PER_LOG = 640

const COMMAND = fileURLToPath(new URL('../packages/cli/bin/countersign.js', import.meta.url))

const METHOD = `Witnesses: processes of "countersign witness" on loopback, each with its own state, synced at each checkpoint. ${WITNESSES} of them are
asked in parallel about ${COSIGNED.toLocaleString('en')} checkpoints, ${STEP} entries apart, the next once all have answered; quorum: until ${QUORUM} have.
Then one alone, with one log, and with ${LOGS} logs at once, each on its connection: ${(LOGS * CHECKPOINTS_PER_LOG).toLocaleString('en')} checkpoints, after which its
resident memory is read. sync: one-row durable commits in another database on the same disk meanwhile.`

export async function benchWitnesses(): Promise<Benchmark> {
  const folder = mkdtempSync(join(tmpdir(), 'countersign-bench-witness-'))
  requireRealDisk(folder)
  try {
    const cosigning = await benchQuorum(folder)
    const alone = await benchAlone(folder)
    return {
      method: METHOD,
      figures: { ...cosigning, ...alone },
      goals: { quorum_p99_ms: { max: 100 }, witness_resident_mib: { max: 110 } },
    }
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

async function benchQuorum(folder: string) {
  const log = new GrowingLog({ origin: 'localhost/bench' })
  // Made beforehand: the log's own work is not what is measured.
  const bodies = Array.from({ length: COSIGNED + WARM_UP }, (_, i) => log.body(i * STEP, (i + 1) * STEP))
  const names = Array.from({ length: WITNESSES }, (_, i) => `w${i}`)
  const witnesses = await Promise.all(names.map((name) => startWitness(folder, name, [log])))
  const pools = witnesses.map(poolOf)
  const sync = measureSyncTimes(folder)
  try {
    const quorumMs: number[] = []
    const allMs: number[] = []
    for (const body of bodies) {
      const times = await Promise.all(pools.map((pool) => timed(pool, body)))
      times.sort((a, b) => a - b)
      quorumMs.push(times[QUORUM - 1] ?? Number.NaN)
      allMs.push(times.at(-1) ?? Number.NaN)
    }
    const syncMs = await sync.stop()
    const counted = [quorumMs, allMs].map((times) => times.slice(WARM_UP)) as [number[], number[]]
    return {
      quorum_p50_ms: round(percentile(counted[0], 0.5)),
      quorum_p99_ms: round(percentile(counted[0], 0.99)),
      all_witnesses_p99_ms: round(percentile(counted[1], 0.99)),
      quorum_sync_p50_ms: round(percentile(syncMs, 0.5)),
      quorum_sync_p99_ms: round(percentile(syncMs, 0.99)),
    }
  } finally {
    await Promise.all(pools.map((pool) => pool.close()))
    await Promise.all(witnesses.map((witness) => witness.stop()))
  }
}

async function benchAlone(folder: string) {
  const logs = Array.from({ length: LOGS + 1 }, (_, i) => new GrowingLog({ origin: `localhost/bench-${i}` }))
  const bodies = logs.map((log) => Array.from({ length: CHECKPOINTS_PER_LOG }, (_, i) => log.body(i, i + 1)))
  const witness = await startWitness(folder, 'alone', logs)
  const startMib = witness.residentMiB()
  const pool = poolOf(witness)
  const askAll = async (these: readonly (readonly string[])[]) => {
    const startMs = performance.now()
    const askLog = async (each: readonly string[]) => {
      for (const body of each) await timed(pool, body)
    }
    await Promise.all(these.map(askLog))
    return (these.length * CHECKPOINTS_PER_LOG * 1000) / (performance.now() - startMs)
  }
  try {
    const one = await askAll(bodies.slice(0, 1))
    const many = await askAll(bodies.slice(1))
    return {
      checkpoints_per_second_1_log: round(one),
      [`checkpoints_per_second_${LOGS}_logs`]: round(many),
      witness_start_resident_mib: round(startMib),
      witness_resident_mib: round(witness.residentMiB()),
    }
  } finally {
    await pool.close()
    await witness.stop()
  }
}

/** Milliseconds until a witness has cosigned. @throws {Error} when it does not */
async function timed(pool: Pool, body: string): Promise<number> {
  const startMs = performance.now()
  const { statusCode, body: reply } = await pool.request({ path: '/add-checkpoint', method: 'POST', body })
  const text = await reply.text()
  if (statusCode !== 200) throw new Error(`a witness answered ${statusCode}: ${text}`)
  return performance.now() - startMs
}

function poolOf({ port }: ServerProcess): Pool {
  return new Pool(`http://127.0.0.1:${port}`, { connections: LOGS })
}

/** The command as users run it. */
function startWitness(folder: string, name: string, logs: readonly GrowingLog[]): Promise<ServerProcess> {
  const home = join(folder, name)
  mkdirSync(home)
  const entries = logs.map(({ verifierKey }) => ({ key: verifierKey, requestsPerSecond: 100_000, burst: 1_000_000 }))
  const config = { format: 'countersign-witness/v1', name: `localhost/${name}`, listen: { port: 0 }, logs: entries }
  const path = join(home, 'witness.yaml')
  writeFileSync(path, JSON.stringify(config))
  return startProgram([COMMAND, 'witness', '--config', path, '--log-level', 'error'], { folder: home })
}
