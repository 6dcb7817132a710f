import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { exampleConfig, Gateway } from '@countersign/gateway'
import { countersignProgram } from '../demo/gateway-process.ts'
import { bundledExamples, bundledModels } from '../files.ts'
import { countersign } from '../run.testing.ts'
import { readApplicationLines } from './infer.ts'

const SUBJECT = 'zoë planted'

const folder = mkdtempSync(join(tmpdir(), 'countersign-erase-test-'))
const data = join(folder, 'data')
const subjectFile = join(folder, 'subject.txt')
let gateway: Gateway

before(async () => {
  writeFileSync(subjectFile, `${SUBJECT}\n`)
  const config = {
    ...exampleConfig(data, join(bundledModels(), 'credit', 'credit.onnx')),
    listen: { host: '127.0.0.1', port: 0 },
  }
  gateway = await Gateway.start({ config, notices: { info: () => undefined, error: () => undefined } })
})

after(async () => {
  await gateway.close()
  rmSync(folder, { recursive: true, force: true })
})

async function receiptOf(headers: { readonly [name: string]: string } = {}): Promise<string> {
  const [first] = readApplicationLines(join(bundledExamples(), 'applications.jsonl'), join(bundledModels(), 'credit'))
  const body = Buffer.from(first?.body ?? [])
  const reply = await fetch(`${gateway.url}/v2/models/credit/infer`, { method: 'POST', headers, body })
  assert.equal(reply.status, 200, await reply.text())
  return reply.headers.get('countersign-receipt') ?? ''
}

function erase(...args: readonly string[]) {
  return countersign('erase', '--gateway', gateway.url, '--data', data, ...args)
}

test('erases a subject that a file names, and says how many receipts that were', async () => {
  for (let i = 0; i < 2; i++) await receiptOf({ 'countersign-subject': encodeURIComponent(SUBJECT) })
  const kept = await receiptOf()
  const shown = await erase('--subject-file', subjectFile)
  assert.equal(shown.code, 0, shown.stderr)
  assert.match(shown.stdout, /Nothing was erased/)
  const ran = await erase('--subject-file', subjectFile, '--yes', '--json')
  assert.equal(ran.code, 0, ran.stderr)
  assert.deepEqual(JSON.parse(ran.stdout), { erased: 2 })
  const again = await erase('--subject-file', subjectFile, '--yes')
  assert.equal(again.stdout, 'erased: the content of 0 receipts\n')
  const one = await erase(kept, '--reason', 'retention-ended', '--yes', '--json')
  assert.deepEqual(JSON.parse(one.stdout), { receipt: kept, erased: true })
  const twice = await erase(kept, '--yes')
  assert.equal(twice.code, 2)
  assert.match(twice.stderr, /gateway\/refused.*vault\/erased/)
})

test('reads a subject from standard input', async () => {
  await receiptOf({ 'countersign-subject': 'from-a-pipe' })
  const args = ['erase', '--gateway', gateway.url, '--data', data, '--subject-file', '-', '--yes', '--json']
  const child = spawn(process.execPath, [countersignProgram(), ...args], { stdio: ['pipe', 'pipe', 'inherit'] })
  child.stdin.end('from-a-pipe')
  let stdout = ''
  for await (const chunk of child.stdout) stdout += String(chunk)
  assert.deepEqual(JSON.parse(stdout), { erased: 1 })
})

test('bad arguments are refused before anything is asked, and no subject is repeated', async () => {
  const long = join(folder, 'long.txt')
  writeFileSync(long, 'planted'.repeat(40))
  const huge = join(folder, 'huge.txt')
  writeFileSync(huge, 'planted'.repeat(400))
  const empty = join(folder, 'empty.txt')
  writeFileSync(empty, '\n')
  for (const [args, code] of [
    [[], /usage\/invalid/],
    [['00'.repeat(16), '--subject-file', subjectFile], /usage\/invalid/],
    [['planted'], /usage\/invalid/],
    [['--subject-file', join(folder, 'missing.txt'), '--yes'], /file\/unreadable/],
    [['--subject-file', empty, '--yes'], /file\/unreadable/],
    [['--subject-file', huge, '--yes'], /file\/unreadable/],
    [['--subject-file', long, '--yes'], /gateway\/refused.*request\/malformed/],
    [['--subject-file', subjectFile, '--token-file', subjectFile, '--yes'], /key\/malformed/],
    [['--subject-file', subjectFile, '--token-file', long, '--yes'], /key\/malformed/],
  ] as const) {
    const ran = await erase(...args)
    assert.equal(ran.code, 2, args.join(' '))
    assert.match(ran.stderr, code)
    if (args[0] !== 'planted') assert.equal(ran.stderr.includes('planted'), false)
  }
})

test('another token than the operator’s is refused', async () => {
  const token = join(folder, 'token')
  writeFileSync(token, `${'0'.repeat(64)}\n`)
  const ran = await erase('--subject-file', subjectFile, '--token-file', token, '--yes')
  assert.equal(ran.code, 2)
  assert.match(ran.stderr, /gateway\/refused.*auth\/wrong/)
  assert.equal(ran.stderr.includes(readFileSync(token, 'utf8').trim()), false)
})
