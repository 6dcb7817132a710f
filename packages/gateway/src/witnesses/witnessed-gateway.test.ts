/** Witnesses and a whole gateway: what receipts are under, what statements cite, what happens when a quorum is not met. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  formatNoteKey,
  openConfirmations,
  parseCheckpoint,
  parseDossier,
  parseNote,
  parseTlogPolicy,
  utf8,
} from '@countersign/verify'
import { createNodeCrypto } from '@countersign/verify/crypto/node'
import { answered, bearer, call, codeIn, infer, startGateway, waitFor } from '../gateway.testing.ts'
import type { Gateway } from '../gateway.ts'
import { type ReadSample, readExposition, sampleValue } from '../telemetry/exposition.testing.ts'
import { inferenceIn, judge, logKeyOf, rowsOf, trustIn } from '../verdict.testing.ts'
import { eventually, startWitnessed, type WitnessedGateway } from './witnessed-gateway.testing.ts'

const crypto = createNodeCrypto()
const WITNESSED = { prefer: 'wait=20, witnessed' }

interface Published {
  readonly size: number
  readonly by: readonly string[]
}

/** The published checkpoint, and whose cosignatures on it check. */
function published(gateway: Gateway, policy: readonly string[]): Published {
  const checkpoint = gateway.publishedCheckpoint()
  if (checkpoint === undefined) return { size: 0, by: [] }
  const note = parseNote(utf8(checkpoint))
  const text = [...policy, `log ${formatNoteKey(logKeyOf(gateway))}`, ''].join('\n')
  const by = openConfirmations(crypto, note, parseTlogPolicy(crypto, text)).map(({ witness }) => witness)
  return { size: Number(note.text.split('\n')[1]), by }
}

function receiptOf(gateway: Gateway, { receipt, secret }: { receipt: string; secret: string }) {
  return call(gateway, 'GET', `/receipts/${receipt}`, { ...bearer(secret), ...WITNESSED })
}

function health({ gateway }: WitnessedGateway) {
  return call(gateway, 'GET', '/healthz').then(({ text }) => JSON.parse(text) as Record<string, unknown>)
}

test('receipts are under a head that witnesses confirmed, statements cite it, and verdicts say so', async (context) => {
  const stage = await startWitnessed(context)
  const { gateway, folder, policy } = stage
  const first = await answered(gateway)
  const got = await receiptOf(gateway, first)
  assert.equal(got.status, 200)
  assert.equal(got.headers.get('countersign-witnessed'), 'true')
  const second = await answered(gateway)
  await receiptOf(gateway, second)
  const receipt = await receiptOf(gateway, second)
  // The one that it cites has at least two cosignatures; it covers the answer before it.
  const { checkpoint, index } = inferenceIn(gateway, receipt.bytes)
  assert.ok(checkpoint.size > 0 && checkpoint.size <= index)
  assert.equal(checkpoint.size, inferenceIn(gateway, got.bytes).index + 1)
  const dossier = await call(gateway, 'GET', `/dossiers/${second.receipt}`, { ...bearer(second.secret), ...WITNESSED })
  assert.equal(dossier.headers.get('countersign-witnessed'), 'true')
  const verdict = await judge(trustIn(gateway, policy), dossier.bytes, folder)
  assert.ok(rowsOf(verdict).includes('record holds witnessed'), rowsOf(verdict).join())
  // The head that it cites goes along, and says before when it was not there.
  const [cited, ...others] = parseDossier(dossier.bytes).evidence
  assert.equal(parseCheckpoint(parseNote(cited?.content ?? utf8('')).text).size, checkpoint.size)
  assert.deepEqual(others, [])
  const { notBeforeMs, notAfterMs } = verdict.time
  assert.ok(notBeforeMs !== null && notAfterMs !== null && notBeforeMs < notAfterMs, verdict.time.reason)
  await eventually('all three on what is published', () => published(gateway, policy).by.length === 3)
  assert.equal(published(gateway, policy).size, gateway.log.head?.size)
  assert.deepEqual(stage.errors, [])
})

test('health and metrics say what witnesses do', async (context) => {
  const stage = await startWitnessed(context)
  const { gateway, b } = stage
  await receiptOf(gateway, await answered(gateway))
  await eventually('all three', async () => (await metric(gateway, 'countersign_log_cosignatures')) === 3)
  const size = gateway.log.head?.size ?? 0
  const { witnesses, quorums } = await health(stage)
  assert.deepEqual(
    (witnesses as { name: string; size: number; status: string }[]).map((each) => [each.name, each.size, each.status]),
    ['a', 'b', 'c'].map((name) => [name, size, 'ok']),
  )
  assert.deepEqual(quorums, { sum: 'met' })
  const of = { witness: 'a' }
  assert.equal(await metric(gateway, 'countersign_witness_size_entries', of), size)
  assert.ok((await metric(gateway, 'countersign_witness_cosigned_timestamp_seconds', of)) > 1e9)
  assert.ok((await metric(gateway, 'countersign_witness_requests_total', { ...of, outcome: 'cosigned' })) >= 1)
  assert.ok((await metric(gateway, 'countersign_witness_request_seconds_count', of)) >= 1)
  assert.equal(await metric(gateway, 'countersign_quorum_met', { deployment: 'sum' }), 1)
  assert.equal(await metric(gateway, 'countersign_quorum_overdue', { deployment: 'sum' }), 0)
  b.behaviour = 'forked'
  await answered(gateway)
  const alarms = () => metric(gateway, 'countersign_witness_alarms_total', { witness: 'b' })
  await eventually('the alarm', async () => (await alarms()) === 1)
  await eventually(
    'the state',
    async () => (await metric(gateway, 'countersign_witness_alarm', { witness: 'b' })) === 1,
  )
  assert.ok(stage.errors.some((error) => /witness b has seen another history/.test(error)))
})

async function metric(gateway: Gateway, name: string, labels: ReadSample['labels'] = {}): Promise<number> {
  return sampleValue(readExposition((await call(gateway, 'GET', '/metrics')).text), name, labels)
}

test('while a quorum is overdue answers say so, where that is what the operator wants', async (context) => {
  const stage = await startWitnessed(context, { unmetAfterSeconds: 3, whenUnmet: 'flag', askMs: 200 })
  const { gateway, a, b, errors, notices } = stage
  const before = await answered(gateway)
  assert.equal(before.headers.get('countersign-witnessing'), null)
  for (const each of [a, b]) each.behaviour = 'failing'
  let late = await answered(gateway)
  await eventually('overdue', async () => {
    late = await answered(gateway)
    return late.headers.get('countersign-witnessing') === 'overdue'
  })
  assert.deepEqual((await health(stage)).quorums, { sum: 'overdue' })
  assert.ok(errors.some((error) => /sum: witnesses have not met two for 3 s; its answers say so/.test(error)))
  // Nobody waits for witnesses that are known to be missing.
  const startMs = performance.now()
  const got = await receiptOf(gateway, late)
  assert.equal(got.status, 200)
  assert.equal(got.headers.get('countersign-witnessed'), 'false')
  assert.ok(performance.now() - startMs < 5000)
  for (const each of [a, b]) each.behaviour = 'honest'
  await eventually('met again', () => notices.some((notice) => /sum: witnesses meet its quorum again/.test(notice)))
  const after = await answered(gateway)
  assert.equal(after.headers.get('countersign-witnessing'), null)
  assert.equal((await receiptOf(gateway, late)).headers.get('countersign-witnessed'), 'true')
})

test('while a quorum is overdue requests are refused, where that is what the operator wants; a reload takes it back', async (context) => {
  const stage = await startWitnessed(context, { unmetAfterSeconds: 3, whenUnmet: 'refuse', askMs: 200 })
  const { gateway, config, a, b } = stage
  for (const each of [a, b]) each.behaviour = 'silent'
  let refused = await infer(gateway)
  await eventually('refused', async () => {
    refused = await infer(gateway)
    return refused.status === 503
  })
  assert.equal(codeIn(refused), 'witness/quorum-overdue')
  assert.equal(refused.headers.get('retry-after'), '5')
  assert.equal(refused.receipt, '')
  // Not the head's size: it may still be on its way to what was answered before.
  const records = () => gateway.log.database.prepare('SELECT count(*) FROM statements').pluck().get()
  const before = records()
  assert.equal((await infer(gateway)).status, 503)
  assert.equal(records(), before, 'what is refused leaves no record')
  const deployments = (name: string) =>
    config.deployments.map((each) => ({
      ...each,
      quorum: { name, unmetAfterSeconds: 3, whenUnmet: 'refuse' } as const,
    }))
  await assert.rejects(gateway.reload({ ...config, deployments: deployments('nobody') }), { code: 'config/malformed' })
  await gateway.reload({ ...config, deployments: deployments('c') })
  await eventually('answers again', async () => (await infer(gateway)).status === 200)
  const got = await receiptOf(gateway, await answered(gateway))
  assert.equal(got.headers.get('countersign-witnessed'), 'true')
})

test('without a quorum a receipt has whatever lines there are, and no header', async (context) => {
  const stage = await startWitnessed(context)
  const { gateway, config, folder, policy } = stage
  await gateway.reload({ ...config, deployments: config.deployments.map((each) => ({ ...each, quorum: undefined })) })
  const answer = await answered(gateway)
  assert.equal(
    (await waitFor(gateway, `/receipts/${answer.receipt}`, answer.secret)).headers.get('countersign-witnessed'),
    null,
  )
  await eventually('cosigned', async () => {
    const { text } = await call(gateway, 'GET', `/receipts/${answer.receipt}`, bearer(answer.secret))
    return text.split('— ').length === 5
  })
  const dossier = await waitFor(gateway, `/dossiers/${answer.receipt}`, answer.secret)
  assert.ok(rowsOf(await judge(trustIn(gateway, policy), dossier.bytes, folder)).includes('record holds witnessed'))
})

test('a restarted gateway goes on with the heads that it has, and asks for the newest', async (context) => {
  const stage = await startWitnessed(context)
  const { gateway, config, policy, a, b, c } = stage
  const answer = await answered(gateway)
  await receiptOf(gateway, answer)
  // What is published last has nobody's cosignature.
  for (const each of [a, b, c]) each.behaviour = 'failing'
  await answered(gateway)
  await stage.stop()
  assert.deepEqual(published(gateway, policy).by, [])
  const again = await startGateway(context, config)
  const receipt = await receiptOf(again.gateway, answer)
  assert.equal(receipt.headers.get('countersign-witnessed'), 'true')
  for (const each of [a, b, c]) each.behaviour = 'honest'
  await eventually('the newest', () => published(again.gateway, policy).by.length === 3)
})
