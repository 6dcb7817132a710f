import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { connect, type Socket } from 'node:net'
import { join } from 'node:path'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import {
  concat,
  formatAddCheckpoint,
  MAX_ADD_CHECKPOINT_BYTES,
  openCheckpoint,
  openCosignature,
  openNote,
  parseCheckpoint,
  parseCosignatureLines,
  parseMisbehaviour,
  parseNote,
  parseNoteKey,
  parseTrustFile,
  utf8,
  verifyMisbehaviour,
} from '@countersign/verify'
import { crypto, GrowingLog, strangersLine } from './growing-log.testing.ts'
import { ask, configFor, monitoringUrl, NAME, startTestWitness, submit, testFolder } from './witness-world.testing.ts'

const log = new GrowingLog({ origin: 'example.org/log' })

test('a log is cosigned from its first checkpoint on, and monitors see the newest', async (t) => {
  const folder = testFolder(t)
  const witness = await startTestWitness(t, configFor(folder, [log]))
  const key = parseNoteKey(crypto, witness.key)
  assert.equal(witness.policyLine, `witness ${NAME} ${witness.key} ${witness.url}`)
  assert.equal((await ask(monitoringUrl(witness.url, log.origin), null, 'GET')).status, 404)
  for (const [from, to] of [
    [0, 1],
    [1, 2],
    [2, 2],
    [2, 70],
    [70, 1000],
  ] as const) {
    const { status, contentType, text } = await submit(witness.url, log.body(from, to))
    assert.deepEqual([status, contentType], [200, 'text/plain; charset=utf-8'], text)
    const note = { text: log.text(to), signatures: parseCosignatureLines(text) }
    const cosignature = openCosignature(crypto, note, key)
    assert.ok(cosignature && Math.abs(cosignature.timeSeconds - Date.now() / 1000) < 60)
  }
  const shown = await ask(monitoringUrl(witness.url, log.origin), null, 'GET')
  const note = parseNote(utf8(shown.text))
  assert.equal(openCheckpoint(crypto, note, log.key).size, 1000)
  assert.ok(openCosignature(crypto, note, key))
  assert.deepEqual([note.signatures.length, shown.contentType], [2, 'text/plain; charset=utf-8'])
  const head = await ask(monitoringUrl(witness.url, log.origin), null, 'HEAD')
  assert.deepEqual([head.status, head.text], [200, ''])
  const health = await ask(new URL('/healthz', witness.url).href, null, 'GET')
  assert.deepEqual([health.status, health.text], [200, '{"status":"ok"}\n'])
})

test('every refusal has the status that the specification gives it, and changes nothing', async (t) => {
  const lines: string[] = []
  const config = configFor(testFolder(t), [log])
  const witness = await startTestWitness(t, config, { write: (line) => lines.push(line) })
  assert.equal((await submit(witness.url, log.body(0, 5))).status, 200)
  const good = log.body(5, 9)
  const request = log.request(5, 9)
  const [hash = new Uint8Array(32)] = request.proof
  const { text } = request.checkpoint
  const signedBy = (origin: string) => new GrowingLog({ origin }).signature(text)
  const proofOf = (count: number) =>
    good.replace(/^old 5\n(.+\n)*/, `old 5\n${`${Buffer.from(hash).toString('base64')}\n`.repeat(count)}`)
  const cases: readonly (readonly [string, string | Uint8Array, number])[] = [
    ['forged: another text under the signature', good.replace('\n9\n', '\n10\n'), 403],
    ['forged: a stranger signs', withSignatures([signedBy('stranger.example')]), 403],
    ['forged: a stranger signs in the name of the log', withSignatures([strangersLine(text, log.origin)]), 403],
    ['truncated in the signature', good.slice(0, -9), 400],
    ['truncated before the checkpoint', good.slice(0, good.indexOf('\n\n')), 400],
    ['nothing', '', 400],
    ['not UTF-8', concat(utf8(good.slice(0, -1)), Uint8Array.of(0xff, 0x0a)), 400],
    ['too large', 'x'.repeat(MAX_ADD_CHECKPOINT_BYTES + 1), 413],
    ['of a log that is not served', new GrowingLog({ origin: 'elsewhere.example' }).body(0, 9), 404],
    ['old size above the checkpoint', log.body(5, 4), 400],
    ['stale', log.body(3, 4), 409],
    ['replayed', log.body(0, 5), 409],
    ['another root at the same size', log.fork(2).body(5, 5), 409],
    ['a proof of 63 lines', proofOf(63), 422],
    ['a proof of 64 lines', proofOf(64), 400],
    ['a fork', log.fork(2).body(5, 9), 422],
    ['129 signatures', withSignatures(Array.from({ length: 129 }, (_, i) => strangersLine(text, `s${i}`))), 400],
  ]
  for (const [name, refused, status] of cases) {
    const answered = await submit(witness.url, refused)
    assert.equal(answered.status, status, `${name}: ${answered.text}`)
    assert.equal(answered.contentType, status === 409 ? 'text/x.tlog.size' : 'text/plain; charset=utf-8', name)
    if (status === 409) assert.equal(answered.text, '5\n')
  }
  const shown = await ask(monitoringUrl(witness.url, log.origin), null, 'GET')
  assert.equal(parseCheckpoint(parseNote(utf8(shown.text)).text).size, 5)
  const [file = '', ...others] = readdirSync(join(config.dataRoot, 'evidence'))
  assert.deepEqual(others, [])
  const proof = parseMisbehaviour(readFileSync(join(config.dataRoot, 'evidence', file)))
  const policy = `log ${log.verifierKey}\nquorum none\n`
  const trust = JSON.stringify({ format: 'countersign-trust/v1', policy, parties: [] })
  assert.equal(verifyMisbehaviour(crypto, parseTrustFile(crypto, utf8(trust)), proof).log, log.origin)
  const many = [...Array.from({ length: 99 }, (_, i) => strangersLine(text, `s${i}`)), ...request.checkpoint.signatures]
  assert.equal((await submit(witness.url, withSignatures(many))).status, 200, '100 signatures, ours the last')
  checkLog(lines, cases.length + 2)

  function withSignatures(signatures: readonly ReturnType<typeof strangersLine>[]): string {
    return formatAddCheckpoint({ ...request, checkpoint: { text, signatures } })
  }
})

/** One line for each request and one for the fork, none with what was sent. */
function checkLog(lines: readonly string[], requests: number): void {
  const read = lines.map((line) => JSON.parse(line) as { event: string; status?: number })
  assert.equal(read.filter(({ event }) => event === 'add-checkpoint' || event === 'refusal').length, requests)
  assert.equal(read.filter(({ event }) => event === 'fork').length, 1)
  assert.ok(!lines.some((line) => /—|PRIVATE|old 5/.test(line)))
}

test('logs of others are served: other names, extension lines, signatures of keys nobody knows', async (t) => {
  const sumdb = new GrowingLog({ origin: 'go.sum database tree', keyName: 'sum.golang.org' })
  const rekor = new GrowingLog({ origin: 'rekor.example - 2605736670972794746', keyName: 'rekor.example' })
  const sigsum = new GrowingLog({
    origin: `sigsum.org/v1/tree/${'4e89cc51651f0d95f3c6127c15e1a42e3ddf7046'.repeat(2)}`,
  })
  const witness = await startTestWitness(t, configFor(testFolder(t), [sumdb, rekor, sigsum]))
  const key = parseNoteKey(crypto, witness.key)
  const extension = 'Timestamp: 1689748607742585419\nmore — of it\n'
  for (const each of [sumdb, rekor, sigsum]) {
    for (const more of ['', extension]) {
      const request = each.request(more === '' ? 0 : 6, more === '' ? 6 : 11, more)
      const { text, signatures } = request.checkpoint
      // A signature of a type that we do not know is longer than one of ours.
      const odd = { ...strangersLine(text, 'rekor.v0'), signature: new Uint8Array(2420).fill(1) }
      const checkpoint = { text, signatures: [odd, ...signatures, strangersLine(text, 'w9.example')] }
      const { status, text: reply } = await submit(witness.url, formatAddCheckpoint({ ...request, checkpoint }))
      assert.equal(status, 200, reply)
      assert.ok(openCosignature(crypto, { text, signatures: parseCosignatureLines(reply) }, key))
      const shown = parseNote(utf8((await ask(monitoringUrl(witness.url, each.origin), null, 'GET')).text))
      assert.equal(openNote(crypto, shown, each.key), text)
      assert.deepEqual(
        shown.signatures.map(({ name }) => name),
        [each.key.name, NAME],
      )
    }
  }
})

test('a log may have two keys, of which either signs', async (t) => {
  const second = new GrowingLog({ origin: log.origin, keyName: 'example.org/second' })
  const witness = await startTestWitness(t, configFor(testFolder(t), [log, second]))
  assert.equal((await submit(witness.url, log.body(0, 5))).status, 200)
  const later = second.fork(0, 0)
  assert.equal((await submit(witness.url, later.body(5, 8))).status, 200)
})

test('of requests at the same time from one size, one is cosigned', async (t) => {
  const witness = await startTestWitness(t, configFor(testFolder(t), [log]))
  assert.equal((await submit(witness.url, log.body(0, 5))).status, 200)
  const sizes = [6, 7, 8, 9, 10, 11, 12, 13]
  const answers = await Promise.all(sizes.map((size) => submit(witness.url, log.body(5, size))))
  assert.equal(answers.filter(({ status }) => status === 200).length, 1)
  assert.equal(answers.filter(({ status }) => status === 409).length, sizes.length - 1)
  const winner = sizes[answers.findIndex(({ status }) => status === 200)]
  for (const { status, text } of answers) if (status === 409) assert.equal(text, `${winner}\n`)
})

test('a log that asks too often is told to wait, and others are not', async (t) => {
  const other = new GrowingLog({ origin: 'other.example/log' })
  const config = configFor(testFolder(t), [log, other])
  const rates = new Map([log, other].map(({ origin }) => [origin, { perSecond: 1, burst: 3 }]))
  let nowMs = Date.now()
  const witness = await startTestWitness(t, { ...config, rates }, { now: () => nowMs })
  for (const size of [1, 2, 3]) assert.equal((await submit(witness.url, log.body(size - 1, size))).status, 200)
  const refused = await submit(witness.url, log.body(3, 4))
  assert.deepEqual([refused.status, refused.retryAfter], [429, '1'])
  assert.equal((await submit(witness.url, log.body(3, 3))).status, 200, 'what costs no write is free')
  assert.equal((await submit(witness.url, log.body(1, 4))).status, 409)
  assert.equal((await submit(witness.url, other.body(0, 4))).status, 200)
  nowMs += 1000
  assert.equal((await submit(witness.url, log.body(3, 4))).status, 200)
})

test('a witness whose clock went back far says so, and signs nothing', async (t) => {
  let nowMs = Date.now()
  const witness = await startTestWitness(t, configFor(testFolder(t), [log]), { now: () => nowMs })
  assert.equal((await submit(witness.url, log.body(0, 5))).status, 200)
  nowMs -= 60_000
  const refused = await submit(witness.url, log.body(5, 6))
  assert.deepEqual([refused.status, refused.retryAfter], [503, '1'])
  assert.match(refused.text, /^clock\/went-backwards: /)
  nowMs += 60_000
  assert.equal((await submit(witness.url, log.body(5, 6))).status, 200)
})

test('there are three routes, and no more', async (t) => {
  const witness = await startTestWitness(t, configFor(testFolder(t), [log]))
  const { origin: root } = new URL(witness.url)
  for (const path of ['/', '/w', '/w/', '/add-checkpoint', '/w/add-checkpoint/x', '/w/healthz', '/w/0/checkpoint']) {
    assert.equal((await ask(`${root}${path}`, null, 'GET')).status, 404, path)
  }
  assert.equal((await ask(`${witness.url}/add-checkpoint`, null, 'GET')).status, 405)
  assert.equal((await ask(`${root}/healthz`, 'x')).status, 405)
  assert.equal((await ask(`${witness.url}/add-checkpoint`, log.body(0, 1), 'PUT')).status, 405)
  assert.equal((await ask(`${witness.url}/add-checkpoint?x=1`, log.body(0, 1))).status, 200)
})

test('bodies are read within their limit, however they are sent', async (t) => {
  const witness = await startTestWitness(t, configFor(testFolder(t), [log]))
  const { port } = new URL(witness.url)
  const endless = connect(Number(port), '127.0.0.1')
  const reply = collect(endless)
  endless.write('POST /w/add-checkpoint HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n')
  for (let i = 0; i < 40 && !endless.destroyed; i++) endless.write(`1000\r\n${'x'.repeat(4096)}\r\n`)
  assert.match(await reply, /^HTTP\/1.1 413 /)
  const encoded = connect(Number(port), '127.0.0.1')
  const refusal = collect(encoded)
  encoded.write(
    'POST /w/add-checkpoint HTTP/1.1\r\nhost: x\r\ncontent-encoding: gzip\r\ncontent-length: 1\r\nconnection: close\r\n\r\nx',
  )
  assert.match(await refusal, /^HTTP\/1.1 400 [\s\S]*request\/unsupported-encoding/)
  assert.equal((await submit(witness.url, log.body(0, 5))).status, 200)
})

test('slow and idle clients are cut off, and hold up nobody', async (t) => {
  const config = configFor(testFolder(t), [log], 'limits: {connections: 8, requestMs: 300}')
  const witness = await startTestWitness(t, config)
  const { port } = new URL(witness.url)
  const body = log.body(0, 5)
  const head = `POST /w/add-checkpoint HTTP/1.1\r\nhost: x\r\ncontent-length: ${body.length}\r\n`
  const slow = [head, `${head}\r\n`, `${head}\r\n${body.slice(0, 20)}`].map((start) => {
    const socket = connect(Number(port), '127.0.0.1')
    socket.write(start)
    // A byte now and then, for ever.
    const timer = setInterval(() => socket.write('x'), 50)
    const gone = collect(socket).finally(() => clearInterval(timer))
    return gone
  })
  assert.equal((await submit(witness.url, body)).status, 200)
  const limit = sleep(20_000, 'still open', { ref: false })
  for (const gone of slow) assert.notEqual(await Promise.race([gone, limit]), 'still open')
  assert.equal((await submit(witness.url, log.body(5, 6))).status, 200)
})

test('connections beyond the limit are closed at once', async (t) => {
  const witness = await startTestWitness(t, configFor(testFolder(t), [log], 'limits: {connections: 2}'))
  const { port } = new URL(witness.url)
  const held = [1, 2].map(() => connect(Number(port), '127.0.0.1'))
  await Promise.all(held.map((socket) => new Promise((resolve) => socket.once('connect', resolve))))
  t.after(() => held.forEach((socket) => void socket.destroy()))
  await sleep(100)
  const third = connect(Number(port), '127.0.0.1')
  assert.equal(await Promise.race([collect(third), sleep(20_000, 'still open', { ref: false })]), '')
})

/** All that comes until the connection is gone. */
function collect(socket: Socket): Promise<string> {
  return new Promise((resolve) => {
    let text = ''
    socket.on('data', (chunk: Buffer) => {
      text += chunk.toString('latin1')
    })
    socket.on('error', () => undefined)
    socket.once('close', () => resolve(text))
  })
}
