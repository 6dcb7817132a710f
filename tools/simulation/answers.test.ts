/**
 * Operators whose answers are not what their records say, among all roles as processes on loopback: each is caught by
 * auditors, with files that convince a stranger.
 */
import assert from 'node:assert/strict'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { CHEAPENED_EVERY, cheapeningBuild } from './build.ts'
import { ask, startOperator } from './operator.ts'
import { askStranger, askStrangerOfAudit, startAudits } from './watchers.ts'
import { startWithholding } from './withholding-proxy.ts'
import { World } from './world.ts'

let world: World

before(async () => {
  world = await World.start(['saving', 'withholding'])
})

after(async () => {
  await world?.close()
})

test('an operator that serves a cheaper model for 5% of requests: the auditors’ samples show it', async (context) => {
  const node = cheapeningBuild(join(world.folder, 'cheaper.onnx'))
  const operator = await startOperator(world, 'saving', { node })
  // Of 4 wrong answers both see none once in 10^8 times.
  const audits = await startAudits(world, operator, { rate: 0.9, entries: 80, answerWithin: '120s' })
  await ask(operator, 80, 4)
  const runs = await Promise.all(audits.map((audit) => audit.ended))
  assert.ok(runs.some(({ report }) => report.counts.differed > 0))
  for (const { ended, report } of runs) {
    const { counts, headline, sampled, seen, exceptions } = report
    context.diagnostic(`${report.auditor}: ${sampled} of ${seen} looked at, ${counts.differed} differed`)
    assert.equal(ended.code, counts.differed > 0 ? 1 : 0, ended.stderr)
    assert.ok(counts.agreed > 0)
    assert.equal(headline.failures, counts.differed)
    const { evidence } = exceptions.find(({ outcome }) => outcome === 'differed') ?? {}
    if (evidence === undefined) continue
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
  const audits = await startAudits(world, operator, { rate: 1, entries: 60, answerWithin: '10s', url: proxy.url })
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
