import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { hashLeaf, parseDossier, toHex } from '@countersign/verify'
import type { Right } from '../access/api-key.ts'
import { apiKeysPath } from '../access/api-key-file.ts'
import { ApiKeyStore } from '../access/api-keys.ts'
import {
  answered,
  bearer,
  call,
  codeIn,
  type Got,
  type InferGot,
  startInNewFolder,
  type TestChanges,
} from '../gateway.testing.ts'
import { judge, rowsOf, trustIn } from '../verdict.testing.ts'

interface KeyTerms {
  readonly rights?: readonly Right[]
  readonly deployments?: 'all' | readonly string[]
  readonly requestsPerMinute?: number
}

async function createStage(context: TestContext, changes: TestChanges = {}) {
  const { gateway, folder } = await startInNewFolder(context, changes)
  const keyOf = ({ rights = ['audit'], deployments = ['sum'], ...rest }: KeyTerms = {}) => {
    const store = new ApiKeyStore(apiKeysPath(gateway.dataRoot))
    try {
      return store.create({ name: 'Auditor', rights, deployments, ...rest }, Date.now()).token
    } finally {
      store.close()
    }
  }
  const token = keyOf()
  const ask = (index: number | string, key: string = token): Promise<Got> =>
    call(gateway, 'GET', `/audit/entries/${index}`, { ...bearer(key), prefer: 'wait=10' })
  const indexOf = ({ receipt }: InferGot) => gateway.statements.byReceipt(receipt)?.index ?? -1
  return { gateway, folder, keyOf, ask, indexOf }
}

test('an auditor gets the dossier of an entry by its place, and everything in it checks', async (context) => {
  const { gateway, folder, ask, indexOf } = await createStage(context)
  const answer = await answered(gateway)
  const index = indexOf(answer)
  const got = await ask(index)
  assert.equal(got.status, 200, got.text)
  assert.equal(got.headers.get('cache-control'), 'no-store')
  assert.equal(got.headers.get('countersign-salts'), null)
  const dossier = parseDossier(got.bytes)
  assert.equal(dossier.receipt.index, index)
  const leafHash = toHex(hashLeaf(gateway.crypto, dossier.receipt.leafBytes))
  assert.equal(leafHash, toHex(gateway.statements.byIndex(index)?.leafHash ?? new Uint8Array(0)))
  assert.ok(rowsOf(await judge(trustIn(gateway), got.bytes, folder)).includes('output holds re-executed'))
})

test('what is no answer is public, and comes as such', async (context) => {
  const { gateway, ask } = await createStage(context)
  const got = await ask(0)
  assert.equal(got.status, 200)
  const { statement, index, envelope } = JSON.parse(got.text)
  assert.deepEqual([index, statement], [0, toHex(gateway.statements.byIndex(0)?.digest ?? new Uint8Array(0))])
  assert.ok(envelope)
})

test('each refusal says why', async (context) => {
  const { gateway, ask, indexOf, keyOf } = await createStage(context)
  const answer = await answered(gateway)
  const index = indexOf(answer)
  const refused = async (what: string, got: Promise<Got>, status: number, code: string) => {
    const { text, ...rest } = await got
    assert.deepEqual([rest.status, JSON.parse(text).code], [status, code], what)
  }
  await refused('no key', call(gateway, 'GET', `/audit/entries/${index}`), 401, 'auth/missing')
  await refused('a receipt’s secret', ask(index, answer.secret), 401, 'auth/missing')
  await refused('an unknown key', ask(index, `csk_${'A'.repeat(43)}`), 401, 'auth/unknown-key')
  for (const right of ['infer', 'receipts', 'usage', 'erase'] as const) {
    await refused(right, ask(index, keyOf({ rights: [right], deployments: 'all' })), 403, 'auth/not-allowed')
  }
  await refused('another deployment', ask(index, keyOf({ deployments: ['other'] })), 403, 'auth/not-allowed')
  for (const none of [10_000, '-1', '01', '1e3', 'x', '9'.repeat(16)]) {
    await refused(String(none), ask(none), 404, 'receipt/not-found')
  }
  await gateway.log.perform({ kind: 'erase', receipt: answer.receipt, reason: 'requested' })
  await refused('erased', ask(index), 410, 'vault/erased')
})

test('an erased data subject is erased for auditors too', async (context) => {
  const { gateway, ask, indexOf } = await createStage(context)
  const answer = await answered(gateway, undefined, { 'countersign-subject': 'zoe' })
  assert.equal((await ask(indexOf(answer))).status, 200)
  await gateway.log.eraseSubject('zoe', 'requested')
  const got = await ask(indexOf(answer))
  assert.deepEqual([got.status, codeIn(got)], [410, 'vault/erased'])
})

for (const vault of ['salts', 'none'] as const) {
  test(`with vault mode ${vault} there is nothing to show`, async (context) => {
    const { gateway, ask, indexOf } = await createStage(context, { vault })
    const got = await ask(indexOf(await answered(gateway)))
    assert.deepEqual([got.status, codeIn(got)], [409, 'vault/no-content'])
  })
}

test('a key asks as often as it may, and an address as often as addresses may', async (context) => {
  const { gateway, ask, keyOf } = await createStage(context)
  const slow = keyOf({ requestsPerMinute: 2 })
  assert.deepEqual([(await ask(0, slow)).status, (await ask(0, slow)).status], [200, 200])
  const third = await ask(0, slow)
  assert.deepEqual([third.status, codeIn(third)], [429, 'rate/limited'])
  assert.ok(Number(third.headers.get('retry-after')) >= 1)
  const limits = { ...gateway.config.limits, receiptRequestsPerSecond: 1, receiptRequestsBurst: 2 }
  const { ask: askAgain } = await createStage(context, { limits })
  const statuses = [await askAgain(0), await askAgain(0), await askAgain(0)].map(({ status }) => status)
  assert.deepEqual(statuses, [200, 200, 429])
})
