import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Appraisal } from '../attestation/appraise.ts'
import type { Appraised } from '../attestation/appraised.ts'
import type { Revoked } from '../statement/revocation.ts'
import type { Party } from '../trust/trust-file.ts'
import { concerns, type Revocation } from './revocation.ts'

const operator: Party = { name: 'Operator', owner: 'Operator', roles: ['operator'], keys: [], witnesses: [] }
const auditor: Party = { ...operator, name: 'Auditor', roles: ['auditor'] }

const TCB = { tdx_fmspc: '50806f000000', tdx_tcb_status: 'OutOfDate', tdx_advisory_ids: ['INTEL-SA-1', 'INTEL-SA-2'] }
const item: Appraised = {
  ...{
    kind: 'tdx',
    checks: [],
    isGenuine: true,
    isKnownCode: true,
    measurements: { mrtd: 'ab' },
    boundData: undefined,
  },
  ...{ deviceIds: ['cd'], madeAtMs: undefined, currentUntilMs: undefined, answersNonce: false, tier: 'affirming' },
  ...{ claims: TCB, notes: [], certificates: [{ issuer: '3000', serial: '01' }] },
}
const overTpm: Appraised = { ...item, kind: 'azure-vtpm', claims: { submods: { tdx: TCB } } }

function isAbout(what: Revoked, appraised: Appraised = item): boolean {
  const revocation: Revocation = {
    what,
    since: null,
    reason: 'r',
    source: 's',
    statement: '',
    by: auditor,
    role: 'auditor',
  }
  const appraisal = { items: [appraised], keys: [] } as unknown as Appraisal
  return concerns(revocation, operator, { appraisal, keys: [] })
}

test('a state of the platform is one of that hardware, by state, advisory and platform', () => {
  for (const appraised of [item, overTpm]) {
    const tcb = (rest: object) => isAbout({ kind: 'tcb', tee: 'tdx', ...rest } as Revoked, appraised)
    assert.ok(tcb({ states: ['Revoked', 'OutOfDate'] }))
    assert.ok(!tcb({ states: ['Revoked'] }))
    assert.ok(tcb({ advisories: ['INTEL-SA-2'] }))
    assert.ok(!tcb({ advisories: ['INTEL-SA-3'] }))
    assert.ok(tcb({ states: ['Revoked'], advisories: ['INTEL-SA-1'] }))
    assert.ok(tcb({ fmspc: '50806f000000' }))
    assert.ok(!tcb({ fmspc: '00806f000000' }))
    assert.ok(!tcb({ fmspc: '00806f000000', states: ['OutOfDate'] }))
    assert.ok(!isAbout({ kind: 'tcb', tee: 'sev-snp', states: ['OutOfDate'] }, appraised))
  }
})

test('measurements are of one kind of hardware, devices and certificates of any', () => {
  assert.ok(isAbout({ kind: 'measurement', tee: 'tdx', register: 'mrtd', value: 'ab' }))
  assert.ok(isAbout({ kind: 'measurement', tee: 'tdx', register: 'mrtd', value: 'ab' }, overTpm))
  assert.ok(!isAbout({ kind: 'measurement', tee: 'nitro', register: 'mrtd', value: 'ab' }))
  assert.ok(!isAbout({ kind: 'measurement', tee: 'tdx', register: 'rtmr0', value: 'ab' }))
  assert.ok(isAbout({ kind: 'device', ids: ['00', 'cd'] }))
  assert.ok(isAbout({ kind: 'certificate', issuer: '3000', serial: '01' }))
  assert.ok(!isAbout({ kind: 'certificate', issuer: '3001', serial: '01' }))
  const { certificates: _, ...without } = item
  assert.ok(!isAbout({ kind: 'certificate', issuer: '3000', serial: '01' }, without))
})

test('a GPU is the one that was revoked after its firmware was changed, too', () => {
  const gpu: Appraised = { ...item, kind: 'nvidia-spdm', deviceIds: ['77'], lastingIds: new Map([['77', '0badf00d']]) }
  assert.ok(isAbout({ kind: 'device', ids: ['77'] }, gpu))
  assert.ok(isAbout({ kind: 'device', ids: ['0badf00d'] }, gpu))
  assert.ok(!isAbout({ kind: 'device', ids: ['0badf00e'] }, gpu))
})

test('a token says its state in its issuer’s words', () => {
  const token: Appraised = { ...item, kind: 'maa', claims: { attester_tcb_status: 'OutOfDate' } }
  assert.ok(isAbout({ kind: 'tcb', tee: 'maa', states: ['OutOfDate'] }, token))
  assert.ok(!isAbout({ kind: 'tcb', tee: 'tdx', states: ['OutOfDate'] }, token))
})
