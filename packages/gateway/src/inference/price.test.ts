import assert from 'node:assert/strict'
import { test } from 'node:test'
import { aggregateUsage, readSpend } from '../access/usage.ts'
import { infer, startGateway, temporaryFolder, testConfig } from '../gateway.testing.ts'
import { arithmeticRequest } from '../model.testing.ts'
import { makeKey } from '../relay/money.testing.ts'
import { chat, send, startRelay } from '../relay/relay.testing.ts'

test('a price that no statement can carry is refused before anything is recorded', async (context) => {
  const config = testConfig(temporaryFolder(context))
  const [deployment] = config.deployments
  assert.ok(deployment !== undefined)
  const prices = [{ item: 'row', amountMicros: Number.MAX_SAFE_INTEGER, currency: 'EUR' }]
  const { gateway } = await startGateway(context, { ...config, deployments: [{ ...deployment, prices }] })
  assert.equal((await infer(gateway, arithmeticRequest([1, 2], [3, 4]))).status, 200, 'one row is within bounds')
  const entries = gateway.log.database.prepare('SELECT count(*) FROM entries').pluck()
  const before = entries.get()
  const refused = await infer(gateway, arithmeticRequest([1, 2, 3, 4], [5, 6, 7, 8]))
  assert.equal(refused.status, 400)
  assert.match(refused.text, /request\/malformed/)
  assert.equal(entries.get(), before)
  assert.equal(gateway.recording.journal.inUse, 0)
})

test('what is answered without a key is in the books like what is answered with one', async (context) => {
  const stage = await startRelay(context, { config: { priceMicros: 7 } })
  const { headers, key } = makeKey(stage)
  assert.equal((await infer(stage.gateway, arithmeticRequest([1, 2, 3, 4], [5, 6, 7, 8]))).status, 200)
  assert.equal((await infer(stage.gateway)).status, 200)
  assert.equal((await infer(stage.gateway, undefined, headers)).status, 200)
  assert.equal((await send(stage.gateway, '/v1/chat/completions', chat('mock-small'))).status, 200)
  assert.equal((await infer(stage.gateway, '{}')).status, 400)
  const usage = aggregateUsage(readSpend(stage.gateway.log.database), { by: ['key', 'deployment'] })
  const rows = usage.map((row) => [
    row.key,
    row.deployment,
    row.requests,
    row.amountMicros,
    row.currency,
    row.unknownUsage,
  ])
  assert.deepEqual(rows, [
    [key.id, 'sum', 1, 7, 'EUR', 0],
    ['open', 'mock', 1, 0, 'XXX', 0],
    ['open', 'sum', 2, 21, 'EUR', 0],
  ])
})
