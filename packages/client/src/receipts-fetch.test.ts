import assert from 'node:assert/strict'
import { test } from 'node:test'
import { CountersignError, openReceipt, parseBundle, parseDossier } from '@countersign/verify'
import { createNodeCrypto } from '@countersign/verify/crypto/node'
import { MAX_HELD_BYTES } from './checked-response.ts'
import { type Behaviour, type GatewayDouble, type Reply, startGatewayDouble } from './gateway-double.testing.ts'
import { receiptsFetch } from './index.ts'
import { LogDouble } from './log.testing.ts'
import type { Outcome } from './outcome.ts'
import { MAX_REMEMBERED_OUTCOMES, OutcomeLedger } from './outcome-ledger.ts'
import type { ReceiptsFetch, ReceiptsOptions } from './receipts-fetch.ts'

const STREAM: Reply = ['data: {"n":1}\n\ndata: {"n":2}\n\n', 'data: [DONE]\n\n']
const WHOLE: Reply = ['{"answer":42}']
const BODY = JSON.stringify({ model: 'chat', text: 'ä' })
const replyTo = (path: string): Reply => (path.endsWith('/stream') ? STREAM : WHOLE)

interface Setting {
  readonly double: GatewayDouble
  readonly fetch: ReceiptsFetch
  readonly outcomes: Outcome[]
}

async function inSetting(
  behaviour: Behaviour,
  options: ReceiptsOptions | ((double: GatewayDouble) => ReceiptsOptions),
  play: (setting: Setting) => Promise<void>,
): Promise<void> {
  const double = await startGatewayDouble(replyTo, behaviour)
  try {
    const outcomes: Outcome[] = []
    const given = typeof options === 'function' ? options(double) : options
    const onVerdict = (outcome: Outcome) => outcomes.push(outcome)
    const fetch = receiptsFetch({ trust: double.log.verifierKey, onVerdict, ...given })
    await play({ double, fetch, outcomes })
  } finally {
    await double[Symbol.asyncDispose]()
  }
}

const post = ({ fetch, double }: Setting, path = '/whole', init: RequestInit = {}) =>
  fetch(`${double.url}${path}`, { method: 'POST', body: BODY, ...init })

const brief = ({ checks }: Outcome) => checks.map(({ name, status }) => `${name} ${status}`).join(', ')
const failing = ({ checks }: Outcome) =>
  checks.filter(({ status }) => status !== 'holds').map(({ name, status, code }) => `${name} ${status} ${code}`)

const ALL = 'receipt holds, promise holds, statement holds, nonce holds, request holds, response holds'

for (const [path, text] of [
  ['/whole', WHOLE[0]],
  ['/stream', undefined],
] as const) {
  test(`an honest answer passes, and holds: ${path}`, () =>
    inSetting({ chunkBytes: 7 }, {}, async (setting) => {
      const response = await post(setting, path)
      const body = await response.text()
      assert.equal(body.replace(/: countersign-promise .*\n\n/, ''), text ?? STREAM.join(''))
      assert.equal(response.url, `${setting.double.url}${path}`)
      await setting.fetch.idle()
      assert.deepEqual(setting.outcomes.map(brief), [ALL])
      const receipt = response.headers.get('countersign-receipt') ?? ''
      assert.equal(await setting.fetch.outcomeOf(receipt), setting.outcomes[0])
      assert.deepEqual(setting.double.asked.slice(1), [`GET /statements/${setting.double.exchanges[0]?.digest}`])
    }))
}

test('a receipt is waited for, checked, and opens', () =>
  inSetting({}, { when: 'receipt' }, async (setting) => {
    await (await post(setting)).text()
    await setting.fetch.idle()
    const [outcome] = setting.outcomes
    assert.deepEqual(setting.outcomes.map(brief), [`${ALL}, log holds`])
    const bundle = parseBundle((await outcome?.record?.fetchReceipt()) ?? null)
    const { statement } = openReceipt(createNodeCrypto(), bundle, setting.double.log.key)
    assert.equal(statement, outcome?.promise?.statement)
    const dossier = parseDossier((await outcome?.record?.fetchDossier()) ?? new Uint8Array(0))
    assert.equal(dossier.receiptId, outcome?.receipt)
  }))

test('the verdict is verify’s own, under the pinned trust file', () =>
  inSetting(
    {},
    ({ log }) => ({ trust: log.trustText }),
    async (setting) => {
      await (await post(setting)).text()
      await setting.fetch.idle()
      const verdict = await setting.outcomes[0]?.record?.fetchVerdict()
      const record = verdict?.claims.find(({ claim }) => claim === 'record')
      // The statement cites an empty log, from which the dossier needs no proof.
      assert.deepEqual(
        record?.checks.filter(({ result }) => result === 'fail'),
        [],
      )
      assert.equal(verdict?.receipt, setting.outcomes[0]?.receipt)
    },
  ))

test('an answer that is too large to be held has its promise at the gateway', () =>
  inSetting({ isHeld: false }, {}, async (setting) => {
    await (await post(setting)).text()
    await setting.fetch.idle()
    assert.deepEqual(setting.outcomes.map(brief), [ALL])
    const { receipt, digest } = setting.double.exchanges[0] ?? {}
    assert.deepEqual(setting.double.asked.slice(1), [`GET /receipts/${receipt}`, `GET /statements/${digest}`])
  }))

test('a failed run has a receipt, and is checked; a refused request has none, and is left alone', () =>
  inSetting({ status: 500 }, {}, async (setting) => {
    assert.equal((await post(setting)).status, 500)
    assert.equal(setting.outcomes.length, 0)
    const response = await post(setting)
    await response.text()
    await setting.fetch.idle()
    assert.deepEqual(setting.outcomes.map(brief), [ALL])
    setting.double.behaviour = { status: 400, headers: { 'countersign-receipt': undefined } }
    await (await post(setting, '/whole')).text()
    assert.equal((await setting.fetch(`${setting.double.url}/receipts/none`)).status, 404)
    await setting.fetch.idle()
    assert.equal(setting.outcomes.length, 1)
  }))

test('an answer without a receipt is unproven, whatever its mode but one', () =>
  inSetting({ headers: { 'countersign-receipt': undefined } }, { mode: 'throw' }, async (setting) => {
    assert.equal(await (await post(setting)).text(), WHOLE[0])
    assert.deepEqual(
      setting.outcomes.map(({ status, receipt }) => [status, receipt]),
      [['unproven', undefined]],
    )
    const strict = receiptsFetch({ trust: setting.double.log.verifierKey, mode: 'require' })
    const response = await strict(`${setting.double.url}/whole`, { method: 'POST', body: BODY })
    await assert.rejects(response.text(), { code: 'opening/missing' })
  }))

test('a receipt id that is none is refuted', () =>
  inSetting({ headers: { 'countersign-receipt': 'ABC' } }, { mode: 'throw' }, async (setting) => {
    await assert.rejects((await post(setting)).text(), { code: 'bytes/bad-hex' })
    assert.equal(setting.outcomes[0]?.status, 'refuted')
  }))

const flip = (body: Uint8Array) => body.map((byte, i) => (i === 8 ? byte ^ 1 : byte))

for (const path of ['/whole', '/stream']) {
  test(`report: a refuted answer passes, and is reported: ${path}`, () =>
    inSetting({ onTheWay: flip }, {}, async (setting) => {
      assert.ok((await (await post(setting, path)).text()).length > 10)
      await setting.fetch.idle()
      assert.deepEqual(setting.outcomes.map(failing), [['response refuted opening/commitment-mismatch']])
    }))

  test(`throw: a refuted answer ends in an error, and its end is not handed out: ${path}`, () =>
    inSetting({ onTheWay: flip, chunkBytes: 16, pauseMs: 2 }, { mode: 'throw' }, async (setting) => {
      const { body } = await post(setting, path)
      assert.ok(body)
      let got = ''
      await assert.rejects(
        async () => {
          for await (const chunk of body) got += Buffer.from(chunk as Uint8Array).toString()
        },
        (thrown: unknown) => {
          assert.ok(thrown instanceof CountersignError)
          assert.equal(thrown.code, 'opening/commitment-mismatch')
          assert.equal((thrown.cause as Outcome).status, 'refuted')
          return true
        },
      )
      assert.equal(got.includes('[DONE]'), false)
      assert.equal(got.includes('data: '), path === '/stream', 'what comes before the promise passes at once')
    }))
}

test('throw: an honest answer passes whole', () =>
  inSetting({ chunkBytes: 5 }, { mode: 'throw' }, async (setting) => {
    assert.equal(await (await post(setting)).text(), WHOLE[0])
    assert.match(await (await post(setting, '/stream')).text(), /\[DONE\]\n\n$/)
  }))

test('throw: of an unproven answer nothing is held against it; require: it is', () =>
  inSetting({ silent: '/statements' }, { mode: 'throw', timeoutMs: 300 }, async (setting) => {
    assert.equal(await (await post(setting)).text(), WHOLE[0])
    assert.deepEqual(setting.outcomes.map(failing)[0]?.[0], 'statement unproven gateway/unreachable')
    const trust = setting.double.log.verifierKey
    const strict = receiptsFetch({ trust, mode: 'require', timeoutMs: 300 })
    const response = await strict(`${setting.double.url}/stream`, { method: 'POST', body: BODY })
    await assert.rejects(response.text(), { code: 'gateway/unreachable' })
  }))

test('a stream is not held up: each piece is there before the next is sent', () =>
  inSetting({ chunkBytes: 14, pauseMs: 20 }, { mode: 'throw' }, async (setting) => {
    const reader = (await post(setting, '/stream')).body?.getReader()
    const first = await reader?.read()
    assert.equal(Buffer.from(first?.value ?? []).toString(), 'data: {"n":1}\n')
    await reader?.cancel()
    await setting.fetch.idle()
    assert.deepEqual(setting.outcomes.map(failing)[0]?.[0], 'promise unproven opening/missing')
    assert.equal(setting.outcomes[0]?.status, 'unproven')
  }))

test('each request has a nonce of its own, and the caller’s is kept', () =>
  inSetting({}, {}, async (setting) => {
    for (const headers of [{}, {}, { 'countersign-nonce': 'mine' }, new Headers({ 'Countersign-Nonce': 'mine-too' })]) {
      await (await post(setting, '/whole', { headers })).text()
    }
    await setting.fetch.idle()
    const [one, two, ...rest] = setting.double.nonces
    assert.match(one ?? '', /^[0-9a-f]{32}$/)
    assert.notEqual(one, two)
    assert.deepEqual(rest, ['mine', 'mine-too'])
    assert.deepEqual(setting.outcomes.map(brief), [ALL, ALL, ALL, ALL])
  }))

test('a body that is bytes is checked; one that is a stream is sent, and unproven', () =>
  inSetting({}, {}, async (setting) => {
    const bytes = new TextEncoder().encode(`xx${BODY}`).subarray(2)
    await (await post(setting, '/whole', { body: bytes })).text()
    await (await post(setting, '/whole', { body: bytes.slice().buffer })).text()
    await (await post(setting, '/whole', { body: new Blob([BODY]).stream(), duplex: 'half' } as RequestInit)).text()
    const request = new Request(`${setting.double.url}/whole`, { method: 'POST', body: BODY })
    await (await setting.fetch(request)).text()
    await setting.fetch.idle()
    const unseen = ['request unproven opening/missing']
    assert.deepEqual(setting.outcomes.map(failing), [[], [], unseen, unseen])
  }))

test('the gateway is asked about so many answers at once, and no more', () =>
  inSetting({ silent: '/statements' }, { maxPending: 1, timeoutMs: 500 }, async (setting) => {
    const responses = await Promise.all([post(setting), post(setting)])
    await Promise.all(responses.map((response) => response.text()))
    await setting.fetch.idle()
    const codes = setting.outcomes.map(({ checks }) => checks.find(({ name }) => name === 'statement')?.code)
    assert.deepEqual(codes.sort(), ['gateway/unreachable', 'queue/full'])
    assert.equal(setting.double.asked.filter((path) => path.startsWith('GET')).length, 1)
  }))

for (const [name, behaviour, code] of [
  ['gives no JSON', { statement: '<html>' }, 'gateway/refused'],
  ['gives too much', { statement: `"${'x'.repeat(4 * 1024 * 1024)}"` }, 'gateway/refused'],
  ['wants another secret', { headers: { 'countersign-secret': 'wrong' } }, 'gateway/refused'],
  ['gives no secret', { headers: { 'countersign-secret': undefined } }, 'opening/missing'],
] as const) {
  test(`a gateway that ${name} proves nothing`, () =>
    inSetting(behaviour, {}, async (setting) => {
      await (await post(setting)).text()
      await setting.fetch.idle()
      assert.equal(setting.outcomes[0]?.status, 'unproven')
      assert.equal(setting.outcomes[0]?.checks.find((check) => check.name === 'statement')?.code, code)
    }))
}

test('a gateway that never ends proves nothing, and is not listened to for long', () =>
  inSetting({ statement: 'x'.repeat(65_536), isEndless: true }, { timeoutMs: 20_000 }, async (setting) => {
    await (await post(setting)).text()
    await setting.fetch.idle()
    assert.deepEqual(setting.outcomes.map(failing)[0]?.[0], 'statement unproven gateway/refused')
  }))

test('the secret follows no redirect', () =>
  inSetting({}, {}, async ({ double }) =>
    inSetting({ redirect: `${double.url}/elsewhere` }, {}, async (setting) => {
      await (await post(setting)).text()
      await setting.fetch.idle()
      assert.deepEqual(setting.outcomes.map(failing)[0]?.[0], 'statement unproven gateway/unreachable')
      assert.deepEqual(double.asked, [])
    }),
  ))

test('an answer that is cut is unproven', () =>
  inSetting({ chunkBytes: 10, pauseMs: 5, cutAfterBytes: 10 }, { mode: 'throw' }, async (setting) => {
    await assert.rejects(async () => (await post(setting, '/stream')).text(), TypeError)
    await setting.fetch.idle()
    assert.ok(setting.outcomes.map(failing)[0]?.includes('response unproven opening/missing'))
    assert.match(setting.outcomes[0]?.checks.find(({ name }) => name === 'response')?.reason ?? '', /broken/)
  }))

test('no more than a mebibyte is held back', () =>
  inSetting({ onTheWay: () => new Uint8Array(3 * MAX_HELD_BYTES) }, { mode: 'throw' }, async (setting) => {
    const reader = (await post(setting)).body?.getReader()
    let got = 0
    await assert.rejects(
      async () => {
        for (let next = await reader?.read(); next?.value; next = await reader?.read()) got += next.value.length
      },
      { code: 'opening/commitment-mismatch' },
    )
    assert.ok(got >= MAX_HELD_BYTES && got < 3 * MAX_HELD_BYTES, `${got}`)
  }))

test('another answer’s dossier gives no verdict', () =>
  inSetting(
    { isMixedUp: true },
    ({ log }) => ({ trust: log.trustText }),
    async (setting) => {
      await (await post(setting)).text()
      await (await post(setting)).text()
      await setting.fetch.idle()
      await setting.outcomes[0]?.record?.fetchVerdict()
      await assert.rejects(async () => setting.outcomes[1]?.record?.fetchVerdict(), { code: 'promise/mismatch' })
    },
  ))

test('the answer to an earlier request is unproven where the caller asked for it, else refuted', () =>
  inSetting({ cheats: { nonce: () => 'earlier' } }, {}, async (setting) => {
    const outcomeOf = async (key: string | undefined, repeated: string | undefined) => {
      setting.double.behaviour = { ...setting.double.behaviour, headers: { 'countersign-repeated': repeated } }
      await (await post(setting, '/whole', { headers: key === undefined ? {} : { 'Idempotency-Key': key } })).text()
      await setting.fetch.idle()
      return setting.outcomes.map(failing).at(-1)
    }
    assert.deepEqual(await outcomeOf('a-key', 'true'), ['nonce unproven opening/missing'])
    for (const [key, repeated] of [
      [undefined, 'true'],
      ['a-key', undefined],
      ['a-key', 'yes'],
    ] as const) {
      assert.deepEqual(await outcomeOf(key, repeated), ['nonce refuted statement/mismatch'])
    }
  }))

test('the last outcomes are remembered', () => {
  const ledger = new OutcomeLedger(1, undefined)
  for (let i = 0; i <= MAX_REMEMBERED_OUTCOMES; i++) ledger.begin(`answer ${i}`)
  assert.equal(ledger.outcomeOf('answer 0'), undefined)
  assert.ok(ledger.outcomeOf('answer 1'))
})

test('a receipt that is not covered in time is unproven', () =>
  inSetting({ isUncovered: true }, { when: 'receipt' }, async (setting) => {
    await (await post(setting)).text()
    await setting.fetch.idle()
    assert.deepEqual(setting.outcomes.map(failing), [['log unproven receipt/not-yet-included']])
    await assert.rejects(async () => setting.outcomes[0]?.record?.fetchDossier(), { code: 'receipt/not-yet-included' })
  }))

test('no print of an outcome has the secret in it', () =>
  inSetting({}, {}, async (setting) => {
    await (await post(setting)).text()
    await setting.fetch.idle()
    const { inspect } = await import('node:util')
    const secret = setting.double.exchanges[0]?.secret ?? ''
    const [outcome] = setting.outcomes
    assert.equal(outcome?.record?.revealSecret(), secret)
    for (const print of [JSON.stringify(outcome), inspect(outcome, { depth: null, showHidden: true })]) {
      assert.equal(print.includes(secret), false)
    }
  }))

test('what is pinned must be readable', () => {
  assert.throws(() => receiptsFetch({ trust: 'nonsense' }), { code: 'trust/malformed' })
  const key = new LogDouble().verifierKey
  assert.throws(() => receiptsFetch({ trust: key.replace(/\+[0-9a-f]{8}\+/, '+00000000+') }), { code: 'key/malformed' })
})

test('a reply in very many pieces is read like any other', async () => {
  const pieces = 200_000
  const crumbs = () => {
    let left = pieces
    const pull = (controller: ReadableStreamDefaultController<Uint8Array>) => {
      if (left-- > 0) controller.enqueue(Uint8Array.of(0x20))
      else controller.close()
    }
    return new Response(new ReadableStream({ pull }))
  }
  await inSetting(
    {},
    {
      fetch: (input, init) =>
        String(input).includes('/statements/') ? Promise.resolve(crumbs()) : globalThis.fetch(input, init),
    },
    async (setting) => {
      await (await post(setting)).text()
      await setting.fetch.idle()
      assert.deepEqual(setting.outcomes.map(failing)[0]?.[0], 'statement unproven gateway/refused')
    },
  )
})
