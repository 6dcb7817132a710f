import assert from 'node:assert/strict'
import { createPrivateKey, sign } from 'node:crypto'
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { Gateway, keyPaths } from '@countersign/gateway'
import { formatNote, parseCheckpoint, parseNote, utf8 } from '@countersign/verify'
import { bundledExamples } from '../files.ts'
import { countersign } from '../run.testing.ts'
import { loadConfig } from './serve.ts'

const folder = mkdtempSync(join(tmpdir(), 'countersign-monitor-test-'))
const at = (name: string) => join(folder, name)
let gateway: Gateway
let url: string
/** Shows a checkpoint in the way of a witness. */
let witness: Server
let shown = ''

before(async () => {
  const config = loadConfig({ data: at('data'), port: '0' })
  gateway = await Gateway.start({ config, notices: { info: () => undefined, error: () => undefined } })
  url = gateway.url
  witness = createServer((_, response) => response.end(shown))
  await new Promise<void>((resolve) => witness.listen(0, '127.0.0.1', resolve))
  const [line = ''] = readFileSync(join(bundledExamples(), 'applications.jsonl'), 'utf8').split('\n')
  writeFileSync(at('five.jsonl'), `${line}\n`.repeat(5))
  const inferred = await infer()
  assert.equal(inferred.code, 0, inferred.stderr)
  const trust = await countersign('log', 'trust', '--data', at('data'), '--out', at('trust.yaml'))
  assert.equal(trust.code, 0, trust.stderr)
})

after(async () => {
  await gateway.close().catch(() => undefined)
  witness.close()
  rmSync(folder, { recursive: true, force: true })
})

const infer = () =>
  countersign('infer', 'credit', '--gateway', url, '--input', at('five.jsonl'), '--out', at('dossiers'))

function monitor(...args: readonly string[]) {
  const common = ['--trust', at('trust.yaml'), '--state', at('state'), '--once', '--json']
  return countersign('monitor', `${url}/log`, ...common, ...args)
}

const endOf = (stdout: string) =>
  JSON.parse(stdout.trim().split('\n').at(-1) ?? '') as { readonly [name: string]: unknown }

test('an honest gateway: every entry, dossier and statement is checked, and nothing is found', async () => {
  const statements = ['--statements', url, '--api-key-file', keyPaths(join(at('data'), 'keys')).operatorToken]
  const first = await monitor('--receipts', at('dossiers'), ...statements)
  assert.equal(first.code, 0, first.stdout + first.stderr)
  const { size, missing, proven, warnings } = endOf(first.stdout)
  assert.deepEqual([missing, proven, warnings], [0, 0, 0])
  const more = await infer()
  assert.equal(more.code, 0, more.stderr)
  await untilPublished(Number(size) + 5)
  const second = await monitor('--receipts', at('dossiers'), ...statements)
  assert.equal(second.code, 0, second.stdout + second.stderr)
  assert.equal(endOf(second.stdout).size, Number(size) + 5)
})

/** A dossier may be there before the checkpoint that has its entry, which follows once a second. */
async function untilPublished(size: number): Promise<void> {
  for (let i = 0; i < 300; i++) {
    const note = await (await fetch(`${url}/log/checkpoint`)).text()
    if (Number(note.split('\n')[1]) >= size) return
    await new Promise((resolve) => setTimeout(resolve, 100))
  }
  assert.fail(`no checkpoint of ${size} entries was published`)
}

test('bad usage ends with 2, and says what is wrong', async () => {
  for (const [args, pattern] of [
    [['--interval', 'often'], /--interval/],
    [['--max-age', '-1'], /max-age/],
    [['--api-key-file', at('trust.yaml')], /usage\/invalid/],
    [['--receipts', at('none')], /file\/unreadable/],
    [['--origin', 'another'], /policy\/unknown-log/],
    [['--webhook', 'nowhere'], /usage\/invalid/],
    [['--witness', 'nowhere'], /usage\/invalid/],
  ] as const) {
    const { code, stderr } = await monitor(...args)
    assert.equal(code, 2, args.join(' '))
    assert.match(stderr, pattern)
  }
  assert.equal((await countersign('monitor', `${url}/log`)).code, 2)
})

test('a witness that was shown another history: 1, and a proof that countersign verify takes alone', async () => {
  shown = await forgedCheckpoint()
  const { port } = witness.address() as AddressInfo
  const ran = await monitor('--witness', `http://127.0.0.1:${port}`)
  assert.equal(ran.code, 1, ran.stdout + ran.stderr)
  const [file = ''] = readdirSync(at('state/proofs'))
  const verified = await countersign('verify', at(`state/proofs/${file}`), '--trust', at('trust.yaml'))
  assert.equal(verified.code, 1, verified.stdout + verified.stderr)
  assert.equal((await monitor()).code, 1, 'a proof stays')
})

/** The log's own key signs another root for the size that it published. */
async function forgedCheckpoint(): Promise<string> {
  const response = await fetch(`${url}/log/checkpoint`)
  const note = parseNote(new Uint8Array(await response.arrayBuffer()))
  const { origin, size } = parseCheckpoint(note.text)
  const text = `${origin}\n${size}\n${Buffer.alloc(32, 7).toString('base64')}\n`
  const key = createPrivateKey(readFileSync(keyPaths(join(at('data'), 'keys')).log))
  const [own] = note.signatures
  assert.ok(own)
  return formatNote({ text, signatures: [{ ...own, signature: new Uint8Array(sign(null, utf8(text), key)) }] })
}

test('a gateway that is gone: 3, after the grace', async () => {
  await gateway.close()
  const ran = await monitor('--grace', '0.5', '--state', at('state-2'))
  assert.equal(ran.code, 3, ran.stdout + ran.stderr)
  assert.match(ran.stdout, /log-silent/)
})
