import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createNodeCrypto } from '@countersign/verify/crypto/node'
import { outcomeOf, type Plant, type Scene, truthOf } from './audited-epoch.ts'
import { checkScene, coverage, isNoticed, isWithin, textOf } from './detection.ts'

const crypto = createNodeCrypto()
const CHEATED: Scene = {
  entries: 200,
  cheatMillionths: 100_000,
  rateMillionths: 250_000,
  confidenceMillionths: 900_000,
}
const HONEST: Scene = { ...CHEATED, cheatMillionths: 0 }
const SCARCE: Scene = { ...CHEATED, rateMillionths: 50_000 }
const OPTIONS = { runs: 60, scenes: [CHEATED, HONEST, SCARCE] }

test('an operator cheats on as many answers as was said, in each way', () => {
  const outcomes = Array.from({ length: CHEATED.entries }, (_, i) => outcomeOf(CHEATED, i + 1))
  const times = (wanted: string) => outcomes.filter((outcome) => outcome === wanted).length
  assert.deepEqual(truthOf(CHEATED), { counted: 180, cheats: 18 })
  assert.deepEqual([times('differed'), times('refused'), times('evidence-missing')], [9, 5, 4])
  assert.deepEqual([times('agreed'), times('not-an-answer'), times('not-comparable')], [162, 10, 10])
})

test('audits detect as often as theory says, and raise no false alarm', () => {
  for (const scene of OPTIONS.scenes) {
    const checks = checkScene(crypto, scene, OPTIONS)
    assert.deepEqual(checks.filter((check) => !isWithin(check)).map(textOf), [])
  }
})

test('in theory the bound holds as often as its confidence says, or more', () => {
  for (const cheatMillionths of [0, 10_000, 50_000, 300_000, 900_000]) {
    for (const rateMillionths of [50_000, 300_000]) {
      const scene = { ...CHEATED, entries: 60, cheatMillionths, rateMillionths }
      assert.ok(coverage(scene) >= 0.9, `${cheatMillionths} at ${rateMillionths}`)
    }
  }
})

const PLANTS: readonly Plant[] = [
  {
    name: 'passes over what the operator asks it to',
    scene: CHEATED,
    breaks: ['cheats sampled', 'alarms'],
    draw: (fair, isCheat) => (index, leafHash) => !isCheat(index) && fair(index, leafHash),
  },
  {
    name: 'draws too few',
    scene: SCARCE,
    breaks: ['entries sampled', 'cheats sampled', 'alarms'],
    rateMillionths: 5000,
  },
  {
    name: 'draws too many',
    scene: SCARCE,
    breaks: ['entries sampled', 'cheats sampled', 'alarms'],
    rateMillionths: 500_000,
  },
  {
    name: 'calls an honest answer wrong',
    scene: HONEST,
    breaks: ['alarms'],
    judge: (outcome, index) => (index === 7 && outcome === 'agreed' ? 'differed' : outcome),
  },
  {
    name: 'takes a cheat for an honest answer',
    scene: CHEATED,
    breaks: ['alarms'],
    judge: (outcome) => (outcome.startsWith('not-') ? outcome : 'agreed'),
  },
  { name: 'excludes what it cannot', scene: CHEATED, breaks: ['bounds that hold'], bound: () => 50_000 },
]

for (const plant of PLANTS) {
  test(`an auditor that ${plant.name} is noticed`, () => {
    const checks = checkScene(crypto, plant.scene, OPTIONS, plant)
    assert.ok(isNoticed(plant, checks), checks.map(textOf).join(', '))
  })
}
