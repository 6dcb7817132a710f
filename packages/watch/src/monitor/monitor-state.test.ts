import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { mkdirSync, readdirSync, readFileSync, statSync, truncateSync, writeFileSync } from 'node:fs'
import { afterEach, beforeEach, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import Database from 'better-sqlite3'
import { createNoteSigner, inventedLeaf, TestLog, trustTextOf } from '../log-client/log-server.testing.ts'
import { type MonitorScene, startScene } from './monitor.testing.ts'

let scene: MonitorScene
let file: string

beforeEach(async () => {
  scene = await startScene()
  file = `${scene.folder}/state/monitor.db`
})
afterEach(() => scene.end())

const bundlesAsked = () => scene.server.requests.filter((path) => path.startsWith('tile/entries/'))

test('nobody else can read what is kept, whatever the folder lets them', async () => {
  mkdirSync(`${scene.folder}/state`, { mode: 0o755 })
  const monitor = scene.open()
  try {
    await monitor.round()
    for (const name of readdirSync(`${scene.folder}/state`).filter((each) => each.startsWith('monitor.db'))) {
      assert.equal(statSync(`${scene.folder}/state/${name}`).mode & 0o077, 0, name)
    }
  } finally {
    await monitor.close()
  }
})

test('entries that were taken in before the log went silent are not fetched again', async () => {
  scene.server.log.grow(1500)
  scene.server.misdeed = (path) => (path === 'tile/entries/004' ? { kind: 'status', status: 500 } : undefined)
  const { size, missing } = await scene.look()
  assert.deepEqual([size, missing], [0, ['entries-withheld']])
  scene.server.misdeed = () => undefined
  scene.server.requests.length = 0
  assert.equal((await scene.look()).size, 1500)
  assert.deepEqual(bundlesAsked(), ['tile/entries/004', 'tile/entries/005.p/220'])
})

test('a monitor that is killed at any moment goes on where it was, and nothing is missed', async () => {
  const program = `
    import { readFileSync } from 'node:fs'
    import { createNodeCrypto } from '@countersign/verify/crypto/node'
    import { parseTrustFile } from '@countersign/verify'
    const { Monitor } = await import(process.argv[1])
    const [, , logUrl, trust, folder] = process.argv
    const crypto = createNodeCrypto()
    await new Monitor({
      crypto, trust: parseTrustFile(crypto, new Uint8Array(readFileSync(trust))), logUrl,
      stateFolder: folder + '/state', proofFolder: folder + '/proofs', witnessUrls: [], evidence: [folder + '/given'],
      graceMs: 60000, intervalMs: 5, timeoutMs: 5000, nowMs: () => Date.now(), onProgress: () => undefined,
      onReport: (report) => console.log(report.event),
    }).follow()`
  const trust = `${scene.folder}/trust.yaml`
  writeFileSync(trust, scene.trustText)
  writeFileSync(`${scene.folder}/given`, scene.server.log.checkpoint(0))
  for (let round = 0; round < 3; round++) {
    const module = new URL('./monitor.js', import.meta.url).href
    const args = ['--input-type=module', '-e', program, module, scene.server.url, trust, scene.folder]
    const child = spawn(process.execPath, args, {
      stdio: ['ignore', 'pipe', 'inherit'],
      cwd: new URL('.', import.meta.url),
    })
    let reported = 0
    child.stdout.on('data', (chunk: Buffer) => {
      reported += chunk.toString().split('verified').length - 1
    })
    const ended = new Promise((resolve) => child.once('exit', resolve))
    const wanted = 2 + round
    for (let i = 0; reported < wanted && i < 2000; i++) {
      scene.server.log.grow(7)
      await sleep(20)
    }
    assert.ok(reported >= wanted, 'the monitor follows')
    child.kill('SIGKILL')
    await ended
    // What happens while nobody looks is looked at later.
    scene.server.log.grow(300)
  }
  const size = scene.server.log.tree.size
  const { missing, proven, size: verified } = await scene.look({ evidence: [] })
  assert.deepEqual([missing, proven, verified], [[], [], size])
  const before = scene.server.log.tree.fork(size - 200)
  before.append(inventedLeaf('another'))
  const rewritten = new TestLog(scene.server.log.signer)
  rewritten.tree = before
  rewritten.grow(300, 'rewritten')
  scene.server.log = rewritten
  assert.deepEqual((await scene.look({ evidence: [] })).proven, ['head-of-another-history', 'two-leaves-one-index'])
})

test('a proof stays: a monitor that finds nothing new still says that misbehaviour is proven', async () => {
  scene.server.log.grow(10)
  await scene.look()
  const honest = scene.server.log
  scene.server.log = new TestLog(honest.signer)
  scene.server.log.grow(10, 'another')
  assert.equal((await scene.look()).proven.length, 1)
  scene.server.log = honest
  const monitor = scene.open()
  await monitor.once()
  assert.equal(monitor.summary().proven, 1)
  await monitor.close()
})

test('the state of another log, one that another monitor has, and one of a newer release are refused', async () => {
  scene.server.log.grow(3)
  await scene.look()
  const first = scene.open()
  assert.throws(() => scene.open(), { code: 'data/locked' })
  await first.close()
  const trustText = scene.trustText
  scene.trustText = trustTextOf(createNoteSigner(scene.server.log.signer.key.name))
  assert.throws(() => scene.open(), { code: 'usage/invalid' })
  scene.trustText = trustText
  const database = new Database(file)
  database.pragma('user_version = 2')
  database.close()
  assert.throws(() => scene.open(), { code: 'data/newer-version' })
})

test('state that is damaged is refused, and left as it is', async () => {
  scene.server.log.grow(700)
  await scene.look()
  const whole = readFileSync(file)
  const damages: readonly (() => void)[] = [
    () =>
      writeFileSync(file, 'no database at all, and longer than a header of one, so that it is looked at'.repeat(20)),
    () => truncateSync(file, 5000),
    () => sql("UPDATE monitor SET state = '{'"),
    () => sql("UPDATE monitor SET state = '[]'"),
    () => sql(`UPDATE monitor SET state = json_remove(state, '$.waiting')`),
    () => sql('UPDATE monitor SET edge_size = 699'),
    () => sql('UPDATE monitor SET edge = zeroblob(length(edge))'),
    () => sql('UPDATE monitor SET progress_size = 5, progress = zeroblob(3)'),
    () => sql('DROP TABLE heads'),
    () => sql('PRAGMA application_id = 5'),
  ]
  for (const [i, damage] of damages.entries()) {
    writeFileSync(file, whole)
    damage()
    const before = statSync(file).size
    assert.throws(() => scene.open(), { code: 'data/damaged' }, `damage ${i}`)
    assert.equal(statSync(file).size, before)
  }
  writeFileSync(file, whole)
  assert.equal((await scene.look()).size, 700)
})

function sql(text: string): void {
  const database = new Database(file)
  database.exec(text)
  database.close()
}

test('a file where the folder should be, and a disk that takes no proof, are errors with a code', async () => {
  writeFileSync(`${scene.folder}/occupied`, '')
  assert.throws(() => scene.open({ stateFolder: `${scene.folder}/occupied` }), { code: 'file/unreadable' })
  scene.server.log.grow(10)
  await scene.look()
  scene.server.log = new TestLog(scene.server.log.signer)
  scene.server.log.grow(10, 'another')
  const monitor = scene.open({ proofFolder: `${scene.folder}/occupied` })
  await assert.rejects(monitor.once(), { code: 'file/unreadable' })
  await monitor.close()
  assert.deepEqual((await scene.look()).proven, ['two-heads-of-one-size'])
})
