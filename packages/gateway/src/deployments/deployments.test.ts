import assert from 'node:assert/strict'
import { copyFileSync, renameSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { type TestContext, test } from 'node:test'
import {
  openReceipt,
  parseAcceptance,
  parseBundle,
  parseDeployment,
  parseModel,
  parseStatement,
} from '@countersign/verify'
import type { Config, ModelConfig } from '../config/config.ts'
import { loadStatementKey } from '../data/keys.ts'
import { answered, keysOf, startGateway, temporaryFolder, testConfig, waitFor } from '../gateway.testing.ts'
import type { Gateway } from '../gateway.ts'
import type { StatementRow } from '../store/statement-reader.ts'
import { logKeyOf } from '../verdict.testing.ts'

/** Starts, reads what the log holds, and stops. */
async function kindsAfter(context: TestContext, config: Config): Promise<readonly string[]> {
  const { gateway, stop } = await startGateway(context, config)
  const kinds = gateway.log.database.prepare('SELECT kind FROM statements ORDER BY idx').pluck().all() as string[]
  await stop()
  return kinds
}

function statementIn(row: StatementRow | undefined) {
  assert.ok(row !== undefined)
  return parseStatement(row.payload)
}

test('a first start logs the model, the manifest and its acceptance; the same again logs nothing', async (context) => {
  const config = testConfig(temporaryFolder(context))
  const first = ['model', 'deployment', 'acceptance']
  assert.deepEqual(await kindsAfter(context, config), first)
  assert.deepEqual(await kindsAfter(context, config), first)
})

test('a changed price is a new manifest, accepted anew; a price that comes back is one more', async (context) => {
  const folder = temporaryFolder(context)
  const cheap = testConfig(folder)
  const dear = testConfig(folder, { priceMicros: 7 })
  const first = ['model', 'deployment', 'acceptance']
  assert.deepEqual(await kindsAfter(context, cheap), first)
  assert.deepEqual(await kindsAfter(context, dear), [...first, 'deployment', 'acceptance'])
  assert.deepEqual(await kindsAfter(context, dear), [...first, 'deployment', 'acceptance'])
  const back = await kindsAfter(context, cheap)
  assert.deepEqual(back.slice(5, 6), ['deployment'])
  const { gateway } = await startGateway(context, cheap)
  const { receipt, secret } = await answered(gateway)
  assert.equal((await waitFor(gateway, `/dossiers/${receipt}`, secret)).status, 200)
})

test('the manifest says what is served and who answers; the acceptance says so word for word', async (context) => {
  const config = testConfig(temporaryFolder(context), { priceMicros: 7, vault: 'salts' })
  const { gateway } = await startGateway(context, config)
  const { statement, manifest, served } = gateway.tensorDeployment('sum')
  const row = gateway.statements.byDigest(statement)
  assert.deepEqual(parseDeployment(statementIn(row)), manifest)
  assert.deepEqual(manifest.prices, [{ item: 'decision', amountMicros: 7, currency: 'EUR' }])
  assert.equal(manifest.vault, 'salts')
  assert.equal(manifest.example, true)
  const key = loadStatementKey(keysOf(config.dataRoot).exampleAccountable, false)
  assert.equal(manifest.accountable.keyId, key.keyId)
  const registration = parseModel(gateway.crypto, statementIn(gateway.statements.byDigest(served.registration)))
  assert.deepEqual(registration.files, [{ name: 'arithmetic.onnx', digest: served.digest.sha256 }])
  const acceptanceRow = gateway.statements.latest('acceptance', 'sum')
  const acceptance = parseAcceptance(statementIn(acceptanceRow))
  assert.deepEqual(acceptance.deployment, { name: 'sum', statement })
  assert.deepEqual(acceptance.deadlines, manifest.deadlines)
  await gateway.log.waitForHead(acceptanceRow?.index ?? 0, 10_000)
  const bundle = acceptanceRow && gateway.receipts.bundle(acceptanceRow)
  const opened = openReceipt(gateway.crypto, parseBundle(bundle ?? null, 'bundle'), logKeyOf(gateway))
  assert.equal(opened.keyId, key.keyId, 'signed by the accountable party’s own key')
})

/** The configuration with another model file. */
function withModel(config: Config, path: string): Config {
  const changed = (model: ModelConfig | undefined) => (model === undefined ? undefined : { ...model, path })
  return { ...config, deployments: config.deployments.map((each) => ({ ...each, model: changed(each.model) })) }
}

test('two deployments of one model share its registration', async (context) => {
  const config = testConfig(temporaryFolder(context))
  const deployments = config.deployments.flatMap((each) => [each, { ...each, name: 'other' }])
  const kinds = await kindsAfter(context, { ...config, deployments })
  assert.deepEqual(kinds, ['model', 'deployment', 'acceptance', 'deployment', 'acceptance'])
})

test('a model that is missing, or no model, or badly named, stops the start and logs nothing', async (context) => {
  const folder = temporaryFolder(context)
  const config = testConfig(folder)
  const path = config.deployments[0]?.model?.path ?? ''
  const spaced = join(dirname(path), 'my model.onnx')
  copyFileSync(path, spaced)
  await assert.rejects(startGateway(context, withModel(config, join(folder, 'none.onnx'))), {
    code: 'config/missing-file',
  })
  await assert.rejects(startGateway(context, withModel(config, spaced)), { code: 'config/malformed' })
  const noModel = withModel(config, keysOf(config.dataRoot).root)
  await assert.rejects(startGateway(context, noModel), { code: 'execution/failed' })
  const [deployment] = config.deployments
  assert.ok(deployment?.model !== undefined)
  const unknown = { ...deployment, model: { ...deployment.model, profile: 'unknown' } }
  await assert.rejects(startGateway(context, { ...config, deployments: [unknown] }), { code: 'execution/unsupported' })
  assert.deepEqual(await kindsAfter(context, config), ['model', 'deployment', 'acceptance'])
})

test('a model file that was renamed is a new registration and a new manifest', async (context) => {
  const folder = temporaryFolder(context)
  const config = testConfig(folder)
  await kindsAfter(context, config)
  const renamed = join(folder, 'renamed.onnx')
  renameSync(config.deployments[0]?.model?.path ?? '', renamed)
  const kinds = await kindsAfter(context, withModel(config, renamed))
  assert.deepEqual(kinds.slice(3), ['model', 'deployment', 'acceptance'])
})

test('an unknown deployment is an error that names those there are', async (context) => {
  const { gateway }: { gateway: Gateway } = await startGateway(context, testConfig(temporaryFolder(context)))
  assert.throws(() => gateway.deployment('other'), { code: 'model/not-found', message: /there is sum$/ })
})
