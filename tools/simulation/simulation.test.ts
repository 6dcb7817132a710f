/**
 * All roles at once, as processes on loopback: gateways, five witnesses of three owners, two monitors and two auditors. One
 * operator is honest; each of the others cheats in one way, and is caught, with a file that convinces a stranger.
 */
import assert from 'node:assert/strict'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { CHEAPENED_EVERY, cheapeningBuild } from './build.ts'
import { copyData, putBack, rewriteAnswer } from './cheats.ts'
import { ask, fetchDossier, grantAudit, type Kept, type Operator, startOperator, untilPublished } from './operator.ts'
import {
  type AuditOptions,
  askStranger,
  askStrangerOfAudit,
  filesIn,
  monitorOnce,
  monitorRun,
  proofOf,
  startAudit,
  startMonitor,
} from './watchers.ts'
import { startWithholding } from './withholding-proxy.ts'
import { AUDITORS, World } from './world.ts'

let world: World

before(async () => {
  world = await World.start(['honest', 'forking', 'dropping', 'rewriting', 'saving', 'withholding'])
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

/** Both auditors, committed. What was asked before is not in their epochs, and what is asked now is. */
async function startAudits(operator: Operator, options: Omit<AuditOptions, 'trust' | 'apiKey'>) {
  const trust = world.trustFile(operator.name, false)
  const keys = await Promise.all(AUDITORS.map((auditor) => grantAudit(world, operator, auditor)))
  return Promise.all(
    AUDITORS.map((auditor, i) => startAudit(world, operator, auditor, { trust, apiKey: keys[i] ?? '', ...options })),
  )
}

test('an operator that serves a cheaper model for 5% of requests: an auditor’s sample shows it', async (context) => {
  const node = cheapeningBuild(join(world.folder, 'cheaper.onnx'))
  const operator = await startOperator(world, 'saving', { node })
  // Of 20 wrong answers each auditor sees at least one, but for once in 2^20 times.
  const audits = await startAudits(operator, { rate: 0.5, entries: 400, answerWithin: '120s' })
  await ask(operator, 400, 4)
  for (const { ended, report } of await Promise.all(audits.map((audit) => audit.ended))) {
    assert.equal(ended.code, 1, ended.stderr)
    const { counts, headline, sampled } = report
    assert.ok(counts.differed > 0 && counts.agreed > 0)
    assert.equal(headline.failures, counts.differed)
    context.diagnostic(`${report.auditor}: ${sampled} of ${report.seen} looked at, ${counts.differed} differed`)
    const { evidence = '' } = report.exceptions.find(({ outcome }) => outcome === 'differed') ?? {}
    const verified = await askStranger(world, world.trustFile('saving', false), [evidence], '--execute')
    assert.equal(verified.code, 1, verified.stdout + verified.stderr)
    assert.match(verified.stdout, /output +refuted/)
    assert.match(verified.stdout, /record +holds/)
  }
  await operator.stop()
})

test('an operator that withholds openings: silence counts, and the audit shows where', async (context) => {
  const node = cheapeningBuild(join(world.folder, 'withheld.onnx'))
  const operator = await startOperator(world, 'withholding', { node })
  const hidden = new Set<number>()
  const proxy = await startWithholding(operator.url, (index) => hidden.has(index))
  context.after(() => proxy.close())
  const audits = await startAudits(operator, { rate: 1, entries: 60, answerWithin: '10s', url: proxy.url })
  const kept = await ask(operator, 60)
  for (const [i, { index }] of kept.entries()) if ((i + 1) % CHEAPENED_EVERY === 0) hidden.add(index)
  for (const { ended, report, folder } of await Promise.all(audits.map((audit) => audit.ended))) {
    assert.equal(ended.code, 3, ended.stderr)
    const { counts, headline, answered } = report
    const missing = counts['evidence-missing']
    assert.ok(missing >= 2)
    assert.equal(counts.differed, 0, 'what it shows is as it should be')
    assert.deepEqual([headline.failures, answered.failures], [missing, 0])
    assert.ok(headline.excludedAboveMillionths > answered.excludedAboveMillionths)
    const checked = await askStrangerOfAudit(world, operator, folder)
    const silent = checked.entries.filter(({ outcome }) => outcome === 'evidence-missing')
    const places = new Set(silent.map(({ index }) => index))
    // On a slow machine an honest answer may come late as well.
    assert.equal(places.size, missing)
    assert.ok([...hidden].filter((index) => index < report.to).every((index) => places.has(index)))
    context.diagnostic(`${report.auditor}: ${report.sampled} asked for, ${missing} not shown`)
  }
  await operator.stop()
})

/** What the honest run is about: entries of one log. */
const HONEST_ANSWERS = 10_000

test('an honest operator of 10,000 entries: no monitor and no auditor has anything to say', async (context) => {
  const operator = await startOperator(world, 'honest')
  const startMs = performance.now()
  const trust = world.trustFile('honest', true)
  const following = startMonitor(world, operator, 'monitor-1', { trust, given: ['--interval', '1'] })
  const audits = await startAudits(operator, { rate: 0.004, entries: HONEST_ANSWERS, answerWithin: '120s' })
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
  await following.said(new RegExp(`"event":"verified","size":${HONEST_ANSWERS}|"size":1\\d{4},"root"`))
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
