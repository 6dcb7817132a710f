/** How fast the log takes statements in, each signed and promised, and how soon a signed head covers them. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createNodeCrypto } from '@countersign/verify/crypto/node'
import { openDataFolder } from '../packages/gateway/dist/data/data-folder.js'
import { keyPaths, loadLogKey, loadStatementKey } from '../packages/gateway/dist/data/keys.js'
import { LogService } from '../packages/gateway/dist/log/log-service.js'
import { openDatabase } from '../packages/gateway/dist/store/database.js'
import { type Benchmark, percentile, requireRealDisk, round } from './result.ts'
import { measureSyncTimes } from './sync-times.ts'

const ENTRIES = 100_000
const WINDOW = 2048
const SAMPLE_EVERY = 100
const ROUNDS = 3

const METHOD = `${ROUNDS} rounds, each appending ${ENTRIES.toLocaleString('en')} inference statements of 1.6 KB to a new log with ${WINDOW} under way:
sequence number, ECDSA P-256 signature, leaf, one durable SQLite transaction per batch, Ed25519 promise, tiles and heads
going on meanwhile. Inclusion: from the append to a signed head over it, every ${SAMPLE_EVERY}th entry. Medians of the rounds.
sync: one-row durable commits in another database on the same disk meanwhile.`

export async function benchLog(): Promise<Benchmark> {
  const rounds: Awaited<ReturnType<typeof benchOnce>>[] = []
  for (let i = 0; i < ROUNDS; i++) rounds.push(await benchOnce())
  const median = (pick: (round: (typeof rounds)[number]) => number) => round(percentile(rounds.map(pick), 0.5))
  return {
    method: METHOD,
    figures: {
      append_per_second: median((each) => each.perSecond),
      inclusion_p50_ms: median((each) => percentile(each.inclusionMs, 0.5)),
      inclusion_p99_ms: median((each) => percentile(each.inclusionMs, 0.99)),
      sync_p50_ms: median((each) => percentile(each.syncMs, 0.5)),
      sync_p99_ms: median((each) => percentile(each.syncMs, 0.99)),
    },
    goals: { append_per_second: { min: 10_000 }, inclusion_p99_ms: { max: 600 } },
  }
}

async function benchOnce() {
  const root = mkdtempSync(join(tmpdir(), 'countersign-bench-log-'))
  requireRealDisk(root)
  const folder = openDataFolder(root)
  try {
    const log = await startLog(folder)
    const sync = measureSyncTimes(root)
    const inclusionMs: number[] = []
    const startMs = performance.now()
    await appendAll(log, inclusionMs)
    const seconds = (performance.now() - startMs) / 1000
    const syncMs = await sync.stop()
    await log.close()
    return { perSecond: ENTRIES / seconds, inclusionMs, syncMs }
  } finally {
    folder.release()
    rmSync(root, { recursive: true, force: true })
  }
}

async function startLog(folder: ReturnType<typeof openDataFolder>): Promise<LogService> {
  const origin = 'localhost/bench'
  const paths = keyPaths(folder.keys)
  openDatabase(folder.database).close()
  loadStatementKey(paths.statement, true)
  loadLogKey(paths.log, origin, true)
  return await LogService.start({
    crypto: createNodeCrypto(),
    folder,
    origin,
    vaultWrappingKey: new Uint8Array(32),
    now: Date.now,
    onHalt: (error) => {
      throw error
    },
    onNotice: () => undefined,
  })
}

/** Keeps `WINDOW` appends under way until all are done. */
async function appendAll(log: LogService, inclusionMs: number[]): Promise<void> {
  const filler = 'x'.repeat(1500)
  let next = 0
  const waiting: Promise<void>[] = []
  const appendNext = async (): Promise<void> => {
    while (next < ENTRIES) {
      const i = next++
      const startMs = performance.now()
      const receipt = Buffer.alloc(16)
      receipt.writeUInt32BE(i, 0)
      const { index } = await log.append({
        kind: 'inference',
        deployment: 'bench',
        receipt,
        beforeSequence: `{"predicate":{"receipt":"${receipt.toString('hex')}","filler":"${filler}","sequence":`,
        afterSequence: '}}',
        vault: null,
      })
      if (i % SAMPLE_EVERY === 0) {
        waiting.push(log.waitForHead(index, 60_000).then(() => void inclusionMs.push(performance.now() - startMs)))
      }
    }
  }
  await Promise.all(Array.from({ length: WINDOW }, appendNext))
  await Promise.all(waiting)
}
