import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { cpSync, existsSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { parseDossier } from '@countersign/verify'
import Database from 'better-sqlite3'
import { type Config, DEFAULT_LIMITS } from './config/config.ts'
import { dataFolderAt } from './data/data-folder.ts'
import {
  answered,
  bearer,
  call,
  codeIn,
  infer,
  keysOf,
  startGateway,
  startInNewFolder,
  temporaryFolder,
  testConfig,
  waitFor,
} from './gateway.testing.ts'
import { SCHEMA_VERSION } from './store/database.ts'

function digestOf(path: string): string {
  return createHash('sha256').update(readFileSync(path)).digest('hex')
}

/** Files and folders of a data folder, byte for byte. */
function contentsOf(root: string): ReadonlyMap<string, string> {
  const entries = readdirSync(root, { recursive: true, withFileTypes: true })
  const paths = entries.map((entry) => join(entry.parentPath, entry.name)).sort()
  return new Map(paths.map((path) => [path, statSync(path).isFile() ? digestOf(path) : 'folder']))
}

async function assertRefused(context: TestContext, config: Config, code: string, options = {}): Promise<void> {
  const before = existsSync(config.dataRoot) ? contentsOf(config.dataRoot) : undefined
  await assert.rejects(startGateway(context, config, options), { name: 'CountersignError', code })
  if (before !== undefined) assert.deepEqual(contentsOf(config.dataRoot), before, 'the data is left as it was')
}

/**
 * Data as this release leaves them, with an answer in them. Later releases keep the folders that their predecessors
 * made this way, and open each of them in the tests below.
 */
async function makeReleaseData(context: TestContext, folder: string) {
  const config = testConfig(folder)
  const { gateway, stop } = await startGateway(context, config)
  const answer = await answered(gateway)
  const { text } = await waitFor(gateway, `/receipts/${answer.receipt}`, answer.secret)
  const { origin } = gateway.log
  await stop()
  return { config, answer, origin, receipt: text }
}

test('data that this release wrote opens again, goes on, and hands out what it promised', async (context) => {
  const { config, answer, origin, receipt } = await makeReleaseData(context, temporaryFolder(context))
  const { gateway, notices, errors } = await startGateway(context, config)
  assert.equal(gateway.log.origin, origin)
  assert.equal((await waitFor(gateway, `/receipts/${answer.receipt}`, answer.secret)).text, receipt)
  const dossier = await waitFor(gateway, `/dossiers/${answer.receipt}`, answer.secret)
  assert.equal(parseDossier(dossier.bytes).openings.length, 2)
  const next = await answered(gateway)
  const sequence = (id: string) => {
    const row = gateway.statements.byReceipt(id)
    return row && gateway.receipts.inference(row).sequence
  }
  assert.deepEqual([sequence(answer.receipt), sequence(next.receipt)], [0, 1])
  assert.deepEqual([notices, errors], [[], []])
})

test('data of a newer release are refused: by the version file, and by the database’s own version', async (context) => {
  const { config } = await makeReleaseData(context, temporaryFolder(context))
  const folder = dataFolderAt(config.dataRoot)
  const versionFile = join(folder.root, 'version')
  const version = readFileSync(versionFile, 'utf8')
  writeFileSync(versionFile, `${Number(version) + 1}\n`)
  await assertRefused(context, config, 'data/newer-version')
  writeFileSync(versionFile, version)
  setUserVersion(folder.database, SCHEMA_VERSION + 1)
  await assertRefused(context, config, 'data/newer-version')
  setUserVersion(folder.database, SCHEMA_VERSION)
  await startGateway(context, config)
})

function setUserVersion(path: string, version: number): void {
  const database = new Database(path)
  database.pragma(`user_version = ${version}`)
  database.close()
}

test('all that is private is for its owner alone', async (context) => {
  const { config } = await makeReleaseData(context, temporaryFolder(context))
  const { log } = dataFolderAt(config.dataRoot)
  for (const path of contentsOf(config.dataRoot).keys()) {
    const mode = statSync(path).mode & 0o777
    if (path.startsWith(`${log}/`)) continue
    assert.equal(mode, statSync(path).isDirectory() ? 0o700 : 0o600, path)
  }
})

test('a second gateway on the same data is refused, and the first goes on', async (context) => {
  const { gateway, config } = await startInNewFolder(context)
  await assert.rejects(startGateway(context, config), { code: 'data/locked' })
  await answered(gateway)
})

test('a database rolled back behind what was published is refused', async (context) => {
  const folder = temporaryFolder(context)
  const { config } = await makeReleaseData(context, folder)
  const store = join(config.dataRoot, 'store')
  cpSync(store, join(folder, 'copy'), { recursive: true })
  const { gateway, stop } = await startGateway(context, config)
  await answered(gateway)
  await stop()
  rmSync(store, { recursive: true })
  cpSync(join(folder, 'copy'), store, { recursive: true })
  await assertRefused(context, config, 'log/head-behind-published')
})

test('a copy of the database from before an erasure does not bring the content back', async (context) => {
  const folder = temporaryFolder(context)
  const { config, answer } = await makeReleaseData(context, folder)
  const parts = ['store', 'log']
  for (const part of parts) cpSync(join(config.dataRoot, part), join(folder, 'copy', part), { recursive: true })
  const { gateway, stop } = await startGateway(context, config)
  const token = bearer(readFileSync(keysOf(config.dataRoot).operatorToken, 'utf8').trim())
  assert.equal((await call(gateway, 'DELETE', `/receipts/${answer.receipt}/content`, token)).status, 200)
  await stop()
  // The whole log goes back with it, or the rollback would be refused; the keys of the vault have a life of their own.
  for (const part of parts) {
    rmSync(join(config.dataRoot, part), { recursive: true })
    cpSync(join(folder, 'copy', part), join(config.dataRoot, part), { recursive: true })
  }
  const restored = await startGateway(context, config)
  const row = restored.gateway.statements.byReceipt(answer.receipt)
  assert.ok(restored.gateway.statements.vaultRow(row?.index ?? -1)?.record, 'the ciphertext is back')
  const dossier = await waitFor(restored.gateway, `/dossiers/${answer.receipt}`, answer.secret)
  assert.deepEqual(parseDossier(dossier.bytes).openings, [])
  assert.equal(dossier.headers.get('countersign-salts'), null)
})

test('a key that is missing is never made up over data that it signed', async (context) => {
  const { config } = await makeReleaseData(context, temporaryFolder(context))
  for (const name of ['statement', 'log', 'root', 'operatorToken', 'vault'] as const) {
    const path = keysOf(config.dataRoot)[name]
    const key = readFileSync(path)
    rmSync(path)
    await assertRefused(context, config, 'config/missing-file')
    writeFileSync(path, key)
  }
})

test('a first start that was cut short while it made its keys can be made again', async (context) => {
  for (const keptCount of [0, 3]) {
    const config = testConfig(temporaryFolder(context))
    const { stop } = await startGateway(context, { ...config, deployments: [], example: false })
    await stop()
    const { keys } = dataFolderAt(config.dataRoot)
    for (const name of readdirSync(keys).slice(keptCount)) rmSync(join(keys, name))
    const { gateway } = await startGateway(context, config)
    await answered(gateway)
  }
})

test('a clock that went back is refused at start, and again until it is corrected', async (context) => {
  const { config } = await makeReleaseData(context, temporaryFolder(context))
  const now = () => Date.now() - 60_000
  await assertRefused(context, config, 'clock/went-backwards', { now })
  await assertRefused(context, config, 'clock/went-backwards', { now })
  const { gateway } = await startGateway(context, config)
  await answered(gateway)
})

test('a clock that goes back while it runs: small steps are noted, larger ones stop answers', async (context) => {
  let offset = 0
  const folder = temporaryFolder(context)
  const { gateway } = await startGateway(context, testConfig(folder), { now: () => Date.now() + offset })
  await answered(gateway)
  offset = -3000
  const clamped = await answered(gateway)
  const row = gateway.statements.byReceipt(clamped.receipt)
  assert.deepEqual(row && gateway.receipts.inference(row).observations, ['clock-clamped'])
  offset = -60_000
  const size = () => gateway.log.database.prepare('SELECT count(*) FROM statements').pluck().get()
  const before = size()
  const refused = await infer(gateway)
  assert.deepEqual([refused.status, codeIn(refused)], [503, 'clock/went-backwards'])
  assert.equal(size(), before)
  offset = 0
  await answered(gateway)
})

test('listening beyond this machine is refused unless it is asked for', async (context) => {
  const config = testConfig(temporaryFolder(context))
  for (const host of ['0.0.0.0', '::', '192.0.2.1', 'example.org', '', '127.0.0.1.example.org']) {
    await assertRefused(context, { ...config, listen: { host, port: 0 } }, 'config/unsafe-listen')
    assert.equal(existsSync(config.dataRoot), false)
  }
  const { gateway } = await startGateway(
    context,
    { ...config, listen: { host: '0.0.0.0', port: 0 } },
    { allowRemote: true },
  )
  assert.equal((await call(gateway, 'GET', '/healthz')).status, 200)
})

test('no room on the disk: nothing is admitted, and health says why', async (context) => {
  const limits = { ...DEFAULT_LIMITS, freeDiskBytes: Number.MAX_SAFE_INTEGER }
  const { gateway, errors } = await startInNewFolder(context, { limits })
  const before = gateway.log.database.prepare('SELECT count(*) FROM statements').pluck().get()
  const refused = await infer(gateway)
  assert.deepEqual([refused.status, codeIn(refused), refused.headers.get('retry-after')], [503, 'disk/full', '2'])
  assert.equal(gateway.log.database.prepare('SELECT count(*) FROM statements').pluck().get(), before)
  assert.equal(JSON.parse((await call(gateway, 'GET', '/healthz')).text).status, 'disk-full')
  assert.equal((await call(gateway, 'GET', '/v2/health/ready')).status, 503)
  assert.equal((await call(gateway, 'GET', '/v2/health/live')).status, 200)
  assert.deepEqual(errors, ['the disk is nearly full: nothing more is admitted'])
})

test('a log that must not go on: the owner is told, health says so, and no answer leaves', async (context) => {
  const config = testConfig(temporaryFolder(context))
  let halt: (code: string) => void
  const halted = new Promise<string>((resolve) => {
    halt = resolve
  })
  const { gateway, errors } = await startGateway(context, config, { onHalt: ({ code }) => halt(code) })
  const { receipt, secret } = await answered(gateway)
  await waitFor(gateway, `/receipts/${receipt}`, secret)
  const other = new Database(dataFolderAt(config.dataRoot).database)
  other.prepare('UPDATE head SET root = ?').run(new Uint8Array(32))
  other.close()
  await answered(gateway)
  assert.equal(await halted, 'log/head-changed')
  const refused = await infer(gateway)
  assert.deepEqual([refused.status, codeIn(refused)], [503, 'log/head-changed'])
  assert.equal(JSON.parse((await call(gateway, 'GET', '/healthz')).text).status, 'log-stopped')
  assert.equal((await call(gateway, 'GET', '/v2/health/ready')).status, 503)
  assert.equal(errors.length, 1)
})

test('a start that fails late lets go of everything: the next one works', async (context) => {
  const config = testConfig(temporaryFolder(context))
  const blocker = createServer().listen(0, '127.0.0.1')
  context.after(() => blocker.close())
  await once(blocker, 'listening')
  const { port } = blocker.address() as { port: number }
  await assert.rejects(startGateway(context, { ...config, listen: { host: '127.0.0.1', port } }), {
    code: 'config/malformed',
  })
  const [deployment] = config.deployments
  assert.ok(deployment?.model !== undefined)
  const missing = { ...deployment, model: { ...deployment.model, path: join(config.dataRoot, 'missing.onnx') } }
  await assert.rejects(startGateway(context, { ...config, deployments: [missing] }), { code: 'config/missing-file' })
  const { gateway } = await startGateway(context, config)
  await answered(gateway)
})

test('a first start that was refused binds nobody to its name', async (context) => {
  const config = testConfig(temporaryFolder(context))
  const blocker = createServer().listen(0, '127.0.0.1')
  context.after(() => blocker.close())
  await once(blocker, 'listening')
  const { port } = blocker.address() as { port: number }
  const taken = { ...config, origin: 'example.org/first', listen: { host: '127.0.0.1', port } }
  await assert.rejects(startGateway(context, taken), { code: 'config/malformed' })
  const keyless = { ...config, origin: 'example.org/second', vaultKey: { file: join(config.dataRoot, 'none.key') } }
  await assert.rejects(startGateway(context, keyless), { code: 'config/missing-file' })
  const { gateway } = await startGateway(context, { ...config, origin: 'example.org/third' })
  assert.equal(gateway.log.origin, 'example.org/third')
  await answered(gateway)
})

test('a data folder of another log than the configuration names is refused', async (context) => {
  const { config } = await makeReleaseData(context, temporaryFolder(context))
  await assertRefused(context, { ...config, origin: 'example.org/another' }, 'config/malformed')
})

test('the vault’s key may come from a file elsewhere or from the environment', async (context) => {
  const folder = temporaryFolder(context)
  const file = join(folder, 'elsewhere.key')
  const config = testConfig(folder, { vaultKey: { file } })
  await assert.rejects(startGateway(context, config), { code: 'config/missing-file' })
  writeFileSync(file, 'ab'.repeat(32))
  const { gateway, stop } = await startGateway(context, config)
  const { receipt, secret } = await answered(gateway)
  assert.equal(existsSync(keysOf(config.dataRoot).vault), false)
  await stop()
  const env = { ...config, vaultKey: { env: 'COUNTERSIGN_TEST_VAULT_KEY' } }
  await assert.rejects(startGateway(context, env), { code: 'config/missing-file' })
  process.env.COUNTERSIGN_TEST_VAULT_KEY = 'ab'.repeat(32)
  context.after(() => delete process.env.COUNTERSIGN_TEST_VAULT_KEY)
  const again = await startGateway(context, env)
  const dossier = await waitFor(again.gateway, `/dossiers/${receipt}`, secret)
  assert.equal(parseDossier(dossier.bytes).openings.length, 2)
})

test('a gateway that closes finishes what is under way and publishes all of it', async (context) => {
  const { gateway, stop, config } = await startInNewFolder(context)
  const answers = Array.from({ length: 50 }, () => infer(gateway))
  await Promise.race(answers)
  await stop()
  const statuses = (await Promise.allSettled(answers)).flatMap((each) =>
    each.status === 'fulfilled' ? [each.value.status] : [],
  )
  const answeredCount = statuses.filter((status) => status === 200).length
  const again = await startGateway(context, config)
  const count = again.gateway.log.database
    .prepare(`SELECT count(*) FROM statements WHERE kind = 'inference'`)
    .pluck()
    .get()
  assert.ok(Number(count) >= answeredCount && answeredCount > 0)
  assert.equal(again.gateway.health().log.published, again.gateway.health().log.size)
  assert.deepEqual(again.notices, [], 'nothing was interrupted')
})
