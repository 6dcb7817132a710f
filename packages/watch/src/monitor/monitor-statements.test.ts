import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { afterEach, beforeEach, test } from 'node:test'
import { createStatementSigner, TestLog, trustTextOf } from '../log-client/log-server.testing.ts'
import { type MonitorScene, startScene } from './monitor.testing.ts'
import { Operator, receiptId, startStatementsEndpoint, TEST_API_KEY } from './statements.testing.ts'

let scene: MonitorScene
let operator: Operator
const stops: (() => Promise<void>)[] = []

beforeEach(async () => {
  scene = await startScene()
  const signer = createStatementSigner()
  operator = new Operator(scene.server.log, signer)
  scene.trustText = trustTextOf(scene.server.log.signer, { operator: signer.spki })
})
afterEach(async () => {
  await scene.end()
  for (const stop of stops.splice(0)) await stop()
})

async function gateway(misdeed?: Parameters<typeof startStatementsEndpoint>[1], apiKey?: string) {
  const endpoint = await startStatementsEndpoint(operator, misdeed)
  stops.push(endpoint.stop)
  return { statements: { url: endpoint.url, ...(apiKey === undefined ? {} : { apiKey }) } }
}

const give = (name: string, value: unknown) => scene.give(`${name}.json`, JSON.stringify(value))

test('two answers of one receipt id, and two of one sequence number, are proven from dossiers and receipts', async () => {
  const first = operator.answer({ receipt: receiptId(1), sequence: 0 })
  const same = operator.answer({ receipt: receiptId(1), sequence: 1 })
  const number = operator.answer({ receipt: receiptId(2), sequence: 1 })
  give('first', operator.dossier(receiptId(1), first))
  assert.deepEqual((await scene.look()).proven, [])
  give('same', operator.bundle(same))
  assert.deepEqual((await scene.look()).proven, ['two-statements-one-receipt'])
  give('number', operator.dossier(receiptId(2), number, [first]))
  const { proven, missing, warnings } = await scene.look()
  assert.deepEqual(proven, ['two-statements-one-receipt', 'two-statements-one-sequence-number'])
  assert.deepEqual([missing, warnings], [[], []])
})

test('one statement twice, other deployments and other epochs contradict nothing', async () => {
  const first = operator.answer({ receipt: receiptId(1), sequence: 0 })
  const others = [
    operator.answer({ receipt: receiptId(2), sequence: 0, deployment: 'other' }),
    operator.answer({ receipt: receiptId(3), sequence: 0, epoch: '0000000000000002' }),
    operator.answer({ receipt: receiptId(4), sequence: 1 }),
  ]
  give('all', operator.dossier(receiptId(1), first, others))
  give('again', operator.bundle(first))
  assert.deepEqual(await scene.look(), { missing: [], warnings: [], proven: [], common: [], size: 4 })
})

test('numbers that no place is left for are a gap, and numbers that go back are out of order', async () => {
  const first = operator.answer({ receipt: receiptId(1), sequence: 0 })
  const far = operator.answer({ receipt: receiptId(2), sequence: 5 })
  const back = operator.answer({ receipt: receiptId(3), sequence: 4 })
  give('two', operator.dossier(receiptId(1), first, [far]))
  assert.deepEqual((await scene.look()).missing, ['sequence-gap'])
  give('three', operator.bundle(back))
  assert.deepEqual((await scene.look()).missing, ['sequence-disorder', 'sequence-gap'])
})

test('with a key all statements are read, and a number that is missing is found; without one public ones are', async () => {
  scene.server.log.grow(3)
  const published = operator.publish('credit')
  for (const sequence of [0, 1, 2]) operator.answer({ receipt: receiptId(sequence), sequence })
  for (const apiKey of [undefined, TEST_API_KEY]) {
    const options = { ...(await gateway(undefined, apiKey)), stateFolder: `${scene.folder}/${apiKey ?? 'none'}` }
    const { missing, proven } = await scene.look(options)
    const kinds = [...new Set(missing)]
    assert.deepEqual(
      [kinds, missing.length, proven],
      [['statement-withheld'], 3, []],
      'the three invented leaves have no statement',
    )
  }
  const options = { ...(await gateway(undefined, TEST_API_KEY)), stateFolder: `${scene.folder}/${TEST_API_KEY}` }
  operator.answer({ receipt: receiptId(9), sequence: 4 })
  assert.ok((await scene.look(options)).missing.includes('sequence-gap'))
  assert.ok(published.isPublic)
})

test('a key that comes later reads from the beginning, and misses no numbers; it is kept nowhere', async () => {
  for (const sequence of [0, 1, 2]) operator.answer({ receipt: receiptId(sequence), sequence })
  assert.deepEqual((await scene.look(await gateway())).missing, [])
  operator.answer({ receipt: receiptId(3), sequence: 3 })
  assert.deepEqual((await scene.look(await gateway(undefined, TEST_API_KEY))).missing, [])
  for (const name of readdirSync(`${scene.folder}/state`, { withFileTypes: true })) {
    if (!name.isFile()) continue
    assert.equal(readFileSync(`${scene.folder}/state/${name.name}`).includes(TEST_API_KEY), false)
  }
})

test('a statement that is not the leaf’s, or has another’s receipt, is found', async () => {
  const published = operator.publish('credit')
  const other = operator.publish('other')
  const lies = [
    { ...honest(published), envelope: other.envelope },
    { ...honest(published), statement: other.digest },
    { statement: published.digest },
    'nothing',
    { ...honest(published), bundle: { ...(operator.bundle(published) as object), mediaType: 'x' } },
  ]
  for (const [i, body] of lies.entries()) {
    const options = await gateway((logged) => (logged === published ? { status: 200, body } : undefined))
    const { missing } = await scene.look({ ...options, stateFolder: `${scene.folder}/lie-${i}` })
    assert.deepEqual(missing, ['statement-differs'], `lie ${i}`)
  }
  const silent = await gateway(() => ({ status: 500 }))
  assert.deepEqual((await scene.look({ ...silent, stateFolder: `${scene.folder}/silent` })).missing, [
    'statement-withheld',
  ])
})

function honest(logged: Operator['logged'][number]) {
  return { statement: logged.digest, index: logged.index, envelope: logged.envelope, bundle: operator.bundle(logged) }
}

test('a receipt under a head of another history proves two leaves at one index', async () => {
  const answer = operator.answer({ receipt: receiptId(1), sequence: 0 })
  scene.server.log.grow(5)
  const shown = scene.server.log
  const other = new TestLog(shown.signer)
  other.grow(4, 'another history')
  scene.server.log = other
  give('receipt', operator.bundle(answer, shown, 3))
  const { proven, missing } = await scene.look()
  assert.deepEqual([missing, proven], [[], ['head-of-another-history', 'two-leaves-one-index']])
})

test('an answer that was dropped: its receipt is of another history, and its promise is given to another entry', async () => {
  const answer = operator.answer({ receipt: receiptId(1), sequence: 0 })
  operator.answer({ receipt: receiptId(2), sequence: 1 })
  const receipt = operator.bundle(answer)
  const kept = scene.server.log.tree.entries[1]
  assert.ok(kept)
  const without = new TestLog(scene.server.log.signer)
  without.tree.append(kept)
  without.grow(4)
  scene.server.log = without
  give('receipt', receipt)
  assert.deepEqual((await scene.look()).proven, ['head-of-another-history', 'two-leaves-one-index'])
})

test('files that are no evidence are warned of, and read again when they change', async () => {
  const answer = operator.answer({ receipt: receiptId(1), sequence: 0 })
  for (const [i, content] of ['', '{', '{}', 'nothing', '{"format":"countersign-dossier/v1"}', '\ufeff{}'].entries()) {
    scene.give(`${i}.json`, content)
  }
  const { missing, warnings, proven } = await scene.look()
  assert.deepEqual([missing, proven], [[], []])
  assert.deepEqual([...new Set(warnings)], ['evidence-unreadable'])
  assert.equal(warnings.length, 6)
  for (let i = 0; i < 6; i++) give(String(i), operator.bundle(answer))
  assert.deepEqual((await scene.look()).warnings, [])
  assert.throws(() => scene.open({ evidence: [`${scene.folder}/none`] }), { code: 'file/unreadable' })
})
