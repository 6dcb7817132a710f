import assert from 'node:assert/strict'
import { constants, createHash, generateKeyPairSync, sign } from 'node:crypto'
import { type TestContext, test } from 'node:test'
import {
  type BoundKey,
  formatProviderSignature,
  parseDossier,
  parseProviderSignature,
  verifyProviderSignature,
} from '@countersign/verify'
import { createNodeCrypto } from '@countersign/verify/crypto/node'
import type { AnswerSignatureConfig } from '../config/config.ts'
import { waitFor } from '../gateway.testing.ts'
import { SIGNATURE_WAIT_MS } from './provider-signature.ts'
import { chat, commitmentWith, type Raw, type RelayStage, send, startRelay, statementOf } from './relay.testing.ts'
import { type Script, type ScriptedUpstream, startScripted } from './scripted-upstream.testing.ts'

const crypto = createNodeCrypto()
const sha256 = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex')

/** A receipt signed with Ed25519, as members in canonical order. */
const ed25519 = generateKeyPairSync('ed25519')
const ED25519_KEY: BoundKey = {
  use: 'ed25519',
  publicKey: ed25519.publicKey.export({ format: 'der', type: 'spki' }).subarray(-32).toString('hex'),
}

function receiptOf(request: Uint8Array, response: Uint8Array): string {
  const hash = (bytes: Uint8Array) => `sha256:${sha256(bytes)}`
  const signature = { algo: 'ed25519', key_id: 'one' }
  const receipt = {
    api_version: 'aci/1',
    event_log: [
      { body_hash: hash(request), seq: 0, type: 'request.received' },
      { body_hash: hash(request), seq: 1, type: 'request.forwarded' },
      { seq: 2, type: 'response.returned', wire_hash: hash(response) },
    ],
    served_at: 1_790_000_000,
    signature,
  }
  const value = sign(null, Buffer.from(JSON.stringify(receipt)), ed25519.privateKey).toString('hex')
  return JSON.stringify({ ...receipt, signature: { ...signature, value } })
}

const json = (text: string, headers: Script['headers'] = {}): Script => ({
  status: 200,
  contentType: 'application/json',
  pieces: [Buffer.from(text)],
  headers,
})
const missing: Script = { status: 404, contentType: 'application/json', pieces: [Buffer.from('{}')] }
const ANSWER = '{"id":"chat-1","choices":[{"message":{"content":"Servus"},"finish_reason":"stop"}]}'

interface Stage extends RelayStage {
  readonly scripted: ScriptedUpstream
  /** Paths that were asked for with GET. */
  readonly asked: string[]
}

/** An upstream that answers chats with `answer`, and questions with what `ask` gives. */
async function stage(
  context: TestContext,
  answerSignature: AnswerSignatureConfig,
  answer: () => Script,
  ask: (path: string, times: number) => Script = () => missing,
): Promise<Stage> {
  const scripted = await startScripted(context)
  const asked: string[] = []
  scripted.play(({ method, url = '' }) => {
    if (method === 'POST') return answer()
    asked.push(url)
    return ask(url, asked.length)
  })
  const relay = await startRelay(context, { url: scripted.url, upstream: { answerSignature } })
  return { ...relay, scripted, asked }
}

async function signatureOf({ gateway }: Stage, raw: Raw): Promise<string | undefined> {
  const receipt = String(raw.headers['countersign-receipt'])
  return (await statementOf({ gateway }, receipt)).commitments['provider-signature']
}

test('a receipt of the provider is asked for until it is there, committed to, kept, and checks over the exact bytes', async (t) => {
  let request: Uint8Array = new Uint8Array()
  const given = await stage(
    t,
    { scheme: 'aci' },
    () => json(ANSWER, { 'x-receipt-id': 'receipt/1' }),
    (_, times) => (times < 2 ? missing : json(receiptOf(request, Buffer.from(ANSWER)))),
  )
  const body = chat('m')
  request = Buffer.from(body)
  const raw = await send(given.gateway, '/v1/chat/completions', body)
  assert.deepEqual(raw.bytes.toString(), ANSWER)
  assert.deepEqual(given.asked, ['/v1/aci/receipts/receipt%2F1', '/v1/aci/receipts/receipt%2F1'])
  const receipt = JSON.parse(receiptOf(request, raw.bytes))
  const file = formatProviderSignature({ scheme: 'aci', receipt })
  assert.equal(await signatureOf(given, raw), commitmentWith(raw, 'provider-signature', file))
  const { reported } = await statementOf(given, String(raw.headers['countersign-receipt']))
  assert.deepEqual(reported?.signature?.doesNotCover, ['nonce', 'usage', 'served-model'])
  const { 'countersign-receipt': id, 'countersign-secret': secret } = raw.headers
  const { openings } = parseDossier((await waitFor(given.gateway, `/dossiers/${String(id)}`, String(secret))).bytes)
  const opening = openings.find(({ subjects }) => subjects.includes('provider-signature'))
  assert.ok(opening !== undefined)
  const kept = parseProviderSignature(opening.content)
  const answer = { request, response: new Uint8Array(raw.bytes) }
  assert.equal(verifyProviderSignature(crypto, [ED25519_KEY], answer, kept).signer, ED25519_KEY)
})

test('a signed text is asked for by the id of the answer and the model that was asked for', async (t) => {
  const text = `m:${'ab'.repeat(32)}:${'cd'.repeat(32)}`
  const signature = 'EF'.repeat(65)
  const given = await stage(
    t,
    { scheme: 'near-ai' },
    () => json(ANSWER),
    () => json(JSON.stringify({ text, signature: `0x${signature}`, signing_algo: 'ecdsa' })),
  )
  const raw = await send(given.gateway, '/v1/chat/completions', chat('org/m'))
  assert.deepEqual(given.asked, ['/v1/signature/chat-1?model=org%2Fm&signing_algo=ecdsa'])
  const bytes = new Uint8Array(Buffer.from(signature, 'hex'))
  const file = formatProviderSignature({ scheme: 'near-ai', text, signature: bytes })
  assert.equal(await signatureOf(given, raw), commitmentWith(raw, 'provider-signature', file))
})

const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 })
const SPKI = new Uint8Array(rsa.publicKey.export({ format: 'der', type: 'spki' }))
const TEE = { tee_signature: '', tee_timestamp: 1_790_000_000, tee_id: `0x${'12'.repeat(32)}` }

function teeMembers(): typeof TEE {
  const key = { key: rsa.privateKey, padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: 32 }
  return { ...TEE, tee_signature: sign('sha256', Buffer.from('whatever'), key).toString('base64') }
}

test('a signature in the answer is taken from it, or from the end of a stream', async (t) => {
  const members = teeMembers()
  const whole = JSON.stringify({ ...JSON.parse(ANSWER), ...members })
  const pieces = [
    { choices: [{ delta: { content: 'a' } }] },
    { choices: [{ delta: {}, finish_reason: 'stop' }], ...members },
  ]
  const stream = `${pieces.map((piece) => `data: ${JSON.stringify(piece)}\n\n`).join('')}data: [DONE]\n\n`
  let isStream = false
  const given = await stage(t, { scheme: 'opengradient', publicKey: SPKI }, () =>
    isStream ? { ...json(stream), contentType: 'text/event-stream' } : json(whole),
  )
  const file = formatProviderSignature({
    scheme: 'opengradient',
    signature: new Uint8Array(Buffer.from(members.tee_signature, 'base64')),
    publicKey: SPKI,
    signedAtSeconds: TEE.tee_timestamp,
    teeId: new Uint8Array(32).fill(0x12),
  })
  for (const body of [chat('m'), chat('m', { stream: true })]) {
    const raw = await send(given.gateway, '/v1/chat/completions', body)
    assert.equal(await signatureOf(given, raw), commitmentWith(raw, 'provider-signature', file))
    isStream = true
  }
  assert.deepEqual(given.asked, [])
})

test('an answer goes out without a signature where there is none, it is of another form, or it takes too long', async (t) => {
  const scripts: readonly (() => Script)[] = [
    () => ({ ...missing, status: 500 }),
    () => json('{'),
    () => json('[]'),
    () => json('{"text":"x","signature":"zz"}'),
    () => json(JSON.stringify({ text: 'a\u0000', signature: 'ab'.repeat(65) })),
    () => json(`"${'x'.repeat(2 ** 20)}"`),
  ]
  let script = scripts[0] ?? (() => missing)
  const given = await stage(
    t,
    { scheme: 'near-ai' },
    () => json(ANSWER),
    () => script(),
  )
  for (const each of scripts) {
    script = each
    const raw = await send(given.gateway, '/v1/chat/completions', chat('m'))
    assert.equal(raw.bytes.toString(), ANSWER)
    assert.equal(await signatureOf(given, raw), undefined)
  }
  script = () => missing
  const start = performance.now()
  const raw = await send(given.gateway, '/v1/chat/completions', chat('m'))
  const tookMs = performance.now() - start
  assert.equal(raw.bytes.toString(), ANSWER)
  assert.equal(await signatureOf(given, raw), undefined)
  assert.ok(tookMs >= SIGNATURE_WAIT_MS - 100 && tookMs < SIGNATURE_WAIT_MS + 2000, `${tookMs}`)
})

test('nobody is asked about an answer that is an error', async (t) => {
  const given = await stage(t, { scheme: 'near-ai' }, () => ({ ...json('{"error":{"message":"no"}}'), status: 400 }))
  const raw = await send(given.gateway, '/v1/chat/completions', chat('m'))
  assert.equal(raw.status, 400)
  assert.deepEqual([given.asked, await signatureOf(given, raw)], [[], undefined])
})
