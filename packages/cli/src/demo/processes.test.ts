import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { Processes } from './processes.ts'

const WAITING = `process.stdout.write('pid ' + process.pid + '\\n'); setInterval(() => undefined, 1000)`

function readPid(output: string): number | undefined {
  const pid = /^pid (\d+)\n/.exec(output)?.[1]
  return pid === undefined ? undefined : Number(pid)
}

async function untilGone(pid: number): Promise<void> {
  for (let i = 0; i < 400; i++) {
    try {
      process.kill(pid, 0)
    } catch {
      return
    }
    await sleep(25)
  }
  throw new Error('it is still there')
}

test('processes are stopped one by one, all in order, or all at once', async () => {
  const processes = new Processes()
  const start = () => processes.start(['-e', WAITING], readPid)
  const [one, two, three] = await Promise.all([start(), start(), start()])
  await one.stop()
  await untilGone(one.said)
  // It is gone already, which is fine.
  await one.stop()
  processes.kill()
  await untilGone(two.said)
  await processes.stopAll()
  await untilGone(three.said)
})

test('one that ends before it is ready is an error with what it said', async () => {
  const processes = new Processes()
  const program = `console.log('on its way'); console.error('no luck'); process.exitCode = 3`
  await assert.rejects(processes.start(['-e', program], readPid), (error: { code?: string; message?: string }) => {
    assert.equal(error.code, 'gateway/unreachable')
    assert.match(error.message ?? '', /on its way\nno luck/)
    return true
  })
})
