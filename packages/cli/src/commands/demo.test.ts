import assert from 'node:assert/strict'
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { Ajv2020 } from 'ajv/dist/2020.js'
import { countersign, type Ran } from '../run.testing.ts'

const folder = mkdtempSync(join(tmpdir(), 'countersign-demo-test-'))
const out = join(folder, 'out')
const trust = join(out, 'trust.yaml')
let demo: Ran
let dossiers: readonly string[] = []

before(async () => {
  demo = await countersign('demo', '--out', out)
  dossiers = readdirSync(join(out, 'dossiers')).map((name) => join(out, 'dossiers', name))
})

after(() => rmSync(folder, { recursive: true, force: true }))

function first(): string {
  return dossiers[0] ?? ''
}

function tampered(what: string): string {
  return join(out, 'tampered', `${what}.json`)
}

function reportOf({ stdout }: Ran) {
  return JSON.parse(stdout) as {
    exitCode: number
    results: {
      file: string
      satisfaction?: string
      error?: { code: string }
      verdict?: { claims: { claim: string; status: string; grade: string | null }[] }
    }[]
  }
}

test('the demonstration comes out as it should', () => {
  assert.equal(demo.code, 0, demo.stderr + demo.stdout)
  const summary = JSON.parse(readFileSync(join(out, 'summary.json'), 'utf8')) as {
    ok: boolean
    decisions: number
    claims: { [claim: string]: { expected: string; asExpected: number; of: number } }
    tampered: { caught: number; of: number; each: { caughtBy: string }[] }
  }
  assert.equal(summary.ok, true)
  assert.ok(summary.decisions >= 20)
  for (const claim of ['record', 'model', 'output', 'accountable']) {
    assert.deepEqual(summary.claims[claim], { expected: 'holds', asExpected: summary.decisions, of: summary.decisions })
  }
  assert.equal(summary.claims.independence?.expected, 'unproven')
  assert.deepEqual([summary.tampered.caught, summary.tampered.of], [7, 7])
  assert.equal(new Set(summary.tampered.each.map((each) => each.caughtBy)).size, 7, 'each by a check of its own')
})

test('it leaves the files that others check', () => {
  assert.deepEqual(readdirSync(out).sort(), [
    'dossiers',
    'keys',
    'sigstore',
    'summary.json',
    'tampered',
    'trust.yaml',
    'trusted-root.json',
  ])
  assert.equal(readdirSync(join(out, 'sigstore')).length, dossiers.length)
  assert.equal(readdirSync(join(out, 'tampered')).length, 7)
})

test('a dossier verifies, with the output run again: 0', async () => {
  const ran = await countersign('verify', first(), '--trust', trust, '--execute', '--json')
  assert.equal(ran.code, 0, ran.stderr)
  const [result] = reportOf(ran).results
  assert.equal(result?.satisfaction, 'satisfied')
  const output = result?.verdict?.claims.find((row) => row.claim === 'output')
  assert.deepEqual([output?.status, output?.grade], ['holds', 're-executed'])
})

test('without running the model again, what the trust file requires is unproven: 3', async () => {
  assert.equal((await countersign('verify', first(), '--trust', trust)).code, 3)
})

test('without a trust file nothing holds: 3', async () => {
  const ran = await countersign('verify', first(), '--json')
  assert.equal(ran.code, 3)
  assert.ok(reportOf(ran).results[0]?.verdict?.claims.every((row) => row.status === 'unproven'))
})

test('a claim that nobody checked cannot be required away: 3', async () => {
  assert.equal(
    (await countersign('verify', first(), '--trust', trust, '--execute', '--require', 'independence')).code,
    3,
  )
})

test('each tampering is refuted: 1', async () => {
  for (const name of readdirSync(join(out, 'tampered'))) {
    const ran = await countersign('verify', join(out, 'tampered', name), '--trust', trust, '--execute')
    assert.equal(ran.code, 1, `${name}: ${ran.stdout}`)
  }
})

test('of several files the gravest wins: 1, then 2, then 3', async () => {
  const broken = join(folder, 'broken.json')
  writeFileSync(broken, '{"format":')
  const codes = async (...files: readonly string[]) => (await countersign('verify', ...files, '--trust', trust)).code
  assert.equal(await codes(first(), broken), 2)
  assert.equal(await codes(first(), broken, tampered('changed-input')), 1)
  assert.equal(await codes(first(), first()), 3)
})

test('bad usage: 2, and it says what to do', async () => {
  for (const args of [
    ['verify'],
    ['verify', join(folder, 'nothing.json'), '--trust', trust],
    ['verify', first(), '--trust', join(folder, 'nothing.yaml')],
    ['verify', first(), '--require', 'goodness'],
    ['verify', first(), '--at', 'yesterday'],
    ['unheard-of'],
  ]) {
    const ran = await countersign(...args)
    assert.equal(ran.code, 2, args.join(' '))
    assert.ok(ran.stderr.length + ran.stdout.length > 0)
    assert.doesNotMatch(ran.stderr, /at .*\.js:\d+/, 'no stack trace')
  }
})

test('the report keeps to its documented schema', async () => {
  const schemaPath = fileURLToPath(new URL('../../../../spec/verdict.schema.json', import.meta.url))
  const validate = new Ajv2020({ strict: false }).compile(JSON.parse(readFileSync(schemaPath, 'utf8')) as object)
  const ran = await countersign('verify', first(), tampered('cut-log'), '--trust', trust, '--json')
  for (const { verdict } of reportOf(ran).results) assert.ok(validate(verdict), JSON.stringify(validate.errors))
  assert.ok(!validate({ format: 'countersign-verdict/v1' }), 'the schema refuses what is no verdict')
})

test('a verdict is for a stated time', async () => {
  const ran = await countersign('verify', first(), '--trust', trust, '--at', '2000-01-01T00:00:00Z', '--json')
  assert.equal(ran.code, 3, 'an answer from after that time is not proven')
})

test('inspect shows what is in a file, and says that nothing was checked', async () => {
  const ran = await countersign('inspect', tampered('changed-input'))
  assert.equal(ran.code, 0)
  assert.match(ran.stdout, /Nothing of it was checked/)
  assert.match(ran.stdout, /urn:countersign:inference\/v1/)
})
