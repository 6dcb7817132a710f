import assert from 'node:assert/strict'
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import Database from 'better-sqlite3'
import type { Config } from '../config/config.ts'
import { dataFolderAt } from '../data/data-folder.ts'
import {
  answered,
  bearer,
  call,
  type Got,
  type InferGot,
  infer,
  inferPath,
  keysOf,
  startGateway,
  temporaryFolder,
  testConfig,
  waitFor,
} from '../gateway.testing.ts'
import type { Gateway } from '../gateway.ts'
import { arithmeticRequest } from '../model.testing.ts'

/** Secrets that are in place before the gateway starts, so that they can be looked for. */
const PLANTED = { root: 'a1'.repeat(32), operatorToken: 'b2'.repeat(32), vault: 'c3'.repeat(32) }

/** All spellings of a secret that something might leak in. */
function spellings(hex: string): readonly Buffer[] {
  const bytes = Buffer.from(hex, 'hex')
  return [bytes, ...[hex, bytes.toString('base64'), bytes.toString('base64url')].map((text) => Buffer.from(text))]
}

function filesUnder(folder: string): readonly string[] {
  const entries = readdirSync(folder, { recursive: true, withFileTypes: true })
  return entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name))
}

/** Asks for everything there is, rightly and wrongly. */
async function askAll(gateway: Gateway, answer: InferGot): Promise<Got[]> {
  const got: Got[] = [answer]
  const token = bearer(PLANTED.operatorToken)
  got.push(await waitFor(gateway, `/receipts/${answer.receipt}`, answer.secret))
  got.push(await call(gateway, 'GET', `/dossiers/${answer.receipt}`, token))
  got.push(await infer(gateway, '{'), await infer(gateway, arithmeticRequest([3e38, 0], [3e38, 0])))
  got.push(await call(gateway, 'DELETE', `/receipts/${answer.receipt}/content`, token))
  got.push(await call(gateway, 'DELETE', `/receipts/${answer.receipt}/content`, token))
  for (const path of [
    '/',
    '/healthz',
    '/v2',
    '/v2/models/sum',
    '/deployments',
    '/log/checkpoint',
    '/log/tile/0/000.p/1',
  ]) {
    got.push(await call(gateway, 'GET', path), await call(gateway, 'POST', path, {}, 'x'))
  }
  for (const headers of [{}, token, bearer('wrong')]) {
    for (const path of [`/receipts/${'00'.repeat(16)}`, `/dossiers/x`, `/statements/${'00'.repeat(32)}`]) {
      got.push(await call(gateway, 'GET', path, headers), await call(gateway, 'DELETE', path, headers))
    }
  }
  got.push(await call(gateway, 'POST', '/statements', {}, '{}'), await call(gateway, 'POST', inferPath('%'), {}, 'x'))
  return got
}

/** A record that does not open any more is an internal error: told by an id alone, and explained in the notices. */
async function restartBroken(context: TestContext, config: Config, kept: InferGot, got: Got[]) {
  const database = new Database(dataFolderAt(config.dataRoot).database)
  database.prepare('UPDATE vault SET record = zeroblob(64)').run()
  database.close()
  const again = await startGateway(context, config)
  const broken = await waitFor(again.gateway, `/dossiers/${kept.receipt}`, PLANTED.operatorToken)
  assert.equal(broken.status, 500)
  assert.equal(again.errors.length, 1)
  assert.ok(again.errors[0]?.includes(JSON.parse(broken.text).id))
  got.push(broken)
  await again.stop()
  return again
}

test('no key, path, stack or content in what the gateway writes, whatever it is asked', async (context) => {
  const folder = temporaryFolder(context)
  const config = testConfig(folder)
  const keys = keysOf(config.dataRoot)
  mkdirSync(dataFolderAt(config.dataRoot).keys, { recursive: true })
  for (const name of ['root', 'operatorToken', 'vault'] as const) writeFileSync(keys[name], `${PLANTED[name]}\n`)
  const { gateway, notices, errors, stop } = await startGateway(context, config)

  const content = arithmeticRequest([1234.5, 8765.25], [0.5, 0.25])
  const answer = await answered(gateway, content)
  const kept = await answered(gateway, content)
  const got = await askAll(gateway, answer)
  await stop()
  const again = await restartBroken(context, config, kept, got)

  const responses = got.map(({ text, headers }) => Buffer.from(`${JSON.stringify([...headers])}\n${text}`))
  const said = Buffer.from([...notices, ...errors, ...again.notices, ...again.errors].join('\n'))
  const { keys: keyFolder, log, root } = dataFolderAt(config.dataRoot)
  const dataFiles = filesUnder(root).filter((path) => !path.startsWith(keyFolder))
  const data = dataFiles.map((path) => readFileSync(path))
  for (const hex of Object.values(PLANTED)) {
    for (const spelling of spellings(hex)) {
      for (const bytes of [...responses, said, ...data]) assert.equal(bytes.includes(spelling), false)
    }
  }
  for (const bytes of [...responses, said]) {
    const text = bytes.toString()
    assert.doesNotMatch(text, /node_modules|\.[jt]s:\d+|\n\s+at |file:\/\//, text)
    for (const path of [folder, process.cwd()]) assert.equal(text.includes(path), false, text)
  }
  // The detector sees: secrets and content stand where they belong.
  assert.ok(readFileSync(keys.root).includes(PLANTED.root))
  assert.ok(answer.text.includes('1235'))
  for (const [path, bytes] of dataFiles.map((path, i) => [path, data[i] ?? Buffer.of()] as const)) {
    for (const secret of [answer.secret, answer.salts, '1234.5', '8765.25']) {
      assert.equal(bytes.includes(secret), false, `${secret} in ${path}`)
    }
  }
  for (const path of filesUnder(log)) {
    for (const id of [answer.receipt, kept.receipt]) assert.equal(readFileSync(path).includes(id), false)
  }
})
