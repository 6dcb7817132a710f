/** How long a durable commit takes on this disk at this moment: one row, WAL, synchronous FULL, in a process of its own. */
import { fork } from 'node:child_process'
import { fileURLToPath } from 'node:url'

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
        child.once('message', (times) => resolve(times as readonly number[]))
        child.once('error', reject)
        child.send('stop')
      }),
  }
}
