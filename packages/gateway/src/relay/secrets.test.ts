/** Secrets and content are where they belong and nowhere else, in any spelling: each is planted, and looked for. */
import assert from 'node:assert/strict'
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { apiKeysPath } from '../access/api-key-file.ts'
import { ApiKeyStore } from '../access/api-keys.ts'
import { bearer, call, temporaryFolder, waitFor } from '../gateway.testing.ts'
import { chat, type Raw, type RelayStage, send, startRelay } from './relay.testing.ts'
import { startScripted } from './scripted-upstream.testing.ts'
import { assertSettled, recordedInferences } from './settled.testing.ts'

const UPSTREAM_KEY = 'sk-upstream-PLANTED-0123456789abcdef'
const QUESTION = 'PLANTEDquestionZEBRA'
const SECRET_NAME = 'PLANTEDtoolGIRAFFE'
const COOKIE = 'PLANTEDcookieLION'
const NONCE = 'PLANTEDnonceTIGER'
const SUBJECT = 'PLANTEDsubjectPANDA'
const ADDRESS = '203.0.113.7'

/** A text as it is, in hexadecimal, and what base64 makes of it wherever it stands. */
function spellings(text: string): readonly Buffer[] {
  const base64 = [0, 1, 2].flatMap((offset) => {
    const whole = Buffer.from('\0'.repeat(offset) + text)
    const inner = whole.toString('base64').slice(offset === 0 ? 0 : 4, -4)
    return [inner, inner.replaceAll('+', '-').replaceAll('/', '_')]
  })
  return [text, Buffer.from(text).toString('hex'), ...base64].map((each) => Buffer.from(each))
}

/** Names of those in which a text stands, in any spelling. */
function placesOf(text: string, where: ReadonlyMap<string, Uint8Array>): readonly string[] {
  const wanted = spellings(text)
  return [...where]
    .filter(([, bytes]) => wanted.some((each) => Buffer.from(bytes).includes(each)))
    .map(([name]) => name)
}

/** All files of the data folder. */
function filesOf({ gateway }: RelayStage): ReadonlyMap<string, Uint8Array> {
  const entries = readdirSync(gateway.dataRoot, { recursive: true, withFileTypes: true })
  const paths = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name))
  return new Map(paths.map((path) => [path.slice(gateway.dataRoot.length + 1), readFileSync(path)]))
}

/** Replies, heads and bodies, by what was asked. */
function wireOf(replies: ReadonlyMap<string, Raw>): Map<string, Uint8Array> {
  return new Map(
    [...replies].map(([name, { headers, bytes }]) => [
      name,
      Buffer.concat([Buffer.from(JSON.stringify(headers)), bytes]),
    ]),
  )
}

const TOOLS = [{ type: 'function', function: { name: SECRET_NAME, parameters: { type: 'object', properties: {} } } }]
const ANSWERED = ['mock-echo', 'mock-tools', 'mock-status-401', 'mock-status-500', 'mock-error-in-stream']
const BROKEN = ['mock-hang', 'mock-hang-mid-stream', 'mock-reset-before', 'mock-reset-mid-stream', 'mock-short-body']
const REFUSED = [
  `{"${QUESTION}`,
  `{"model":"mock-small","model":"x","${QUESTION}":"${QUESTION}"}`,
  `{"stream":"${QUESTION}"}`,
]

/** Asks for everything that an upstream, and the gateway itself, may say to it. */
async function askAll({ gateway }: RelayStage, token: string) {
  const headers = {
    authorization: `Bearer ${token}`,
    cookie: `session=${COOKIE}`,
    'x-forwarded-for': ADDRESS,
    'countersign-nonce': NONCE,
    'countersign-subject': SUBJECT,
  }
  const messages = [{ role: 'user', content: QUESTION }]
  const ask = (body: string) => send(gateway, '/v1/chat/completions', body, { headers })
  const answers = new Map<string, Raw>()
  const failures = new Map<string, Raw>()
  for (const stream of [false, true]) {
    for (const model of ANSWERED) {
      answers.set(`${model} ${stream}`, await ask(chat(model, { messages, stream, tools: TOOLS })))
    }
    for (const model of BROKEN) failures.set(`${model} ${stream}`, await ask(chat(model, { messages, stream })))
  }
  for (const body of REFUSED) failures.set(body, await ask(body))
  return { answers, failures }
}

/** The receipt and the dossier of an answer, and what those get who may not have them. */
async function fetchRecord({ gateway }: RelayStage, { headers }: Raw) {
  const receipt = headers['countersign-receipt']
  const secret = String(headers['countersign-secret'])
  const found = await waitFor(gateway, `/receipts/${receipt}`, secret)
  const dossier = await waitFor(gateway, `/dossiers/${receipt}`, secret)
  const unopened = await call(gateway, 'GET', `/dossiers/${receipt}`, bearer('wrong'))
  assert.deepEqual([found.status, dossier.status, unopened.status], [200, 200, 403])
  return { receipt: found.bytes, refusal: unopened.bytes, dossier: new Map([['dossier', dossier.bytes]]) }
}

test('planted secrets and content are found where they belong alone', async (context) => {
  const keyFile = join(temporaryFolder(context), 'upstream-key')
  writeFileSync(keyFile, `${UPSTREAM_KEY}\n`)
  const stage = await startRelay(context, {
    config: { access: 'keys' },
    upstream: {
      credential: { file: keyFile },
      timeouts: { connectMs: 500, firstByteMs: 300, idleMs: 300 },
      breaker: { failures: 1000, openMs: 100 },
    },
    deployment: { retries: { attempts: 1, totalMs: 1000 } },
  })
  const { gateway, upstream, notices, errors } = stage
  const keys = new ApiKeyStore(apiKeysPath(gateway.dataRoot))
  const { token } = keys.create({ name: 'test', deployments: 'all', rights: ['infer'] }, Date.now())
  keys.close()
  const { answers, failures } = await askAll(stage, token)
  await assertSettled(stage, [])
  assert.equal(recordedInferences(gateway).size, 2 * (ANSWERED.length + BROKEN.length))
  const echo = answers.get('mock-echo false')
  assert.ok(echo !== undefined)
  const { receipt, refusal, dossier } = await fetchRecord(stage, echo)
  const running = filesOf(stage)
  await stage.stop()

  const everything = new Map<string, Uint8Array>([
    ...[...running].map(([name, bytes]) => [`running: ${name}`, bytes] as const),
    ...filesOf(stage),
    ...wireOf(failures),
    ['receipt', receipt],
    ['refusal', refusal],
    ['said', Buffer.from([...notices, ...errors].join('\n'))],
  ])
  const replies = wireOf(answers)
  const sent = new Map(
    upstream.requests.map(({ rawHeaders, body }, i) => {
      return [`${i}`, Buffer.concat([Buffer.from(rawHeaders.join('\n')), body])]
    }),
  )
  for (const planted of [UPSTREAM_KEY, token, COOKIE, SUBJECT]) {
    assert.deepEqual(placesOf(planted, new Map([...everything, ...replies, ...dossier])), [], planted)
  }
  for (const planted of [token, COOKIE, NONCE, SUBJECT, ADDRESS]) {
    assert.deepEqual(placesOf(planted, sent), [], planted)
  }
  for (const planted of [QUESTION, SECRET_NAME]) assert.deepEqual(placesOf(planted, everything), [], planted)

  // The search sees: each stands where it belongs.
  assert.equal(placesOf(UPSTREAM_KEY, sent).length, sent.size)
  assert.equal(placesOf(QUESTION, sent).length, sent.size)
  assert.deepEqual(placesOf(QUESTION, dossier), ['dossier'])
  assert.ok(placesOf(QUESTION, replies).includes('mock-echo false'))
  assert.ok(placesOf(SECRET_NAME, replies).includes('mock-tools true'))
  const statements = placesOf(NONCE, everything)
  assert.ok(statements.includes('store/countersign.db') && statements.includes('receipt'))
  for (const name of statements) assert.match(name, /countersign\.db|^receipt$/)
})

test('an upstream that sends the key back gets it into no header', async (context) => {
  const folder = temporaryFolder(context)
  const keyFile = join(folder, 'upstream-key')
  writeFileSync(keyFile, UPSTREAM_KEY)
  const upstream = await startScripted(context)
  const stage = await startRelay(context, { url: upstream.url, upstream: { credential: { file: keyFile } } })
  upstream.play(({ headers: { authorization = '' } }) => {
    assert.equal(authorization, `Bearer ${UPSTREAM_KEY}`)
    const headers = { 'x-echo': authorization, 'x-other': 'kept', 'x-request-id': UPSTREAM_KEY }
    return { status: 200, contentType: 'application/json', pieces: [Buffer.from('{}')], headers }
  })
  const got = await send(stage.gateway, '/v1/chat/completions', chat('any'))
  assert.equal(got.headers['x-other'], 'kept')
  await assertSettled(stage, [String(got.headers['countersign-receipt'])])
  assert.deepEqual(placesOf(UPSTREAM_KEY, new Map([...wireOf(new Map([['answer', got]])), ...filesOf(stage)])), [])
})
