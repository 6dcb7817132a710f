import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import {
  appraiseEvidence,
  CHECKPOINT_MEDIA_TYPE,
  decideVerdict,
  parseCheckpoint,
  parseDossier,
  parseEvidence,
  parseInference,
  parseNote,
  parseStatement,
  readPlacePolicy,
} from '@countersign/verify'
import { snpEvidence } from '@countersign/verify/testing'
import { DEFAULT_COLLATERAL, type OwnPlaceConfig } from '../config/place-config.ts'
import {
  answered,
  call,
  codeIn,
  infer,
  startGateway,
  temporaryFolder,
  testConfig,
  waitFor,
} from '../gateway.testing.ts'
import type { Gateway, GatewayOptions } from '../gateway.ts'
import { arithmeticRequest } from '../model.testing.ts'
import { connected, head, readToEnd } from '../relay/raw-client.testing.ts'
import { eventually } from '../relay/settled.testing.ts'
import { inferenceIn, trustIn } from '../verdict.testing.ts'
import { startWitnessed } from '../witnesses/witnessed-gateway.testing.ts'
import { placeOf, rigPolicy, startRig } from './place-scene.testing.ts'

/** A command as an operator would write one; this one makes its hardware up. */
const PROGRAM = `
  import { SNP_AT, snpEvidence } from ${JSON.stringify(import.meta.resolve('@countersign/verify/testing'))}
  let text = ''
  for await (const chunk of process.stdin) text += chunk
  const data = Buffer.from(JSON.parse(text).reportData, 'hex')
  const edit = (report) => report.set(data, SNP_AT.reportData)
  process.stdout.write(snpEvidence({ edit }).item.content)
`
const SOURCE: OwnPlaceConfig['source'] = {
  kind: 'command',
  argv: [process.execPath, '--input-type=module', '-e', PROGRAM],
  gives: 'sev-snp',
}

async function createStage(
  context: TestContext,
  changes: Partial<OwnPlaceConfig> = {},
  options: Partial<GatewayOptions> = {},
) {
  const rig = await startRig(context)
  const folder = temporaryFolder(context)
  const ownPlace: OwnPlaceConfig = { source: SOURCE, place: placeOf(rigPolicy('countersign')), ...changes }
  const collateral = { ...DEFAULT_COLLATERAL, addresses: rig.addresses }
  const config = testConfig(folder, { ownPlace, collateral })
  return { ...(await startGateway(context, config, { evidenceRoots: rig.roots, ...options })), rig }
}

function isShown(gateway: Gateway): boolean {
  return (gateway.health() as { places?: { gateway?: string } }).places?.gateway === 'shown'
}

test('a model of the gateway’s own answers once the gateway has shown where it runs, and the dossier shows that', async (context) => {
  const { gateway, rig } = await createStage(context)
  await eventually(() => isShown(gateway), 'its own place is accepted', 20_000)
  const answer = await answered(gateway)
  const bundle = await waitFor(gateway, `/receipts/${answer.receipt}`, answer.secret)
  const inference = inferenceIn(gateway, bundle.bytes)
  assert.equal(gateway.statements.byDigest(inference.appraisal ?? '')?.name, 'gateway')
  assert.deepEqual(gateway.deployment('sum').manifest.place, {
    policy: rigPolicy('countersign'),
    onFailure: 'refuse',
  })
  const dossier = await waitFor(gateway, `/dossiers/${answer.receipt}`, answer.secret)
  const input = { crypto: gateway.crypto, trust: trustIn(gateway), atMs: Date.now(), roots: rig.roots }
  const verdict = decideVerdict(parseDossier(dossier.bytes), input)
  const place = verdict.claims.find(({ claim }) => claim === 'place')
  assert.equal(place?.status, 'holds', JSON.stringify(place))
})

test('an answer from right after the appraisal has the head by which witnesses had seen it', async (context) => {
  const rig = await startRig(context)
  const config = {
    ownPlace: { source: SOURCE, place: placeOf(rigPolicy('countersign')) },
    collateral: { ...DEFAULT_COLLATERAL, addresses: rig.addresses },
  }
  const { gateway, policy } = await startWitnessed(context, {}, { config, options: { evidenceRoots: rig.roots } })
  await eventually(() => isShown(gateway), 'its own place is accepted', 20_000)
  const answer = await answered(gateway)
  const index = gateway.statements.byDigest(appraisalOf(gateway, answer.receipt))?.index ?? -1
  const cited = () => gateway.witnessing.cited('sum').size
  await eventually(() => cited() > index, 'witnesses have seen the appraisal', 20_000)
  // The head that a later answer cites is kept, with the next publication.
  for (let i = 0; i < 100 && gateway.statements.firstCitedOver('sum', index) === undefined; i++) {
    await answered(gateway)
    await new Promise((resolve) => setTimeout(resolve, 200))
  }
  const row = gateway.receipts.find(answer.receipt)
  await eventually(() => cited() > row.index, 'witnesses have seen the answer', 20_000)
  const got = await waitFor(gateway, `/dossiers/${answer.receipt}`, answer.secret)
  const dossier = parseDossier(got.bytes)
  const sizes = dossier.evidence
    .filter(({ mediaType }) => mediaType === CHECKPOINT_MEDIA_TYPE)
    .map(({ content }) => parseCheckpoint(parseNote(content).text).size)
  assert.ok(sizes.some((size) => size > index))
  const trust = trustIn(gateway, policy)
  const verdict = decideVerdict(dossier, { crypto: gateway.crypto, trust, atMs: Date.now(), roots: rig.roots })
  const place = verdict.claims.find(({ claim }) => claim === 'place')
  assert.equal(place?.status, 'holds', JSON.stringify(place))
  assert.equal(place?.checks.find(({ name }) => name === 'place/time')?.result, 'pass', JSON.stringify(place))
})

function appraisalOf({ statements }: Gateway, receipt: string): string {
  const row = statements.byReceipt(receipt)
  assert.ok(row !== undefined)
  return parseInference(parseStatement(new Uint8Array(row.payload))).appraisal ?? ''
}

test('while nothing is shown, its models refuse, or answer without an appraisal, as configured', async (context) => {
  const broken: OwnPlaceConfig['source'] = {
    kind: 'command',
    argv: [process.execPath, '-e', 'process.exit(1)'],
    gives: 'nitro',
  }
  const refusing = await createStage(context, { source: broken })
  const refused = await infer(refusing.gateway)
  assert.deepEqual([refused.status, codeIn(refused), refused.receipt], [503, 'place/not-shown', ''])
  const place = placeOf(rigPolicy('countersign'), { onFailure: 'flag' })
  const { gateway } = await createStage(context, { source: broken, place })
  const answer = await answered(gateway)
  const bundle = await waitFor(gateway, `/receipts/${answer.receipt}`, answer.secret)
  assert.equal(inferenceIn(gateway, bundle.bytes).appraisal, undefined)
})

test('anyone is given evidence for a challenge of their own', async (context) => {
  const { gateway, rig } = await createStage(context, { place: undefined })
  const nonce = 'ab'.repeat(32)
  const got = await call(gateway, 'GET', `/attestation?nonce=${nonce}`)
  assert.equal(got.status, 200, got.text)
  assert.equal(got.headers.get('cache-control'), 'no-store')
  const evidence = parseEvidence(got.bytes)
  assert.equal(Buffer.from(evidence.nonce).toString('hex'), nonce)
  const { collateral } = snpEvidence().input
  const policy = readPlacePolicy({ ...rigPolicy('countersign'), require: ['serving-key-bound'] }, 'policy')
  const input = { crypto: gateway.crypto, atMs: Date.now(), collateral, policy, memory: undefined, roots: rig.roots }
  const appraisal = appraiseEvidence(evidence, { ...input, nonce: new Uint8Array(Buffer.from(nonce, 'hex')) })
  assert.deepEqual([appraisal.status, appraisal.freshness], ['accepted', 'nonce'], appraisal.reason)
  const other = appraiseEvidence(evidence, { ...input, nonce: new Uint8Array(32) })
  assert.equal(other.status, 'refused')
  for (const bad of [
    '',
    '?nonce=',
    '?nonce=abcd',
    '?nonce=AB',
    `?nonce=${'ab'.repeat(65)}`,
    `?nonce=${'zz'.repeat(32)}`,
  ]) {
    const refused = await call(gateway, 'GET', `/attestation${bad}`)
    assert.deepEqual([refused.status, codeIn(refused)], [400, 'request/malformed'], bad)
  }
})

test('a gateway without evidence says so, and who asks too often is told', async (context) => {
  const { gateway } = await createStage(context, { source: { kind: 'none' }, place: undefined })
  const got = await call(gateway, 'GET', `/attestation?nonce=${'ab'.repeat(32)}`)
  assert.deepEqual([got.status, codeIn(got)], [404, 'request/not-found'])
  const statuses: number[] = []
  for (let i = 0; i < 12; i++) statuses.push((await call(gateway, 'GET', '/attestation?nonce=00')).status)
  assert.ok(statuses.includes(429))
})

test('a client that sends slowly does not outlast what was shown', async (context) => {
  let laterMs = 0
  const { gateway } = await createStage(context, {}, { now: () => Date.now() + laterMs })
  await eventually(() => isShown(gateway), 'its own place is accepted', 20_000)
  const body = arithmeticRequest()
  const socket = await connected(gateway)
  socket.write(head('/v2/models/sum/infer', { 'content-length': body.length }))
  const isUnderWay = async () => (await call(gateway, 'GET', '/healthz')).text.includes('"inFlight":1')
  while (!(await isUnderWay())) await new Promise((resolve) => setTimeout(resolve, 20))
  laterMs = 365 * 24 * 60 * 60 * 1000
  socket.write(body)
  const reply = (await readToEnd(socket)).toString('latin1')
  assert.match(reply, /^HTTP\/1\.1 503 .*place\/not-shown/s)
})
