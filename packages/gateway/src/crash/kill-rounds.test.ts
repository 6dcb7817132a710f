import assert from 'node:assert/strict'
import { cpSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { CHEATS } from './cheats.testing.ts'
import { startGatewayProcess } from './gateway-process.testing.ts'
import { ask, createLedger, lookAtCheckpoint } from './ledger.testing.ts'
import { findBroken, type Keys, readKeys, readOrigin } from './promises.testing.ts'
import { chatQuestion, creditQuestion } from './question.testing.ts'
import { runRounds } from './rounds.testing.ts'
import { startUpstreamProcess } from './upstream-process.testing.ts'

const ROUNDS = 8
const SEED = 20_260_101

let folder = ''
before(() => {
  folder = mkdtempSync(join(tmpdir(), 'countersign-kills-'))
})
after(() => rmSync(folder, { recursive: true, force: true }))

test('a gateway killed again and again keeps every promise and records what was interrupted', async (t) => {
  const report = await runRounds(join(folder, 'rounds'), { rounds: ROUNDS, seed: SEED })
  t.diagnostic(JSON.stringify({ ...report, problems: report.problems.length }))
  assert.deepEqual(report.problems, [])
  assert.equal(report.rounds, ROUNDS)
  assert.ok(report.answers > ROUNDS && report.heads > 0 && report.killedAtStart > 0)
  const { held, stream, large } = report.whole
  assert.ok(held > 0 && stream > 0 && large > 0 && report.cutByKill > 0)
})

test('the same checks catch what a killed gateway would have lost or rewritten', async (t) => {
  const ledger = createLedger()
  const upstream = await startUpstreamProcess()
  t.after(() => upstream.close())
  const honest = join(folder, 'honest')
  const keys = await runAndKill(honest)
  assert.deepEqual(await problemsOf(honest), [])
  for (const { name, apply, caught } of CHEATS) {
    await t.test(name, async () => {
      const cheated = join(folder, 'cheated')
      rmSync(cheated, { recursive: true, force: true })
      cpSync(honest, cheated, { recursive: true })
      apply(cheated)
      const problems = await problemsOf(cheated)
      assert.ok(
        problems.some((problem) => caught.test(problem)),
        `not caught; found: ${problems.join('; ')}`,
      )
    })
  }

  async function runAndKill(dataRoot: string): Promise<Keys> {
    const gateway = startGatewayProcess(dataRoot, { upstreamUrl: upstream.url })
    const url = await gateway.ready
    assert.ok(url, gateway.complaints.join())
    for (let i = 0; i < 8; i++) await ask(url, ledger, creditQuestion(i))
    await new Promise((resolve) => setTimeout(resolve, 1300))
    await lookAtCheckpoint(url, ledger)
    for (let i = 8; i < 12; i++) await ask(url, ledger, creditQuestion(i))
    const found = readKeys(dataRoot, await readOrigin(url))
    const broken = ask(url, ledger, chatQuestion('mock-long+paced-20ms', 'stream', 12))
    await new Promise((resolve) => setTimeout(resolve, 300))
    // Right before the kill: this one is in the write-ahead log alone.
    await ask(url, ledger, creditQuestion(13))
    await gateway.kill()
    assert.equal(await broken, false)
    assert.equal(ledger.answers.filter(({ isWhole, response }) => isWhole && response.length > 0).length, 13)
    assert.equal(ledger.answers.filter(({ isWhole }) => !isWhole).length, 1)
    assert.equal(ledger.heads.size, 1)
    return found
  }

  async function problemsOf(dataRoot: string): Promise<readonly string[]> {
    const copy = `${dataRoot}-running`
    cpSync(dataRoot, copy, { recursive: true })
    const gateway = startGatewayProcess(copy, { upstreamUrl: upstream.url })
    try {
      const url = await gateway.ready
      if (url === undefined) return [`the gateway does not start: ${gateway.complaints.join('; ')}`]
      return await findBroken(url, keys, { ...ledger, heads: new Set(ledger.heads) }, ledger.answers)
    } finally {
      await gateway.kill()
      rmSync(copy, { recursive: true, force: true })
    }
  }
})
