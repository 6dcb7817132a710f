/** How long a durable commit takes on this disk at this moment: one row, WAL, synchronous FULL, in a process of its own. */
import { fork } from 'node:child_process'
import { fileURLToPath } from 'node:url'

/** Longest wait for its results. */
const STOP_LIMIT_MS = 15_000

export interface SyncTimes {
  /** Milliseconds of each commit so far. */
  stop(): Promise<readonly number[]>
}

/** Commits a row every 25 ms until stopped. */
export function measureSyncTimes(folder: string): SyncTimes {
  const program = fileURLToPath(new URL('./programs/sync-times.ts', import.meta.url))
  const child = fork(program, [folder], { execArgv: ['--import', 'tsx'] })
  return {
    stop: () =>
      new Promise((resolve, reject) => {
        const timer = setTimeout(() => child.kill('SIGKILL'), STOP_LIMIT_MS)
        child.once('message', (times) => resolve(times as readonly number[]))
        child.once('error', reject)
        child.once('exit', () => {
          clearTimeout(timer)
          reject(new Error('the program that measures syncs ended without a result'))
        })
        child.send('stop')
      }),
  }
}
