import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { concat, toHex } from '../../bytes/bytes.ts'
import { createMemory } from '../../bytes/memory.ts'
import { createNobleCrypto } from '../../crypto/noble-provider.ts'
import { checkProperty, expectTyped } from '../../fuzzing.testing.ts'
import { changedBytes } from '../../mutation.testing.ts'
import { appraiseEvidence } from '../appraise.ts'
import type { Appraised } from '../appraised.ts'
import { sweepEvidence } from '../sweep.testing.ts'
import { appraiseSevSnp, SEV_SNP_CHECKS } from './appraise-sev-snp.ts'
import { parseSnpReport } from './report.ts'
import { SNP_CHEATS, SNP_SOUND } from './sev-snp-cheats.testing.ts'
import {
  HOST_DATA,
  hardwareId,
  MEASUREMENT,
  REPORT_DATA,
  snpEvidence,
  snpReport,
  snpToTime,
  sweepCases,
} from './sev-snp-evidence.testing.ts'

function failures({ checks }: Appraised): readonly string[] {
  return checks.filter(({ result }) => result === 'fail').map(({ name }) => name)
}

for (const [what, options] of SNP_SOUND) {
  test(`sound: ${what}`, () => {
    const { item, input } = snpEvidence(options)
    const appraised = appraiseSevSnp(item, input)
    assert.deepEqual(failures(appraised), [])
    assert.ok(appraised.isGenuine && appraised.isKnownCode)
    assert.deepEqual(appraised.boundData, REPORT_DATA)
  })
}

for (const [check, what, options] of SNP_CHEATS) {
  test(`${check} refuses: ${what}`, () => {
    const { item, input } = snpEvidence(options)
    const appraised = appraiseSevSnp(item, input)
    assert.deepEqual(failures(appraised), [`sev-snp/${check}`])
    assert.equal(appraised.isKnownCode, false)
    assert.equal(appraised.tier, 'contraindicated')
  })
}

test('every check has a cheat that it alone finds', () => {
  const caught = new Set(SNP_CHEATS.map(([check]) => check))
  assert.deepEqual(
    SEV_SNP_CHECKS.filter((check) => !caught.has(check)),
    [],
  )
})

test('sound evidence says what the hardware signed', () => {
  const { item, input } = snpEvidence()
  const appraised = appraiseSevSnp(item, input)
  assert.deepEqual(appraised.measurements, { measurement: MEASUREMENT, hostdata: HOST_DATA })
  assert.deepEqual(appraised.deviceIds, [toHex(hardwareId('milan'))])
  assert.equal(appraised.tier, 'affirming')
  assert.deepEqual(appraised.notes, [])
  assert.equal(appraised.claims.hwmodel, 'Milan-B0')
  assert.equal(appraised.claims.dbgstat, 'disabled-since-boot')
  assert.equal(appraised.answersNonce, false)
  assert.ok((appraised.currentUntilMs ?? 0) > input.atMs)
  assert.deepEqual(
    appraised.checks.map(({ name }) => name),
    SEV_SNP_CHECKS.map((name) => `sev-snp/${name}`),
  )
})

test('evidence is current until the first of certificates and list ends', () => {
  const endMs = Date.UTC(2027, 0, 1)
  const list = snpEvidence({ lists: [{ nextUpdateMs: endMs }] })
  assert.equal(appraiseSevSnp(list.item, list.input).currentUntilMs, endMs)
  const leaf = snpEvidence({ leaf: { notAfterMs: endMs } })
  assert.equal(appraiseSevSnp(leaf.item, leaf.input).currentUntilMs, endMs)
})

test('what lowers trust is noted, and lowers the tier', () => {
  const tierOf = (options: Parameters<typeof snpEvidence>[0]) => {
    const { item, input } = snpEvidence(options)
    const { tier, notes } = appraiseSevSnp(item, input)
    return { tier, notes: notes.length }
  }
  assert.deepEqual(tierOf({ lists: [] }), { tier: 'warning', notes: 1 })
  assert.deepEqual(tierOf({ key: 'vlek' }), { tier: 'affirming', notes: 1 })
  assert.deepEqual(tierOf({ forge: (report) => concat(report, report) }), { tier: 'affirming', notes: 1 })
  assert.deepEqual(tierOf({ policy: null }), { tier: 'none', notes: 0 })
})

test('a VLEK and a masked chip name no device', () => {
  for (const options of [{ key: 'vlek' }, { edit: (report: Uint8Array) => report.fill(0, 0x1a0, 0x1e0) }] as const) {
    const { item, input } = snpEvidence(options)
    const appraised = appraiseSevSnp(item, input)
    assert.ok(appraised.isGenuine)
    assert.deepEqual(appraised.deviceIds, [])
    assert.equal(appraised.checks.find(({ name }) => name === 'sev-snp/chip-id')?.result, 'not-checked')
  }
})

test('without a policy hardware can be genuine, and no code is known', () => {
  const { item, input } = snpEvidence({ policy: null })
  const appraised = appraiseSevSnp(item, input)
  assert.ok(appraised.isGenuine && !appraised.isKnownCode)
  assert.ok(appraised.checks.slice(9).every(({ result }) => result === 'not-checked'))
})

test('without a certificate nothing fails, and nothing is genuine', () => {
  for (const missing of [0, 1, 2]) {
    const { item, input } = snpEvidence({ collateral: (those) => those.filter((_, i) => i !== missing) })
    const appraised = appraiseSevSnp(item, input)
    assert.deepEqual(failures(appraised), [])
    assert.ok(!appraised.isGenuine && appraised.boundData === undefined)
    assert.deepEqual(appraised.claims, {})
    const open = appraised.checks.find(({ result }) => result === 'not-checked')
    assert.equal(open?.name, missing === 0 ? 'sev-snp/product' : 'sev-snp/chain')
    assert.match(open?.detail ?? '', /collateral/)
  }
})

test('of many certificates the one of the chip and its firmware is taken', () => {
  const others = [
    snpEvidence({
      extensions: (those) =>
        those.map((each) => ({ ...each, ...(each.oid.endsWith('.4') && { value: new Uint8Array(64) }) })),
    }),
    snpEvidence({
      extensions: (those) =>
        those.map((each) => ({ ...each, ...(each.oid.endsWith('.3.8') && { value: Uint8Array.of(2, 1, 1) }) })),
    }),
  ].flatMap(({ input }) => input.collateral.items.slice(0, 1))
  const { item, input } = snpEvidence({ collateral: (those) => [...others, ...those] })
  assert.ok(appraiseSevSnp(item, input).isKnownCode)
})

test('a memory changes no result, and dates are looked at each time', () => {
  const { item, input } = snpEvidence()
  const memory = createMemory()
  const first = appraiseSevSnp(item, { ...input, memory })
  assert.deepEqual(appraiseSevSnp(item, { ...input, memory }), first)
  assert.deepEqual(appraiseSevSnp(item, input), first)
  const late = appraiseSevSnp(item, { ...input, memory, atMs: Date.UTC(2051, 0, 1) })
  assert.deepEqual(failures(late), ['sev-snp/chain'])
})

test('a floor for a part that the product does not have is not met', () => {
  const { item, input } = snpEvidence({ policy: { minimum: { fmc: 0 } } })
  const tcbs = ['reported', 'committed', 'launch'].map((which) => `sev-snp/${which}-tcb`)
  assert.deepEqual(failures(appraiseSevSnp(item, input)), tcbs)
})

test('both crypto providers agree', () => {
  const { item, input } = snpEvidence()
  const noble = appraiseSevSnp(item, { ...input, crypto: createNobleCrypto() })
  assert.deepEqual(noble, appraiseSevSnp(item, input))
})

test('any bytes give a report or an error of ours', (t) => {
  const samples = [snpReport({}), snpReport({ version: 2 }), snpReport({ version: 5, product: 'turin' })]
  checkProperty(t, [fc.oneof(changedBytes(samples), fc.uint8Array({ maxLength: 1300 }))], 500, (bytes) => {
    expectTyped(() => parseSnpReport(bytes))
  })
})

test('no changed byte is accepted where a signature covers it', (t) => {
  for (const swept of sweepCases()) {
    const { changes, problems } = sweepEvidence(swept, { step: 23 })
    assert.deepEqual(problems, [])
    t.diagnostic(`${swept.name}: ${changes} changes`)
  }
})

test('what is to be timed is accepted', () => {
  const { evidence, input } = snpToTime()
  assert.equal(appraiseEvidence(evidence, input).status, 'accepted')
})
