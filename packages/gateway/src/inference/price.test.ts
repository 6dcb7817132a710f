import assert from 'node:assert/strict'
import { test } from 'node:test'
import { infer, startGateway, temporaryFolder, testConfig } from '../gateway.testing.ts'
import { arithmeticRequest } from '../model.testing.ts'

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
