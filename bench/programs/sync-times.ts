/** Commits one 1 KiB row every 25 ms until told to stop; then says how long each took. Run by `sync-times.ts`. */
import { join } from 'node:path'
import Database from 'better-sqlite3'

const INTERVAL_MS = 25

function main(folder: string): void {
  const database = new Database(join(folder, 'sync-times.db'))
  database.pragma('journal_mode = WAL')
  database.pragma('synchronous = FULL')
  database.exec('CREATE TABLE rows (bytes BLOB)')
  const insert = database.prepare('INSERT INTO rows VALUES (?)')
  const row = Buffer.alloc(1024)
  const times: number[] = []
  const timer = setInterval(() => {
    const start = performance.now()
    insert.run(row)
    times.push(performance.now() - start)
  }, INTERVAL_MS)
  process.once('message', () => {
    clearInterval(timer)
    database.close()
    process.send?.(times)
    process.disconnect()
  })
}

main(process.argv[2] ?? '')
