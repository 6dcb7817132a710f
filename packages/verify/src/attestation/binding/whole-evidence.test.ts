import assert from 'node:assert/strict'
import { test } from 'node:test'
import { toBase64 } from '../../bytes/base64.ts'
import { concat, toHex } from '../../bytes/bytes.ts'
import type { Json } from '../../bytes/json.ts'
import { type Appraisal, appraiseEvidence } from '../appraise.ts'
import type { AppraisalInput } from '../appraised.ts'
import type { EvidenceItem } from '../evidence-file.ts'
import { makeNitroDocument, NITRO_POLICY, nitroInput, nitroItem, TEST_NONCE } from '../nitro/nitro-evidence.testing.ts'
import type { ProfileName } from '../profile-names.ts'
import { AT, snpEvidence } from '../sev-snp/sev-snp-evidence.testing.ts'
import { buildTdx, planTdx, TDX_TEST_POLICY } from '../tdx/tdx-evidence.testing.ts'
import { NONCE as TOKEN_NONCE, tokenEvidence } from '../token/token-scenes.testing.ts'
import { crypto, p256Spki } from './binding.testing.ts'
import {
  ACI_SET,
  ADDRESS,
  aciBeside,
  aciReport,
  FINGERPRINT,
  filled,
  padded,
  userData,
} from './binding-parts.testing.ts'
import { countersignReportData } from './countersign.ts'

const SPKI = p256Spki(1)
const OTHER = p256Spki(2)

interface Whole {
  readonly profile: ProfileName
  readonly item: EvidenceItem
  readonly input: AppraisalInput
  readonly nonce?: Uint8Array
  readonly beside?: { readonly [name: string]: Json }
}

function appraise({ profile, item, input, nonce = new Uint8Array(0), beside = {} }: Whole): Appraisal {
  return appraiseEvidence({ profile, items: [item], nonce, beside }, input)
}

function snp(profile: ProfileName, reportData: Uint8Array) {
  return { profile, ...snpEvidence({ edit: (report) => report.set(reportData, AT.reportData), policy: { profile } }) }
}

function nitro(profile: ProfileName, fields: { readonly [name: string]: unknown }) {
  const input = nitroInput({ policy: { ...NITRO_POLICY, profile } })
  return { profile, item: nitroItem(makeNitroDocument({ fields })), input, nonce: TEST_NONCE }
}

function tdx(profile: ProfileName, reportData: Uint8Array) {
  const plan = planTdx()
  plan.report.reportData = reportData
  plan.policy = { ...TDX_TEST_POLICY, profile }
  return { profile, ...buildTdx(plan) }
}

const shownOf = ({ facts }: Appraisal) => facts.filter(({ status }) => status === 'shown').map(({ name }) => name)

test('a gateway in SEV-SNP: its statement key is bound, and its challenge answered', () => {
  const nonce = filled(32, 3)
  const whole = snp('countersign', countersignReportData(crypto, SPKI, nonce))
  const given = { ...whole, nonce, beside: { signingKey: toBase64(SPKI) } }
  const appraisal = appraise({ ...given, input: { ...whole.input, nonce } })
  assert.deepEqual(
    [appraisal.status, appraisal.freshness, appraisal.reason],
    ['accepted', 'nonce', 'genuine hardware runs code that the policy names'],
  )
  assert.deepEqual(appraisal.keys, [{ use: 'signing-key', sha256: toHex(crypto.sha256(SPKI)) }])
  const other = appraise({ ...given, beside: { signingKey: toBase64(OTHER) } })
  assert.deepEqual([other.status, other.keys], ['refused', []])
  assert.match(other.reason, /^binding\/key-bound: /)
})

test('Tinfoil in SEV-SNP: its keys, and the weights where the measurement is pinned', () => {
  const appraisal = appraise(snp('tinfoil', concat(FINGERPRINT, filled(32, 5))))
  assert.equal(appraisal.status, 'accepted')
  assert.deepEqual(shownOf(appraisal), ['genuine-hardware', 'known-code', 'serving-key-bound', 'weights-measured'])
  assert.equal(appraisal.freshness, 'none')
})

test('NEAR AI in TDX: the address, the TLS key, the challenge', () => {
  const nonce = filled(32, 3)
  const whole = { ...tdx('near-ai', concat(crypto.sha256(ADDRESS, FINGERPRINT), nonce)), nonce }
  const beside = { signing_address: toHex(ADDRESS), tls_cert_fingerprint: toHex(FINGERPRINT) }
  const appraisal = appraise({ ...whole, beside, input: { ...whole.input, nonce } })
  assert.deepEqual([appraisal.status, appraisal.freshness], ['accepted', 'nonce'])
  // A challenge that the file alone names is nobody's.
  assert.equal(appraise({ ...whole, beside }).freshness, 'none')
  assert.deepEqual(
    appraisal.keys.map(({ use }) => use),
    ['ethereum-address', 'tls-key'],
  )
  const other = appraise({ ...whole, beside: { ...beside, signing_address: toHex(filled(20, 1)) } })
  assert.deepEqual([other.status, other.keys], ['refused', []])
  // Nothing failed, and yet the policy's profile is not met.
  const lacking = appraise({ ...whole, beside: { tls_cert_fingerprint: toHex(FINGERPRINT) } })
  assert.deepEqual([lacking.status, lacking.keys], ['unproven', []])
  assert.equal(lacking.reason, 'profile near-ai: not given beside the evidence: signing_address')
})

test('a Private AI Gateway in TDX: its key set, until it runs out', () => {
  const nonce = filled(32, 3)
  const atMs = buildTdx(planTdx()).input.atMs
  const keySet = (seconds: number) => ({
    ...ACI_SET,
    keyset_epoch: { version: 1, not_after: Math.floor(atMs / 1000) + seconds },
  })
  for (const [seconds, status, keys] of [
    [1, 'accepted', 3],
    [0, 'refused', 0],
  ] as const) {
    const set = keySet(seconds)
    const appraisal = appraise({ ...tdx('aci', aciReport(set, toHex(nonce))), nonce, beside: aciBeside(set) })
    assert.deepEqual([appraisal.status, appraisal.keys.length], [status, keys], appraisal.reason)
    const untilMs = (Math.floor(atMs / 1000) + seconds) * 1000
    if (keys > 0) assert.deepEqual([appraisal.keysUntilMs, appraisal.currentUntilMs], [untilMs, untilMs - 1])
  }
})

test('dstack in TDX: a challenge alone binds no key', () => {
  const nonce = filled(32, 3)
  const whole = tdx('dstack', padded(nonce))
  const appraisal = appraise({ ...whole, nonce, input: { ...whole.input, nonce } })
  assert.deepEqual([appraisal.status, appraisal.freshness, appraisal.keys], ['accepted', 'nonce', []])
  assert.ok(!shownOf(appraisal).includes('serving-key-bound'))
})

test('OpenGradient in Nitro: both keys, and no word of a model', () => {
  const whole = nitro('opengradient', { user_data: userData(FINGERPRINT, crypto.sha256(SPKI)) })
  const appraisal = appraise({ ...whole, beside: { publicKey: toBase64(SPKI) } })
  assert.deepEqual([appraisal.status, appraisal.freshness], ['accepted', 'nonce'])
  assert.deepEqual(
    appraisal.keys.map(({ use }) => use),
    ['tls-certificate', 'signing-key'],
  )
  assert.ok(appraisal.doesNotProve.some((each) => each.startsWith('which model answered')))
  assert.equal(appraise({ ...whole, beside: { publicKey: toBase64(OTHER) } }).status, 'refused')
})

test('a gateway in Nitro: the key is the document’s own', () => {
  const whole = { ...nitro('countersign', { public_key: SPKI }), beside: { signingKey: toBase64(SPKI) } }
  assert.deepEqual([appraise(whole).status, appraise(whole).freshness], ['accepted', 'nonce'])
  assert.equal(appraise({ ...whole, beside: { signingKey: toBase64(OTHER) } }).status, 'refused')
})

test('Confidential Space: the first nonce is the key, the second the challenge', () => {
  const digest = toHex(crypto.sha256(SPKI))
  const claims = { eat_nonce: [digest, toHex(TOKEN_NONCE)] }
  const whole = {
    profile: 'confidential-space',
    ...tokenEvidence('confidential-space', { claims }),
    nonce: TOKEN_NONCE,
  } as const
  const appraisal = appraise({ ...whole, beside: { servingKey: toBase64(SPKI) } })
  assert.deepEqual([appraisal.status, appraisal.freshness, appraisal.keys.length], ['accepted', 'nonce', 2])
  const other = appraise({ ...whole, beside: { servingKey: toBase64(OTHER) } })
  assert.deepEqual([other.status, other.keys], ['refused', []])
})

test('the hardware of another kind binds nothing: which bytes it would be in is not documented', () => {
  const whole = snp('near-ai', concat(filled(20, 1), filled(44, 0)))
  const appraisal = appraise({ ...whole, beside: { signing_address: '01'.repeat(20) } })
  assert.equal(appraisal.status, 'refused')
  assert.match(appraisal.reason, /^binding\/evidence: /)
})
