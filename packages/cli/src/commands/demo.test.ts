import assert from 'node:assert/strict'
import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, type TestContext, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { Ajv2020 } from 'ajv/dist/2020.js'
import { countersignProgram } from '../demo/gateway-process.ts'
import { countersign, type Ran } from '../run.testing.ts'

const folder = mkdtempSync(join(tmpdir(), 'countersign-demo-test-'))
const out = join(folder, 'out')
const trust = join(out, 'trust.yaml')
const forked = join(out, 'second-history', 'one-cosignature.json')
const proof = join(out, 'proof-of-two-histories.json')
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
    claims: { [claim: string]: { expected: string; grade: string | null; asExpected: number; of: number } }
    tampered: { caught: number; of: number; each: { caughtBy: string }[] }
    secondHistory: { caught: number; of: number; each: { status: string; caughtBy: string | null }[] }
    independence: { status: string; reasons: string[] }
  }
  assert.equal(summary.ok, true)
  assert.ok(summary.decisions >= 20)
  const grades = {
    record: 'witnessed',
    model: 'operator-asserted',
    output: 're-executed',
    accountable: 'operator-asserted',
  }
  for (const [claim, grade] of Object.entries(grades)) {
    const counted = { asExpected: summary.decisions, of: summary.decisions }
    assert.deepEqual(summary.claims[claim], { expected: 'holds', grade, ...counted })
  }
  assert.equal(summary.claims.independence?.expected, 'unproven')
  assert.deepEqual([summary.tampered.caught, summary.tampered.of], [7, 7])
  assert.equal(new Set(summary.tampered.each.map((each) => each.caughtBy)).size, 7, 'each by a check of its own')
  assert.equal(summary.secondHistory.caught, 4)
  assert.deepEqual(
    summary.secondHistory.each.map(({ status, caughtBy }) => [status, caughtBy]),
    [
      ['holds', null],
      ['unproven', 'record/quorum'],
      ['refuted', 'record/quorum'],
      ['refuted', 'record/misbehaviour'],
    ],
  )
  assert.equal(summary.independence.status, 'unproven')
  assert.match(summary.independence.reasons.join(), /nobody but the operator confirmed/)
})

test('it says what it shows, why independence is unproven, and what would change that', () => {
  for (const said of [
    /record {8}holds {5}36 of 36 {2}witnessed/,
    /independence {2}unproven {2}36 of 36/,
    /application-36 declined, 39 entries: {2}cosigned by the witnesses/,
    /application-36 approved, 39 entries: {2}refused by 3 of 3 witnesses/,
    /^independence {2}unproven {2}as of /m,
    /all of it ran on this one machine/,
    /What would change it: witnesses that others run/,
  ]) {
    assert.match(demo.stdout, said)
  }
  // Commands to copy name files, wherever those are.
  const text = demo.stdout.split('\n').filter((line) => !line.includes('npx countersign'))
  assert.deepEqual(
    text.filter((line) => line.length > 160),
    [],
  )
})

test('it leaves the files that others check', () => {
  assert.deepEqual(readdirSync(out).sort(), [
    'dossiers',
    'independence.json',
    'keys',
    'proof-of-two-histories.json',
    'second-history',
    'sigstore',
    'summary.json',
    'tampered',
    'trust-without-witnesses.yaml',
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
  const row = (claim: string) => result?.verdict?.claims.find((each) => each.claim === claim)
  assert.deepEqual([row('output')?.status, row('output')?.grade], ['holds', 're-executed'])
  assert.deepEqual([row('record')?.status, row('record')?.grade], ['holds', 'witnessed'])
})

test('only witnesses tell a second history from the first', async () => {
  const without = join(out, 'trust-without-witnesses.yaml')
  const codes = [
    // Everything that can be required without witnesses holds, the output run again included.
    [['verify', forked, '--trust', without, '--execute'], 0],
    [['verify', forked, '--trust', trust, '--execute'], 3],
    [['verify', join(out, 'second-history', 'borrowed-cosignatures.json'), '--trust', trust], 1],
    [['verify', forked, '--trust', without, '--execute', '--misbehaviour', proof], 1],
  ] as const
  for (const [args, code] of codes) {
    const ran = await countersign(...args)
    assert.equal(ran.code, code, args.join(' ') + ran.stdout + ran.stderr)
  }
})

test('the independence report is that of the command: 3', async () => {
  const ran = await countersign('independence', join(out, 'dossiers'), '--trust', trust, '--json')
  assert.equal(ran.code, 3, ran.stderr)
  const { atMs: _, ...report } = JSON.parse(ran.stdout)
  const { atMs: __, ...shown } = JSON.parse(readFileSync(join(out, 'independence.json'), 'utf8'))
  assert.deepEqual(report, shown)
  assert.deepEqual(report.owners.confirmed, [])
  assert.equal(report.quorum.operatorsWitnesses.length, 3)
})

test('independence would hold for whoever knows owners of their own behind the witnesses: 0', async () => {
  const known = join(folder, 'known.yaml')
  const text = readFileSync(trust, 'utf8')
  const changed = text.replace(
    /(- name: "(witness-\w+)\.example.*\n +owner: )"the demonstration"/g,
    (_, before: string, name: string) => `${before}"Owner of ${name}"`,
  )
  assert.notEqual(changed, text)
  writeFileSync(known, changed)
  const ran = await countersign('verify', first(), '--trust', known, '--execute', '--require', 'independence')
  assert.equal(ran.code, 0, ran.stdout)
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

test('interrupted, or not read any more, it leaves neither processes nor data behind', async (context) => {
  const ends: readonly ((child: ChildProcess) => void)[] = [
    (child) => child.kill('SIGTERM'),
    (child) => child.stdout?.destroy(),
  ]
  const codes = await Promise.all(ends.map((end, i) => endEarly(context, join(folder, `early-${i}`), end)))
  assert.deepEqual(codes, [143, 0])
})

/** Runs the demonstration until its witnesses and gateways are there, ends it, and looks for what is left. */
async function endEarly(context: TestContext, base: string, end: (child: ChildProcess) => void): Promise<unknown> {
  const temporary = join(base, 'temporary')
  mkdirSync(temporary, { recursive: true })
  const child = spawn(process.execPath, [countersignProgram(), 'demo', '--out', join(base, 'out')], {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { ...process.env, TMPDIR: temporary },
  })
  context.after(() => child.kill('SIGTERM'))
  const ended = once(child, 'exit')
  await new Promise<void>((resolve, reject) => {
    let output = ''
    child.stdout.on('data', (chunk: Buffer) => {
      output += chunk.toString('utf8')
      if (/application-01/.test(output)) resolve()
    })
    child.once('exit', () => reject(new Error(output)))
  })
  assert.equal(processesOf(temporary).length, 5, 'three witnesses, two gateways')
  end(child)
  const [code] = await ended
  // Killed processes take a moment to be gone.
  for (let i = 0; i < 200 && processesOf(temporary).length > 0; i++) await sleep(50)
  assert.deepEqual(processesOf(temporary), [])
  // Engines may keep files of their own there.
  assert.deepEqual(
    readdirSync(temporary).filter((name) => name.startsWith('countersign')),
    [],
  )
  return code
}

/** Command lines that name the folder. */
function processesOf(path: string): readonly string[] {
  const lines = execFileSync('ps', ['-eo', 'args'], { encoding: 'utf8', maxBuffer: 16 * 1024 * 1024 }).split('\n')
  return lines.filter((line) => line.includes(path))
}
