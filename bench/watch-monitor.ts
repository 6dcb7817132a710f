/** How many entries of a log a monitor takes in and checks in a second. `npx tsx bench/watch-monitor.ts` runs it alone. */
import { execFile } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { type Benchmark, percentile, printResult, requireRealDisk, round } from './result.ts'
import { startServer } from './server-process.ts'

const ENTRIES = 2 ** 18
const QUICK_ENTRIES = 2 ** 14
const ROUNDS = 5
const PROGRAM = fileURLToPath(new URL('./programs/monitor-once.ts', import.meta.url))

export const MONITOR_METHOD = `A monitor follows a log of ${ENTRIES} entries of about 480 bytes from the first to its head, over HTTP on loopback from a
process of its own that has every file in memory. It hashes and reads every leaf, makes every node, compares every published tile byte
for byte, and keeps its state on disk. "per second" is by the clock, with state made durable at the end; "per cpu second" by the
processor time of the monitor's process, all its threads together. Each round is a new process with a new state. Medians of
${ROUNDS} rounds; resident memory is the most that any of them had.`

interface Run {
  readonly size: number
  readonly seconds: number
  readonly cpuSeconds: number
  readonly residentMiB: number
}

/** Figures of the monitor. */
export async function benchMonitor(isQuick: boolean): Promise<Benchmark['figures']> {
  const folder = mkdtempSync(join(tmpdir(), 'countersign-bench-monitor-'))
  try {
    requireRealDisk(folder)
    const trustPath = join(folder, 'trust.yaml')
    const server = await startServer('watched-log', [String(isQuick ? QUICK_ENTRIES : ENTRIES), trustPath])
    const runs: Run[] = []
    try {
      for (let i = 0; i < (isQuick ? 1 : ROUNDS); i++) {
        const state = join(folder, `state-${i}`)
        runs.push(await runOnce(`http://127.0.0.1:${server.port}/log`, trustPath, state))
        rmSync(state, { recursive: true, force: true })
      }
    } finally {
      await server.stop()
    }
    const median = (figure: (run: Run) => number) => percentile(runs.map(figure), 0.5)
    return {
      monitor_entries_per_second: round(median(({ size, seconds }) => size / seconds)),
      monitor_entries_per_cpu_second: round(median(({ size, cpuSeconds }) => size / cpuSeconds)),
      monitor_resident_mib: round(Math.max(...runs.map(({ residentMiB }) => residentMiB))),
    }
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

export const MONITOR_GOALS: Benchmark['goals'] = { monitor_entries_per_second: { min: 50_000 } }

async function runOnce(...args: readonly [url: string, trustPath: string, state: string]): Promise<Run> {
  const { stdout } = await promisify(execFile)(process.execPath, ['--import', 'tsx', PROGRAM, ...args])
  return JSON.parse(stdout) as Run
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const figures = await benchMonitor(process.argv.includes('--quick'))
  const isGood = printResult('watch-monitor', { method: MONITOR_METHOD, figures, goals: MONITOR_GOALS })
  process.exitCode = isGood ? 0 : 1
}
