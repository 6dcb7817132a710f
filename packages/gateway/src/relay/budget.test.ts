/** What answers cost the holder of a key, as far as it is known. */
import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { apiKeysPath } from '../access/api-key-file.ts'
import { ApiKeyStore } from '../access/api-keys.ts'
import { readSpend } from '../access/usage.ts'
import { call } from '../gateway.testing.ts'
import { chat, type Raw, type RelayStage, send, startRelay, statementOf } from './relay.testing.ts'

const PATH = '/v1/chat/completions'
const PRICES = [
  { item: 'input-tokens', amountMicros: 1_000_000, currency: 'USD', per: 1_000_000 },
  { item: 'output-tokens', amountMicros: 2_000_000, currency: 'USD', per: 1_000_000 },
]

/** A gateway that asks for keys, and one key with a budget. */
async function startWithBudget(context: TestContext, amountMicros: number) {
  const stage = await startRelay(context, { config: { access: 'keys' }, deployment: { prices: PRICES } })
  const store = new ApiKeyStore(apiKeysPath(stage.gateway.dataRoot))
  context.after(() => store.close())
  const terms = {
    name: 'test',
    deployments: 'all' as const,
    rights: ['infer' as const],
    monthlyBudget: { amountMicros, currency: 'USD' },
  }
  const { key, token } = store.create(terms, Date.now())
  const headers = { authorization: `Bearer ${token}` }
  await untilKnown(stage, headers)
  return { stage, key, headers }
}

/** A running gateway looks at the file of keys once a second. */
async function untilKnown({ gateway }: RelayStage, headers: { readonly authorization: string }): Promise<void> {
  const isKnown = async () => (await fetch(`${gateway.url}/v1/models`, { headers })).status !== 401
  for (let i = 0; i < 100 && !(await isKnown()); i++) await new Promise((resolve) => setTimeout(resolve, 200))
}

function spentBy({ gateway }: RelayStage, keyId: string): number {
  let spent = 0
  for (const each of readSpend(gateway.log.database)) if (each.keyId === keyId) spent += each.amountMicros
  return spent
}

async function priceOf(stage: RelayStage, raw: Raw): Promise<number> {
  const { price } = await statementOf(stage, String(raw.headers['countersign-receipt']))
  return price.reduce((sum, { amountMicros }) => sum + amountMicros, 0)
}

test('an answer costs what its tokens cost, in its statement and in the books', async (context) => {
  const { stage, key, headers } = await startWithBudget(context, 1_000_000_000)
  const got = await send(stage.gateway, PATH, chat('mock-small', { max_tokens: 50 }), { headers })
  assert.equal(got.status, 200, got.bytes.toString())
  const { usage } = JSON.parse(got.bytes.toString())
  const expected = usage.prompt_tokens + 2 * usage.completion_tokens
  assert.equal(await priceOf(stage, got), expected)
  assert.equal(spentBy(stage, key.id), expected)
  assert.equal(stage.upstream.requests[0]?.header('authorization'), undefined, 'the key is for the gateway alone')
})

test('where usage is unknown, or the client leaves, what was set aside stands; what never left is free', async (context) => {
  const { stage, key, headers } = await startWithBudget(context, 1_000_000_000)
  const body = (model: string, stream = true) => chat(model, { stream, max_tokens: 1000 })
  const unknown = await send(stage.gateway, PATH, body('mock-no-usage'), { headers })
  const reserved = await priceOf(stage, unknown)
  assert.ok(reserved > 2000, 'at least what 1,000 tokens of output cost')
  await send(stage.gateway, PATH, body('mock-stream-500+paced-5ms'), { headers, leaveAfterBytes: 500 })
  const before = spentBy(stage, key.id)
  const failed = await send(stage.gateway, PATH, body('mock-status-401', false), { headers })
  assert.equal(failed.status, 401)
  for (let i = 0; i < 40 && spentBy(stage, key.id) < 2 * reserved; i++) await new Promise((r) => setTimeout(r, 25))
  assert.ok(spentBy(stage, key.id) >= 2 * reserved, `${before} of ${reserved} each`)
  assert.equal(await priceOf(stage, failed), 0)
})

test('beyond the budget nothing is sent', async (context) => {
  const { stage, headers } = await startWithBudget(context, 3000)
  const got = await send(stage.gateway, PATH, chat('mock-small', { max_tokens: 100_000 }), { headers })
  assert.equal(got.status, 429)
  assert.match(got.bytes.toString(), /budget\/exceeded/)
  assert.equal(stage.upstream.requests.length, 0)
  const many = await send(stage.gateway, PATH, chat('mock-small', { max_tokens: 1000, n: 100 }), { headers })
  assert.equal(many.status, 429)
  const missing = await send(stage.gateway, PATH, chat('mock-small'))
  assert.equal(missing.status, 401)
})

test('rights open what they say, for the key’s own deployments', async (context) => {
  const stage = await startRelay(context)
  const store = new ApiKeyStore(apiKeysPath(stage.gateway.dataRoot))
  context.after(() => store.close())
  const keyWith = (rights: readonly ('receipts' | 'usage' | 'infer')[], deployments: 'all' | string[]) => {
    const { token } = store.create({ name: 'test', deployments, rights }, Date.now())
    return { authorization: `Bearer ${token}` }
  }
  const reader = keyWith(['receipts'], ['mock'])
  const stranger = keyWith(['receipts'], ['sum'])
  const accountant = keyWith(['usage'], 'all')
  const got = await send(stage.gateway, PATH, chat('mock-small'))
  await untilKnown(stage, accountant)
  const path = `/receipts/${String(got.headers['countersign-receipt'])}`
  assert.equal((await call(stage.gateway, 'GET', path, { ...reader, prefer: 'wait=5' })).status, 200)
  for (const headers of [stranger, accountant])
    assert.equal((await call(stage.gateway, 'GET', path, headers)).status, 403)
  const usage = await call(stage.gateway, 'GET', '/usage?by=deployment', accountant)
  assert.deepEqual(
    JSON.parse(usage.text).map((row: { deployment: string; requests: number }) => [row.deployment, row.requests]),
    [['mock', 1]],
  )
  assert.equal((await call(stage.gateway, 'GET', '/usage', reader)).status, 403)
  assert.equal((await call(stage.gateway, 'GET', '/usage')).status, 401)
  assert.equal((await call(stage.gateway, 'GET', '/usage?by=nothing', accountant)).status, 400)
})
