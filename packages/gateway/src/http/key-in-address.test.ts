/** Keys stay out of addresses, and none of them reaches an upstream that way. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { codeOf } from '@countersign/verify'
import fc from 'fast-check'
import { call } from '../gateway.testing.ts'
import type { MockUpstream } from '../mock-upstream/mock-upstream.testing.ts'
import { makeKey } from '../relay/money.testing.ts'
import { chat, send, startRelay } from '../relay/relay.testing.ts'
import { requireNoKeyInAddress } from './key-in-address.ts'

function encoded(text: string): string {
  return [...text].map((each) => `%${each.charCodeAt(0).toString(16)}`).join('')
}

/** All that the upstream was sent. */
function seenBy({ requests }: MockUpstream): string {
  return requests
    .map(({ path, rawHeaders, body }) => [path, ...rawHeaders, body.toString('latin1')].join('\n'))
    .join('\n')
}

for (const access of ['open', 'keys'] as const) {
  test(`access ${access}: an address with a key in it is refused, and nothing of it goes on`, async (context) => {
    const stage = await startRelay(context, { config: { access } })
    const { headers } = makeKey(stage)
    const token = headers.authorization.replace('Bearer ', '')
    const created = await send(stage.gateway, '/v1/responses', '{"model":"mock-small","input":"x"}', { headers })
    const { id } = JSON.parse(created.bytes.toString()) as { id: string }
    const before = stage.upstream.requests.length
    const addresses = [
      `/v1/files?key=${token}`,
      `/v1/files?api-key=${token}`,
      `/v1/files?limit=1&x=${token}`,
      `/v1/files?${token}`,
      `/v1/files/${token}`,
      `/v1/files?x=${encoded(token)}`,
      `/v1/files?x=${encodeURIComponent(encoded(token))}`,
      `/v1/files?x=Bearer%20${token}&y=1`,
      `/v1/files?key=sk-of-a-provider`,
      `/v1/files?API_KEY=sk-of-a-provider`,
      `/v1/files?limit=1;api-key=sk-of-a-provider`,
      `/v1/files?%6bey=sk-of-a-provider`,
      `/v1/files?key[]=sk-of-a-provider`,
      `/v1/batches?apiKey=sk-of-a-provider`,
      `/v1/responses/${id}?key=${token}`,
      `/v1/responses/${id}/input_items?api-key=${token}`,
    ]
    for (const path of addresses) {
      for (const method of ['GET', 'POST', 'DELETE']) {
        const got = await call(stage.gateway, method, path, headers, method === 'POST' ? '{}' : undefined)
        assert.equal(got.status, 400, `${method} ${path}: ${got.text}`)
        assert.equal((JSON.parse(got.text) as { error: { code: string } }).error.code, 'request/malformed')
        assert.ok(!got.text.includes(token) && !got.text.includes('sk-of-a-provider'))
      }
    }
    assert.equal(stage.upstream.requests.length, before)
    // A request for an answer goes on without its query.
    const answer = await send(stage.gateway, `/v1/chat/completions?key=${token}`, chat('mock-small'), { headers })
    assert.equal(answer.status, 200)
    // Other parameters go on as they came.
    await call(stage.gateway, 'GET', '/v1/files?limit=5&after=file%2D1&order=keyed', headers)
    assert.equal(stage.upstream.requests.at(-1)?.path, '/v1/files?limit=5&after=file%2D1&order=keyed')
    const seen = seenBy(stage.upstream)
    for (const secret of [token, encoded(token), encodeURIComponent(encoded(token)), 'sk-of-a-provider']) {
      assert.ok(!seen.includes(secret), secret)
    }
    for (const said of [...stage.notices, ...stage.errors]) assert.ok(!said.includes(token))
  })
}

test('however often it is encoded, and whatever is around it, a key in an address is found', () => {
  const token = `csk_${'aB3_-'.repeat(9).slice(0, 43)}`
  const around = fc.string({ maxLength: 20 })
  fc.assert(
    fc.property(around, around, fc.nat({ max: 3 }), (before, after, times) => {
      let text = `${before}${token}`
      for (let i = 0; i < times; i++) text = encoded(text)
      assert.throws(
        () => requireNoKeyInAddress(`/v1/files?${text}&${after}`),
        (thrown) => codeOf(thrown) === 'request/malformed',
      )
    }),
    { numRuns: 200 },
  )
  for (const fine of [
    '/v1/files',
    '/v1/files?keys=1',
    '/v1/files?monkey=1',
    '/v1/files?x=csk_short',
    '/v1/files?%zz=%',
  ]) {
    requireNoKeyInAddress(fine)
  }
})
