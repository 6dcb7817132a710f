/** What clients of an upstream see of a quorum that is overdue. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { startRelay } from '../relay/relay.testing.ts'
import { startWitnessDouble } from './witness-double.testing.ts'
import { eventually } from './witnessed-gateway.testing.ts'

interface ErrorBody {
  readonly error?: { readonly code?: string; readonly type?: string }
}

test('clients are refused in their own dialect, what was answered is repeated, and streams say that they are flagged', async (context) => {
  const witness = await startWitnessDouble(context, 'w')
  witness.behaviour = 'silent'
  const quorum = { name: 'w', unmetAfterSeconds: 3, whenUnmet: 'refuse' } as const
  const { gateway } = await startRelay(context, {
    config: { witnesses: { policyFile: '', policy: `${witness.policyLine}\n`, askMs: 100 } },
    deployment: { quorum },
  })
  const ask = (path: string, body: object, headers: Record<string, string> = {}) =>
    fetch(`${gateway.url}${path}`, { method: 'POST', headers, body: JSON.stringify(body) })
  const messages = [{ role: 'user', content: 'hello' }]
  const chat = (more: object = {}, headers: Record<string, string> = {}) =>
    ask('/v1/chat/completions', { model: 'mock-small', messages, ...more }, headers)
  const first = await chat({}, { 'idempotency-key': 'k' })
  assert.equal(first.status, 200)
  let refused = await chat()
  await eventually('refused', async () => {
    refused = await chat()
    return refused.status === 503
  })
  const { error } = (await refused.json()) as ErrorBody
  assert.deepEqual([error?.code, error?.type], ['witness/quorum-overdue', 'service_unavailable_error'])
  assert.equal(refused.headers.get('retry-after'), '5')
  assert.equal(refused.headers.get('countersign-receipt'), null)
  const other = await ask(
    '/v1/messages',
    { model: 'mock-small', max_tokens: 5, messages },
    { 'anthropic-version': '2023-06-01' },
  )
  assert.deepEqual(((await other.json()) as ErrorBody).error?.type, 'overloaded_error')
  const again = await chat({}, { 'idempotency-key': 'k' })
  assert.equal(again.headers.get('countersign-repeated'), 'true')
  const { config } = gateway
  const flagged = config.deployments.map((each) =>
    each.name === 'mock' ? { ...each, quorum: { ...quorum, whenUnmet: 'flag' } as const } : each,
  )
  await gateway.reload({ ...config, deployments: flagged })
  for (const stream of [false, true]) {
    const answer = await chat({ stream })
    assert.equal(answer.status, 200)
    assert.equal(answer.headers.get('countersign-witnessing'), 'overdue')
    await answer.arrayBuffer()
  }
})
