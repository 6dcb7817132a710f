import assert from 'node:assert/strict'
import { after, before, beforeEach, test } from 'node:test'
import { formatNote, hashLeaf, openCheckpoint, verifyConsistency, verifyInclusion } from '@countersign/verify'
import { createNodeCrypto } from '@countersign/verify/crypto/node'
import { LogClient } from './log-client.ts'
import { type Misdeed, startLogServer, type TestLogServer } from './log-server.testing.ts'
import { proveConsistency, proveInclusion } from './tile-proofs.ts'

const crypto = createNodeCrypto()
const SIZE = 700
let server: TestLogServer
let client: LogClient

before(async () => {
  server = await startLogServer()
  server.log.grow(SIZE)
  client = new LogClient({ baseUrl: server.url })
})
after(async () => {
  await client.close()
  await server.stop()
})
beforeEach(() => {
  server.misdeed = () => undefined
})

test('checkpoint, tiles and entries of an honest log come as they are', async () => {
  const note = await client.fetchCheckpoint()
  assert.equal(formatNote(note), server.log.checkpoint())
  assert.equal(openCheckpoint(crypto, note, server.log.signer.key).size, SIZE)
  const entries = await client.fetchEntries(2, SIZE - 512)
  assert.deepEqual([...entries], server.log.tree.entries.slice(512))
  const tile = await client.fetchTile({ level: 0, index: 0, width: 256 })
  assert.deepEqual(tile.subarray(0, 32), hashLeaf(crypto, server.log.tree.entries[0] ?? new Uint8Array(0)))
})

test('proofs are built from tiles, of every index and between sizes', async () => {
  const head = (size: number) => ({ size, root: server.log.tree.root(size) })
  for (const size of [1, 2, 255, 256, 257, 511, 640, SIZE]) {
    for (const index of [0, size >> 1, size - 1]) {
      const path = await proveInclusion(client, crypto, index, size)
      verifyInclusion(crypto, head(size), { index, path }, server.log.tree.read(0, index))
    }
    const proof = await proveConsistency(client, crypto, size, SIZE)
    verifyConsistency(crypto, head(size), head(SIZE), proof)
  }
  assert.throws(() => proveInclusion(client, crypto, 5, 5), { code: 'proof/index-out-of-range' })
})

test('a full tile or bundle stands in for a partial one that is gone', async () => {
  server.misdeed = (path) => (path.includes('.p/') ? { kind: 'status', status: 404 } : undefined)
  assert.equal((await client.fetchTile({ level: 0, index: 1, width: 7 })).length, 7 * 32)
  assert.deepEqual([...(await client.fetchEntries(0, 3))], server.log.tree.entries.slice(0, 3))
  await assert.rejects(client.fetchEntries(2, 100), { code: 'watch/not-found' })
})

test('a server that says to come back is asked again; its tries are limited', async () => {
  let refusals = 2
  server.misdeed = () => (refusals-- > 0 ? { kind: 'status', status: 429, headers: { 'retry-after': '0' } } : undefined)
  await client.fetchCheckpoint()
  refusals = Number.POSITIVE_INFINITY
  server.requests.length = 0
  await assert.rejects(client.fetchCheckpoint(), { code: 'watch/unreachable' })
  assert.equal(server.requests.length, 8)
})

const MISDEEDS: readonly (readonly [string, Misdeed, string])[] = [
  ['an error of the server', { kind: 'status', status: 500 }, 'watch/unreachable'],
  ['nothing there', { kind: 'status', status: 404 }, 'watch/not-found'],
  ['a redirect', { kind: 'status', status: 302, headers: { location: '/log/checkpoint' } }, 'watch/bad-answer'],
  ['no content', { kind: 'status', status: 204 }, 'watch/bad-answer'],
  ['nothing in time', { kind: 'stall' }, 'watch/unreachable'],
  ['the beginning of an answer', { kind: 'stall', after: 20 }, 'watch/unreachable'],
  ['a connection that is cut', { kind: 'cut' }, 'watch/unreachable'],
  ['a gigabyte, as announced', { kind: 'gigabyte', isAnnounced: true }, 'watch/bad-answer'],
  ['a gigabyte, unannounced', { kind: 'gigabyte', isAnnounced: false }, 'watch/bad-answer'],
  ['something that is not HTTP', { kind: 'noise' }, 'watch/bad-answer'],
  ['another coding', { kind: 'body', body: 'x', headers: { 'content-encoding': 'gzip' } }, 'watch/bad-answer'],
  ['nothing at all', { kind: 'body', body: '' }, 'watch/bad-answer'],
  ['something else', { kind: 'body', body: '<html>\n\n</html>' }, 'watch/bad-answer'],
]

for (const [name, misdeed, code] of MISDEEDS) {
  test(`the log answers with ${name}: ${code}`, async () => {
    server.misdeed = () => misdeed
    const hasty = new LogClient({ baseUrl: server.url, timeoutMs: misdeed.kind === 'stall' ? 200 : 10_000 })
    await assert.rejects(hasty.fetchCheckpoint(), { code })
    await assert.rejects(hasty.fetchTile({ level: 0, index: 0, width: 256 }), { code })
    await assert.rejects(hasty.fetchEntries(0, 256), { code })
    await hasty.close()
  })
}

test('a tile or bundle of another length is not what was asked for', async () => {
  const bundle = server.log.tree.tile({ level: 'entries', index: 0, width: 255 }) ?? new Uint8Array(0)
  for (const body of [new Uint8Array(31), new Uint8Array(255 * 32), new Uint8Array(257 * 32)]) {
    server.misdeed = () => ({ kind: 'body', body })
    await assert.rejects(client.fetchTile({ level: 0, index: 0, width: 256 }), { code: 'watch/bad-answer' })
  }
  for (const body of [bundle, bundle.subarray(0, -1), Uint8Array.of(0), Uint8Array.of(1, 0)]) {
    server.misdeed = () => ({ kind: 'body', body })
    await assert.rejects(client.fetchEntries(0, 256), { code: 'watch/bad-answer' })
  }
})

test('no log answers: unreachable; an address that is none, or has a secret in it, is refused unrepeated', async () => {
  const gone = new LogClient({ baseUrl: 'http://127.0.0.1:1/log' })
  await assert.rejects(gone.fetchCheckpoint(), { code: 'watch/unreachable' })
  await gone.close()
  await assert.rejects(gone.fetchCheckpoint(), { code: 'watch/unreachable' })
  for (const baseUrl of ['', 'log', 'ftp://x/log', 'http://user:hunter2@x/', 'http://x/?key=hunter2', 'http://x/#a']) {
    assert.throws(
      () => new LogClient({ baseUrl }),
      (thrown: Error & { code?: string }) => thrown.code === 'usage/invalid' && !thrown.message.includes('hunter2'),
    )
  }
})
