import assert from 'node:assert/strict'
import { test } from 'node:test'
import { formatTilePath, hashLeaf, openCheckpoint, parseEntries, parseNote, parseTile, utf8 } from '@countersign/verify'
import { DEFAULT_LIMITS } from '../config/config.ts'
import { answered, call, codeIn, type Got, startInNewFolder, waitFor } from '../gateway.testing.ts'
import type { Gateway } from '../gateway.ts'
import { CompactTree } from '../log/compact-tree.ts'
import { logKeyOf } from '../verdict.testing.ts'

const LIMITS = { ...DEFAULT_LIMITS, logRequestsPerSecond: 100_000, logRequestsBurst: 100_000 }

/** Appends small statements until the log has `size`, and waits for a head over them. */
async function growTo(gateway: Gateway, size: number): Promise<void> {
  const payload = (i: number) => utf8(`statement ${i}`)
  const committed = gateway.log.database.prepare('SELECT count(*) FROM entries').pluck().get() as number
  const more = Array.from({ length: size - committed }, (_, i) =>
    gateway.log.append({ kind: 'own', type: 'model', name: 'filler', payload: payload(i) }),
  )
  await Promise.all(more)
  await gateway.log.waitForHead(size - 1, 10_000)
}

/** Asks until there is an answer that `isRight`: publication has its own rhythm. */
async function until(ask: () => Promise<Got>, isRight: (got: Got) => boolean): Promise<Got> {
  for (let tries = 0; tries < 1200; tries++) {
    const got = await ask()
    if (isRight(got)) return got
    await new Promise((resolve) => setTimeout(resolve, 25))
  }
  throw new Error('it never came')
}

test('any client of the log gets from its files to its root', async (context) => {
  const { gateway } = await startInNewFolder(context, { limits: LIMITS })
  const { receipt, secret } = await answered(gateway)
  await waitFor(gateway, `/receipts/${receipt}`, secret)
  await growTo(gateway, 300)
  const get = (path: string) => call(gateway, 'GET', `/log/${path}`)
  const open = ({ text }: Got) => openCheckpoint(gateway.crypto, parseNote(utf8(text)), logKeyOf(gateway))
  const published = await until(
    () => get('checkpoint'),
    (got) => got.status === 200 && open(got).size >= 300,
  )
  assert.equal(published.headers.get('content-type'), 'text/plain; charset=utf-8')
  const { size, root } = open(published)
  const tree = new CompactTree(gateway.crypto)
  for (let index = 0; index * 256 < size; index++) {
    const width = Math.min(256, size - index * 256)
    const tile = await get(formatTilePath({ level: 0, index, width }))
    const bundle = await get(formatTilePath({ level: 'entries', index, width }))
    assert.deepEqual([tile.status, bundle.status], [200, 200])
    const isFull = width === 256
    assert.equal(tile.headers.get('cache-control')?.includes('immutable'), isFull)
    assert.equal(tile.headers.get('content-type'), 'application/octet-stream')
    const hashes = parseTile(tile.bytes)
    assert.deepEqual(
      parseEntries(bundle.bytes).map((entry) => hashLeaf(gateway.crypto, entry)),
      hashes,
    )
    for (const hash of hashes) tree.append(hash)
  }
  assert.deepEqual(tree.root(), root)
  const above = await get('tile/1/000.p/1')
  assert.equal(above.status, 200)
  // Every partial width up to what is signed is served, published or not; no more than that.
  const partial = await get(formatTilePath({ level: 0, index: 1, width: 7 }))
  assert.equal(parseTile(partial.bytes).length, 7)
})

test('what the log does not have, and what is no path of it, is not found', async (context) => {
  const { gateway } = await startInNewFolder(context, { limits: LIMITS })
  await growTo(gateway, 20)
  const paths = [
    'tile/0/000',
    'tile/0/000.p/21',
    'tile/0/001.p/1',
    'tile/1/000.p/1',
    'tile/entries/000',
    'tile/63/000',
    'tile/0/x999/x999/x999/x999/999',
    'tile/64/000',
    'tile/0/0',
    'tile/0/000.p/0',
    'tile/0/000.p/256',
    'tile/0/000.p/01',
    'tile/00/000',
    'tile/-1/000',
    'tile/0/000/',
    'tile/0/x000/000',
    'tile/0/000.p',
    'tile/',
    'tile/0/..%2f..%2fkeys%2froot.key',
    'tile/0/%2e%2e/%2e%2e/keys/root.key',
    'nothing',
    '',
  ]
  for (const path of paths) {
    const got = await call(gateway, 'GET', `/log/${path}`)
    assert.equal(got.status, 404, path)
    assert.ok(['tile/malformed', 'request/not-found'].includes(String(codeIn(got))), path)
  }
  assert.equal((await call(gateway, 'GET', '/log/tile/0/000.p/20')).status, 200)
})

test('the log has its own limit for each address; answers do not count against it', async (context) => {
  const limits = { ...DEFAULT_LIMITS, logRequestsPerSecond: 1, logRequestsBurst: 3 }
  const { gateway } = await startInNewFolder(context, { limits })
  const statuses: number[] = []
  for (let i = 0; i < 6; i++) statuses.push((await call(gateway, 'GET', '/log/nothing')).status)
  assert.deepEqual(statuses.slice(0, 3), [404, 404, 404])
  assert.ok(statuses.filter((status) => status === 429).length >= 2, statuses.join())
  let limited = await call(gateway, 'GET', '/log/checkpoint')
  while (limited.status !== 429) limited = await call(gateway, 'GET', '/log/checkpoint')
  assert.equal(codeIn(limited), 'rate/limited')
  assert.equal(limited.headers.get('retry-after'), '1')
  await answered(gateway)
})
