/** `countersign attest explain` and `verify` as people meet them first: what is only claimed, what ran out, what was not given. */
import assert from 'node:assert/strict'
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { formatCollateral } from '@countersign/verify'
import { MEASUREMENT, makeNitroDocument, snpEvidence } from '@countersign/verify/testing'
import { countersign } from '../run.testing.ts'

const REAL = join(process.env.COUNTERSIGN_TEST_DATA ?? '', 'attestation')
const NO_REAL_DATA =
  process.env.COUNTERSIGN_TEST_DATA !== undefined && existsSync(REAL)
    ? false
    : 'COUNTERSIGN_TEST_DATA names no folder with real evidence'
const QUOTE = join(REAL, 'tdx', 'phala_v4_uptodate.bin')
const QUOTE_COLLATERAL = join(REAL, 'tdx', 'phala_b0c06f_2025-06-19.json')
const POLICY = `tee: sev-snp\nmeasurements: { measurement: [${MEASUREMENT}] }\n`

function filesOf(context: TestContext) {
  const folder = mkdtempSync(join(tmpdir(), 'countersign-explain-'))
  context.after(() => rmSync(folder, { recursive: true }))
  const write = (name: string, content: string | Uint8Array) => {
    writeFileSync(join(folder, name), content)
    return join(folder, name)
  }
  const { item, input } = snpEvidence()
  const collateral = write('collateral.json', JSON.stringify(formatCollateral(input.collateral)))
  return { write, report: write('report.bin', item.content), collateral }
}

const explain = (...args: readonly string[]) => countersign('attest', 'explain', ...args)

test('without collateral, what is claimed is seen, and meets no policy', async (context) => {
  const { report, write } = filesOf(context)
  const told = await explain(report)
  assert.match(told.stdout, new RegExp(`^sev-snp +claimed, not shown.*\n  measurement +${MEASUREMENT}$`, 'm'))
  const { format, items, claimed } = JSON.parse((await explain(report, '--json')).stdout)
  assert.equal(format, 'countersign-explanation/v1')
  assert.deepEqual(items[0].measurements, {})
  assert.deepEqual([claimed[0].kind, claimed[0].measurements.measurement], ['sev-snp', MEASUREMENT])
  const policy = write('place.yaml', POLICY)
  const verified = await countersign('attest', 'verify', report, '--policy', policy, '--json')
  assert.equal(verified.code, 3)
  assert.doesNotMatch(verified.stdout, new RegExp(MEASUREMENT))
  const expired = await explain(write('nitro.cose', makeNitroDocument()), '--at', '2099-01-01', '--json')
  assert.match(JSON.parse(expired.stdout).claimed[0].measurements.pcr0, /^[0-9a-f]{96}$/)
})

test('what is shown is not claimed besides', { skip: NO_REAL_DATA }, async () => {
  const told = await explain(QUOTE, '--collateral', QUOTE_COLLATERAL, '--at', '2025-06-25T00:00:00Z', '--json')
  const { items, claimed } = JSON.parse(told.stdout)
  assert.deepEqual(claimed, [])
  const alone = JSON.parse((await explain(QUOTE, '--json')).stdout)
  assert.deepEqual(alone.claimed, [{ kind: 'tdx', measurements: items[0].measurements }])
})

test('it decides nothing: its headline says whether a check failed', async (context) => {
  const { report, collateral } = filesOf(context)
  const failing = await explain(report, '--collateral', collateral)
  assert.match(failing.stdout, /^a check failed +as of /)
  assert.equal(failing.code, 0)
  const open = await explain(report)
  assert.match(open.stdout, /^no check failed +as of /)
})

test('a file that cannot be read is in the report of --json, and bad usage is not', async (context) => {
  const { report, write } = filesOf(context)
  const unknown = write('unknown.bin', 'neither this nor that')
  const told = await explain(unknown, '--json')
  const { format, file, error, exitCode } = JSON.parse(told.stdout)
  assert.deepEqual([told.code, told.stderr], [2, ''])
  assert.deepEqual([format, file, error.code], ['countersign-explanation/v1', unknown, 'evidence/unsupported'])
  assert.equal(exitCode, 2)
  for (const [option, value] of [
    ['--at', 'tomorrow'],
    ['--nonce', 'xyz'],
  ] as const) {
    const bad = await explain(report, option, value)
    assert.equal(bad.code, 2)
    assert.match(bad.stderr, new RegExp(`^usage/invalid: ${option}: `))
  }
})

test('of several files the one that is wrong is named', async (context) => {
  const { report, collateral, write } = filesOf(context)
  const broken = write('broken.json', '{"format":"countersign-collateral/v1"}')
  const told = await explain(report, '--collateral', collateral, broken)
  assert.ok(told.stderr.includes(`: ${broken}: `), told.stderr)
  const cut = write('cut.json', '{"format":')
  assert.ok((await countersign('inspect', cut)).stderr.startsWith(`json/malformed: ${cut}: `))
  const trust = write('trust.yaml', 'format: nothing\n')
  for (const command of [['verify'], ['attest', 'reappraise']]) {
    const { stderr } = await countersign(...command, cut, '--trust', trust)
    assert.ok(stderr.includes(`: ${trust}: `), stderr)
  }
})

test('lists that ran out are no forgery: both ways on are named', { skip: NO_REAL_DATA }, async () => {
  const told = await explain(QUOTE, '--collateral', QUOTE_COLLATERAL, '--at', '2099-01-01T00:00:00Z')
  const words = told.stdout.replace(/\s+/g, ' ')
  assert.match(words, /next: Something is not of the time that is judged by\. By itself that is no sign of a forgery/)
  assert.match(words, /next: For today, .*"countersign attest fetch".*--collateral/)
  const today = (await explain(QUOTE, '--collateral', QUOTE_COLLATERAL)).stdout.replace(/\s+/g, ' ')
  assert.match(today, /"countersign attest fetch".*next: --at judges as of another time/)
})

test('a key that nobody gave is asked for with --beside', { skip: NO_REAL_DATA }, async (context) => {
  const { write } = filesOf(context)
  const given = ['--collateral', QUOTE_COLLATERAL, '--at', '2025-06-25T00:00:00Z', '--profile', 'near-ai']
  const { mrtd } = JSON.parse((await explain(QUOTE, ...given, '--json')).stdout).items[0].measurements
  const policy = write('near.yaml', `tee: tdx\nprofile: near-ai\nmeasurements: { mrtd: [${mrtd}] }\n`)
  const verify = (...more: readonly string[]) =>
    countersign('attest', 'verify', QUOTE, ...given, '--policy', policy, ...more)
  const told = await verify()
  assert.equal(told.code, 3, told.stdout)
  assert.match(told.stdout, /^unproven .*\n +profile near-ai: .*signing_address/m)
  assert.match(told.stdout, /^next: Give what .* with --beside/m)
  const wrong = await verify('--beside', write('wrong.json', '{"signing_address":"0x12"}'))
  assert.equal(wrong.code, 1)
})

test('help shows how to begin', async () => {
  const { stdout } = await countersign('attest', '--help')
  assert.match(stdout, /^Examples:\n {2}countersign attest explain quote\.bin$/m)
})
