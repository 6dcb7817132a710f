import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { formatEnvelope, formatStatement, preAuthEncoding, toHex, utf8 } from '@countersign/verify'
import type { Config } from '../config/config.ts'
import { formatPublicPem, loadStatementKey, type StatementKey } from '../data/keys.ts'
import { acceptancePayload } from '../deployments/deployments.ts'
import {
  answered,
  call,
  codeIn,
  type Got,
  startGateway,
  temporaryFolder,
  testConfig,
  waitFor,
} from '../gateway.testing.ts'
import type { Gateway } from '../gateway.ts'

interface Stage {
  readonly gateway: Gateway
  readonly lender: StatementKey
  readonly auditor: StatementKey
  readonly stranger: StatementKey
  readonly manifestDigest: string
}

const AUDITOR_PER_DAY = 3

/** A gateway of a real operator: the accountable party holds its own key, and an auditor may write three times a day. */
async function createStage(context: TestContext): Promise<Stage> {
  const folder = temporaryFolder(context)
  const key = (name: string) => {
    const made = loadStatementKey(join(folder, `${name}.pem`), true)
    writeFileSync(join(folder, `${name}.public.pem`), formatPublicPem(made.spki))
    return made
  }
  const [lender, auditor, stranger] = [key('lender'), key('auditor'), key('stranger')]
  const base = testConfig(folder)
  const accountable = { party: 'Lender', contact: 'a@example.org', publicKeyFile: join(folder, 'lender.public.pem') }
  const config: Config = {
    ...base,
    example: false,
    deployments: base.deployments.map((each) => ({ ...each, accountable })),
    writers: [
      {
        party: 'Auditor',
        roles: ['accountable'],
        publicKeyFile: join(folder, 'auditor.public.pem'),
        perDay: AUDITOR_PER_DAY,
      },
    ],
  }
  const { gateway } = await startGateway(context, config)
  return { gateway, lender, auditor, stranger, manifestDigest: gateway.deployment('sum').statement }
}

function envelope(key: StatementKey, payload: Uint8Array, signature = key.sign(preAuthEncoding(payload))): string {
  return JSON.stringify(formatEnvelope({ payload, signature, keyId: key.keyId }))
}

function post({ gateway }: Stage, body: string): Promise<Got> {
  return call(gateway, 'POST', '/statements', {}, body)
}

function size({ gateway }: Stage): number {
  return gateway.log.database.prepare('SELECT count(*) FROM statements').pluck().get() as number
}

function acceptance({ gateway, manifestDigest }: Stage, acceptedAtMs = 1_790_000_000_000, party?: string): Uint8Array {
  const { manifest } = gateway.deployment('sum')
  const accountable = party === undefined ? manifest.accountable : { ...manifest.accountable, party }
  return acceptancePayload({ ...manifest, accountable }, manifestDigest, acceptedAtMs)
}

test('nothing is accepted in the accountable party’s name; its own acceptance is logged once', async (context) => {
  const stage = await createStage(context)
  const { gateway, lender } = stage
  assert.equal(size(stage), 2)
  const body = envelope(lender, acceptance(stage))
  const first = await post(stage, body)
  assert.equal(first.status, 201)
  const statement = toHex(gateway.crypto.sha256(acceptance(stage)))
  assert.deepEqual(JSON.parse(first.text), { statement, index: 2 })
  // The same statement signed anew has another signature, and is the same statement.
  for (const again of [body, envelope(lender, acceptance(stage))]) {
    const replay = await post(stage, again)
    assert.equal(replay.status, 200)
    assert.deepEqual(JSON.parse(replay.text), { statement, index: 2 })
  }
  assert.equal(size(stage), 3)
  const shown = await call(gateway, 'GET', `/statements/${statement}`)
  assert.equal(shown.status, 200)
  const { receipt, secret } = await answered(gateway)
  const dossier = JSON.parse((await waitFor(gateway, `/dossiers/${receipt}`, secret)).text)
  assert.equal(dossier.statements.length, 3, 'manifest, registration and acceptance')
})

test('the same statement many times at once is logged once', async (context) => {
  const stage = await createStage(context)
  const body = envelope(stage.lender, acceptance(stage))
  const all = await Promise.all(Array.from({ length: 20 }, () => post(stage, body)))
  assert.equal(all.filter(({ status }) => status === 201).length, 1)
  assert.equal(all.filter(({ status }) => status === 200).length, 19)
  assert.equal(new Set(all.map(({ text }) => text)).size, 1)
  assert.equal(size(stage), 3)
})

test('no more in a day than the quota, however many at once; replays do not count', async (context) => {
  const stage = await createStage(context)
  const body = (i: number) => envelope(stage.auditor, acceptance(stage, 1_790_000_000_000 + i, 'Auditor'))
  const all = await Promise.all(Array.from({ length: 10 }, (_, i) => post(stage, body(i))))
  assert.equal(all.filter(({ status }) => status === 201).length, AUDITOR_PER_DAY)
  const refused = all.filter(({ status }) => status === 429)
  assert.equal(refused.length, 10 - AUDITOR_PER_DAY)
  assert.deepEqual(new Set(refused.map(codeIn)), new Set(['writer/quota']))
  assert.equal(refused[0]?.headers.get('retry-after'), '1')
  const taken = all.findIndex(({ status }) => status === 201)
  assert.equal((await post(stage, body(taken))).status, 200)
  assert.equal((await post(stage, envelope(stage.lender, acceptance(stage)))).status, 201, 'others have their own')
})

test('whoever is not listed, and whatever is not an acceptance of a manifest of ours, is refused', async (context) => {
  const stage = await createStage(context)
  const { lender, auditor, stranger, gateway } = stage
  const payload = acceptance(stage)
  const { manifest } = gateway.deployment('sum')
  const change = (find: string, replace: string) => utf8(Buffer.from(payload).toString().replaceAll(find, replace))
  const other = formatStatement({
    subjects: [{ name: 'x', digest: { sha256: '00'.repeat(32) } }],
    predicateType: 'urn:countersign:erasure/v1',
    predicate: { reason: 'requested', erasedAtMs: 1 },
  })
  const cases: readonly (readonly [string, string, number, string])[] = [
    ['a stranger', envelope(stranger, payload), 403, 'writer/not-allowed'],
    [
      'a stranger under a listed key’s name',
      envelope({ ...stranger, keyId: lender.keyId }, payload),
      400,
      'signature/invalid',
    ],
    ['no signature', envelope(lender, payload, new Uint8Array(1)), 400, 'signature/malformed'],
    ['another’s party name', envelope(auditor, payload), 403, 'writer/not-allowed'],
    [
      'a manifest that is not ours',
      envelope(lender, acceptancePayload(manifest, 'ab'.repeat(32), 1)),
      400,
      'statement/mismatch',
    ],
    [
      'a statement that is no manifest',
      envelope(lender, acceptancePayload(manifest, gateway.tensorDeployment('sum').served.registration, 1)),
      400,
      'statement/mismatch',
    ],
    ['another name', envelope(lender, change('"sum"', '"sub"')), 400, 'statement/mismatch'],
    [
      'an unknown field',
      envelope(lender, change('"acceptedAtMs"', '"more":1,"acceptedAtMs"')),
      400,
      'shape/unknown-field',
    ],
    ['another type', envelope(lender, other), 400, 'statement/wrong-type'],
    ['no statement', envelope(lender, utf8('{}')), 400, 'shape/missing-field'],
    ['no JSON inside', envelope(lender, utf8('x')), 400, 'json/malformed'],
    ['no JSON', 'x', 400, 'json/malformed'],
    ['no envelope', '{}', 400, 'shape/missing-field'],
    ['too much', 'x'.repeat(2 * 1024 * 1024 + 1), 413, 'request/too-large'],
  ]
  for (const [what, body, status, code] of cases) {
    const got = await post(stage, body)
    assert.deepEqual([got.status, codeIn(got)], [status, code], what)
  }
  assert.equal(size(stage), 2)
  assert.equal((await post(stage, envelope(lender, payload))).status, 201)
})

test('the deadlines, contact and party that are accepted are those of the manifest, word for word', async (context) => {
  const stage = await createStage(context)
  const { manifest } = stage.gateway.deployment('sum')
  const deadlines = { ...manifest.deadlines, respondDays: 3000 }
  const payload = acceptancePayload({ ...manifest, deadlines }, stage.manifestDigest, 1)
  const got = await post(stage, envelope(stage.lender, payload))
  // The gateway logs what a party signs; that it differs from the manifest is for the verdict to say.
  assert.equal(got.status, 201)
})

test('statements are public but for answers; what is not there is not found', async (context) => {
  const stage = await createStage(context)
  const { gateway, manifestDigest } = stage
  const manifest = await call(gateway, 'GET', `/statements/${manifestDigest}`)
  assert.equal(manifest.status, 200)
  assert.equal(JSON.parse(manifest.text).statement, manifestDigest)
  const { receipt } = await answered(gateway)
  const digest = toHex(gateway.statements.byReceipt(receipt)?.digest ?? new Uint8Array())
  assert.equal((await call(gateway, 'GET', `/statements/${digest}`)).status, 401)
  for (const unknown of ['ab'.repeat(32), 'short', manifestDigest.toUpperCase()]) {
    assert.equal((await call(gateway, 'GET', `/statements/${unknown}`)).status, 404)
  }
})
