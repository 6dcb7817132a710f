/** `countersign attest fetch` as a process: what it writes, and what it leaves as it was. */
import assert from 'node:assert/strict'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { formatCollateral } from '@countersign/verify'
import { makeNitroDocument, snpEvidence } from '@countersign/verify/testing'
import { countersign } from '../run.testing.ts'

/** Nobody listens there. */
const NOWHERE = 'http://127.0.0.1:9'

function filesOf(context: TestContext) {
  const folder = mkdtempSync(join(tmpdir(), 'countersign-fetch-'))
  context.after(() => rmSync(folder, { recursive: true }))
  const at = (name: string) => join(folder, name)
  const { item, input } = snpEvidence()
  writeFileSync(at('report.bin'), item.content)
  const good = JSON.stringify(formatCollateral(input.collateral))
  const fetch = (...args: readonly string[]) =>
    countersign('attest', 'fetch', ...args, '--cache', at('cache'), '--out', at('collateral.json'))
  return { at, good, input, fetch }
}

test('where nothing was had, nothing is written, and what was there stays', async (context) => {
  const { at, good, fetch } = filesOf(context)
  const told = await fetch(at('report.bin'), '--kds', NOWHERE)
  assert.equal(told.code, 3)
  assert.match(told.stdout, /^nothing was had, so .*collateral\.json was not written$/m)
  assert.equal(existsSync(at('collateral.json')), false)
  writeFileSync(at('collateral.json'), good)
  const again = await fetch(at('report.bin'), '--kds', NOWHERE, '--json')
  assert.deepEqual([again.code, JSON.parse(again.stdout).out], [3, null])
  assert.equal(readFileSync(at('collateral.json'), 'utf8'), good)
})

test('a file that has more is not replaced by one that has less, while something is missing', async (context) => {
  const { at, good, input, fetch } = filesOf(context)
  const server = createServer(({ url = '' }, reply) => {
    if (/\/(cert_chain|crl)$/.test(url)) reply.writeHead(404).end()
    else reply.end(input.collateral.items[0]?.content)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  context.after(() => server.close())
  const mirror = ['--kds', `http://127.0.0.1:${(server.address() as AddressInfo).port}`]
  writeFileSync(at('collateral.json'), good)
  const told = await fetch(at('report.bin'), ...mirror)
  assert.equal(told.code, 3)
  assert.match(told.stdout, /collateral\.json has \d items and was left as it is: 1 were had/)
  assert.equal(readFileSync(at('collateral.json'), 'utf8'), good)
  rmSync(at('collateral.json'))
  assert.match((await fetch(at('report.bin'), ...mirror)).stdout, /^1 items for 1 needs/)
})

test('evidence that brings everything along needs nothing', async (context) => {
  const { at, fetch } = filesOf(context)
  writeFileSync(at('nitro.cose'), makeNitroDocument())
  const told = await fetch(at('nitro.cose'))
  assert.equal(told.code, 0, told.stderr)
  assert.match(told.stdout, /^nothing of the makers is needed/)
  assert.equal(existsSync(at('collateral.json')), false)
})

test('what is no address is bad usage, and nobody is asked', async (context) => {
  const { at, fetch } = filesOf(context)
  for (const option of ['--pcs', '--root-crl', '--kds', '--nvidia', '--google', '--microsoft']) {
    const told = await fetch(at('report.bin'), option, 'nonsense')
    assert.equal(told.code, 2)
    assert.match(
      told.stderr,
      new RegExp(`^usage/invalid: ${option}: "nonsense" is no address; expected one such as https://`),
    )
  }
})
