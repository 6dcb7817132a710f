import assert from 'node:assert/strict'
import { generateKeyPairSync } from 'node:crypto'
import { readdirSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { decideVerdict, type PlacePolicy, parseAppraisal, parseDossier, parseStatement } from '@countersign/verify'
import { DEFAULT_TARGET, type DeploymentConfig } from '../config/config.ts'
import { DEFAULT_COLLATERAL, type UpstreamPlaceConfig } from '../config/place-config.ts'
import { dataFolderAt } from '../data/data-folder.ts'
import { call, codeIn, temporaryFolder, waitFor } from '../gateway.testing.ts'
import type { Gateway } from '../gateway.ts'
import { checkLog } from '../log/fsck.ts'
import { selfSignedCertificate } from '../mock-upstream/certificate.testing.ts'
import { type MockUpstream, startMockUpstream } from '../mock-upstream/mock-upstream.testing.ts'
import { chat, send, startRelay, statementOf } from '../relay/relay.testing.ts'
import { eventually } from '../relay/settled.testing.ts'
import { trustIn } from '../verdict.testing.ts'
import { placeOf, type Rig, rigPolicy, startRig, tlsKeyOf } from './place-scene.testing.ts'

const SHOWN = { upstream: 'shown', ...DEFAULT_TARGET }

interface StageChanges {
  readonly profile?: 'tinfoil' | 'countersign'
  readonly policy?: Partial<PlacePolicy>
  readonly place?: Partial<UpstreamPlaceConfig>
  readonly route?: DeploymentConfig['route']
  /** Before the gateway starts. */
  readonly prepare?: (rig: Rig) => void
}

/** A gateway whose one upstream, over TLS, has to show where it runs. */
async function createStage(context: TestContext, changes: StageChanges = {}) {
  const tls = selfSignedCertificate()
  const upstream = await startMockUpstream({ tls })
  context.after(() => upstream.close())
  const rig = await startRig(context, tls)
  changes.prepare?.(rig)
  const caFile = join(temporaryFolder(context), 'ca.pem')
  writeFileSync(caFile, tls.cert)
  const { profile = 'tinfoil' } = changes
  const path = profile === 'tinfoil' ? '/.well-known/tinfoil-attestation' : '/attestation?nonce={nonce}'
  const base = placeOf(rigPolicy(profile), { evidenceUrl: `${rig.url}${path}`, ...changes.place })
  const place = { ...base, policy: { ...base.policy, ...changes.policy } }
  const stage = await startRelay(context, {
    extra: [{ name: 'shown', kind: 'openai', baseUrl: `${upstream.url}/v1`, caFile, place }],
    deployment: { route: changes.route ?? [SHOWN] },
    config: { collateral: { ...DEFAULT_COLLATERAL, addresses: rig.addresses } },
    options: { evidenceRoots: rig.roots },
  })
  return { ...stage, shown: upstream, plain: stage.upstream, rig, tls }
}

function isPlaceShown(gateway: Gateway): boolean {
  const { places = {} } = gateway.health() as { places?: { readonly [name: string]: string } }
  return places.shown === 'shown'
}

async function untilAsked({ machine }: Rig, times: number): Promise<void> {
  await eventually(() => machine.asked >= times, `${times} requests for evidence`, 20_000)
}

function ask(gateway: Gateway) {
  return send(gateway, '/v1/chat/completions', chat('mock-small'))
}

function codeOf(got: { readonly bytes: Buffer }): unknown {
  return (JSON.parse(got.bytes.toString()) as { error?: { code?: unknown } }).error?.code
}

function appraisalsOf(gateway: Gateway) {
  return [...gateway.statements.oldest('appraisal', 'shown')].map(({ payload }) =>
    parseAppraisal(parseStatement(new Uint8Array(payload))),
  )
}

test('an upstream that shows where it runs serves, and the dossier shows it again, offline', async (context) => {
  const { gateway, rig, shown, notices } = await createStage(context)
  await eventually(() => isPlaceShown(gateway), 'the place is accepted', 20_000)
  const got = await ask(gateway)
  assert.equal(got.status, 200, got.bytes.toString())
  assert.equal(shown.requests.length, 1)
  const statement = await statementOf({ gateway }, String(got.headers['countersign-receipt']))
  const [appraisal] = appraisalsOf(gateway)
  assert.equal(appraisal?.outcome, 'accepted')
  assert.deepEqual(statement.evidence, [appraisal?.evidence, appraisal?.collateral])
  const row = gateway.statements.byDigest(statement.appraisal ?? '')
  assert.equal(row?.kind, 'appraisal')
  assert.ok(notices.some((notice) => notice.startsWith('place shown: accepted')))

  const receipt = String(got.headers['countersign-receipt'])
  const dossier = await waitFor(gateway, `/dossiers/${receipt}`, String(got.headers['countersign-secret']))
  assert.equal(dossier.status, 200, dossier.text)
  const input = { crypto: gateway.crypto, trust: trustIn(gateway), atMs: Date.now(), roots: rig.roots }
  const verdict = decideVerdict(parseDossier(dossier.bytes), input)
  const place = verdict.claims.find(({ claim }) => claim === 'place')
  assert.equal(place?.status, 'holds', JSON.stringify(place))
  const stranger = decideVerdict(parseDossier(dossier.bytes), {
    ...input,
    roots: { ...rig.roots, amd: { milan: [], genoa: [], turin: [] } },
  })
  assert.notEqual(stranger.claims.find(({ claim }) => claim === 'place')?.status, 'holds')
})

test('the manifest says what is demanded, word for word', async (context) => {
  const { gateway } = await createStage(context)
  const [upstream] = gateway.relayDeployment('mock-small').manifest.upstreams ?? []
  assert.deepEqual(upstream?.place, { policy: rigPolicy('tinfoil'), onFailure: 'refuse' })
})

test('evidence that binds another TLS key: no byte goes to the server, and the client is told', async (context) => {
  const { gateway, shown } = await createStage(context, {
    prepare: ({ machine }) => {
      machine.tlsKey = tlsKeyOf(selfSignedCertificate().cert)
    },
  })
  await eventually(() => isPlaceShown(gateway), 'the place is accepted', 20_000)
  const got = await ask(gateway)
  assert.equal(got.status, 503, got.bytes.toString())
  assert.equal(shown.requests.length, 0)
  const statement = await statementOf({ gateway }, String(got.headers['countersign-receipt']))
  assert.equal(statement.attempts[0]?.code, 'place/not-shown')
  assert.equal(statement.finish.code, 'place/not-shown')
  assert.equal(statement.appraisal, undefined)
})

test('other code is refused: nothing is sent, nothing is recorded but the appraisal', async (context) => {
  const { gateway, rig, shown, errors } = await createStage(context, {
    prepare: ({ machine }) => {
      machine.snp = { edit: (report) => report.fill(0x66, 0x90, 0xc0) }
    },
  })
  await eventually(() => appraisalsOf(gateway).length > 0, 'the appraisal is logged', 20_000)
  const [appraisal] = appraisalsOf(gateway)
  assert.equal(appraisal?.outcome, 'refused')
  assert.deepEqual(appraisal?.failed, ['sev-snp/measurement'])
  // Said once the log has answered, which may be after the statement can be read.
  const isSaid = () => errors.some((error) => error.startsWith('place shown: refused'))
  await eventually(isSaid, 'the operator is told', 20_000)
  const got = await ask(gateway)
  assert.deepEqual([got.status, codeOf(got)], [503, 'place/not-shown'])
  assert.equal(got.headers['countersign-receipt'], undefined)
  assert.equal(shown.requests.length, 0)
  assert.equal(rig.machine.asked, 1)
})

test('where another place may answer, it does', async (context) => {
  const route = [SHOWN, { upstream: 'openai', weight: 1, rank: 1 }]
  const { gateway, shown, plain } = await createStage(context, {
    route,
    prepare: ({ machine }) => {
      machine.status = 500
    },
  })
  await eventually(() => appraisalsOf(gateway).length > 0, 'the appraisal is logged', 20_000)
  assert.equal(appraisalsOf(gateway)[0]?.outcome, 'unavailable')
  const got = await ask(gateway)
  assert.equal(got.status, 200)
  assert.deepEqual([shown.requests.length, plain.requests.length], [0, 1])
})

test('flagged: it serves, and no appraisal is named', async (context) => {
  const { gateway, shown } = await createStage(context, {
    place: { onFailure: 'flag' },
    prepare: ({ machine }) => {
      machine.status = 404
    },
  })
  await eventually(() => appraisalsOf(gateway).length > 0, 'the appraisal is logged', 20_000)
  const got = await ask(gateway)
  assert.equal(got.status, 200)
  assert.equal(shown.requests.length, 1)
  const statement = await statementOf({ gateway }, String(got.headers['countersign-receipt']))
  assert.deepEqual([statement.appraisal, statement.evidence], [undefined, []])
})

test('flagged: an answer of another server than the attested one is not covered', async (context) => {
  const { gateway } = await createStage(context, {
    place: { onFailure: 'flag' },
    prepare: ({ machine }) => {
      machine.tlsKey = '22'.repeat(32)
    },
  })
  await eventually(() => isPlaceShown(gateway), 'the place is accepted', 20_000)
  const got = await ask(gateway)
  assert.equal(got.status, 200)
  const statement = await statementOf({ gateway }, String(got.headers['countersign-receipt']))
  assert.equal(statement.appraisal, undefined)
})

test('evidence is renewed before it is out of date, and what shows itself as another place is out at once', async (context) => {
  const { gateway, rig } = await createStage(context, { policy: { maxAgeMs: 4000 } })
  await untilAsked(rig, 3)
  await eventually(() => isPlaceShown(gateway), 'it is accepted all the time', 10)
  assert.equal((await ask(gateway)).status, 200)
  assert.ok(appraisalsOf(gateway).length >= 2)
  rig.machine.snp = { edit: (report) => report.fill(0x66, 0x90, 0xc0) }
  await eventually(() => !isPlaceShown(gateway), 'it is refused', 3000)
  assert.equal((await ask(gateway)).status, 503)
})

test('a place that cannot be reached stands for its time, and no longer', async (context) => {
  const { gateway, rig } = await createStage(context, { policy: { maxAgeMs: 3000 } })
  await eventually(() => isPlaceShown(gateway), 'the place is accepted', 20_000)
  const acceptedMs = performance.now()
  rig.machine.status = 503
  await untilAsked(rig, 2)
  assert.ok(isPlaceShown(gateway) || performance.now() - acceptedMs > 2900)
  await eventually(() => !isPlaceShown(gateway), 'it is out of date')
  assert.equal((await ask(gateway)).status, 503)
})

test('evidence for an older challenge is refused', async (context) => {
  const { gateway, rig } = await createStage(context, {
    profile: 'countersign',
    policy: { maxAgeMs: 3000 },
    prepare: ({ machine }) => {
      const { publicKey } = generateKeyPairSync('ec', { namedCurve: 'prime256v1' })
      machine.signingKey = new Uint8Array(publicKey.export({ type: 'spki', format: 'der' }))
    },
  })
  await eventually(() => isPlaceShown(gateway), 'the place is accepted', 20_000)
  assert.equal(appraisalsOf(gateway)[0]?.freshness, 'nonce')
  rig.machine.isReplaying = true
  await eventually(() => appraisalsOf(gateway).at(-1)?.outcome === 'refused', 'the old evidence is refused')
  assert.deepEqual(appraisalsOf(gateway).at(-1)?.failed, ['binding/key-bound'])
  assert.equal((await ask(gateway)).status, 503)
})

test('a reload keeps what is shown of a place whose terms are the same, and asks anew where they are not', async (context) => {
  const { gateway, rig } = await createStage(context)
  await eventually(() => isPlaceShown(gateway), 'the place is accepted', 20_000)
  await gateway.reload(gateway.config)
  assert.ok(isPlaceShown(gateway))
  assert.equal((await ask(gateway)).status, 200)
  assert.equal(rig.machine.asked, 1)
  const other = placeOf(rigPolicy('tinfoil', { measurements: { measurement: ['00'.repeat(48)] } }))
  const upstreams = gateway.config.upstreams.map((each) => {
    const place = each.place && { ...each.place, policy: other.policy, written: other.written }
    return { ...each, place }
  })
  await gateway.reload({ ...gateway.config, upstreams })
  assert.equal(isPlaceShown(gateway), false)
  assert.equal((await ask(gateway)).status, 503)
  await eventually(() => appraisalsOf(gateway).at(-1)?.outcome === 'refused', 'it is appraised by the new policy')
})

test('what statements name is there, and its loss is found', async (context) => {
  const { gateway, stop } = await createStage(context)
  await eventually(() => isPlaceShown(gateway), 'the place is accepted', 20_000)
  await stop()
  const { dataRoot } = gateway
  assert.deepEqual(checkLog(dataRoot).findings, [])
  const folder = dataFolderAt(dataRoot).evidence
  const [first, second] = readdirSync(folder)
  assert.equal(statSync(join(folder, first ?? '')).mode & 0o777, 0o600)
  rmSync(join(folder, first ?? ''))
  writeFileSync(join(folder, second ?? ''), '{}')
  assert.deepEqual(
    checkLog(dataRoot).findings.map(({ check }) => check),
    ['evidence', 'evidence'],
  )
})

test('requests that pass through stand before the same door', async (context) => {
  const { gateway, shown } = await createStage(context, {
    prepare: ({ machine }) => {
      machine.status = 500
    },
  })
  const got = await call(gateway, 'GET', '/v1/files', { 'countersign-upstream': 'shown' })
  assert.equal(got.status, 503, got.text)
  assert.equal((shown satisfies MockUpstream).requests.length, 0)
  assert.match(got.text, /place\/not-shown/)
  assert.notEqual(codeIn(got), 'internal')
})
