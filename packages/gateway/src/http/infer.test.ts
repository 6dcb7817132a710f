import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  commit,
  openPromise,
  parseBase64Url,
  parseDossier,
  parseInferenceResponse,
  parsePromiseHeader,
  saltFor,
  toBase64,
  toHex,
} from '@countersign/verify'
import { createNodeCrypto } from '@countersign/verify/crypto/node'
import { answered, bearer, call, infer, startInNewFolder, waitFor } from '../gateway.testing.ts'
import { arithmeticRequest } from '../model.testing.ts'
import { inferenceIn, judge, logKeyOf, rowsOf, trustIn } from '../verdict.testing.ts'

const crypto = createNodeCrypto()

const HELD = [
  'record holds operator-asserted',
  'model holds operator-asserted',
  'place unproven',
  'output holds re-executed',
  'independence unproven',
  'outcome unproven',
  'accountable holds operator-asserted',
]

test('an answer, its promise and its receipt say the same', async (context) => {
  const { gateway } = await startInNewFolder(context, { priceMicros: 5 })
  const request = arithmeticRequest([1, 2, 3, 4], [10, 20, 30, 40])
  const answer = await answered(gateway, request, { 'countersign-nonce': 'a-nonce', 'x-api-key': 'ignored' })
  const { outputs } = parseInferenceResponse(answer.bytes)
  assert.deepEqual(
    outputs.map(({ name, shape, data }) => [name, shape, [...data]]),
    [
      ['sum', [2, 2], [11, 22, 33, 44]],
      ['difference', [2, 2], [-9, -18, -27, -36]],
    ],
  )
  const promise = openPromise(crypto, parsePromiseHeader(answer.promise), logKeyOf(gateway))
  assert.equal(promise.receipt, answer.receipt)
  const got = await waitFor(gateway, `/receipts/${answer.receipt}`, answer.secret)
  assert.equal(got.status, 200)
  assert.equal(got.headers.get('content-type'), 'application/vnd.dev.sigstore.bundle.v0.3+json')
  assert.equal(got.headers.get('countersign-promise'), answer.promise, 'the same promise, byte for byte')
  const inference = inferenceIn(gateway, got.bytes)
  assert.equal(inference.index, promise.index)
  assert.equal(inference.receipt, answer.receipt)
  assert.equal(inference.nonce, 'a-nonce')
  assert.deepEqual(inference.usage, { rows: 2 })
  assert.deepEqual(inference.price, [
    { item: 'decision', amountMicros: 10, currency: 'EUR', payee: 'Example Operator (demonstration)' },
  ])
  assert.equal(inference.finish.reason, 'complete')
  assert.equal(inference.sequence, 0)
})

for (const vault of ['content', 'salts', 'none'] as const) {
  test(`vault ${vault}: the client's own bytes open the statement; the dossier opens as much as is kept`, async (context) => {
    const { gateway, folder } = await startInNewFolder(context, { vault })
    const request = arithmeticRequest()
    const answer = await answered(gateway, request)
    const seed = parseBase64Url(answer.salts)
    const salts = { request: saltFor(crypto, seed, 'request'), response: saltFor(crypto, seed, 'response') }
    const { bytes } = await waitFor(gateway, `/receipts/${answer.receipt}`, answer.secret)
    const requestCommitment = commit(crypto, { salt: salts.request, content: request })
    const responseCommitment = commit(crypto, { salt: salts.response, content: answer.bytes })
    assert.deepEqual(inferenceIn(gateway, bytes).commitments, {
      'request-received': requestCommitment,
      'request-sent': requestCommitment,
      'response-received': responseCommitment,
      'response-delivered': responseCommitment,
    })
    const got = await waitFor(gateway, `/dossiers/${answer.receipt}`, answer.secret)
    assert.equal(got.headers.get('cache-control'), 'no-store')
    assert.equal(got.headers.get('countersign-salts'), vault === 'none' ? null : answer.salts)
    const { openings } = parseDossier(got.bytes)
    const opened = openings.map(({ subjects, salt, content }) => [
      subjects.join(),
      toHex(salt),
      Buffer.from(content).toString(),
    ])
    const kept = [
      ['request-received,request-sent', toHex(salts.request), Buffer.from(request).toString()],
      ['response-received,response-delivered', toHex(salts.response), answer.text],
    ]
    assert.deepEqual(opened, vault === 'content' ? kept : [])
    // What the dossier does not open, the client opens itself.
    const dossier = JSON.parse(got.text)
    dossier.openings = [
      { subjects: ['request-received', 'request-sent'], salt: toBase64(salts.request), content: toBase64(request) },
      {
        subjects: ['response-received', 'response-delivered'],
        salt: toBase64(salts.response),
        content: toBase64(answer.bytes),
      },
    ]
    const trust = trustIn(gateway)
    assert.deepEqual(rowsOf(await judge(trust, Buffer.from(JSON.stringify(dossier)), folder)), HELD)
    if (vault === 'content') assert.deepEqual(rowsOf(await judge(trust, got.bytes, folder)), HELD)
    dossier.openings[1].content = toBase64(Buffer.from(answer.text.replace('11', '12')))
    const tampered = await judge(trust, Buffer.from(JSON.stringify(dossier)), folder).catch((thrown) => thrown)
    assert.notDeepEqual(tampered.claims && rowsOf(tampered), HELD, 'a planted cheat is caught')
  })
}

test('outputs that are asked for by name come in that order; data may be nested; the id comes back', async (context) => {
  const { gateway } = await startInNewFolder(context)
  const body = {
    id: 'my-id',
    inputs: [
      { name: 'right', datatype: 'FP32', shape: [1, 2], data: [[10, 20]] },
      { name: 'left', datatype: 'FP32', shape: [1, 2], data: [1, 2] },
    ],
    outputs: [{ name: 'difference' }],
  }
  const answer = await answered(gateway, Buffer.from(JSON.stringify(body)))
  assert.deepEqual(JSON.parse(answer.text), {
    model_name: 'sum',
    id: 'my-id',
    outputs: [{ name: 'difference', datatype: 'FP32', shape: [1, 2], data: [-9, -18] }],
  })
})

test('a model that gives what cannot be answered: 500, and that is recorded too', async (context) => {
  const { gateway } = await startInNewFolder(context)
  const answer = await infer(gateway, arithmeticRequest([3e38, 0], [3e38, 0]))
  assert.equal(answer.status, 500)
  assert.deepEqual(JSON.parse(answer.text), {
    error: 'the model could not be run on this input',
    code: 'tensor/malformed',
  })
  const { bytes } = await waitFor(gateway, `/receipts/${answer.receipt}`, answer.secret)
  const inference = inferenceIn(gateway, bytes)
  assert.deepEqual(inference.finish, { reason: 'error', by: 'upstream', code: 'tensor/malformed' })
  assert.equal(inference.attempts[0]?.outcome, 'failed')
  const salt = saltFor(crypto, parseBase64Url(answer.salts), 'response')
  assert.equal(inference.commitments['response-delivered'], commit(crypto, { salt, content: answer.bytes }))
  assert.equal((await call(gateway, 'GET', `/dossiers/${answer.receipt}`, bearer(answer.secret))).status, 200)
})

test('the model tells its metadata, and that it is ready', async (context) => {
  const { gateway } = await startInNewFolder(context)
  const json = async (path: string) => JSON.parse((await call(gateway, 'GET', path)).text)
  assert.deepEqual(await json('/v2'), { name: 'countersign', version: '0.4.0', extensions: [] })
  assert.deepEqual(await json('/v2/health/live'), { live: true })
  assert.deepEqual(await json('/v2/health/ready'), { ready: true })
  assert.deepEqual(await json('/v2/models/sum/ready'), { name: 'sum', ready: true })
  const metadata = await json('/v2/models/sum')
  assert.deepEqual(metadata.inputs, [
    { name: 'left', datatype: 'FP32', shape: [-1, 2] },
    { name: 'right', datatype: 'FP32', shape: [-1, 2] },
  ])
  const [deployment] = await json('/deployments')
  assert.equal(metadata.countersign.deployment, deployment.statement)
  assert.equal(deployment.example, true)
})
