/** Data subjects: whose receipts share a key, and are erased together. */
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { decideVerdict, parseDossier, parseErasure, parseStatement } from '@countersign/verify'
import { apiKeysPath } from '../access/api-key-file.ts'
import { ApiKeyStore } from '../access/api-keys.ts'
import {
  answered,
  bearer,
  call,
  codeIn,
  type Got,
  type HeaderMap,
  infer,
  keysOf,
  startGateway,
  startInNewFolder,
  waitFor,
} from '../gateway.testing.ts'
import type { Gateway } from '../gateway.ts'
import { checkLog } from '../log/fsck.ts'
import { chat, send, startRelay } from '../relay/relay.testing.ts'
import { ERASURE_BATCH } from '../vault/subject-eraser.ts'
import { rowsOf, trustIn } from '../verdict.testing.ts'

const ZOE = 'zoe.planted@example.org'
const MAX = 'max.planted@example.org'

function of(subject: string): HeaderMap {
  return { 'countersign-subject': subject }
}

function token(gateway: Gateway): HeaderMap {
  return bearer(readFileSync(keysOf(gateway.dataRoot).operatorToken, 'utf8').trim())
}

function erase(gateway: Gateway, subject: string, query = '', headers = token(gateway)): Promise<Got> {
  return call(gateway, 'DELETE', `/subjects${query}`, { ...headers, ...of(subject) })
}

async function erasedCount(gateway: Gateway, subject: string): Promise<unknown> {
  const got = await erase(gateway, subject)
  assert.equal(got.status, 200, got.text)
  return (JSON.parse(got.text) as { erased: unknown }).erased
}

async function openingsOf(gateway: Gateway, { receipt, secret }: { receipt: string; secret: string }) {
  const dossier = await waitFor(gateway, `/dossiers/${receipt}`, secret)
  assert.equal(dossier.status, 200, dossier.text)
  const openings = parseDossier(dossier.bytes).openings.length
  assert.equal(dossier.headers.has('countersign-salts'), openings > 0)
  return openings
}

/** Key ids of the vault's rows, in the log's order. */
function keyIds(gateway: Gateway): readonly number[] {
  return gateway.log.database.prepare('SELECT key_id FROM vault ORDER BY idx').pluck().all() as number[]
}

test('erasing a subject takes all that was kept of it, and of nobody else; the records stay', async (context) => {
  const { gateway } = await startInNewFolder(context)
  const zoes = [
    await answered(gateway, undefined, of(ZOE)),
    await answered(gateway, undefined, of('%7Aoe.planted@example.org')),
  ]
  const others = [await answered(gateway, undefined, of(MAX)), await answered(gateway)]
  const ids = keyIds(gateway)
  assert.equal(ids[0], ids[1], 'one subject, however it is spelt')
  assert.equal(new Set(ids).size, 3)
  assert.notEqual(zoes[0]?.salts, zoes[1]?.salts, 'salts are each receipt’s own')
  for (const each of [...zoes, ...others]) assert.equal(await openingsOf(gateway, each), 2)

  const got = await erase(gateway, ZOE, '?reason=retention-ended')
  assert.deepEqual([got.status, JSON.parse(got.text)], [200, { erased: 2 }])
  for (const each of zoes) {
    assert.equal(await openingsOf(gateway, each), 0)
    const { payload } = gateway.statements.latest('erasure', each.receipt) ?? {}
    const erasure = parseErasure(parseStatement(payload ?? new Uint8Array()))
    assert.deepEqual([erasure.receipts, erasure.reason], [[each.receipt], 'retention-ended'])
    const dossier = parseDossier((await waitFor(gateway, `/dossiers/${each.receipt}`, each.secret)).bytes)
    const input = { crypto: gateway.crypto, trust: trustIn(gateway), atMs: Date.now() }
    assert.equal(rowsOf(decideVerdict(dossier, input))[0], 'record holds operator-asserted')
  }
  for (const each of others) assert.equal(await openingsOf(gateway, each), 2)
  assert.equal(await erasedCount(gateway, ZOE), 0, 'a second time there is nothing')
  assert.equal(await erasedCount(gateway, 'nobody'), 0)

  const next = await answered(gateway, undefined, of(ZOE))
  assert.equal(await openingsOf(gateway, next), 2)
  assert.equal(ids.includes(keyIds(gateway).at(-1) ?? 0), false, 'a new key')
  assert.equal(await erasedCount(gateway, ZOE), 1)
})

test('a subject of many receipts is erased in batches, with answers in between', async (context) => {
  const { gateway } = await startInNewFolder(context)
  const count = 2 * ERASURE_BATCH + 10
  for (let i = 0; i < count; i += 38) {
    await Promise.all(Array.from({ length: Math.min(38, count - i) }, () => answered(gateway, undefined, of(ZOE))))
  }
  const [erased, meanwhile] = await Promise.all([erasedCount(gateway, ZOE), answered(gateway, undefined, of(MAX))])
  assert.equal(erased, count)
  assert.equal(await openingsOf(gateway, meanwhile), 2)
  assert.equal(keyIds(gateway).length, 1)
})

test('a subject’s key outlives a restart, and so does its erasure', async (context) => {
  const { gateway, stop, config } = await startInNewFolder(context)
  const first = await answered(gateway, undefined, of(ZOE))
  await stop()
  const second = await startGateway(context, config)
  const later = await answered(second.gateway, undefined, of(ZOE))
  assert.equal(await erasedCount(second.gateway, ZOE), 2)
  await second.stop()
  assert.deepEqual(checkLog(config.dataRoot).findings, [])
  const third = await startGateway(context, config)
  for (const each of [first, later]) assert.equal(await openingsOf(third.gateway, each), 0)
  assert.equal(await erasedCount(third.gateway, ZOE), 0)
})

test('one receipt of a subject is not erased alone: 409 says what to do', async (context) => {
  const { gateway } = await startInNewFolder(context)
  const one = await answered(gateway, undefined, of(ZOE))
  const refused = await call(gateway, 'DELETE', `/receipts/${one.receipt}/content`, token(gateway))
  assert.deepEqual([refused.status, codeIn(refused)], [409, 'vault/subject-key'])
  assert.match(refused.text, /DELETE \/subjects/)
  assert.equal(await openingsOf(gateway, one), 2)
  assert.equal(await erasedCount(gateway, ZOE), 1)
  const again = await call(gateway, 'DELETE', `/receipts/${one.receipt}/content`, token(gateway))
  assert.deepEqual([again.status, codeIn(again)], [410, 'vault/erased'])
})

test('where nothing is kept there is nothing to erase; where salts are, these go', async (context) => {
  for (const [vault, count] of [
    ['salts', 1],
    ['none', 0],
  ] as const) {
    const { gateway } = await startInNewFolder(context, { vault })
    const { receipt, secret } = await answered(gateway, undefined, of(ZOE))
    assert.equal(await erasedCount(gateway, ZOE), count)
    const dossier = await waitFor(gateway, `/dossiers/${receipt}`, secret)
    assert.equal(dossier.headers.get('countersign-salts'), null)
  }
})

test('who may erase a subject: the operator’s token, or a key with that right for all deployments', async (context) => {
  const { gateway, config } = await startInNewFolder(context)
  const answer = await answered(gateway, undefined, of(ZOE))
  const store = new ApiKeyStore(apiKeysPath(config.dataRoot))
  context.after(() => store.close())
  const keyWith = (rights: readonly ('erase' | 'infer')[], deployments: 'all' | readonly string[]) =>
    bearer(store.create({ name: 'test', rights, deployments }, Date.now()).token)
  const outcome = async (headers: HeaderMap) => {
    const got = await erase(gateway, ZOE, '', headers)
    return got.status === 200 ? got.status : [got.status, codeIn(got)]
  }
  assert.deepEqual(await outcome({}), [401, 'auth/missing'])
  assert.deepEqual(await outcome(bearer('wrong')), [403, 'auth/wrong'])
  assert.deepEqual(await outcome(bearer(answer.secret)), [403, 'auth/wrong'])
  assert.deepEqual(await outcome(bearer(`csk_${'x'.repeat(43)}`)), [401, 'auth/unknown-key'])
  assert.deepEqual(await outcome(keyWith(['infer'], 'all')), [403, 'auth/not-allowed'])
  assert.deepEqual(await outcome(keyWith(['erase'], ['sum'])), [403, 'auth/not-allowed'])
  assert.equal(await openingsOf(gateway, answer), 2)
  assert.equal(await outcome(keyWith(['erase'], 'all')), 200)
  assert.equal(await openingsOf(gateway, answer), 0)
})

test('a name that is none is refused, in requests and in erasures, without being repeated, and changes nothing', async (context) => {
  const { gateway } = await startInNewFolder(context)
  const count = () => gateway.log.database.prepare('SELECT count(*) FROM statements').pluck().get()
  const before = count()
  for (const bad of ['zoe planted', 'zoe-planted-%', `zoe-planted-${'x'.repeat(256)}`]) {
    for (const got of [await infer(gateway, undefined, of(bad)), await erase(gateway, bad)]) {
      assert.deepEqual([got.status, codeIn(got)], [400, 'request/malformed'])
      assert.equal(got.text.includes('planted'), false)
    }
  }
  const unnamed = await call(gateway, 'DELETE', '/subjects', token(gateway))
  assert.deepEqual([unnamed.status, codeIn(unnamed)], [400, 'request/malformed'])
  assert.equal((await erase(gateway, ZOE, '?reason=because')).status, 400)
  assert.equal(count(), before)
})

test('a subject’s name is nowhere: not on disk, not in answers, notices or statements, not at upstreams', async (context) => {
  const stage = await startRelay(context)
  const { gateway, upstream } = stage
  const encoded = encodeURIComponent(ZOE)
  const answers = [
    await send(gateway, '/v1/chat/completions', chat('mock-small'), { headers: of(encoded) }),
    await send(gateway, '/v1/chat/completions', chat('mock-small', { stream: true }), { headers: of(ZOE) }),
  ]
  for (const { status } of answers) assert.equal(status, 200)
  const dossiers: Got[] = []
  for (const { headers } of answers) {
    const [receipt, secret] = ['receipt', 'secret'].map((name) => String(headers[`countersign-${name}`]))
    dossiers.push(await waitFor(gateway, `/dossiers/${receipt}`, secret ?? ''))
  }
  const running = filesUnder(gateway.dataRoot)
  const got = [await erase(gateway, ZOE), await erase(gateway, `${ZOE} `), await erase(gateway, MAX)]
  assert.equal(upstream.requests.length, 2)
  const sent = upstream.requests.map(({ rawHeaders }) => Buffer.from(JSON.stringify(rawHeaders)))
  await stage.stop()
  const said = Buffer.from([...stage.notices, ...stage.errors].join('\n'))
  const replies = [
    ...answers.map(({ bytes, headers }) => Buffer.from(JSON.stringify(headers) + bytes)),
    ...dossiers.map(asBytes),
    ...got.map(asBytes),
  ]
  const everything = [...running, ...filesUnder(gateway.dataRoot), ...sent, ...replies, said]
  for (const name of [ZOE, encoded, MAX]) {
    const hashes = ['sha256', 'sha1', 'md5'].map((hash) => createHash(hash).update(name).digest())
    const spellings = [
      Buffer.from(name),
      Buffer.from(name, 'utf16le'),
      Buffer.from(Buffer.from(name).toString('hex')),
      ...hashes,
    ]
    for (const bytes of everything) for (const each of spellings) assert.equal(bytes.includes(each), false, name)
  }
  assert.ok(
    running.some((bytes) => bytes.includes('mock-small')),
    'the detector sees what is there',
  )
  assert.ok(
    sent.every((headers) => headers.includes('content-type')),
    'and what was sent',
  )
})

function asBytes({ headers, text }: Got): Buffer {
  return Buffer.from(`${JSON.stringify([...headers])}\n${text}`)
}

function filesUnder(folder: string): readonly Buffer[] {
  const entries = readdirSync(folder, { recursive: true, withFileTypes: true })
  return entries.filter((entry) => entry.isFile()).map((entry) => readFileSync(join(entry.parentPath, entry.name)))
}

test('an answer under way while its subject is erased is given, recorded, and erased with the others', async (context) => {
  const stage = await startRelay(context)
  const { gateway } = stage
  const ask = (model: string, more = {}) =>
    send(gateway, '/v1/chat/completions', chat(model, more), { headers: of(ZOE) })
  await ask('mock-small')
  const underWay = [ask('mock-slow-start-1000ms'), ask('mock-slow-start-1000ms', { stream: true })]
  for (let i = 0; i < 500 && stage.upstream.requests.length < 3; i++) {
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
  assert.equal(stage.upstream.requests.length, 3)
  assert.equal(await erasedCount(gateway, ZOE), 1)
  const after = await ask('mock-small')
  for (const got of await Promise.all(underWay)) {
    assert.equal(got.status, 200)
    assert.ok(got.isComplete)
    const receipt = String(got.headers['countersign-receipt'])
    const secret = String(got.headers['countersign-secret'])
    assert.equal(await openingsOf(gateway, { receipt, secret }), 0)
    assert.ok(gateway.statements.latest('erasure', receipt) !== undefined, 'and that is in the log')
  }
  const kept = {
    receipt: String(after.headers['countersign-receipt']),
    secret: String(after.headers['countersign-secret']),
  }
  assert.equal(await openingsOf(gateway, kept), 2, 'what was asked after the erasure is kept')
  await stage.stop()
  assert.deepEqual(checkLog(gateway.dataRoot).findings, [])
})

test('erasures in the midst of many requests: nothing is kept under a key that is gone, nothing is lost', async (context) => {
  const { gateway, stop, config } = await startInNewFolder(context)
  let isDone = false
  const receipts = new Set<string>()
  const client = async (subject: string) => {
    while (!isDone) receipts.add((await answered(gateway, undefined, of(subject))).receipt)
  }
  const clients = Promise.all([ZOE, ZOE, ZOE, MAX].map(client))
  let erased = 0
  for (let i = 0; i < 20 || (erased <= 20 && i < 1000); i++) {
    const counts = await Promise.all([erasedCount(gateway, ZOE), erasedCount(gateway, ZOE)])
    erased += counts.map(Number).reduce((a, b) => a + b, 0)
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
  isDone = true
  await clients
  await erasedCount(gateway, ZOE)
  assert.ok(erased > 20, `${erased} erased`)
  const maxes = keyIds(gateway)
  assert.equal(new Set(maxes).size, 1, 'all that is left is of the other subject')
  const count = (kind: string) =>
    gateway.log.database.prepare('SELECT count(*) FROM statements WHERE kind = ?').pluck().get(kind) as number
  assert.equal(count('inference'), receipts.size)
  assert.equal(count('erasure'), receipts.size - maxes.length, 'each of the others was erased, once')
  await stop()
  assert.deepEqual(checkLog(config.dataRoot).findings, [])
})

test('what names a subject is not given again from the cache, and does not come to be in it', async (context) => {
  const stage = await startRelay(context, { deployment: { cache: { maxAgeSeconds: 60 } } })
  const ask = (headers: HeaderMap) => send(stage.gateway, '/v1/chat/completions', chat('mock-small'), { headers })
  await ask(of(ZOE))
  await ask({})
  await ask(of(ZOE))
  assert.equal(stage.upstream.requests.length, 3)
  await ask({})
  assert.equal(stage.upstream.requests.length, 3, 'the cache works for the others')
})
