import assert from 'node:assert/strict'
import { test } from 'node:test'
import { apiKeysPath } from '../access/api-key-file.ts'
import { ApiKeyStore } from '../access/api-keys.ts'
import { clientCredentials, forwardedHeaders, returnedHeaders } from '../upstreams/headers.ts'
import { chat, send, startRelay } from './relay.testing.ts'

const PATH = '/v1/chat/completions'

test('a key of the gateway reaches no upstream in any header', async (context) => {
  const stage = await startRelay(context, { upstream: { credential: 'client' } })
  const store = new ApiKeyStore(apiKeysPath(stage.gateway.dataRoot))
  const { token } = store.create({ name: 'k', deployments: 'all', rights: ['infer'] }, Date.now())
  store.close()
  const places = [
    { 'api-key': token },
    { authorization: token },
    { authorization: `Bearer ${token}` },
    { authorization: `Basic ${token}` },
    { 'x-api-key': token },
    { 'x-goog-api-key': token },
    { 'x-anything': `key=${token};` },
  ]
  for (const headers of places) {
    assert.equal((await send(stage.gateway, PATH, chat('mock-small'), { headers })).status, 200)
    assert.doesNotMatch(String(stage.upstream.requests.at(-1)?.rawHeaders.join('\n')), /csk_/)
  }
  // A client's own key goes where clients open the upstream.
  await send(stage.gateway, PATH, chat('mock-small'), { headers: { 'api-key': 'its-own' } })
  assert.match(String(stage.upstream.requests.at(-1)?.rawHeaders.join('\n')), /its-own/)
})

test('a key in `api-key` is read as one', async (context) => {
  const stage = await startRelay(context, { config: { access: 'keys' } })
  const store = new ApiKeyStore(apiKeysPath(stage.gateway.dataRoot))
  const { token } = store.create({ name: 'k', deployments: 'all', rights: ['infer'] }, Date.now())
  store.close()
  const statusWith = async (headers: { readonly [name: string]: string }) => {
    return (await send(stage.gateway, PATH, chat('mock-small'), { headers })).status
  }
  assert.equal(await statusWith({ 'api-key': token }), 200)
  assert.equal(await statusWith({ 'api-key': `csk_${'A'.repeat(43)}` }), 401)
  assert.equal((await fetch(`${stage.gateway.url}/v1/models`, { headers: { 'api-key': token } })).status, 200)
})

test('headers: keys of the gateway stay here in either function', () => {
  const key = `csk_${'a'.repeat(43)}`
  assert.deepEqual(forwardedHeaders(['x-a', key, 'x-b', `x ${key}`, 'x-c', 'csk_short']), [['x-c', 'csk_short']])
  assert.deepEqual(clientCredentials(['authorization', key, 'api-key', 'csk_short']), [['api-key', 'csk_short']])
})

test('an upstream gives no orders to servers in front of the gateway, and none to browsers', () => {
  const names = ['X-Accel-Redirect', 'X-Accel-Buffering', 'X-Sendfile', 'Clear-Site-Data', 'NEL', 'Report-To']
  const raw = [...names, 'Reporting-Endpoints', 'Service-Worker-Allowed'].flatMap((name) => [name, '/'])
  assert.deepEqual(returnedHeaders([...raw, 'x-accept', 'b'], undefined).headers, [['x-accept', 'b']])
})
