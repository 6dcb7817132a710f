import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseHex } from '../../bytes/bytes.ts'
import type { Appraised } from '../appraised.ts'
import { flip } from '../sev-snp/sev-snp-evidence.testing.ts'
import { sweepEvidence } from '../sweep.testing.ts'
import { appraiseAzureVtpm } from './appraise-azure-vtpm.ts'
import { NONCE } from './azure-evidence.testing.ts'
import { type AzureTdxOptions, azureTdxEvidence, sweepCases } from './azure-tdx-evidence.testing.ts'
import { TD_REPORT_FIELDS } from './td-report.ts'

function appraise(options?: AzureTdxOptions): Appraised {
  const { item, input } = azureTdxEvidence(options)
  return appraiseAzureVtpm(item, input)
}

function failures({ checks }: Appraised): readonly string[] {
  return checks.filter(({ result }) => result === 'fail').map(({ name }) => name)
}

test('a sound virtual TPM on TDX', () => {
  const appraised = appraise()
  assert.deepEqual(failures(appraised), [])
  assert.ok(appraised.isGenuine && appraised.isKnownCode && appraised.answersNonce)
  assert.deepEqual(appraised.boundData, NONCE)
  assert.equal(appraised.measurements.mrtd, '31'.repeat(48))
  assert.equal(appraised.checks.find(({ name }) => name === 'azure-vtpm/td-report')?.result, 'pass')
})

for (const [name, at] of TD_REPORT_FIELDS) {
  if (name === 'report data') continue
  test(`td-report refuses: another ${name} in the machine's own report`, () => {
    const appraised = appraise({ ownReport: (report) => flip(report, at) })
    assert.deepEqual(failures(appraised), ['azure-vtpm/td-report'])
    assert.ok(!appraised.isGenuine && appraised.boundData === undefined)
  })
}

test('report data that are not those of the quote bind nothing', () => {
  // The runtime data match what the machine's own report says, and the quote is about another trust domain.
  const appraised = appraise({
    plan: (plan) => {
      plan.report.reportData = new Uint8Array(64)
    },
    ownReport: (report) => report.set(boundDataOf(), 128),
  })
  assert.deepEqual(failures(appraised), ['azure-vtpm/td-report'])
  assert.equal(appraised.isGenuine, false)
})

/** The report data of sound evidence. */
function boundDataOf(): Uint8Array {
  const { item } = azureTdxEvidence()
  const { hclReport } = JSON.parse(Buffer.from(item.content).toString('utf8')) as { hclReport: string }
  return new Uint8Array(Buffer.from(hclReport, 'base64').subarray(32 + 128, 32 + 192))
}

test('checks of the trust domain stand under the name of this kind', () => {
  const debugged = appraise({
    plan: (plan) => {
      plan.report.tdAttributes = parseHex('0100001000000000')
    },
  })
  assert.deepEqual(failures(debugged), ['azure-vtpm/tdx/debug'])
  const other = appraise({ policy: { measurements: { mrtd: ['00'.repeat(48)], pcr0: ['99'.repeat(32)] } } })
  assert.deepEqual(failures(other), ['azure-vtpm/tdx/measurements'])
  const forSnp = appraise({ policy: { measurements: { measurement: ['00'.repeat(48)], pcr0: ['99'.repeat(32)] } } })
  assert.deepEqual(failures(forSnp), ['azure-vtpm/paravisor'])
})

test('the preset accepts what Azure leaves off', () => {
  const leaveOff = (plan: { report: { [field: string]: Uint8Array } }) => {
    plan.report.tdAttributes = new Uint8Array(8)
  }
  assert.deepEqual(failures(appraise({ plan: leaveOff })), [])
  const { item, input } = azureTdxEvidence({ plan: leaveOff })
  const strict = input.policy && { ...input.policy, allow: [] }
  assert.deepEqual(failures(appraiseAzureVtpm(item, { ...input, policy: strict })), ['azure-vtpm/tdx/sept-ve'])
})

test('without the quote nothing is proven, and nothing fails', () => {
  const appraised = appraise({ isWithoutQuote: true })
  assert.deepEqual(failures(appraised), [])
  assert.ok(!appraised.isGenuine && appraised.boundData === undefined)
  const open = appraised.checks.find(({ name }) => name === 'azure-vtpm/td-report')
  assert.match(open?.detail ?? '', /did not come/)
})

test('no changed byte is accepted where a signature covers it', (t) => {
  for (const swept of sweepCases()) {
    const { changes, problems } = sweepEvidence(swept, { step: 61 })
    assert.deepEqual(problems, [])
    t.diagnostic(`${swept.name}: ${changes} changes`)
  }
})
