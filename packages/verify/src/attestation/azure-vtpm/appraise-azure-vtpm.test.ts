import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import type { Json } from '../../bytes/json.ts'
import { checkProperty, expectTyped } from '../../fuzzing.testing.ts'
import { changedBytes } from '../../mutation.testing.ts'
import { appraiseEvidence } from '../appraise.ts'
import type { Appraised } from '../appraised.ts'
import { readPlacePolicy } from '../place-policy.ts'
import { MEASUREMENT } from '../sev-snp/sev-snp-evidence.testing.ts'
import { AZURE_CHECKS, appraiseAzureVtpm } from './appraise-azure-vtpm.ts'
import { AZURE_CHEATS, AZURE_SOUND } from './azure-cheats.testing.ts'
import { type AzureOptions, azureEvidence, azureToTime, NONCE } from './azure-evidence.testing.ts'
import { formatAzureEvidence, importAzureEvidence, parseAzureEvidence } from './azure-evidence.ts'
import { parseHclReport } from './hcl-report.ts'
import { parseRuntimeData } from './runtime-data.ts'
import { parseTpmQuote, parseTpmSignature } from './tpm-quote.ts'

function appraise(options?: AzureOptions): Appraised {
  const { item, input } = azureEvidence(options)
  return appraiseAzureVtpm(item, input)
}

function failures({ checks }: Appraised): readonly string[] {
  return checks.filter(({ result }) => result === 'fail').map(({ name }) => name)
}

for (const [what, options] of AZURE_SOUND) {
  test(`sound: ${what}`, () => {
    const appraised = appraise(options)
    assert.deepEqual(failures(appraised), [])
    assert.ok(appraised.isGenuine && appraised.isKnownCode)
    assert.deepEqual(appraised.boundData, NONCE)
    assert.equal(appraised.answersNonce, options.nonce !== null)
  })
}

for (const [check, what, options] of AZURE_CHEATS) {
  test(`${check} refuses: ${what}`, () => {
    const appraised = appraise(options)
    assert.deepEqual(failures(appraised), [`azure-vtpm/${check}`])
    // What answers another challenge is known code all the same, at another time.
    if (check === 'nonce') assert.equal(appraised.answersNonce, false)
    else assert.equal(appraised.isKnownCode, false)
    assert.equal(appraised.tier, 'contraindicated')
  })
}

test('every check has a cheat that it alone finds', () => {
  const caught = new Set(AZURE_CHEATS.map(([check]) => check))
  // That of TDX has its own test.
  const open = AZURE_CHECKS.filter((check) => check !== 'td-report' && !caught.has(check))
  assert.deepEqual(open, [])
})

test('sound evidence says what hardware and TPM signed', () => {
  const appraised = appraise()
  assert.equal(appraised.tier, 'affirming')
  assert.deepEqual(appraised.notes, [])
  assert.equal(appraised.measurements.measurement, MEASUREMENT)
  assert.equal(Object.keys(appraised.measurements).filter((name) => name.startsWith('pcr')).length, 24)
  assert.equal(appraised.deviceIds.length, 1)
  assert.ok((appraised.currentUntilMs ?? 0) > Date.UTC(2030, 0))
  const names = appraised.checks.map(({ name }) => name)
  assert.equal(names[0], 'azure-vtpm/format')
  assert.equal(names[1], 'azure-vtpm/sev-snp/format')
  assert.equal(names.at(-1), 'azure-vtpm/pcrs')
  assert.equal(new Set(names).size, names.length)
  assert.ok(!names.includes('azure-vtpm/td-report'))
})

test('hardware that is not proven leaves the TPM unproven, and nothing fails', () => {
  const appraised = appraise({ snp: { collateral: () => [] } })
  assert.deepEqual(failures(appraised), [])
  assert.ok(!appraised.isGenuine && !appraised.answersNonce && appraised.boundData === undefined)
  assert.deepEqual(appraised.measurements, {})
  assert.deepEqual(appraised.claims, {})
  const passed = appraised.checks.filter(({ result }) => result === 'pass').map(({ name }) => name)
  for (const name of ['hcl-binding', 'tpm-signature', 'pcr-digest', 'nonce']) {
    assert.ok(passed.includes(`azure-vtpm/${name}`), name)
  }
})

test('a debugged guest is never genuine', () => {
  const { input } = azureEvidence()
  const [, , options] = AZURE_CHEATS.find(([check]) => check === 'sev-snp/debug') ?? []
  const { item } = azureEvidence(options)
  assert.equal(appraiseAzureVtpm(item, { ...input, policy: undefined }).isGenuine, false)
})

test('without a policy the hardware can be genuine, and no code is known', () => {
  const appraised = appraise({ policy: null })
  assert.ok(appraised.isGenuine && !appraised.isKnownCode)
  assert.equal(appraised.tier, 'none')
})

test('a policy must name a paravisor, and a register that no guest can reset', () => {
  const read = (measurements: Json) => () => readPlacePolicy({ tee: 'azure-vtpm', measurements }, 'policy')
  const [pcr, measurement] = [['99'.repeat(32)], ['00'.repeat(48)]]
  assert.throws(read({ pcr0: pcr }), { code: 'place-policy/empty' })
  assert.throws(read({ measurement }), { code: 'place-policy/empty' })
  assert.throws(read({ measurement, pcr16: pcr }), { code: 'place-policy/empty' })
  assert.doesNotThrow(read({ measurement, pcr4: pcr }))
})

test('a policy made past its reader is refused all the same', () => {
  const { item, input } = azureEvidence()
  const { policy } = input
  assert.ok(policy !== undefined)
  const { measurement = [], pcr0 = [] } = policy.measurements
  const without = (measurements: { [name: string]: readonly string[] }) =>
    appraiseAzureVtpm(item, { ...input, policy: { ...policy, measurements } })
  const noParavisor = without({ pcr0 })
  assert.deepEqual(failures(noParavisor), ['azure-vtpm/paravisor'])
  assert.equal(noParavisor.isGenuine, false)
  assert.deepEqual(failures(without({ measurement })), ['azure-vtpm/pcrs'])
})

test('secure boot that is off, and registers that can be reset, are noted', () => {
  const off = appraise({ runtime: (data) => ({ ...data, 'vm-configuration': { 'secure-boot': false } }) })
  assert.match(off.notes.join(), /Secure boot is off/)
  assert.equal(off.tier, 'warning')
  const { pcr0 = '', pcr16 = '' } = appraise().measurements
  const named = { measurement: [MEASUREMENT], pcr0: [pcr0], pcr16: [pcr16] }
  assert.match(appraise({ policy: { measurements: named } }).notes.join(), /pcr16/)
})

test('content is read as it was written', () => {
  const { item } = azureEvidence({ quote: { selection: [3, 10] } })
  assert.deepEqual(formatAzureEvidence(parseAzureEvidence(item.content)), item.content)
})

test('any bytes give a value or an error of ours', (t) => {
  const { item } = azureEvidence()
  const { hclReport, quote } = parseAzureEvidence(item.content)
  const { runtimeData } = parseHclReport(hclReport)
  const parsers = [
    [item.content, parseAzureEvidence],
    [item.content, importAzureEvidence],
    [hclReport, parseHclReport],
    [runtimeData, parseRuntimeData],
    [quote.message, parseTpmQuote],
    [quote.signature, (bytes: Uint8Array) => parseTpmSignature(bytes, 256)],
  ] as const
  for (const [sample, parse] of parsers) {
    checkProperty(t, [fc.oneof(changedBytes([sample]), fc.uint8Array({ maxLength: 300 }))], 300, (bytes) => {
      expectTyped(() => parse(bytes))
    })
  }
})

test('what is to be timed is accepted', () => {
  const { evidence, input } = azureToTime()
  assert.equal(appraiseEvidence(evidence, input).status, 'accepted')
})
