import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { mkdirSync, symlinkSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { hashLeaf, NOTE_COSIGNATURE } from '@countersign/verify'
import { createNodeCrypto } from '@countersign/verify/crypto/node'
import {
  createNoteSigner,
  inventedLeaf,
  type Misdeed,
  TestLog,
  type TestTree,
  trustTextOf,
} from '../log-client/log-server.testing.ts'
import { type MonitorScene, promiseNote, startScene } from './monitor.testing.ts'

const crypto = createNodeCrypto()
let scene: MonitorScene

beforeEach(async () => {
  scene = await startScene()
})
afterEach(() => scene.end())

const NOTHING = { missing: [], warnings: [], proven: [], common: [] }

/** The same log, with another entry at an index, and others after it as they were. */
function rewritten(log: TestLog, index: number): TestLog {
  const other = new TestLog(log.signer)
  other.tree = log.tree.fork(index)
  other.tree.append(inventedLeaf('another one'))
  for (const entry of log.tree.entries.slice(index + 1)) other.tree.append(entry)
  return other
}

const leafHashAt = (tree: TestTree, index: number) => tree.read(0, index)

test('an honest log that grows in many steps to 10,000 entries gives no finding at all', async () => {
  const { server } = scene
  const witness = await scene.witness(() => server.log.checkpoint(server.publishedSize))
  const monitor = scene.open({ witnessUrls: [witness], maximumAgeMs: 1_000_000 })
  for (let size = 0, step = 1; size < 10_000; size += step, step = Math.min(step + 7, 10_000 - size)) {
    server.log.grow(step)
    scene.nowMs += 1000
    if (step % 5 === 0) {
      const index = server.log.tree.size - 1
      const leafHash = leafHashAt(server.log.tree, index)
      scene.give(
        `${index}.promise`,
        promiseNote(server.log, { index, leafHash, coverBySeconds: Math.floor(scene.nowMs / 1000) }),
      )
    }
    await monitor.round()
    assert.equal(monitor.state.verified.size, server.log.tree.size)
  }
  assert.deepEqual(monitor.summary().missing + monitor.summary().warnings + monitor.summary().proven, 0)
  assert.equal(monitor.state.promises.length, 0)
  await monitor.close()
  assert.ok(scene.reports.every(({ event }) => event === 'verified'))
  const all = scene.server.requests.filter((path) => path === 'tile/0/000').length
  assert.equal(all, 1, 'a full tile is fetched once')
})

test('what was verified is not fetched again by the next process', async () => {
  scene.server.log.grow(1000)
  assert.deepEqual(await scene.look(), { ...NOTHING, size: 1000 })
  scene.server.requests.length = 0
  scene.server.log.grow(5)
  assert.deepEqual(await scene.look(), { ...NOTHING, size: 1005 })
  assert.deepEqual(scene.server.requests.toSorted(), ['checkpoint', 'tile/0/003.p/237', 'tile/entries/003.p/237'])
})

test('an empty log, and one entry', async () => {
  assert.deepEqual(await scene.look(), { ...NOTHING, size: 0 })
  scene.server.log.grow(1)
  assert.deepEqual(await scene.look(), { ...NOTHING, size: 1 })
})

test('a lie in one tile of hashes is found, and closed when it is put right', async () => {
  scene.server.log.grow(3000)
  for (const [path, bytes] of [
    ['tile/0/005', 8192],
    ['tile/0/011.p/184', 184 * 32],
    ['tile/1/000.p/11', 11 * 32],
  ] as const) {
    const tile = new Uint8Array(bytes)
    scene.server.misdeed = (asked) => (asked === path ? { kind: 'body', body: tile } : undefined)
    const { missing, proven, size } = await scene.look({ stateFolder: `${scene.folder}/${path.replaceAll('/', '-')}` })
    assert.deepEqual([missing, proven, size], [['tile-differs'], [], 3000], path)
  }
  scene.server.misdeed = () => undefined
  assert.deepEqual((await scene.look({ stateFolder: `${scene.folder}/tile-0-005` })).missing, [])
})

test('an entry that is not the one under the head is found, and named', async () => {
  const { server } = scene
  server.log.grow(700)
  const lie = rewritten(server.log, 300).tree.tile({ level: 'entries', index: 1, width: 256 }) ?? new Uint8Array(0)
  server.misdeed = (path) => (path === 'tile/entries/001' ? { kind: 'body', body: lie } : undefined)
  const { missing, proven, size } = await scene.look()
  assert.deepEqual([missing, proven, size], [['entries-withheld', 'entry-differs'], [], 0])
  assert.ok(scene.reports.some((report) => report.event === 'opened' && /entry 300 /.test(report.finding.summary)))
  server.misdeed = () => undefined
  assert.deepEqual(await scene.look(), { ...NOTHING, size: 700 })
})

test('an entry that was verified and is served as another one later is found', async () => {
  const { server } = scene
  server.log.grow(700)
  await scene.look()
  server.log.grow(10)
  const other = rewritten(server.log, 600)
  const lie = other.tree.tile({ level: 'entries', index: 2, width: 198 }) ?? new Uint8Array(0)
  server.misdeed = (path) => (path.startsWith('tile/entries/002') ? { kind: 'body', body: lie } : undefined)
  const { missing, proven } = await scene.look()
  assert.deepEqual([missing, proven], [['entries-withheld', 'entry-differs'], []])
})

test('a log that rewrites an entry is proven to, and the entry is named', async () => {
  const { server } = scene
  for (const [size, index] of [
    [1300, 300],
    [1310, 1290],
    [1320, 1024],
    [1536, 1535],
  ] as const) {
    server.log.grow(size - server.log.tree.size)
    const honest = server.log
    const stateFolder = `${scene.folder}/state-${size}`
    await scene.look({ stateFolder, proofFolder: `${stateFolder}-proofs` }).catch(() => undefined)
    server.log = rewritten(honest, index)
    server.log.grow(3, 'later')
    const monitor = scene.open({ stateFolder })
    await monitor.once()
    await monitor.close()
    assert.deepEqual(
      monitor.state.proven.map(({ kind }) => kind),
      ['head-of-another-history', 'two-leaves-one-index'],
      `entry ${index}`,
    )
    assert.equal(monitor.state.proven[1]?.subject, String(index))
    assert.equal(monitor.state.verified.size, size)
    server.log = honest
  }
})

test('a proof shows how far the histories are one: the largest head that we saw and that both continue', async () => {
  const { server } = scene
  for (const size of [100, 180, 260, 300, 420]) {
    server.log.grow(size - server.log.tree.size)
    await scene.look()
  }
  server.log = rewritten(server.log, 270)
  server.log.grow(1, 'later')
  const { proven, common } = await scene.look()
  assert.deepEqual(proven, ['head-of-another-history', 'two-leaves-one-index'])
  assert.deepEqual(common, [260, 260])
})

test('a log that rewrites without growing signs two heads of one size', async () => {
  scene.server.log.grow(300)
  await scene.look()
  scene.server.log = rewritten(scene.server.log, 20)
  const { proven } = await scene.look()
  assert.deepEqual(proven, ['two-heads-of-one-size'])
})

test('a log that goes back is found; when it goes back to another history, that is proven by what was kept', async () => {
  const { server } = scene
  server.log.grow(1000)
  await scene.look()
  server.publishedSize = 900
  assert.deepEqual((await scene.look()).missing, ['head-went-back'])
  server.publishedSize = undefined
  assert.deepEqual((await scene.look()).missing, [])
  const honest = server.log
  server.log = rewritten(honest, 500)
  server.publishedSize = 800
  const { missing, proven } = await scene.look()
  assert.deepEqual(missing, ['head-went-back'])
  assert.deepEqual(proven, ['head-of-another-history', 'two-leaves-one-index'])
})

test('a log that shows one history to us and another to a witness is proven to, at one size and at two', async () => {
  const { server } = scene
  server.log.grow(500)
  const fork = rewritten(server.log, 450)
  let shown = 500
  const witness = await scene.witness(() => fork.checkpoint(shown))
  const options = { witnessUrls: [witness] }
  assert.deepEqual((await scene.look(options)).proven, ['two-heads-of-one-size'])
  // Smaller than what we verified, and not among the heads that we saw.
  shown = 470
  assert.deepEqual((await scene.look(options)).proven, ['head-of-another-history', 'two-heads-of-one-size'])
  // Larger: it waits until the log has grown beyond it.
  fork.grow(50, 'of the fork')
  shown = 530
  const { missing, proven } = await scene.look(options)
  assert.deepEqual([missing, proven.length], [['head-withheld'], 2])
  server.log.grow(100, 'of the log')
  assert.deepEqual((await scene.look(options)).proven.length, 3)
})

test('before the fork, heads of witnesses of any size are of one history', async () => {
  scene.server.log.grow(700)
  for (const size of [1, 255, 256, 300, 512, 699, 700]) {
    const witness = await scene.witness(() => scene.server.log.checkpoint(size))
    assert.deepEqual(await scene.look({ witnessUrls: [witness] }), { ...NOTHING, size: 700 })
  }
})

test('a witness that is silent or shows something else is a warning, not the log’s fault', async () => {
  scene.server.log.grow(10)
  const stranger = new TestLog(createNoteSigner(scene.server.log.signer.key.name))
  stranger.grow(10)
  const witness = await scene.witness(() => stranger.checkpoint())
  const silent = await scene.witness(() => undefined)
  assert.deepEqual(await scene.look({ witnessUrls: [witness, silent, 'http://127.0.0.1:1'] }), {
    ...{ missing: [], proven: [], common: [], size: 10 },
    warnings: ['witness-invalid', 'witness-silent', 'witness-silent'],
  })
})

const SILENCE: readonly (readonly [string, Misdeed, string])[] = [
  ['stalls', { kind: 'stall' }, 'log-silent'],
  ['stalls after the first bytes', { kind: 'stall', after: 10 }, 'log-silent'],
  ['cuts connections', { kind: 'cut' }, 'log-silent'],
  ['is out of order', { kind: 'status', status: 500 }, 'log-silent'],
  ['has no checkpoint', { kind: 'status', status: 404 }, 'log-silent'],
  ['serves a gigabyte', { kind: 'gigabyte', isAnnounced: false }, 'checkpoint-invalid'],
  ['serves something else', { kind: 'body', body: 'hello\n\nworld\n' }, 'checkpoint-invalid'],
  ['serves no HTTP', { kind: 'noise' }, 'checkpoint-invalid'],
]
for (const [name, misdeed, finding] of SILENCE) {
  test(`a log that ${name} in the place of its checkpoint: ${finding}`, async () => {
    scene.server.misdeed = () => misdeed
    const timeoutMs = misdeed.kind === 'stall' ? 200 : 5000
    const { missing, proven } = await scene.look({ timeoutMs })
    assert.deepEqual([missing, proven], [[finding], []])
    scene.server.misdeed = () => undefined
    assert.deepEqual(await scene.look(), { ...NOTHING, size: 0 })
  })

  test(`a log that ${name} in the place of entries or tiles is found, and followed when it serves them`, async () => {
    scene.server.log.grow(600)
    const timeoutMs = misdeed.kind === 'stall' ? 200 : 5000
    scene.server.misdeed = (path) => (path.startsWith('tile/entries/001') ? misdeed : undefined)
    const withheld = await scene.look({ timeoutMs })
    assert.deepEqual([withheld.missing, withheld.proven, withheld.size], [['entries-withheld'], [], 0])
    scene.server.misdeed = (path) => (path.startsWith('tile/0/001') ? misdeed : undefined)
    const half = await scene.look({ timeoutMs })
    assert.deepEqual([half.missing, half.proven, half.size], [['tile-withheld'], [], 600])
    scene.server.misdeed = () => undefined
    assert.deepEqual(await scene.look(), { ...NOTHING, size: 600 })
  })
}

test('a head that nothing served leads to is found, and proves nothing', async () => {
  const { server } = scene
  server.log.grow(300)
  const other = rewritten(server.log, 7).checkpoint()
  server.misdeed = (path) => (path === 'checkpoint' ? { kind: 'body', body: other } : undefined)
  const { missing, proven } = await scene.look()
  assert.deepEqual([missing, proven], [['head-unexplained'], []])
})

test('a checkpoint of another key or origin is none of the log’s', async () => {
  for (const signer of [createNoteSigner(scene.server.log.signer.key.name), createNoteSigner('example.org/another')]) {
    const log = new TestLog(signer)
    log.grow(5)
    scene.server.misdeed = () => ({ kind: 'body', body: log.checkpoint() })
    assert.deepEqual((await scene.look()).missing, ['checkpoint-invalid'])
  }
})

test('promises: kept, given to another entry, never covered; and covered late as witnesses saw it', async () => {
  const { server } = scene
  server.log.grow(400)
  const soon = Math.floor(scene.nowMs / 1000) + 10
  const [wrong, other] = ['promised', 'promised as well'].map((seed) => hashLeaf(crypto, inventedLeaf(seed)))
  assert.ok(wrong && other)
  const give = (name: string, index: number, leafHash: Uint8Array) =>
    scene.give(`${name}.promise`, promiseNote(server.log, { index, leafHash, coverBySeconds: soon }))
  give('kept', 399, leafHashAt(server.log.tree, 399))
  assert.deepEqual(await scene.look(), { ...NOTHING, size: 400 })
  give('broken', 350, wrong)
  assert.deepEqual((await scene.look()).proven, ['promise-other-leaf'])
  give('uncovered', 400, other)
  assert.deepEqual((await scene.look()).missing, [])
  scene.nowMs += 100_000
  const late = await scene.look()
  assert.deepEqual([late.missing, late.proven.length], [['promise-uncovered'], 1])
  server.log.grow(1)
  const covered = await scene.look()
  assert.deepEqual([covered.missing, covered.proven], [[], ['promise-other-leaf', 'promise-other-leaf']])
})

test('a quorum of witnesses says when a head was seen: too old, too late for a promise, or in time that has not come', async () => {
  const { server } = scene
  const [a, b] = ['witness.example/a', 'witness.example/b'].map((name) => createNoteSigner(name, NOTE_COSIGNATURE))
  assert.ok(a && b)
  scene.trustText = trustTextOf(server.log.signer, { witnesses: [[a.key], [b.key]] })
  server.log.grow(20)
  const now = Math.floor(scene.nowMs / 1000)
  const signed = (first: number, second: number) => [
    (text: string) => a.sign(text, first),
    (text: string) => b.sign(text, second),
  ]
  server.cosign = signed(now, now - 500)
  const stale = (maximumAgeMs: number) => scene.look({ maximumAgeMs })
  assert.deepEqual((await stale(600_000)).missing, [])
  assert.deepEqual((await stale(400_000)).missing, ['stale'], 'one of two is no quorum')
  server.cosign = signed(now, now)
  assert.deepEqual((await stale(400_000)).missing, [])
  const leafHash = hashLeaf(crypto, inventedLeaf('never to be'))
  scene.give('late.promise', promiseNote(server.log, { index: 20, leafHash, coverBySeconds: now - 1 }))
  assert.deepEqual((await scene.look()).proven, ['promise-not-covered'])
  server.cosign = signed(now + 1000, now + 1000)
  server.log.grow(1)
  const { warnings } = await scene.look()
  assert.deepEqual(warnings, ['cosignature-ahead', 'cosignature-ahead'])
  server.cosign = [(text) => a.sign(`${text}not this`, now)]
  server.log.grow(1)
  assert.ok((await scene.look()).warnings.includes('witness-invalid'))
})

test('a monitor that is told to stop stops at once, in the middle of a slow log, and blames nobody', async () => {
  scene.server.log.grow(2000)
  await scene.look()
  scene.server.log.grow(2000)
  scene.server.misdeed = (path) => (path === 'tile/entries/011' ? { kind: 'stall' } : undefined)
  const monitor = scene.open({ timeoutMs: 60_000 })
  const following = monitor.follow()
  for (let i = 0; !scene.server.requests.includes('tile/entries/011') && i < 1000; i++) await sleep(5)
  const startMs = performance.now()
  monitor.stop()
  await following
  await monitor.close()
  assert.ok(performance.now() - startMs < 5000)
  assert.deepEqual(monitor.summary(), {
    ...{ origin: scene.server.log.signer.key.name, size: 2000, proven: 0, missing: 0, warnings: 0 },
  })
  scene.server.misdeed = () => undefined
  assert.deepEqual(await scene.look(), { ...NOTHING, size: 4000 })
})

test('one look is at all promises, more than a round takes and more than wait at a time', async () => {
  const { server } = scene
  server.log.grow(10)
  const coverBySeconds = Math.floor(scene.nowMs / 1000)
  const give = (name: number, leafHash: Uint8Array) =>
    scene.give(
      `${name}.promise`,
      promiseNote(server.log, { index: name % 10, leafHash, coverBySeconds: coverBySeconds + name }),
    )
  for (let name = 10_000; name < 12_200; name++) give(name, leafHashAt(server.log.tree, name % 10))
  give(99_999, hashLeaf(crypto, inventedLeaf('promised')))
  const { proven, missing, warnings } = await scene.look()
  assert.deepEqual([proven, missing, warnings], [['promise-other-leaf'], [], []])
})

test('a pipe, a device and a link that leads nowhere among the evidence stop nothing', async () => {
  const { server, evidence } = scene
  server.log.grow(10)
  execFileSync('mkfifo', [join(evidence, 'a.json')])
  symlinkSync('/dev/zero', join(evidence, 'b.json'))
  symlinkSync(join(evidence, 'nowhere'), join(evidence, 'c.json'))
  mkdirSync(join(evidence, 'd.json'))
  const leafHash = hashLeaf(crypto, inventedLeaf('promised'))
  scene.give('e.promise', promiseNote(server.log, { index: 3, leafHash, coverBySeconds: 1 }))
  const { proven, missing, warnings } = await scene.look()
  assert.deepEqual([proven, missing], [['promise-other-leaf'], []])
  assert.deepEqual(warnings, new Array(4).fill('evidence-unreadable'))
})
