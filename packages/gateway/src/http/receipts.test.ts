import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { decideVerdict, parseDossier, parseErasure, parseStatement } from '@countersign/verify'
import { answered, bearer, call, codeIn, keysOf, startGateway, startInNewFolder, waitFor } from '../gateway.testing.ts'
import { MAX_WAITERS } from '../log/head-waiters.ts'
import { inferenceIn, judge, rowsOf, trustIn } from '../verdict.testing.ts'

function operatorToken(dataRoot: string): string {
  return readFileSync(keysOf(dataRoot).operatorToken, 'utf8').trim()
}

test('a receipt is promised at once, and there when one waits for it', async (context) => {
  const { gateway } = await startInNewFolder(context)
  const { receipt, secret, promise } = await answered(gateway)
  for (const kind of ['receipts', 'dossiers']) {
    const at = await call(gateway, 'GET', `/${kind}/${receipt}`, bearer(secret))
    // A head may have come in between; then it is there already.
    assert.ok(at.status === 202 || at.status === 200)
    if (at.status === 202) {
      assert.deepEqual(JSON.parse(at.text), { receipt, status: 'promised' })
      assert.equal(at.headers.get('retry-after'), '1')
      if (kind === 'receipts') assert.equal(at.headers.get('countersign-promise'), promise)
    }
  }
  const waited = await waitFor(gateway, `/receipts/${receipt}`, secret)
  assert.equal(waited.status, 200)
  assert.equal(inferenceIn(gateway, waited.bytes).receipt, receipt)
})

test('a receipt that is asked for within a turn of the event loop is not there yet: 202', async (context) => {
  const { gateway } = await startInNewFolder(context)
  const statuses: number[] = []
  for (let i = 0; i < 5; i++) {
    const { receipt, secret } = await answered(gateway)
    statuses.push((await call(gateway, 'GET', `/receipts/${receipt}`, bearer(secret))).status)
    statuses.push((await waitFor(gateway, `/receipts/${receipt}`, secret)).status)
  }
  assert.ok(statuses.includes(202), statuses.join())
  assert.deepEqual(
    statuses.filter((_, i) => i % 2 === 1),
    [200, 200, 200, 200, 200],
  )
})

test('those who wait are counted: beyond the limit 503, and the rest get their answer', async (context) => {
  const { gateway } = await startInNewFolder(context)
  const waiting = Array.from({ length: MAX_WAITERS }, () => gateway.log.waitForHead(10 ** 9, 60_000))
  const { receipt, secret } = await answered(gateway)
  const refused = await waitFor(gateway, `/receipts/${receipt}`, secret)
  // Were a head signed first, nobody would have to wait.
  if (refused.status !== 200) {
    assert.equal(refused.status, 503)
    assert.equal(codeIn(refused), 'queue/full')
    assert.equal(refused.headers.get('retry-after'), '2')
  }
  assert.throws(() => gateway.log.waitForHead(10 ** 9, 1), { code: 'queue/full' })
  await gateway.close()
  assert.deepEqual(new Set(await Promise.all(waiting)), new Set([false]))
})

test('who may open what: the secret of this receipt, or the operator’s token', async (context) => {
  const { gateway } = await startInNewFolder(context)
  const one = await answered(gateway)
  const other = await answered(gateway)
  await waitFor(gateway, `/receipts/${other.receipt}`, other.secret)
  const inference = gateway.statements.byReceipt(one.receipt)
  const paths = [
    `/receipts/${one.receipt}`,
    `/dossiers/${one.receipt}`,
    `/statements/${Buffer.from(inference?.digest ?? []).toString('hex')}`,
  ]
  for (const path of paths) {
    const status = async (headers = {}) => (await call(gateway, 'GET', path, headers)).status
    assert.equal(await status(), 401)
    assert.equal(await status({ authorization: one.secret }), 401)
    assert.equal(await status({ authorization: `Basic ${one.secret}` }), 401)
    assert.equal(await status(bearer('wrong')), 403)
    assert.equal(await status(bearer(`${one.secret}x`)), 403)
    assert.equal(await status(bearer(other.secret)), 403)
    assert.equal(await status(bearer(one.secret)), 200)
    assert.equal(await status(bearer(operatorToken(gateway.dataRoot))), 200)
  }
})

test('an id that does not exist is told from one that does by nobody without its secret', async (context) => {
  const { gateway } = await startInNewFolder(context)
  const { receipt, secret } = await answered(gateway)
  await waitFor(gateway, `/receipts/${receipt}`, secret)
  const unknown = 'ab'.repeat(16)
  const routes = [
    ['GET', '/receipts/ID'],
    ['GET', '/dossiers/ID'],
    ['DELETE', '/receipts/ID/content'],
    ['DELETE', '/receipts/ID/secret'],
  ] as const
  for (const [method, route] of routes) {
    for (const headers of [{}, bearer('wrong')]) {
      const real = await call(gateway, method, route.replace('ID', receipt), headers)
      const made = await call(gateway, method, route.replace('ID', unknown), headers)
      const visible = ({ status, text, headers: got }: typeof real) => [
        status,
        text,
        [...got].filter(([name]) => name !== 'date'),
      ]
      assert.deepEqual(visible(made), visible(real), route)
      assert.ok(real.status === 401 || real.status === 403)
    }
  }
  const token = bearer(operatorToken(gateway.dataRoot))
  assert.equal((await call(gateway, 'GET', `/receipts/${unknown}`, token)).status, 404)
  for (const id of ['short', receipt.toUpperCase(), `${receipt}00`]) {
    assert.equal((await call(gateway, 'GET', `/receipts/${id}`, token)).status, 404, id)
  }
})

test('a revoked secret opens nothing any more, also after a restart', async (context) => {
  const { gateway, stop, config } = await startInNewFolder(context)
  const one = await answered(gateway)
  const other = await answered(gateway)
  const revoke = (secret: string) => call(gateway, 'DELETE', `/receipts/${one.receipt}/secret`, bearer(secret))
  assert.equal((await revoke(other.secret)).status, 403)
  assert.equal((await revoke(one.secret)).status, 200)
  assert.equal((await revoke(one.secret)).status, 403)
  const opens = async (on: typeof gateway, { receipt, secret }: typeof one) =>
    (await waitFor(on, `/dossiers/${receipt}`, secret)).status
  assert.deepEqual([await opens(gateway, one), await opens(gateway, other)], [403, 200])
  await stop()
  const again = await startGateway(context, config)
  assert.deepEqual([await opens(again.gateway, one), await opens(again.gateway, other)], [403, 200])
  const token = operatorToken(gateway.dataRoot)
  assert.equal((await waitFor(again.gateway, `/dossiers/${one.receipt}`, token)).status, 200)
})

test('erasing takes the content, keeps the record, and is in the log', async (context) => {
  const { gateway, folder } = await startInNewFolder(context)
  const one = await answered(gateway)
  const other = await answered(gateway)
  await waitFor(gateway, `/dossiers/${other.receipt}`, other.secret)
  const token = bearer(operatorToken(gateway.dataRoot))
  const path = `/receipts/${one.receipt}/content`
  assert.equal((await call(gateway, 'DELETE', path, bearer(one.secret))).status, 403, 'the operator alone erases')
  assert.equal((await call(gateway, 'DELETE', path)).status, 401)
  assert.equal((await call(gateway, 'DELETE', `${path}?reason=because`, token)).status, 400)
  const unknown = await call(gateway, 'DELETE', `/receipts/${'ab'.repeat(16)}/content`, token)
  assert.deepEqual([unknown.status, codeIn(unknown)], [404, 'receipt/not-found'])
  assert.equal((await call(gateway, 'DELETE', `${path}?reason=retention-ended`, token)).status, 200)
  const again = await call(gateway, 'DELETE', path, token)
  assert.deepEqual([again.status, codeIn(again)], [410, 'vault/erased'])

  const row = gateway.statements.latest('erasure', one.receipt)
  const erasure = parseErasure(parseStatement(row?.payload ?? new Uint8Array()))
  assert.deepEqual([erasure.receipts, erasure.reason], [[one.receipt], 'retention-ended'])
  const statement = await call(gateway, 'GET', `/statements/${Buffer.from(row?.digest ?? []).toString('hex')}`)
  assert.equal(statement.status, 200, 'everyone may see that something was erased')

  const dossier = await waitFor(gateway, `/dossiers/${one.receipt}`, one.secret)
  assert.equal(dossier.headers.get('countersign-salts'), null)
  assert.deepEqual(parseDossier(dossier.bytes).openings, [])
  const trust = trustIn(gateway)
  const input = { crypto: gateway.crypto, trust, atMs: Date.now() }
  const [record] = rowsOf(decideVerdict(parseDossier(dossier.bytes), input))
  assert.equal(record, 'record holds operator-asserted')
  const kept = await waitFor(gateway, `/dossiers/${other.receipt}`, other.secret)
  assert.equal(rowsOf(await judge(trust, kept.bytes, folder))[3], 'output holds re-executed')
})

test('where only salts are kept, erasing takes these; where nothing is, there is nothing to take', async (context) => {
  for (const [vault, status] of [
    ['salts', 200],
    ['none', 409],
  ] as const) {
    const { gateway } = await startInNewFolder(context, { vault })
    const { receipt, secret } = await answered(gateway)
    const token = bearer(operatorToken(gateway.dataRoot))
    assert.equal((await call(gateway, 'DELETE', `/receipts/${receipt}/content`, token)).status, status)
    const dossier = await waitFor(gateway, `/dossiers/${receipt}`, secret)
    assert.equal(dossier.headers.get('countersign-salts'), null)
  }
})
