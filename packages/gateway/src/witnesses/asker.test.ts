import assert from 'node:assert/strict'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { type TestContext, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import {
  formatNoteKey,
  openConfirmations,
  parseCheckpoint,
  parseNote,
  parseTlogPolicy,
  utf8,
} from '@countersign/verify'
import { appendMany, createTestLog, TEST_TIME_MS } from '../log/log.testing.ts'
import { checkpointPath, openLog } from '../log/open-log.ts'
import { Publisher } from '../log/publisher.ts'
import type { SignedHead } from '../log/sequencer.ts'
import { TileReader } from '../log/tile-reader.ts'
import { createCosignedHeadStore } from '../store/cosigned-heads.ts'
import { Asker, type AskerOptions, type FromAsker } from './asker.ts'
import { openCosigner } from './cosigner.ts'
import { completePolicy } from './policy-text.ts'
import { type Behaviour, startWitnessDouble } from './witness-double.testing.ts'

/** A log, three witnesses of it, and whoever asks them. */
async function witnessed(context: TestContext, options: Partial<AskerOptions> = {}, group = 'group two 2 a b c') {
  const log = createTestLog(context)
  mkdirSync(log.logFolder)
  const [a, b, c] = await Promise.all([
    startWitnessDouble(context, 'a'),
    startWitnessDouble(context, 'b'),
    startWitnessDouble(context, 'c'),
  ])
  const lines = [a, b, c].map(({ policyLine }) => policyLine).join('\n')
  const text = completePolicy(`${lines}\n${group}\n`, formatNoteKey(log.logKey.note))
  const policy = parseTlogPolicy(log.crypto, text)
  const reader = new TileReader(log.crypto, log.database, log.logFolder)
  const reports: FromAsker[] = []
  const amended: SignedHead[] = []
  const asker = new Asker({
    crypto: log.crypto,
    policy,
    quorums: ['two'],
    askMs: 3000,
    kept: [],
    consistencyPath: (older, newer) => reader.consistencyPath(older, newer),
    report: (message) => reports.push(message),
    onCosigned: (head) => amended.push(head),
    ...options,
  })
  context.after(() => asker.close())
  const grow = (count: number) => {
    appendMany(log, count)
    const head = log.sequencer.advanceHead(TEST_TIME_MS)
    assert.ok(head)
    return head
  }
  const of = <T extends FromAsker['type']>(type: T) =>
    reports.filter((each): each is Extract<FromAsker, { type: T }> => each.type === type)
  return { log, text, policy, reader, asker, reports, amended, grow, of, a, b, c }
}

/** Names of the witnesses whose lines on the head check. */
function confirmedBy({ log, policy }: Pick<Awaited<ReturnType<typeof witnessed>>, 'log' | 'policy'>, head: SignedHead) {
  return openConfirmations(log.crypto, parseNote(utf8(head.note)), policy).map(({ witness }) => witness)
}

async function until(isThere: () => boolean): Promise<void> {
  for (let i = 0; i < 3000 && !isThere(); i++) await sleep(10)
  assert.ok(isThere(), 'it does not come')
}

test('a head gets the cosignatures of a quorum, and of the others when they come', async (context) => {
  const scene = await witnessed(context)
  const { asker, grow, a, b, c } = scene
  c.delayMs = 400
  const first = await asker.gather(grow(5))
  assert.deepEqual(confirmedBy(scene, first), ['a', 'b'])
  await until(() => scene.amended.some((head) => confirmedBy(scene, head).length === 3))
  c.delayMs = 0
  for (const count of [1, 300, 7]) await asker.gather(grow(count))
  await until(() => [a, b, c].every(({ seen }) => seen?.size === 313))
  assert.deepEqual(scene.of('witness-alarm'), [])
  assert.deepEqual(scene.of('witness-failing'), [])
  for (const { mostAtOnce } of [a, b, c]) assert.equal(mostAtOnce, 1)
})

test('a witness that is silent delays nobody else, and publication no longer than it may', async (context) => {
  const { asker, grow, a, b, c } = await witnessed(context, { askMs: 300, requestTimeoutMs: 60_000 })
  for (const each of [a, b]) each.behaviour = 'silent'
  const startMs = performance.now()
  const head = await asker.gather(grow(3))
  const tookMs = performance.now() - startMs
  assert.ok(tookMs >= 290 && tookMs < 2500, `${tookMs} ms`)
  assert.equal(head.note.split('\n— ').length, 3)
  await asker.gather(grow(3))
  assert.equal(c.seen?.size, 6)
  assert.deepEqual(
    [a, b].map(({ requests }) => requests.length),
    [1, 1],
  )
})

test('a witness that knows more than its log remembers is caught up at once, and so is one that knows less', async (context) => {
  const scene = await witnessed(context)
  const { asker, grow, a, b, c } = scene
  const all = (size: number) => until(() => [a, b, c].every(({ seen }) => seen?.size === size))
  await asker.gather(grow(5))
  await all(5)
  const old = a.seen
  await asker.gather(grow(5))
  await all(10)
  // It lost what it had cosigned; another was shown a head that nobody remembers.
  a.seen = old
  const middle = scene.grow(4)
  b.seen = parseCheckpoint(parseNote(utf8(middle.note)).text)
  await asker.gather(grow(2))
  await all(16)
  assert.deepEqual(a.requests.slice(-2), [
    { oldSize: 10, size: 16 },
    { oldSize: 5, size: 16 },
  ])
  assert.deepEqual(b.requests.slice(-2), [
    { oldSize: 10, size: 16 },
    { oldSize: 14, size: 16 },
  ])
  assert.deepEqual(scene.of('witness-alarm'), [])
})

test('one that has the very head already gives its word again', async (context) => {
  const scene = await witnessed(context)
  const head = scene.grow(5)
  for (const each of [scene.a, scene.b, scene.c]) each.seen = parseCheckpoint(parseNote(utf8(head.note)).text)
  const gathered = await scene.asker.gather(head)
  assert.ok(confirmedBy(scene, gathered).length >= 2)
  assert.deepEqual(scene.a.requests, [
    { oldSize: 0, size: 5 },
    { oldSize: 5, size: 5 },
  ])
})

const WRONG: readonly { behaviour: Behaviour; outcome: string; isAlarm?: boolean }[] = [
  { behaviour: 'other-root', outcome: 'unusable' },
  { behaviour: 'bad-signature', outcome: 'unusable' },
  { behaviour: 'stranger', outcome: 'unusable' },
  { behaviour: 'future', outcome: 'unusable' },
  { behaviour: 'garbage', outcome: 'unusable' },
  { behaviour: 'empty', outcome: 'unusable' },
  { behaviour: 'conflict-loop', outcome: 'conflict' },
  { behaviour: 'ahead', outcome: 'conflict', isAlarm: true },
  { behaviour: 'forked', outcome: 'conflict', isAlarm: true },
  { behaviour: 'unprovable', outcome: 'unprovable', isAlarm: true },
  { behaviour: 'endless', outcome: 'unavailable' },
  { behaviour: 'redirect', outcome: 'refused' },
  { behaviour: 'forbidden', outcome: 'refused' },
  { behaviour: 'failing', outcome: 'unavailable' },
  { behaviour: 'busy', outcome: 'unavailable' },
  { behaviour: 'reset', outcome: 'unavailable' },
]

for (const { behaviour, outcome, isAlarm = false } of WRONG) {
  test(`a witness that is ${behaviour} counts for nothing, and spoils nothing`, async (context) => {
    const scene = await witnessed(context)
    const { asker, grow, a, of } = scene
    a.behaviour = behaviour
    const head = await asker.gather(grow(9))
    await until(() => of('witness-answered').filter(({ witness }) => witness !== 'a').length === 2)
    await until(() => of('witness-failing').length + of('witness-alarm').length > 0)
    assert.deepEqual(confirmedBy(scene, head), ['b', 'c'])
    const mine = of('witness-answered').filter(({ witness }) => witness === 'a')
    assert.ok(mine.length > 0 && mine.every((each) => each.outcome === outcome), JSON.stringify(mine))
    assert.ok(mine.length <= 3, 'it is not asked over and over')
    assert.equal(of('witness-alarm').length, isAlarm ? 1 : 0)
    assert.equal(of('witness-failing').length, isAlarm ? 0 : 1)
  })
}

test('a cosignature that is older than the last one of that witness is ignored', async (context) => {
  const scene = await witnessed(context)
  const { asker, grow, a, of } = scene
  await asker.gather(grow(2))
  await until(() => a.seen?.size === 2)
  a.behaviour = 'past'
  const head = await asker.gather(grow(2))
  await until(() => of('witness-failing').length === 1)
  assert.deepEqual(confirmedBy(scene, head), ['b', 'c'])
  assert.match(of('witness-failing')[0]?.why ?? '', /older/)
})

test('a witness that was down is asked again, without a new head', async (context) => {
  const scene = await witnessed(context)
  const { asker, grow, a, of, amended } = scene
  a.behaviour = 'failing'
  await asker.gather(grow(2))
  await until(() => of('witness-failing').length === 1)
  a.behaviour = 'honest'
  await until(() => of('witness-recovered').length === 1)
  await until(() => amended.some((head) => confirmedBy(scene, head).length === 3))
})

test('nobody is shown a head that is not in the database', async (context) => {
  const { log, text, reader, grow, a, b, c } = await witnessed(context)
  grow(5)
  const { crypto, database, logFolder } = log
  const parts = { crypto, database, reader, logFolder, send: () => {}, onCosigned: () => {} }
  const cosigner = openCosigner(parts, { policy: text, askMs: 1000, quorums: ['two'] })
  context.after(() => cosigner.close())
  const other = createTestLog(context)
  appendMany(other, 5)
  const forked = other.sequencer.advanceHead(TEST_TIME_MS)
  // More entries than the database has committed to under a head, and other ones.
  appendMany(other, 4)
  for (const note of [forked?.note ?? '', other.sequencer.advanceHead(TEST_TIME_MS)?.note ?? '']) {
    await assert.rejects(cosigner.cosigned(note), { code: 'log/head-changed' })
  }
  for (const { requests } of [a, b, c]) assert.deepEqual(requests, [])
})

test('after a restart it goes on from what is kept, also where a witness has seen more than was published', async (context) => {
  const scene = await witnessed(context)
  const { log, text, reader, asker, grow, a, b, c } = scene
  const { crypto, database, logFolder } = log
  const publisher = new Publisher(reader, logFolder, 0)
  const first = grow(5)
  await publisher.publish(first.size, first.note, async () => (await asker.gather(first)).note)
  assert.equal(confirmedBy(scene, { ...first, note: readFileSync(checkpointPath(logFolder), 'utf8') }).length, 2)
  // Witnesses were asked, and then the gateway was killed: nothing of it is published or kept.
  await asker.gather(grow(6))
  await until(() => [a, b, c].every(({ seen }) => seen?.size === 11))
  await asker.close()
  assert.equal(openLog(crypto, database, log.logKey, logFolder).published?.size, 5)
  const before = a.requests.length
  const send = (message: FromAsker) => scene.reports.push(message)
  const parts = { crypto, database, reader, logFolder, send, onCosigned: () => {} }
  const cosigner = openCosigner(parts, { policy: text, askMs: 3000, quorums: ['two'] })
  context.after(() => cosigner.close())
  const head = log.sequencer.head
  assert.ok(head)
  const again = { ...head, note: await cosigner.cosigned(head.note) }
  assert.ok(confirmedBy(scene, again).length >= 2)
  assert.deepEqual(a.requests.slice(before), [
    { oldSize: 5, size: 11 },
    { oldSize: 11, size: 11 },
  ])
  assert.deepEqual(scene.of('witness-alarm'), [])
})

test('a head that witnesses have cosigned and the entries do not give keeps the log from opening', (context) => {
  const log = createTestLog(context)
  appendMany(log, 5)
  const head = log.sequencer.advanceHead(TEST_TIME_MS)
  assert.ok(head)
  const keep = createCosignedHeadStore(log.database)
  const open = () => openLog(log.crypto, log.database, log.logKey, log.logFolder)
  keep([{ ...head, quorum: '' }])
  open()
  for (const wrong of [
    { ...head, root: new Uint8Array(32) },
    { ...head, size: 6 },
  ]) {
    keep([{ ...wrong, quorum: 'two' }])
    assert.throws(open, { code: 'log/fork' })
  }
})

test('a published checkpoint gets more lines, and never goes back', async (context) => {
  const log = createTestLog(context)
  mkdirSync(log.logFolder)
  const publisher = new Publisher(new TileReader(log.crypto, log.database, log.logFolder), log.logFolder, 0)
  const published = () => readFileSync(checkpointPath(log.logFolder), 'utf8')
  const grow = () => {
    appendMany(log, 3)
    return log.sequencer.advanceHead(TEST_TIME_MS)?.note ?? ''
  }
  const [first, second] = [grow(), grow()]
  await publisher.publish(3, first)
  await publisher.amend(3, `${first}— w AAAAAAA=\n`)
  assert.equal(published(), `${first}— w AAAAAAA=\n`)
  const { promise, resolve } = withResolvers<string>()
  const publishing = publisher.publish(6, second, () => promise)
  await publisher.amend(3, `${first}— w AAAAAAA=\n— x AAAAAAA=\n`)
  assert.equal(published(), `${first}— w AAAAAAA=\n— x AAAAAAA=\n`, 'while the next one is being cosigned')
  resolve(second)
  const late = publisher.amend(3, `${first}— too-late AAAAAAA=\n`)
  await Promise.all([publishing, late])
  await publisher.amend(3, `${first}— much-too-late AAAAAAA=\n`)
  assert.equal(published(), second)
  writeFileSync(checkpointPath(log.logFolder), 'looked at by somebody else')
  await publisher.amend(6, second)
  assert.equal(published(), 'looked at by somebody else', 'the same text is not written again')
})

function withResolvers<T>() {
  let resolve: (value: T) => void = () => {}
  const promise = new Promise<T>((done) => {
    resolve = done
  })
  return { promise, resolve }
}
