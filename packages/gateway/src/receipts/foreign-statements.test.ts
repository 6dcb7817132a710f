import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import {
  type AuditCommitment,
  type AuditedEntry,
  type AuditResult,
  auditCommitmentStatement,
  auditResultStatement,
  boundOf,
  countOutcomes,
  formatEnvelope,
  formatStatement,
  parseAuditResult,
  parseParty,
  parseStatement,
  partyStatement,
  preAuthEncoding,
  revocationStatement,
  type Statement,
  toHex,
} from '@countersign/verify'
import type { WriterRole } from '../config/config.ts'
import { formatPublicPem, loadStatementKey, type StatementKey } from '../data/keys.ts'
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
import { checkLog } from '../log/fsck.ts'
import { MAX_DOSSIER_RESULTS } from './audit-results.ts'

interface Stage {
  readonly gateway: Gateway
  readonly stop: () => Promise<void>
  readonly keys: { readonly [name: string]: StatementKey }
}

/** An auditor, a party, and an accountable party that is nothing else; each with a key. */
async function createStage(context: TestContext): Promise<Stage> {
  const folder = temporaryFolder(context)
  const key = (name: string): StatementKey => {
    const made = loadStatementKey(join(folder, `${name}.pem`), true)
    writeFileSync(join(folder, `${name}.public.pem`), formatPublicPem(made.spki))
    return made
  }
  const keys = { auditor: key('auditor'), second: key('second'), party: key('party'), lender: key('lender') }
  const writer = (name: string, party: string, roles: readonly WriterRole[]) => {
    return { party, roles, publicKeyFile: join(folder, `${name}.public.pem`), perDay: 40 }
  }
  const { gateway, stop } = await startGateway(context, {
    ...testConfig(folder),
    writers: [
      writer('auditor', 'Auditor', ['auditor']),
      writer('second', 'Second Auditor', ['auditor']),
      writer('party', 'Party', ['party']),
      writer('party', 'Other Name', ['party', 'auditor']),
      writer('lender', 'Lender', ['accountable']),
    ],
  })
  return { gateway, stop, keys }
}

function post({ gateway }: Stage, key: StatementKey | undefined, statement: Statement): Promise<Got> {
  assert.ok(key)
  const payload = formatStatement(statement)
  const envelope = formatEnvelope({ payload, signature: key.sign(preAuthEncoding(payload)), keyId: key.keyId })
  return call(gateway, 'POST', '/statements', {}, JSON.stringify(envelope))
}

const SEED = 'cd'.repeat(32)

function commitment({ gateway }: Stage, changes: Partial<AuditCommitment> = {}): Statement {
  return auditCommitmentStatement({
    ...{ auditor: 'Auditor', log: gateway.log.origin, deployments: 'all', seedHash: SEED, rateMillionths: 1000 },
    ...{ epoch: { entries: 100 }, answerWithinSeconds: 60, committedAtMs: 1 },
    ...changes,
  })
}

function result({ gateway }: Stage, digest: string, changes: Partial<AuditResult> = {}): Statement {
  const entries = changes.entries ?? []
  const counts = countOutcomes(entries)
  return auditResultStatement({
    ...{ auditor: 'Auditor', commitment: digest, log: gateway.log.origin, seed: SEED, from: 0, to: 1000 },
    head: { size: 1000, root: SEED, confirmedAtSeconds: 1 },
    ...{ counts, entries, cost: { computeMs: 1 }, bound: boundOf(counts, 990_000), endedAtMs: 1 },
    ...changes,
  })
}

async function committed(stage: Stage): Promise<string> {
  const got = await post(stage, stage.keys.auditor, commitment(stage))
  assert.equal(got.status, 201, got.text)
  return (JSON.parse(got.text) as { statement: string }).statement
}

test('a commitment and its result are logged, and public', async (context) => {
  const stage = await createStage(context)
  const digest = await committed(stage)
  const got = await post(stage, stage.keys.auditor, result(stage, digest))
  assert.equal(got.status, 201, got.text)
  const { statement } = JSON.parse(got.text) as { statement: string }
  for (const each of [digest, statement])
    assert.equal((await call(stage.gateway, 'GET', `/statements/${each}`)).status, 200)
  await stage.stop()
  assert.deepEqual(checkLog(stage.gateway.dataRoot).findings, [])
})

test('a party says what it is under a key that it names', async (context) => {
  const stage = await createStage(context)
  const { party, auditor } = stage.keys
  assert.ok(party && auditor)
  const declared = { party: 'Party', owner: 'Party Ltd', keys: [party.keyId], witnesses: [], declaredAtMs: 1 }
  const got = await post(stage, party, partyStatement(declared))
  assert.equal(got.status, 201, got.text)
  const row = stage.gateway.statements.latest('party', 'Party')
  assert.ok(row)
  assert.equal(parseParty(parseStatement(row.payload)).owner, 'Party Ltd')
  const stranger = await post(stage, party, partyStatement({ ...declared, keys: [auditor.keyId] }))
  assert.deepEqual([stranger.status, codeIn(stranger)], [400, 'statement/mismatch'])
  // One key may be listed for several names, each with what it may write.
  assert.equal((await post(stage, party, commitment(stage, { auditor: 'Other Name' }))).status, 201)
  const other = await post(stage, party, commitment(stage, { auditor: 'Party' }))
  assert.deepEqual([other.status, codeIn(other)], [403, 'writer/not-allowed'])
})

test('an auditor’s revocation is logged, public, and counts where a trust file lets it', async (context) => {
  const stage = await createStage(context)
  const { auditor, lender } = stage.keys
  const revocation = revocationStatement(stage.gateway.crypto, {
    what: { kind: 'device', ids: ['ab'.repeat(64)] },
    ...{ since: null, reason: 'taken out of its machine', source: 'https://example.org/notice' },
  })
  const refused = await post(stage, lender, revocation)
  assert.deepEqual([refused.status, codeIn(refused)], [403, 'writer/not-allowed'])
  const got = await post(stage, auditor, revocation)
  assert.equal(got.status, 201, got.text)
  const { statement } = JSON.parse(got.text) as { statement: string }
  assert.equal((await call(stage.gateway, 'GET', `/statements/${statement}`)).status, 200)
  await stage.stop()
  assert.deepEqual(checkLog(stage.gateway.dataRoot).findings, [])
})

test('whoever is not listed for it may not write it, and nothing that belongs to nothing here', async (context) => {
  const stage = await createStage(context)
  const { auditor, second, party, lender } = stage.keys
  const digest = await committed(stage)
  const declared = partyStatement({
    ...{ party: 'Auditor', owner: 'x', keys: [auditor?.keyId ?? ''], witnesses: [], declaredAtMs: 1 },
  })
  // Signed anew, a statement that is known is the same one: these are others.
  const anew = commitment(stage, { committedAtMs: 2 })
  const cases: readonly (readonly [string, StatementKey | undefined, Statement, number, string])[] = [
    ['a commitment by a lender', lender, anew, 403, 'writer/not-allowed'],
    ['a commitment by a party', party, anew, 403, 'writer/not-allowed'],
    ['a party by an auditor', auditor, declared, 403, 'writer/not-allowed'],
    ['another’s name', second, anew, 403, 'writer/not-allowed'],
    ['another log', auditor, commitment(stage, { log: 'example.org/other' }), 400, 'statement/mismatch'],
    ['a result of no commitment', auditor, result(stage, 'ab'.repeat(32)), 400, 'statement/mismatch'],
    [
      'a result of a manifest',
      auditor,
      result(stage, stage.gateway.deployment('sum').statement),
      400,
      'statement/mismatch',
    ],
    ['a result of another’s', second, result(stage, digest, { auditor: 'Second Auditor' }), 400, 'statement/mismatch'],
    ['a result of another log', auditor, result(stage, digest, { log: 'x' }), 400, 'statement/mismatch'],
    ['a result beyond its head', auditor, result(stage, digest, { to: 1001 }), 400, 'shape/bad-value'],
    ['a rate of nothing', auditor, commitment(stage, { rateMillionths: 0 }), 400, 'shape/bad-value'],
  ]
  for (const [what, key, statement, status, code] of cases) {
    const got = await post(stage, key, statement)
    assert.deepEqual([got.status, codeIn(got)], [status, code], what)
  }
})

test('audits count for the quota of their key', async (context) => {
  const stage = await createStage(context)
  const all: Got[] = []
  for (let i = 0; i < 42; i++) all.push(await post(stage, stage.keys.auditor, commitment(stage, { committedAtMs: i })))
  assert.deepEqual(
    all.map(({ status }) => status),
    [...Array.from({ length: 40 }, () => 201), 429, 429],
  )
  assert.equal((await post(stage, stage.keys.second, commitment(stage, { auditor: 'Second Auditor' }))).status, 201)
})

test('the largest result is taken in', async (context) => {
  const stage = await createStage(context)
  const digest = await committed(stage)
  const entries = Array.from({ length: 1024 }, (_, i): AuditedEntry => {
    const profile = 'ort-web-1.30.0-wasm-disabled-1t'
    return { index: 900_000_000_000 + i, leafHash: SEED, outcome: 'agreed', statement: SEED, profile }
  })
  const [from, to] = [900_000_000_000, 900_000_002_000]
  const head = { size: to, root: SEED, confirmedAtSeconds: 1 }
  const got = await post(stage, stage.keys.auditor, result(stage, digest, { entries, from, to, head }))
  assert.equal(got.status, 201, got.text)
})

test('a dossier carries the newest results that list its entry, and no more than a few', async (context) => {
  const stage = await createStage(context)
  const { gateway } = stage
  const digest = await committed(stage)
  const { receipt, secret } = await answered(gateway)
  const row = gateway.statements.byReceipt(receipt)
  assert.ok(row)
  const entry: AuditedEntry = {
    ...{ index: row.index, leafHash: toHex(row.leafHash), outcome: 'agreed', statement: toHex(row.digest) },
    profile: 'ort-web-1.30.0-wasm-disabled-1t',
  }
  const carried = async () => {
    const dossier = JSON.parse((await waitFor(gateway, `/dossiers/${receipt}`, secret)).text)
    const payloads = dossier.statements.map((each: { dsseEnvelope: { payload: string } }) =>
      Buffer.from(each.dsseEnvelope.payload, 'base64'),
    )
    return payloads
      .map((bytes: Uint8Array) => parseStatement(bytes))
      .filter(({ predicateType }: Statement) => predicateType.includes('audit-result'))
  }
  assert.equal((await carried()).length, 0)
  // One that is about these entries and does not list this one, and one about others.
  await post(stage, stage.keys.auditor, result(stage, digest, { entries: [] }))
  await post(stage, stage.keys.auditor, result(stage, digest, { entries: [], from: 500 }))
  assert.equal((await carried()).length, 0)
  for (let i = 0; i < MAX_DOSSIER_RESULTS + 2; i++) {
    const got = await post(stage, stage.keys.auditor, result(stage, digest, { entries: [entry], endedAtMs: i }))
    const { index } = JSON.parse(got.text) as { index: number }
    await gateway.log.waitForHead(index, 10_000)
  }
  const found: readonly Statement[] = await carried()
  const ends = found.map((statement) => parseAuditResult(statement).endedAtMs)
  assert.deepEqual(ends, [5, 4, 3, 2])
})
