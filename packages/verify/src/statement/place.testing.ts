/** Samples of the statements about places. */
import type { AppraisalPredicate } from './appraisal.ts'
import type { RevocationPredicate, Revoked } from './revocation.ts'

const DIGEST = 'ab'.repeat(32)
const NOW_MS = 1_790_000_000_000

export const SAMPLE_POLICY = { tee: 'nitro', measurements: { pcr0: ['cd'.repeat(48)] }, maxAgeMinutes: 30 }

export const SAMPLE_APPRAISAL: AppraisalPredicate = {
  place: { name: 'provider', origin: 'https://api.example.org' },
  policy: SAMPLE_POLICY,
  profile: 'countersign',
  outcome: 'accepted',
  facts: [
    { name: 'genuine-hardware', status: 'shown' },
    { name: 'weights-measured', status: 'not-shown' },
  ],
  keys: [
    { use: 'tls-key', sha256: DIGEST },
    { use: 'ed25519', publicKey: DIGEST },
    { use: 'ethereum-address', address: 'ab'.repeat(20) },
  ],
  freshness: 'nonce',
  evidence: DIGEST,
  collateral: 'cd'.repeat(32),
  tlsCertificate: 'MAA=',
  failed: ['nitro/debug'],
  gatheredAtMs: NOW_MS,
  appraisedAtMs: NOW_MS + 1,
  validUntilMs: NOW_MS + 2,
}

/** One of each kind. */
export const SAMPLE_REVOKED: readonly Revoked[] = [
  { kind: 'device', ids: ['00ff', 'ab'.repeat(64)] },
  { kind: 'certificate', issuer: '3000', serial: '0102' },
  { kind: 'measurement', tee: 'nitro', register: 'pcr0', value: 'cd'.repeat(48) },
  { kind: 'key', key: { use: 'hpke-key', publicKey: DIGEST } },
  { kind: 'tcb', tee: 'tdx', states: ['OutOfDate'], advisories: ['INTEL-SA-00837'], fmspc: '50806f000000' },
]

/** A revocation of that, from the usual time on. */
export function sampleRevocation(what: Revoked, since: number | null = NOW_MS): RevocationPredicate {
  return { what, since, reason: 'taken out of its machine', source: 'https://example.org/notice' }
}
