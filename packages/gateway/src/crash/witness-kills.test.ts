/** A gateway that is killed while witnesses are asked: they must never see anything but one history that grows. */
import assert from 'node:assert/strict'
import { cpSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { startWitnessDouble, type WitnessDouble } from '../witnesses/witness-double.testing.ts'
import { eventually } from '../witnesses/witnessed-gateway.testing.ts'
import { type GatewayProcess, startGatewayProcess } from './gateway-process.testing.ts'
import { ask, createLedger } from './ledger.testing.ts'
import { creditQuestion } from './question.testing.ts'

const ROUNDS = 3

interface Stage {
  readonly dataRoot: string
  readonly witnesses: readonly WitnessDouble[]
  /** Starts the gateway, and waits until it answers. */
  start(): Promise<GatewayProcess & { readonly url: string }>
}

async function prepare(context: TestContext): Promise<Stage> {
  const folder = mkdtempSync(join(tmpdir(), 'countersign-witness-kills-'))
  context.after(() => rmSync(folder, { recursive: true, force: true }))
  const witnesses = await Promise.all(['a', 'b'].map((name) => startWitnessDouble(context, name)))
  const policyFile = join(folder, 'witnesses.policy')
  writeFileSync(policyFile, `${witnesses.map(({ policyLine }) => policyLine).join('\n')}\ngroup all all a b\n`)
  const dataRoot = join(folder, 'data')
  return {
    dataRoot,
    witnesses,
    async start() {
      const gateway = startGatewayProcess(dataRoot, { environment: { COUNTERSIGN_CRASH_POLICY: policyFile } })
      context.after(() => gateway.kill())
      const url = await gateway.ready
      assert.ok(url, gateway.complaints.join())
      return { ...gateway, url }
    },
  }
}

/** The published checkpoint: its size, and how many lines it has. */
async function published(url: string): Promise<{ size: number; lines: number }> {
  const text = await (await fetch(`${url}/log/checkpoint`)).text()
  return { size: Number(text.split('\n')[1]), lines: text.split('— ').length - 1 }
}

async function logSize(url: string): Promise<number> {
  const { log } = (await (await fetch(`${url}/healthz`)).json()) as { log: { size: number } }
  return log.size
}

test('killed at any time, a gateway shows witnesses one history, and what they saw is there afterwards', async (context) => {
  const { witnesses, start } = await prepare(context)
  const ledger = createLedger()
  const complaints: string[] = []
  for (let round = 0; round < ROUNDS; round++) {
    // In every second round they take their time, so that the kill comes while they are asked.
    for (const each of witnesses) each.delayMs = round % 2 === 0 ? 0 : 300
    const gateway = await start()
    for (let i = 0; i < 3; i++) await ask(gateway.url, ledger, creditQuestion(round * 10 + i))
    await sleep(200 + 400 * round)
    const seen = witnesses.map((each) => each.seen?.size ?? 0)
    await gateway.kill()
    complaints.push(...gateway.complaints)
    for (const [i, each] of witnesses.entries()) assert.ok((each.seen?.size ?? 0) >= (seen[i] ?? 0))
  }
  for (const each of witnesses) each.delayMs = 0
  const last = await start()
  await eventually('everything published, with both lines', async () => {
    const { size, lines } = await published(last.url)
    return lines === 3 && size === (await logSize(last.url))
  })
  const size = await logSize(last.url)
  for (const { seen, requests } of witnesses) {
    assert.equal(seen?.size, size)
    // On a slow machine the first rounds are over before anything is published.
    assert.ok(requests.length >= 2)
  }
  await last.kill()
  assert.deepEqual([...complaints, ...last.complaints], [])
})

test('witnesses notice a database that was put back from a backup', async (context) => {
  const { dataRoot, witnesses, start } = await prepare(context)
  const ledger = createLedger()
  const first = await start()
  await ask(first.url, ledger, creditQuestion(1))
  await first.close()
  const backup = `${dataRoot}-backup`
  cpSync(dataRoot, backup, { recursive: true })
  const second = await start()
  for (let i = 2; i < 6; i++) await ask(second.url, ledger, creditQuestion(i))
  await second.close()
  const seen = witnesses.map((each) => each.seen?.size)
  rmSync(dataRoot, { recursive: true })
  cpSync(backup, dataRoot, { recursive: true })
  const third = await start()
  await ask(third.url, ledger, creditQuestion(7))
  await eventually('both alarms', () => third.complaints.length >= 2)
  for (const complaint of third.complaints) assert.match(complaint, /has seen another history of this log/)
  assert.deepEqual(
    witnesses.map((each) => each.seen?.size),
    seen,
  )
  await eventually('it is published all the same, and nobody’s line is on it', async () => {
    const { size, lines } = await published(third.url)
    return lines === 1 && size === (await logSize(third.url))
  })
})
