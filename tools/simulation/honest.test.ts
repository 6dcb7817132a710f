/**
 * An honest operator among all roles as processes on loopback: one gateway, five witnesses of three owners, two monitors,
 * two auditors.
 */
import assert from 'node:assert/strict'
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { ask, fetchDossier, type Kept, type Operator, startOperator } from './operator.ts'
import { askStranger, filesIn, monitorOnce, monitorRun, startAudits, startMonitor } from './watchers.ts'
import { World } from './world.ts'

let world: World

before(async () => {
  world = await World.start(['honest'])
})

after(async () => {
  await world?.close()
})

/** Entries of the honest operator's log; a power of ten. `npm run soak -- honest` has 10,000. */
const HONEST_ANSWERS = Number(process.env.COUNTERSIGN_HONEST_ENTRIES ?? 1000)
/** About as many as each auditor looks at. */
const SAMPLED = 40

test('an honest operator: no monitor and no auditor has anything to say', async (context) => {
  const operator = await startOperator(world, 'honest')
  const startMs = performance.now()
  const trust = world.trustFile('honest', true)
  const following = startMonitor(world, operator, 'monitor-1', { trust, given: ['--interval', '1'] })
  const audits = await startAudits(world, operator, {
    rate: SAMPLED / HONEST_ANSWERS,
    entries: HONEST_ANSWERS,
    answerWithin: '120s',
  })
  const kept = await ask(operator, HONEST_ANSWERS, 16)
  context.diagnostic(`${HONEST_ANSWERS} answers after ${seconds(startMs)} s`)
  const dossiers = await keepDossiers(operator, kept)
  for (const { ended, report } of await Promise.all(audits.map((audit) => audit.ended))) {
    assert.equal(ended.code, 0, ended.stdout + ended.stderr)
    const { counts, headline, sampled, seen } = report
    assert.equal(seen, HONEST_ANSWERS)
    assert.ok(counts.agreed > 0)
    assert.equal(counts.agreed + counts['not-an-answer'], sampled)
    assert.equal(headline.failures, 0)
  }
  await following.said(
    new RegExp(`"event":"verified","size":${HONEST_ANSWERS}|"size":1\\d{${String(HONEST_ANSWERS).length - 1}},"root"`),
  )
  const runs = [
    monitorRun(await following.stop(), join(world.folder, 'honest.monitor-1', 'proofs')),
    await monitorOnce(world, operator, 'monitor-2', { trust, given: ['--receipts', dossiers] }),
  ]
  for (const { ended, summary, proofs } of runs) {
    assert.equal(ended.code, 0, ended.stdout + ended.stderr)
    const { proven, missing, warnings, size } = summary
    assert.deepEqual([proven, missing, warnings, proofs.length], [0, 0, 0, 0], ended.stdout)
    assert.ok(size >= HONEST_ANSWERS)
  }
  await assertWitnessed(dossiers, trust)
  context.diagnostic(`all seen after ${seconds(startMs)} s`)
  await operator.stop()
})

/** Some of the answers’ dossiers, as clients keep them. */
async function keepDossiers(operator: Operator, kept: readonly Kept[]): Promise<string> {
  const folder = join(world.folder, `${operator.name}-dossiers`)
  mkdirSync(folder)
  const some = kept.filter((_, i) => i % 1000 === 0)
  for (const each of some) await fetchDossier(operator, each, join(folder, `${each.receipt}.json`), true)
  return folder
}

/** Strangers find the answers witnessed, by a known time, by owners apart from the operator’s. */
async function assertWitnessed(dossiers: string, trust: string): Promise<void> {
  const files = filesIn(dossiers)
  const ran = await askStranger(world, trust, files, '--require', 'record:witnessed', '--json')
  assert.equal(ran.code, 0, ran.stdout + ran.stderr)
  const verdicts = (JSON.parse(ran.stdout) as StrangersReport).results.map(({ verdict }) => verdict)
  assert.equal(verdicts.length, files.length)
  for (const { notAfterMs, operatorMs } of verdicts.map(({ time }) => time)) {
    assert.ok(notAfterMs !== null && operatorMs !== null && operatorMs <= notAfterMs)
  }
  const independence = ['independence', dossiers, '--trust', trust, '--json']
  const measured = await world.processes.run(independence, { folder: world.folder, limitMs: 60_000 })
  const { owners } = JSON.parse(measured.stdout) as { readonly owners: { readonly confirmed: readonly string[] } }
  assert.deepEqual(owners.confirmed, ['East GmbH', 'North Foundation', 'South University'])
}

interface StrangersReport {
  readonly results: readonly {
    readonly verdict: { readonly time: { readonly notAfterMs: number | null; readonly operatorMs: number | null } }
  }[]
}

const seconds = (sinceMs: number) => Math.round((performance.now() - sinceMs) / 1000)
