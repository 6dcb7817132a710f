/** An upstream turned bad: what it shows, and what it is then sent. */
import assert from 'node:assert/strict'
import { generateKeyPairSync } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { parseAppraisal, parseStatement } from '@countersign/verify'
import { DEFAULT_TARGET } from '../config/config.ts'
import { DEFAULT_COLLATERAL, type UpstreamPlaceConfig } from '../config/place-config.ts'
import { temporaryFolder } from '../gateway.testing.ts'
import { selfSignedCertificate } from '../mock-upstream/certificate.testing.ts'
import { startMockUpstream } from '../mock-upstream/mock-upstream.testing.ts'
import { chat, send, startRelay, statementOf } from '../relay/relay.testing.ts'
import { eventually } from '../relay/settled.testing.ts'
import { placeOf, rigPolicy, startRig } from './place-scene.testing.ts'

/** A gateway before an upstream whose evidence binds a key, and none of its connections. */
async function createStage(context: TestContext, place: Partial<UpstreamPlaceConfig>) {
  const tls = selfSignedCertificate()
  const upstream = await startMockUpstream({ tls })
  context.after(() => upstream.close())
  const rig = await startRig(context, tls)
  const { publicKey } = generateKeyPairSync('ec', { namedCurve: 'prime256v1' })
  rig.machine.signingKey = new Uint8Array(publicKey.export({ type: 'spki', format: 'der' }))
  const caFile = join(temporaryFolder(context), 'ca.pem')
  writeFileSync(caFile, tls.cert)
  const demanded = placeOf(rigPolicy('countersign', { require: ['serving-key-bound'] }), {
    evidenceUrl: `${rig.url}/attestation?nonce={nonce}`,
    ...place,
  })
  const { gateway, errors } = await startRelay(context, {
    extra: [{ name: 'shown', kind: 'openai', baseUrl: `${upstream.url}/v1`, caFile, place: demanded }],
    deployment: { route: [{ upstream: 'shown', ...DEFAULT_TARGET }] },
    config: { collateral: { ...DEFAULT_COLLATERAL, addresses: rig.addresses } },
    options: { evidenceRoots: rig.roots },
  })
  const outcomes = () =>
    [...gateway.statements.oldest('appraisal', 'shown')].map(
      ({ payload }) => parseAppraisal(parseStatement(new Uint8Array(payload))).outcome,
    )
  await eventually(() => outcomes().length > 0, 'the appraisal is logged', 20_000)
  assert.deepEqual(outcomes(), ['accepted'])
  return { gateway, upstream, errors }
}

const ask = (gateway: Parameters<typeof send>[0]) => send(gateway, '/v1/chat/completions', chat('mock-small'))

test('evidence that binds no server of connections: no byte goes to whoever answers at the address', async (context) => {
  const { gateway, upstream, errors } = await createStage(context, {})
  const got = await ask(gateway)
  assert.equal(got.status, 503, got.bytes.toString())
  assert.equal(upstream.requests.length, 0)
  assert.ok(errors.some((error) => error.startsWith('place shown: its evidence binds no key of connections')))
})

test('flagged: an unsigned answer of whoever answers there is not covered by it', async (context) => {
  const { gateway, upstream } = await createStage(context, { onFailure: 'flag' })
  const got = await ask(gateway)
  assert.equal(got.status, 200, got.bytes.toString())
  assert.equal(upstream.requests.length, 1)
  const statement = await statementOf({ gateway }, String(got.headers['countersign-receipt']))
  assert.deepEqual([statement.appraisal, statement.evidence], [undefined, []])
})
