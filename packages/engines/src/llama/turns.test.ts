import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createTurns } from './turns.ts'

test('one at a time, in order', async () => {
  const turns = createTurns(3)
  const order: string[] = []
  const end = await turns.take()
  const others = ['a', 'b', 'c'].map(async (name) => {
    const endOwn = await turns.take()
    order.push(`${name} begins`)
    await new Promise((resolve) => setImmediate(resolve))
    order.push(`${name} ends`)
    endOwn()
    endOwn()
  })
  assert.deepEqual(order, [])
  end()
  await Promise.all(others)
  assert.deepEqual(order, ['a begins', 'a ends', 'b begins', 'b ends', 'c begins', 'c ends'])
})

test('more than may wait are refused', async () => {
  const turns = createTurns(1)
  const end = await turns.take()
  const waiting = turns.take()
  await assert.rejects(turns.take(), { code: 'queue/full' })
  end()
  const endSecond = await waiting
  endSecond()
  assert.equal(typeof (await turns.take()), 'function')
})

test('who gives up leaves the queue, and only that one', async () => {
  const turns = createTurns(2)
  const end = await turns.take()
  const abort = new AbortController()
  const leaving = turns.take(abort.signal)
  const staying = turns.take()
  abort.abort(new Error('gone'))
  await assert.rejects(leaving, /gone/)
  await assert.rejects(turns.take(abort.signal), /gone/)
  end()
  const endStaying = await staying
  endStaying()
})

test('closing refuses who waits and who comes', async () => {
  const turns = createTurns(2)
  const end = await turns.take()
  const waiting = turns.take()
  turns.close()
  await assert.rejects(waiting, { code: 'execution/failed' })
  await assert.rejects(turns.take(), { code: 'execution/failed' })
  end()
})
