/**
 * Operators that show more than one history, among all roles as processes on loopback: each is caught by monitors, with a
 * proof that convinces a stranger.
 */
import assert from 'node:assert/strict'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { copyData, putBack, rewriteAnswer } from './cheats.ts'
import { ask, fetchDossier, type Kept, startOperator, untilPublished } from './operator.ts'
import { askStranger, monitorOnce, proofOf } from './watchers.ts'
import { World } from './world.ts'

let world: World

before(async () => {
  world = await World.start(['forking', 'dropping', 'rewriting'])
})

after(async () => {
  await world?.close()
})

const OWN_LINE = 1
const WITNESSED = OWN_LINE + 5

/** The manifest and the model's registration come before the first answer. */
const FIRST_ANSWER = 2

async function assertProven(operator: string, proof: string): Promise<void> {
  const { code, stdout, stderr } = await askStranger(world, world.trustFile(operator, false), [proof])
  assert.equal(code, 1, stdout + stderr)
  assert.match(stdout, /misbehaviour proven/)
  assert.ok(stdout.includes(world.identityOf(operator).logKey), 'it says whose key this is')
}

test('an operator that forks: whoever compares what two were shown has proof', async () => {
  const before = await startOperator(world, 'forking')
  await ask(before, 10)
  await untilPublished(before, FIRST_ANSWER + 10, WITNESSED)
  await before.stop()
  const copy = copyData(before.dataRoot)
  const [left, right] = await Promise.all([
    startOperator(world, 'forking'),
    startOperator(world, 'forking', { dataRoot: copy }),
  ])
  await ask(left, 10)
  await untilPublished(left, FIRST_ANSWER + 20, WITNESSED)
  const [, , shown] = await ask(right, 5)
  assert.ok(shown !== undefined)
  const dossier = await fetchDossier(right, shown, join(world.folder, 'forked.json'), false)
  await ask(right, 10)
  const checkpoint = await untilPublished(right, FIRST_ANSWER + 25, OWN_LINE)
  assert.equal(checkpoint.split('\n— ').length, 1 + OWN_LINE, 'no witness cosigns the second history')
  const trust = world.trustFile('forking', false)
  // Each monitor sees one history, and nothing is wrong with either.
  const [one, two] = await Promise.all([
    monitorOnce(world, left, 'monitor-1', { trust }),
    monitorOnce(world, right, 'monitor-2', { trust }),
  ])
  assert.deepEqual([one.ended.code, two.ended.code], [0, 0], one.ended.stdout + two.ended.stdout)
  const [told, asked] = await Promise.all([
    monitorOnce(world, left, 'monitor-1', { trust, given: ['--receipts', dossier] }),
    monitorOnce(world, right, 'monitor-2', { trust, given: ['--witness', ...world.witnessUrls] }),
  ])
  for (const { ended, proofs } of [told, asked]) {
    assert.equal(ended.code, 1, ended.stdout + ended.stderr)
    await assertProven('forking', proofOf(proofs, 'head-of-another-history'))
  }
  await Promise.all([left.stop(), right.stop()])
})

test('an operator that drops entries: the promises that clients have are proof', async () => {
  const first = await startOperator(world, 'dropping')
  await ask(first, 10)
  await untilPublished(first, FIRST_ANSWER + 10, WITNESSED)
  await first.stop()
  const copy = copyData(first.dataRoot)
  const second = await startOperator(world, 'dropping')
  const dropped = await ask(second, 10)
  const trust = world.trustFile('dropping', false)
  await untilPublished(second, FIRST_ANSWER + 20, WITNESSED)
  const seen = await monitorOnce(world, second, 'monitor-1', { trust })
  assert.equal(seen.ended.code, 0, seen.ended.stdout + seen.ended.stderr)
  await second.stop()
  putBack(first.dataRoot, copy)
  const third = await startOperator(world, 'dropping')
  await ask(third, 15)
  await untilPublished(third, FIRST_ANSWER + 25, OWN_LINE)
  const [remembers, isNew] = await Promise.all([
    monitorOnce(world, third, 'monitor-1', { trust }),
    monitorOnce(world, third, 'monitor-2', { trust, given: ['--receipts', keepPromises('dropped', dropped)] }),
  ])
  for (const { ended } of [remembers, isNew]) assert.equal(ended.code, 1, ended.stdout + ended.stderr)
  await assertProven('dropping', proofOf(remembers.proofs, 'head-of-another-history'))
  await assertProven('dropping', proofOf(isNew.proofs, 'promise-other-leaf'))
  await third.stop()
})

/** What clients keep of their answers, in a folder. */
function keepPromises(name: string, kept: readonly Kept[]): string {
  const folder = join(world.folder, name)
  mkdirSync(folder)
  for (const { receipt, promise } of kept) writeFileSync(join(folder, `${receipt}.promise`), promise)
  return folder
}

test('an operator that rewrites an answer: who saw it before, or was given it, has proof', async () => {
  const honest = await startOperator(world, 'rewriting')
  const kept = await ask(honest, 10)
  await untilPublished(honest, FIRST_ANSWER + 10, WITNESSED)
  const trust = world.trustFile('rewriting', false)
  const fourth = kept[3]
  assert.ok(fourth !== undefined)
  const dossier = await fetchDossier(honest, fourth, join(world.folder, 'before.json'), true)
  const seen = await monitorOnce(world, honest, 'monitor-1', { trust })
  assert.equal(seen.ended.code, 0, seen.ended.stdout + seen.ended.stderr)
  await honest.stop()
  rewriteAnswer(honest.dataRoot, fourth.index)
  const other = await startOperator(world, 'rewriting')
  await ask(other, 5)
  await untilPublished(other, FIRST_ANSWER + 15, OWN_LINE)
  const [remembers, isGiven] = await Promise.all([
    monitorOnce(world, other, 'monitor-1', { trust }),
    monitorOnce(world, other, 'monitor-2', { trust, given: ['--receipts', dossier] }),
  ])
  for (const { ended, proofs } of [remembers, isGiven]) {
    assert.equal(ended.code, 1, ended.stdout + ended.stderr)
    await assertProven('rewriting', proofOf(proofs, 'two-leaves-one-index'))
  }
  await other.stop()
})
