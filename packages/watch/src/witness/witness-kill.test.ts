import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { openCheckpoint, parseNote, toHex, utf8 } from '@countersign/verify'
import { request } from 'undici'
import type { Cheat } from './cheating-loader.testing.ts'
import { crypto, GrowingLog } from './growing-log.testing.ts'
import { startWitnessProcess, type WitnessProcess } from './witness-process.testing.ts'
import { ask, configText, monitoringUrl, submit, testFolder } from './witness-world.testing.ts'

const ROUNDS = 8
const RATE = { requestsPerSecond: 100_000, burst: 1_000_000 }

const log = new GrowingLog({ origin: 'example.org/log' })

/** What the log's operator has in hand after all rounds: the sizes whose cosignatures reached it. */
interface Ledger {
  seen: number
  replies: number
  readonly problems: string[]
}

function writeConfig(context: TestContext): string {
  const path = join(testFolder(context), 'witness.yaml')
  const entry = JSON.stringify({ key: log.verifierKey, ...RATE })
  writeFileSync(path, configText([log]).replace(/logs: .*/, `logs: [${entry}]`))
  return path
}

/** The size that a witness holds. */
async function heldSize({ url }: WitnessProcess): Promise<number> {
  const { status, text } = await ask(monitoringUrl(url, log.origin), null, 'GET')
  if (status === 404) return 0
  const checkpoint = openCheckpoint(crypto, parseNote(utf8(text)), log.key)
  assert.equal(toHex(checkpoint.root), toHex(log.root(checkpoint.size)))
  return checkpoint.size
}

/** Starts on what the last kill left, checks it against the ledger, tries a fork, and puts it under load until it dies. */
async function round(config: string, ledger: Ledger, number: number, cheat?: Cheat): Promise<void> {
  const witness = await startWitnessProcess(config, cheat === undefined ? {} : { cheat })
  assert.match(witness.said, /^listening /)
  const held = await heldSize(witness)
  if (held < ledger.seen) ledger.problems.push(`size ${ledger.seen} was cosigned, and ${held} came back`)
  if (ledger.seen > 1) {
    // A history without the last entry that the witness has vouched for.
    const { status } = await submit(witness.url, log.fork(ledger.seen - 1, number + 1).body(held, held + 3))
    if (status === 200) ledger.problems.push(`a fork at ${ledger.seen - 1} was cosigned`)
  }
  let size = await heldSize(witness)
  let killed: Promise<void> | undefined
  // Every other round at a moment of its own, the others at the very moment that a reply has come.
  const afterReplies = number % 2 === 0 ? 1 + (number % 5) : Number.POSITIVE_INFINITY
  const timer = sleep(5 + number * 7)
  if (afterReplies === Number.POSITIVE_INFINITY) void timer.then(() => (killed ??= witness.kill()))
  for (let replies = 0; killed === undefined; ) {
    const next = size + 1 + (replies % 3)
    try {
      const { statusCode, body } = await request(`${witness.url}/add-checkpoint`, {
        method: 'POST',
        body: log.body(size, next),
      })
      if (statusCode === 200) {
        replies++
        ledger.replies++
        ledger.seen = Math.max(ledger.seen, next)
        if (replies >= afterReplies) killed ??= witness.kill()
      }
      const text = await body.text()
      size = statusCode === 409 ? Number(text) : next
      if (statusCode === 409 && size < ledger.seen) {
        ledger.problems.push(`size ${ledger.seen} was cosigned, and ${size} came back`)
      }
    } catch {
      // The kill took the answer with it: the witness may have moved on, and nobody knows.
      killed ??= witness.kill()
    }
  }
  await killed
}

test('a witness killed again and again never goes back, and never signs a fork', async (t) => {
  const config = writeConfig(t)
  const ledger: Ledger = { seen: 0, replies: 0, problems: [] }
  for (let number = 0; number < ROUNDS; number++) await round(config, ledger, number)
  t.diagnostic(`${ledger.replies} replies, size ${ledger.seen}`)
  assert.deepEqual(ledger.problems, [])
  assert.ok(ledger.replies >= ROUNDS)
  const last = await startWitnessProcess(config)
  assert.ok((await heldSize(last)) >= ledger.seen)
  assert.equal(await last.stop(), 0)
})

test('control: the same kills catch a witness that replies before it has persisted', async (t) => {
  const config = writeConfig(t)
  const ledger: Ledger = { seen: 0, replies: 0, problems: [] }
  const cheat: Cheat = {
    module: '/witness/witness-store.js',
    line: 'this.#persist(effect);',
    instead: 'setTimeout(() => this.#persist(effect), 200);',
  }
  for (let number = 0; number < ROUNDS && ledger.problems.length === 0; number += 2) {
    await round(config, ledger, number, cheat)
  }
  assert.match(ledger.problems.join('\n'), /came back/)
})

test('a second process on one state is refused', async (t) => {
  const config = writeConfig(t)
  const first = await startWitnessProcess(config)
  t.after(() => first.kill())
  const second = await startWitnessProcess(config)
  assert.match(second.said, /^refused data\/locked: /)
  assert.equal((await submit(first.url, log.body(0, 1))).status, 200)
  await first.kill()
  const third = await startWitnessProcess(config)
  assert.match(third.said, /^listening /, 'a kill leaves no lock behind')
  assert.equal(await third.stop(), 0)
})

test('a disk that is full: nothing is signed, nothing is lost, and the witness goes on when there is room', async (t) => {
  if (process.platform === 'win32') return t.skip('there is no limit on the size of files here')
  const config = writeConfig(t)
  const full = await startWitnessProcess(config, { maxFileBlocks: 256 })
  t.after(() => full.kill())
  assert.match(full.said, /^listening /)
  let size = 0
  let refused = await submit(full.url, log.body(size, size + 1))
  while (refused.status === 200 && size < 5000) refused = await submit(full.url, log.body(++size, size + 1))
  assert.deepEqual([refused.status, refused.retryAfter], [503, '1'])
  assert.match(refused.text, /^disk\/full: /)
  assert.ok(size > 1)
  for (let i = 0; i < 3; i++) assert.equal((await submit(full.url, log.body(size, size + 2 + i))).status, 503)
  assert.equal(await heldSize(full), size)
  assert.equal((await submit(full.url, log.body(size + 1, size + 2))).text, `${size}\n`)
  const health = await ask(new URL('/healthz', full.url).href, null, 'GET')
  assert.deepEqual([health.status, health.text], [503, '{"status":"failing","code":"disk/full"}\n'])
  await full.kill()
  const roomy = await startWitnessProcess(config)
  assert.equal(await heldSize(roomy), size)
  assert.equal((await submit(roomy.url, log.body(size, size + 9))).status, 200)
  assert.equal(await roomy.stop(), 0)
})
