/** What clients may not do is refused in the words of their API, before anything is sent, kept or recorded. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import type { ApiKeyTerms } from '../access/api-key.ts'
import { apiKeysPath } from '../access/api-key-file.ts'
import { ApiKeyStore } from '../access/api-keys.ts'
import { DEFAULT_LIMITS } from '../config/config.ts'
import type { WireParts } from '../mock-upstream/wire.testing.ts'
import { TEMPLATE_TOKENS } from '../prices/prices.ts'
import { exchange, head, requestText } from './raw-client.testing.ts'
import { chat, type RelayStage, startRelay } from './relay.testing.ts'
import { assertSettled, recordedInferences } from './settled.testing.ts'

const BODY_BYTES = 4096

const PATHS = { openai: '/v1/chat/completions', anthropic: '/v1/messages' } as const
type Family = keyof typeof PATHS
const FAMILIES = ['openai', 'anthropic'] as const

/** Each family's error types for the statuses below, where they are not `invalid_request_error`. */
const TYPES: { readonly [family in Family]: { readonly [status: number]: string } } = {
  openai: { 401: 'authentication_error', 403: 'permission_error', 404: 'not_found_error', 429: 'rate_limit_error' },
  anthropic: {
    401: 'authentication_error',
    403: 'permission_error',
    404: 'not_found_error',
    413: 'request_too_large',
    429: 'rate_limit_error',
  },
}

function assertRefused(family: Family, { statusLine, headers, body }: WireParts, status: number, code: string): void {
  assert.match(statusLine, new RegExp(`^HTTP/1.1 ${status} `), body.toString())
  assert.equal(headers.get('content-type'), 'application/json')
  assert.equal(headers.has('countersign-receipt'), false)
  assert.equal(headers.has('retry-after'), status === 429)
  const { error, ...rest } = JSON.parse(body.toString()) as { error: { message: string } }
  const { message, ...said } = error
  assert.ok(message.length > 0)
  const type = TYPES[family][status] ?? 'invalid_request_error'
  assert.deepEqual(rest, family === 'openai' ? {} : { type: 'error' })
  assert.deepEqual(said, family === 'openai' ? { type, param: null, code } : { type, code })
}

interface Bad {
  readonly what: string
  readonly bytes: (path: string) => Uint8Array
  readonly status?: number
  readonly code: string
}

const MODEL = '"model":"mock-small","max_tokens":9,"messages":[{"role":"user","content":"x"}]'

function body(text: string | Uint8Array, headers: object = {}): Bad['bytes'] {
  return (path) => requestText(path, text, headers)
}

const BAD: readonly Bad[] = [
  { what: 'no body', bytes: body(''), code: 'json/malformed' },
  { what: 'no JSON', bytes: body('{'), code: 'json/malformed' },
  { what: 'JSON and more', bytes: body(`{${MODEL}} {`), code: 'json/malformed' },
  { what: 'a number that is none', bytes: body(`{${MODEL},"seed":01}`), code: 'json/malformed' },
  { what: 'a list', bytes: body('[]'), code: 'shape/wrong-type' },
  { what: 'a model twice', bytes: body(`{${MODEL},"model":"mock-long"}`), code: 'json/duplicate-key' },
  { what: 'a model twice, escaped', bytes: body(`{${MODEL},"m\\u006fdel":"a"}`), code: 'json/duplicate-key' },
  { what: 'deep nesting', bytes: body(`{${MODEL},"x":${'['.repeat(2000)}${']'.repeat(2000)}}`), code: 'json/too-deep' },
  { what: 'no model', bytes: body('{"messages":[]}'), code: 'shape/missing-field' },
  { what: 'a model that is no text', bytes: body('{"model":["mock-small"]}'), code: 'shape/wrong-type' },
  { what: 'a model without a name', bytes: body('{"model":""}'), code: 'shape/bad-value' },
  { what: 'a long name of a model', bytes: body(`{"model":"${'m'.repeat(257)}"}`), code: 'shape/bad-value' },
  {
    what: 'a name that is not UTF-8',
    bytes: body(Buffer.concat([Buffer.from('{"model":"'), Buffer.of(0xff, 0xfe), Buffer.from('"}')])),
    code: 'bytes/bad-utf8',
  },
  { what: 'a stream flag that is none', bytes: body(`{${MODEL},"stream":"yes"}`), code: 'shape/wrong-type' },
  { what: 'a model that is not served', bytes: body('{"model":"gpt-9"}'), status: 404, code: 'model/not-found' },
  { what: 'a model of tensors', bytes: body('{"model":"sum"}'), status: 404, code: 'model/not-found' },
  {
    what: 'an encoding',
    bytes: body(`{${MODEL}}`, { 'content-encoding': 'gzip' }),
    status: 415,
    code: 'request/unsupported-encoding',
  },
  {
    what: 'two types of content',
    bytes: (path) =>
      Buffer.from(
        requestText(path, `{${MODEL}}`)
          .toString('latin1')
          .replace('\r\n', '\r\nContent-Type: a/b\r\ncontent-type: c/d\r\n'),
      ),
    code: 'request/malformed',
  },
  {
    what: 'a nonce that is none',
    bytes: body(`{${MODEL}}`, { 'countersign-nonce': 'x y' }),
    code: 'request/malformed',
  },
  {
    what: 'a body that is announced too large',
    bytes: body('x'.repeat(BODY_BYTES + 1)),
    status: 413,
    code: 'request/too-large',
  },
  {
    what: 'a body that becomes too large',
    bytes: (path) => {
      const chunk = `800\r\n${'x'.repeat(0x800)}\r\n`
      return Buffer.from(`${head(path, { 'transfer-encoding': 'chunked' })}${chunk.repeat(3)}0\r\n\r\n`)
    },
    status: 413,
    code: 'request/too-large',
  },
]

for (const family of FAMILIES) {
  test(`${family}: what cannot be read is refused in its words, and leaves no trace`, async (context) => {
    const stage = await startRelay(context, {
      config: { limits: { ...DEFAULT_LIMITS, bodyBytes: BODY_BYTES } },
      deployment: { answersTo: ['mock-*'] },
    })
    for (const { what, bytes, status = 400, code } of BAD) {
      await context.test(what, async () => {
        assertRefused(family, await exchange(stage.gateway, bytes(PATHS[family])), status, code)
      })
    }
    assert.equal(stage.upstream.requests.length, 0)
    assert.equal(recordedInferences(stage.gateway).size, 0)
    // The same, put right, is answered.
    const { statusLine, headers } = await exchange(stage.gateway, body(`{${MODEL}}`)(PATHS[family]))
    assert.match(statusLine, / 200 /)
    await assertSettled(stage, [headers.get('countersign-receipt') ?? ''])
  })
}

const TERMS: ApiKeyTerms = { name: 'test', deployments: 'all', rights: ['infer'] }
const PRICES = [
  { item: 'input-tokens', amountMicros: 1_000_000, currency: 'EUR', per: 1_000_000 },
  { item: 'output-tokens', amountMicros: 2_000_000, currency: 'EUR', per: 1_000_000 },
]

/** The most that the request may cost: a micro for each byte in and for the template, two for each token out, one for rounding. */
const MOST_MICROS = `{${MODEL}}`.length + TEMPLATE_TOKENS + 2 * 9 + 1

interface Holder {
  readonly what: string
  /** The token that is presented, if any. */
  readonly token: (keys: ApiKeyStore) => string | undefined
  readonly status: number
  readonly code: string
  /** Requests that are answered before. */
  readonly before?: number
}

const HOLDERS: readonly Holder[] = [
  { what: 'no key', token: () => undefined, status: 401, code: 'auth/missing' },
  { what: "a provider's key", token: () => 'sk-proj-0123456789', status: 401, code: 'auth/missing' },
  { what: 'an unknown key', token: () => `csk_${'A'.repeat(43)}`, status: 401, code: 'auth/unknown-key' },
  { what: 'a broken key', token: () => 'csk_', status: 401, code: 'auth/unknown-key' },
  {
    what: 'a revoked key',
    token: (keys) => {
      const { key, token } = keys.create(TERMS, Date.now())
      keys.revoke(key.id, Date.now())
      return token
    },
    status: 401,
    code: 'auth/revoked-key',
  },
  {
    what: 'a key whose time is over',
    token: (keys) => keys.create({ ...TERMS, expiresAtMs: Date.now() - 1 }, Date.now() - 10).token,
    status: 401,
    code: 'auth/expired-key',
  },
  {
    what: 'a key for another deployment',
    token: (keys) => keys.create({ ...TERMS, deployments: ['sum'] }, Date.now()).token,
    status: 403,
    code: 'auth/not-allowed',
  },
  {
    what: 'a key without the right',
    token: (keys) => keys.create({ ...TERMS, rights: ['usage'] }, Date.now()).token,
    status: 403,
    code: 'auth/not-allowed',
  },
  {
    what: 'a key whose requests are used up',
    token: (keys) => keys.create({ ...TERMS, requestsPerMinute: 2 }, Date.now()).token,
    status: 429,
    code: 'rate/limited',
    before: 2,
  },
  {
    what: 'a key whose tokens are used up',
    token: (keys) => keys.create({ ...TERMS, tokensPerMinute: 20 }, Date.now()).token,
    status: 429,
    code: 'rate/limited',
    before: 1,
  },
  {
    what: 'a key whose budget is used up',
    token: (keys) =>
      keys.create({ ...TERMS, monthlyBudget: { amountMicros: MOST_MICROS + 10, currency: 'EUR' } }, Date.now()).token,
    status: 429,
    code: 'budget/exceeded',
    before: 1,
  },
  {
    what: 'a key with a budget in another currency',
    token: (keys) => keys.create({ ...TERMS, monthlyBudget: { amountMicros: 1e9, currency: 'USD' } }, Date.now()).token,
    status: 403,
    code: 'budget/other-currency',
  },
]

for (const family of FAMILIES) {
  test(`${family}: who may not ask is refused in its words, and leaves no trace`, async (context) => {
    const stage = await startRelay(context, { config: { access: 'keys' }, deployment: { prices: PRICES } })
    const keys = new ApiKeyStore(apiKeysPath(stage.gateway.dataRoot))
    context.after(() => keys.close())
    const receipts: string[] = []
    const ask = (token: string | undefined) => {
      const name = family === 'openai' ? 'authorization' : 'x-api-key'
      const value = family === 'openai' ? `Bearer ${token}` : `${token}`
      return exchange(stage.gateway, body(`{${MODEL}}`, token === undefined ? {} : { [name]: value })(PATHS[family]))
    }
    for (const { what, token, status, code, before = 0 } of HOLDERS) {
      await context.test(what, async () => {
        const presented = token(keys)
        for (let i = 0; i < before; i++) {
          const { statusLine, headers, body } = await ask(presented)
          assert.match(statusLine, / 200 /, body.toString())
          receipts.push(headers.get('countersign-receipt') ?? '')
        }
        assertRefused(family, await ask(presented), status, code)
      })
    }
    assert.equal(stage.upstream.requests.length, receipts.length)
    assert.equal(recordedInferences(stage.gateway).size, receipts.length)
    for (const { rawHeaders } of stage.upstream.requests) assert.doesNotMatch(rawHeaders.join(), /csk_/)
    await assertSettled(stage, receipts)
  })
}

test('a key that is revoked while it is in use works no longer than the file is looked at', async (context) => {
  const stage = await startRelay(context, { config: { access: 'keys' } })
  const keys = new ApiKeyStore(apiKeysPath(stage.gateway.dataRoot))
  context.after(() => keys.close())
  const { key, token } = keys.create(TERMS, Date.now())
  const ask = () =>
    exchange(
      stage.gateway,
      requestText('/v1/chat/completions', chat('mock-small'), { authorization: `Bearer ${token}` }),
    )
  assert.match((await ask()).statusLine, / 200 /)
  keys.revoke(key.id, Date.now())
  // A running gateway looks at the file of keys once a second.
  let refused = await ask()
  for (let i = 0; i < 100 && / 200 /.test(refused.statusLine); i++) {
    await sleep(200)
    refused = await ask()
  }
  assertRefused('openai', refused, 401, 'auth/revoked-key')
  await assertSettled(stage, [])
})

test('an open gateway takes a key of another provider, and passes none of its own on', async (context) => {
  const stage: RelayStage = await startRelay(context, { upstream: { credential: 'client' } })
  const keys = new ApiKeyStore(apiKeysPath(stage.gateway.dataRoot))
  context.after(() => keys.close())
  const { token } = keys.create(TERMS, Date.now())
  for (const [presented, passed] of [
    ['sk-theirs', 'Bearer sk-theirs'],
    [token, undefined],
  ] as const) {
    const headers = { authorization: `Bearer ${presented}` }
    const { statusLine } = await exchange(
      stage.gateway,
      requestText('/v1/chat/completions', chat('mock-small'), headers),
    )
    assert.match(statusLine, / 200 /)
    assert.equal(stage.upstream.requests.at(-1)?.header('authorization'), passed)
  }
})
