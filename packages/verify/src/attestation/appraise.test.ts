import assert from 'node:assert/strict'
import { test } from 'node:test'
import { concat, toHex } from '../bytes/bytes.ts'
import type { Json } from '../bytes/json.ts'
import { createMemory, type Memory } from '../bytes/memory.ts'
import { type Appraisal, appraiseEvidence } from './appraise.ts'
import type { AppraisalInput } from './appraised.ts'
import { azureEvidence } from './azure-vtpm/azure-evidence.testing.ts'
import type { EvidenceItem, UnverifiedEvidence } from './evidence-file.ts'
import { gpuInput, gpuItem, makeGpu } from './nvidia/nvidia-evidence.testing.ts'
import { readPlacePolicy } from './place-policy.ts'
import { VENDOR_ROOTS } from './roots.ts'
import { MEASUREMENT, snpEvidence } from './sev-snp/sev-snp-evidence.testing.ts'
import { buildTdx, planTdx, TDX_TEST_POLICY } from './tdx/tdx-evidence.testing.ts'
import { MAA_POLICY, tokenEvidence } from './token/token-scenes.testing.ts'

const ADDRESS = new Uint8Array(20).fill(0xab)
const nonceOf = (fill: number, length = 32) => new Uint8Array(length).fill(fill)

function fileOf(items: readonly EvidenceItem[], more: Partial<UnverifiedEvidence> = {}): UnverifiedEvidence {
  return { profile: 'none', nonce: new Uint8Array(0), beside: {}, items, ...more }
}

const factOf = ({ facts }: Appraisal, wanted: string) => facts.find(({ name }) => name === wanted)?.status
const resultOf = ({ checks }: Appraisal, wanted: string) => checks.find(({ name }) => name === wanted)?.result

test('freshness: a challenge of the file is not the caller’s', () => {
  const plan = planTdx()
  plan.report.reportData = concat(ADDRESS, new Uint8Array(12), nonceOf(3))
  plan.policy = { ...TDX_TEST_POLICY, profile: 'near-ai' }
  const { item, input } = buildTdx(plan)
  const more = { profile: 'near-ai', nonce: nonceOf(3), beside: { signing_address: toHex(ADDRESS) } } as const
  const own = appraiseEvidence(fileOf([item], more), { ...input, nonce: nonceOf(3) })
  assert.deepEqual([own.status, own.freshness], ['accepted', 'nonce'])
  const other = appraiseEvidence(fileOf([item], more), { ...input, nonce: nonceOf(4) })
  assert.deepEqual([other.status, other.freshness, resultOf(other, 'place/nonce')], ['refused', 'none', 'fail'])
})

test('freshness: an empty challenge is none, and answered by nothing', () => {
  const empty = new Uint8Array(0)
  const { item, input } = azureEvidence({ quote: { extraData: empty } })
  const appraisal = appraiseEvidence(fileOf([item]), { ...input, nonce: empty })
  assert.deepEqual([appraisal.status, appraisal.freshness], ['accepted', 'none'])
  for (const name of ['azure-vtpm/nonce', 'place/nonce']) assert.equal(resultOf(appraisal, name), 'not-checked')
})

test('freshness: the time of a token says nothing of the report of a GPU beside it', () => {
  const { item, input } = tokenEvidence('maa', { input: { nonce: undefined } })
  const roots = { ...VENDOR_ROOTS, nvidia: gpuInput().roots?.nvidia ?? [] }
  const given = { ...input, policy: readPlacePolicy({ ...MAA_POLICY, gpus: 1 }, 'policy'), roots }
  const alone = appraiseEvidence(fileOf([item]), { ...input, roots })
  assert.deepEqual([alone.status, alone.freshness], ['accepted', 'signed-time'])
  const beside = appraiseEvidence(fileOf([item, gpuItem(makeGpu())]), given)
  assert.deepEqual([resultOf(beside, 'place/gpus'), beside.freshness], ['pass', 'none'])
})

test('genuine hardware: what nobody pins, knows or asked for refutes nothing', () => {
  const factWith = (signers: Json, more: Partial<AppraisalInput> = {}) => {
    const { item, input } = tokenEvidence('maa')
    const policy = readPlacePolicy({ ...MAA_POLICY, signers }, 'policy')
    return factOf(appraiseEvidence(fileOf([item]), { ...input, policy, ...more }), 'genuine-hardware')
  }
  const { token_key: key, issuer } = MAA_POLICY.signers
  assert.equal(factWith({ issuer, token_key: key }), 'shown')
  assert.equal(factWith({ issuer, token_key: ['another'] }), 'not-shown')
  assert.equal(factWith({ issuer, token_ca: ['ab'.repeat(32)] }), 'not-shown')
  assert.equal(factWith({ issuer }, { nonce: nonceOf(9) }), 'not-shown')

  const { item, input } = snpEvidence()
  const policy = readPlacePolicy(
    { tee: 'sev-snp', measurements: { measurement: [MEASUREMENT] }, forbid: ['unchecked-revocation'] },
    'policy',
  )
  const collateral = { items: input.collateral.items.filter(({ kind }) => kind !== 'crl') }
  const unlisted = appraiseEvidence(fileOf([item]), { ...input, policy, collateral })
  assert.deepEqual([unlisted.status, factOf(unlisted, 'genuine-hardware')], ['refused', 'not-shown'])

  const tdx = buildTdx(planTdx())
  const eventLog = { format: 'ccel', content: new Uint8Array(8) } as const
  const other = appraiseEvidence(fileOf([{ ...tdx.item, eventLog }]), { ...tdx.input, collateral: { items: [] } })
  assert.deepEqual([resultOf(other, 'tdx/event-log'), factOf(other, 'genuine-hardware')], ['fail', 'not-shown'])
})

test('known code: a policy that was not read, and names no code, shows none', () => {
  const { item, input } = buildTdx(planTdx())
  assert.ok(input.policy !== undefined)
  for (const measurements of [{}, { rtmr3: input.policy.measurements.rtmr3 ?? ['00'.repeat(48)] }]) {
    const appraisal = appraiseEvidence(fileOf([item]), { ...input, policy: { ...input.policy, measurements } })
    assert.notEqual(factOf(appraisal, 'known-code'), 'shown')
    assert.notEqual(appraisal.status, 'accepted')
  }
})

test('known code: values that a policy names for other hardware are of no code here', () => {
  const { item, input } = snpEvidence()
  assert.ok(input.policy !== undefined)
  const appraisal = appraiseEvidence(fileOf([item]), { ...input, policy: { ...input.policy, tee: 'azure-vtpm' } })
  assert.equal(appraisal.status, 'refused')
  assert.notEqual(factOf(appraisal, 'known-code'), 'shown')
})

test('GPUs: one whose firmware was changed between two reports is one', () => {
  const { item, input } = buildTdx(planTdx())
  const policy = readPlacePolicy({ ...TDX_TEST_POLICY, gpus: 2 }, 'policy')
  assert.ok(input.roots !== undefined)
  const given = { ...input, policy, roots: { ...input.roots, nvidia: gpuInput().roots?.nvidia ?? [] } }
  const countOf = (...gpus: readonly Parameters<typeof makeGpu>[0][]) => {
    const items = [item, ...gpus.map((changes) => gpuItem(makeGpu(changes)))]
    return resultOf(appraiseEvidence(fileOf(items), given), 'place/gpus')
  }
  assert.equal(countOf({}, { device: 1 }), 'pass')
  assert.equal(countOf({}, {}), 'fail')
  assert.equal(countOf({}, { chain: { leaf: { serial: '77' } } }), 'fail')
})

test('a bundle is read once, however many items rest on it', () => {
  const { item, input } = snpEvidence()
  const memory = createMemory()
  const read: string[] = []
  const watched: Memory = {
    ...memory,
    recall(kind, key, prove, bytes) {
      read.push(kind)
      return memory.recall(kind, key, prove, bytes)
    },
  }
  const appraisal = appraiseEvidence(fileOf(Array.from({ length: 32 }, () => item)), { ...input, memory: watched })
  assert.equal(appraisal.status, 'accepted')
  const countOf = (kind: string) => input.collateral.items.filter((each) => each.kind === kind).length
  assert.equal(read.filter((kind) => kind === 'x509/crl').length, countOf('crl'))
  assert.equal(read.filter((kind) => kind === 'x509/certificate').length, countOf('certificate'))
})
