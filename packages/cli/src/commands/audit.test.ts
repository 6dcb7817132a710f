import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { findIdentityAt, Gateway, keyPaths, loadLogKey, readConfigFile, readP256PublicKey } from '@countersign/gateway'
import { formatNoteKey, toBase64 } from '@countersign/verify'
import type { AuditReport } from '@countersign/watch'
import { countersignProgram } from '../demo/gateway-process.ts'
import { bundledExamples, bundledModels } from '../files.ts'
import { countersign } from '../run.testing.ts'
import { creditConfig, writeKeyPair } from './credit-gateway.testing.ts'
import { readApplicationLines } from './infer.ts'

const folder = mkdtempSync(join(tmpdir(), 'countersign-audit-test-'))
const at = (name: string) => join(folder, name)
const credit = join(bundledModels(), 'credit')
let gateway: Gateway

const WRITERS = 'writers:\n- { party: Test Auditor, publicKey: auditor.pub.pem, roles: [auditor] }\n'

before(async () => {
  for (const name of ['accountable', 'auditor', 'stranger']) writeKeyPair(folder, name)
  writeFileSync(at('countersign.yaml'), creditConfig('accountable', WRITERS))
  const config = readConfigFile(at('countersign.yaml'))
  gateway = await Gateway.start({ config, notices: { info: () => undefined, error: () => undefined } })
  writeFileSync(at('trust.yaml'), trustText())
  const made = await countersign(
    'key',
    'create',
    '--name',
    'Auditor',
    '--right',
    'audit',
    '--data',
    at('data'),
    '--json',
  )
  assert.equal(made.code, 0, made.stderr)
  writeFileSync(at('api-key'), `${(JSON.parse(made.stdout) as { token: string }).token}\n`)
})

after(async () => {
  await gateway.close()
  rmSync(folder, { recursive: true, force: true })
})

function trustText(): string {
  const data = at('data')
  const paths = keyPaths(join(data, 'keys'))
  const key = formatNoteKey(loadLogKey(paths.log, findIdentityAt(data).origin, false).note)
  const spki = (path: string) => toBase64(readP256PublicKey(path))
  return `format: countersign-trust/v1
policy: |
  log ${key}
  quorum none
parties:
- { name: Test Operator, owner: Operator Ltd, roles: [operator], keys: [{ spki: ${spki(paths.statement)} }] }
- { name: Test Auditor, owner: Auditor Ltd, roles: [auditor], keys: [{ spki: ${spki(at('auditor.pub.pem'))} }] }
`
}

interface Asked {
  readonly receipt: string
  readonly secret: string
}

async function ask(count: number): Promise<readonly Asked[]> {
  const [application] = readApplicationLines(join(bundledExamples(), 'applications.jsonl'), credit)
  const body = Buffer.from(application?.body ?? [])
  const answers: Asked[] = []
  for (let i = 0; i < count; i++) {
    const response = await fetch(`${gateway.url}/v2/models/credit/infer`, { method: 'POST', body })
    assert.equal(response.status, 200, await response.text())
    const header = (name: string) => response.headers.get(`countersign-${name}`) ?? ''
    answers.push({ receipt: header('receipt'), secret: header('secret') })
  }
  return answers
}

/** Runs an audit of six entries, and does something once the commitment stands. */
async function audit(whenCommitted: () => Promise<void>, ...more: readonly string[]) {
  const files = ['--trust', at('trust.yaml'), '--key', at('auditor.pem'), '--api-key-file', at('api-key')]
  const plan = ['--rate', '1', '--entries', '6', '--answer-within', '30s', '--once', '--state', at('state')]
  const child = spawn(process.execPath, [countersignProgram(), 'audit', gateway.url, ...files, ...plan, ...more])
  let [stdout, stderr] = ['', '']
  let begun: Promise<void> | undefined
  child.stdout.on('data', (chunk: Buffer) => {
    stdout += chunk.toString('utf8')
  })
  child.stderr.on('data', (chunk: Buffer) => {
    stderr += chunk.toString('utf8')
    if (/^committed/m.test(stderr)) begun ??= whenCommitted()
  })
  const code = await new Promise<number | null>((resolve) => child.once('close', resolve))
  await begun
  return { code, stdout, stderr }
}

test('an auditor that was let in finds an honest operator honest, and its word then counts', async () => {
  let asked: readonly Asked[] = []
  const ran = await audit(
    async () => {
      asked = await ask(6)
    },
    '--json',
    '--price',
    '0.05EUR',
  )
  assert.equal(ran.code, 0, ran.stderr)
  const report = JSON.parse(ran.stdout) as AuditReport
  assert.deepEqual([report.seen, report.sampled, report.counts.agreed], [6, 6, 6])
  assert.equal(report.auditor, 'Test Auditor')
  assert.ok(report.result.index !== null)
  assert.equal(readdirSync(at('state/audits')).length, 1)

  await gateway.log.waitForHead(report.result.index, 10_000)
  // Whoever has the receipt now sees the auditor's word in the dossier, and need not run anything.
  const [first] = asked
  const headers = { authorization: `Bearer ${first?.secret}`, prefer: 'wait=10' }
  const dossier = await fetch(`${gateway.url}/dossiers/${first?.receipt}`, { headers })
  writeFileSync(at('dossier.json'), new Uint8Array(await dossier.arrayBuffer()))
  const require = ['--require', 'output:auditor-re-executed']
  const verified = await countersign('verify', at('dossier.json'), '--trust', at('trust.yaml'), '--json', ...require)
  assert.equal(verified.code, 0, verified.stdout)
  const { results } = JSON.parse(verified.stdout)
  const row = results[0].verdict.claims.find(({ claim }: { claim: string }) => claim === 'output')
  assert.deepEqual([row.status, row.grade, row.trusts], ['holds', 'auditor-re-executed', ['auditor Test Auditor']])
})

test('a stranger checks an audit from the files that the auditor kept', async () => {
  const [name = ''] = readdirSync(at('state/audits'))
  const check = (folder: string, trust: string, ...more: readonly string[]) => {
    return countersign('audit', 'check', folder, '--trust', trust, ...more)
  }
  const kept = join(at('state/audits'), name)
  const said = await check(kept, at('trust.yaml'))
  assert.equal(said.code, 0, said.stderr + said.stdout)
  assert.match(said.stdout, /^holds: auditor Test Auditor looked at every entry/)
  assert.match(said.stdout, /6 selected: agreed 6\n/)
  const report = JSON.parse((await check(kept, at('trust.yaml'), '--json')).stdout)
  assert.deepEqual([report.format, report.status, report.sampled], ['countersign-audit-check/v1', 'holds', 6])

  const trust = readFileSync(at('trust.yaml'), 'utf8')
  writeFileSync(at('no-auditor.yaml'), trust.replace('roles: [auditor]', 'roles: [arbiter]'))
  const unproven = await check(kept, at('no-auditor.yaml'), '--json')
  assert.equal(unproven.code, 3, unproven.stdout)
  assert.equal(JSON.parse(unproven.stdout).error.code, 'signature/unknown-key')

  const proof = JSON.parse(readFileSync(join(kept, 'proof.json'), 'utf8')) as { leafHashes: string }
  cpSync(kept, at('changed'), { recursive: true })
  const leaves = Buffer.from(proof.leafHashes, 'base64')
  leaves[40] = (leaves[40] ?? 0) ^ 1
  writeFileSync(at('changed/proof.json'), JSON.stringify({ ...proof, leafHashes: leaves.toString('base64') }))
  const refuted = await check(at('changed'), at('trust.yaml'))
  assert.equal(refuted.code, 1, refuted.stdout)
  assert.match(refuted.stdout, /^refuted: proof\/root-mismatch/)
  rmSync(at('changed/checkpoint'))
  assert.equal((await check(at('changed'), at('trust.yaml'))).code, 2)
  assert.equal((await countersign('audit', 'check', kept)).code, 2)
})

test('what was erased before it could be looked at is refused, and counts', async () => {
  const ran = await audit(async () => {
    const asked = await ask(1)
    const token = readFileSync(keyPaths(join(at('data'), 'keys')).operatorToken, 'utf8').trim()
    const headers = { authorization: `Bearer ${token}` }
    const erased = await fetch(`${gateway.url}/receipts/${asked[0]?.receipt}/content`, { method: 'DELETE', headers })
    assert.equal(erased.status, 200)
    await ask(4)
  })
  assert.equal(ran.code, 3, ran.stderr)
  assert.match(ran.stdout, /refused +1 +the operator said no/)
  assert.match(ran.stdout, /entry \d+: refused \(vault\/erased\)/)
  assert.match(ran.stdout, /not-an-answer +1/, 'the erasure itself')
  assert.match(ran.stdout, /1 of 5 were not as they should be\. With 99% confidence/)
})

test('who is not let in is told so, and nothing is committed', async () => {
  const base = ['audit', gateway.url, '--trust', at('trust.yaml'), '--rate', '0.5', '--once', '--state', at('other')]
  const known = [...base, '--api-key-file', at('api-key')]
  const cases: readonly (readonly [string, readonly string[], RegExp])[] = [
    ['no key of its own', [...known, '--key', at('stranger.pem')], /usage\/invalid.*--name/],
    [
      'a key that is not listed',
      [...known, '--key', at('stranger.pem'), '--name', 'Stranger'],
      /gateway\/refused.*writer\/not-allowed/,
    ],
    ['no API key', [...base, '--key', at('auditor.pem')], /gateway\/refused.*auth\/missing/],
    [
      'what is no API key',
      [...base, '--key', at('auditor.pem'), '--api-key-file', at('trust.yaml')],
      /usage\/invalid.*csk_/,
    ],
    ['a public key', [...known, '--key', at('auditor.pub.pem')], /key\/malformed/],
    [
      'no rate',
      ['audit', gateway.url, '--trust', at('trust.yaml'), '--key', at('auditor.pem')],
      /usage\/invalid.*--rate is required/,
    ],
    ['a rate of nothing', [...known, '--key', at('auditor.pem'), '--rate', '0'], /usage\/invalid.*--rate/],
    ['a time of nothing', [...known, '--key', at('auditor.pem'), '--for', 'soon'], /usage\/invalid.*--for/],
    ['too many entries', [...known, '--key', at('auditor.pem'), '--entries', '1000001'], /usage\/invalid.*--entries/],
  ]
  for (const [what, args, says] of cases) {
    const ran = await countersign(...args)
    assert.equal(ran.code, 2, `${what}: ${ran.stderr}`)
    assert.match(ran.stderr, says, what)
    rmSync(at('other'), { recursive: true, force: true })
  }
})

test('a plan says how many entries it takes', async () => {
  const said = await countersign('audit', 'plan', '--fraud', '0.01', '--confidence', '0.99')
  assert.equal(said.code, 0, said.stderr)
  assert.match(said.stdout, /^Look at 459 entries/)
  assert.match(said.stdout, /0\.5% +99% +919\n/)
  const args = ['audit', 'plan', '--fraud', '0.01', '--confidence', '0.99', '--entries-per-day', '10000', '--json']
  const plan = JSON.parse((await countersign(...args)).stdout)
  assert.deepEqual([plan.format, plan.samples, plan.rateMillionths], ['countersign-audit-plan/v1', 459, 45_900])
  assert.ok(plan.neighbours.length >= 12)
  const few = await countersign('audit', 'plan', '--fraud', '0.01', '--confidence', '0.99', '--entries-per-day', '100')
  assert.match(few.stdout, /fewer than that/)
  for (const bad of [
    ['--fraud', '2', '--confidence', '0.9'],
    ['--fraud', '0.1', '--confidence', '1'],
    ['--fraud', '1%', '--confidence', '0.9'],
  ]) {
    assert.equal((await countersign('audit', 'plan', ...bad)).code, 2)
  }
})
