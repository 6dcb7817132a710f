import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { parseAuditResult, parseStatement, toHex } from '@countersign/verify'
import { createNodeCrypto } from '@countersign/verify/crypto/node'
import type { AuditReport } from './audit-report.ts'
import { type AuditedGateway, createKey, startAuditedGateway } from './audited-gateway.testing.ts'
import { createFolder } from './auditor.testing.ts'

const PROGRAM = fileURLToPath(new URL('./audit-program.testing.js', import.meta.url))
const crypto = createNodeCrypto()

interface Process {
  readonly child: ChildProcess
  /** Resolves with the first line that begins so. */
  line(start: string): Promise<string>
}

function start(context: TestContext, gateway: AuditedGateway, folder: string): Process {
  const child = spawn(process.execPath, [PROGRAM, gateway.url, folder, gateway.apiKey], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  context.after(() => child.kill('SIGKILL'))
  let text = ''
  child.stdout?.on('data', (chunk: Buffer) => {
    text += chunk.toString('utf8')
  })
  const line = async (start: string): Promise<string> => {
    for (;;) {
      const found = text
        .split('\n')
        .slice(0, -1)
        .find((each) => each.startsWith(start))
      if (found !== undefined) return found
      if (child.exitCode !== null) throw new Error(`ended with ${child.exitCode} before it said "${start}"`)
      await new Promise((resolve) => setTimeout(resolve, 10))
    }
  }
  return { child, line }
}

async function kill({ child }: Process): Promise<void> {
  const gone = once(child, 'exit')
  child.kill('SIGKILL')
  await gone
}

test('killed in the middle of an epoch, and of asking, it keeps its word', async (context) => {
  const { gateway, stop } = await startAuditedGateway()
  context.after(stop)
  const { path, remove } = createFolder()
  context.after(remove)
  const key = createKey()
  gateway.writers.set(key.keyId, key.spki)
  writeFileSync(join(path, 'auditor.pem'), key.pem)
  writeFileSync(join(path, 'trust.yaml'), gateway.trustText())
  const seedOf = () => (JSON.parse(readFileSync(join(path, 'state/state.json'), 'utf8')) as { seed: string }).seed

  const first = start(context, gateway, path)
  await first.line('committed')
  await kill(first)
  const seed = seedOf()
  const committed = gateway.log.tree.size - 1

  // The epoch goes on without it. Half of the entries are not answered yet.
  for (let i = 0; i < 8; i++) gateway.answer({ isWrong: i === 6 })
  gateway.evade = (index) => (index > committed + 4 ? { kind: 'hang' } : undefined)
  const second = start(context, gateway, path)
  await second.line('the epoch is over')
  while (gateway.asked.filter((index) => index > committed + 4).length < 2)
    await new Promise((resolve) => setTimeout(resolve, 10))
  await kill(second)
  assert.equal(seedOf(), seed)

  gateway.evade = () => undefined
  const third = start(context, gateway, path)
  const report = JSON.parse((await third.line('report ')).slice('report '.length)) as AuditReport
  assert.deepEqual([report.commitment.index, report.from, report.to], [committed, committed + 1, committed + 9])
  assert.deepEqual([report.counts.agreed, report.counts.differed, report.exitCode], [7, 1, 1])
  const result = parseAuditResult(parseStatement(gateway.payload(report.result.index ?? -1)))
  assert.equal(result.seed, seed)
  const commitment = parseStatement(gateway.payload(committed)).predicate as { seedHash: string }
  assert.equal(toHex(crypto.sha256(Buffer.from(seed, 'hex'))), commitment.seedHash)
  await new Promise((resolve) => setTimeout(resolve, 0))
  assert.equal(existsSync(join(path, 'state/state.json')), false)
  // One commitment, one result: nothing was committed anew.
  assert.equal(gateway.log.tree.size, committed + 10)
})

test('killed before the gateway answered, it sends the same commitment again', async (context) => {
  const { gateway, stop } = await startAuditedGateway()
  context.after(stop)
  const { path, remove } = createFolder()
  context.after(remove)
  const key = createKey()
  gateway.refusePosts = 503
  gateway.writers.set(key.keyId, key.spki)
  writeFileSync(join(path, 'auditor.pem'), key.pem)
  writeFileSync(join(path, 'trust.yaml'), gateway.trustText())
  const first = start(context, gateway, path)
  const state = join(path, 'state/state.json')
  while (!existsSync(state)) await new Promise((resolve) => setTimeout(resolve, 10))
  const { seed } = JSON.parse(readFileSync(state, 'utf8')) as { seed: string }
  await kill(first)
  gateway.refusePosts = undefined
  const second = start(context, gateway, path)
  await second.line('committed')
  await kill(second)
  assert.equal((JSON.parse(readFileSync(state, 'utf8')) as { seed: string }).seed, seed)
  const { seedHash } = parseStatement(gateway.payload(gateway.log.tree.size - 1)).predicate as { seedHash: string }
  assert.equal(toHex(crypto.sha256(Buffer.from(seed, 'hex'))), seedHash)
})
