/** Statements about places, and place policies: what is read, and what must be refused. */
import { readPlacePolicy } from '../attestation/place-policy.ts'
import { utf8 } from '../bytes/bytes.ts'
import type { Json } from '../bytes/json.ts'
import { createNobleCrypto } from '../crypto/noble-provider.ts'
import type { ErrorCode } from '../errors.ts'
import { type AppraisalPredicate, appraisalStatement, parseAppraisal } from '../statement/appraisal.ts'
import { SAMPLE_APPRAISAL, SAMPLE_REVOKED, sampleRevocation } from '../statement/place.testing.ts'
import { parseRevocation, type RevocationPredicate, revocationStatement } from '../statement/revocation.ts'
import { parseStatement, type Statement, statementText } from '../statement/statement.ts'
import { type FormatVector, type FormatVectors, gives, refused, textOf } from './format-vector.testing.ts'

const crypto = createNobleCrypto()
const payload = (statement: Statement) => ({ payload: statementText(statement) })
const read = (input: Json) => parseStatement(utf8(textOf(input, 'payload')))

export function placeVectors(): readonly FormatVectors[] {
  return [
    {
      file: 'appraisal',
      description: 'The payload of an appraisal statement, as text. The value is its predicate.',
      cases: appraisals(),
      run: (_, input) => ({ ...parseAppraisal(read(input)) }) as unknown as Json,
    },
    {
      file: 'revocation',
      description: 'The payload of a revocation statement, as text. The value is its predicate.',
      cases: revocations(),
      run: (_, input) => ({ ...parseRevocation(read(input)) }) as unknown as Json,
    },
    {
      file: 'place-policy',
      description:
        'A place policy. The value is the policy with what is there when nothing is said, ages in milliseconds.',
      cases: policies(),
      run: (_, input) => ({ ...readPlacePolicy(input, 'policy') }) as unknown as Json,
    },
  ]
}

function appraisals(): readonly FormatVector[] {
  const { evidence: _, collateral: __, tlsCertificate: ___, ...least } = SAMPLE_APPRAISAL
  const unavailable: AppraisalPredicate = { ...least, outcome: 'unavailable', facts: [], keys: [], freshness: 'none' }
  const statement = appraisalStatement(crypto, SAMPLE_APPRAISAL)
  const holds = (name: string, each: AppraisalPredicate) =>
    gives(name, payload(appraisalStatement(crypto, each)), each as unknown as Json)
  const bad = (name: string, changes: object) =>
    refused(name, payload({ ...statement, predicate: { ...SAMPLE_APPRAISAL, ...changes } as Json }), 'shape/bad-value')
  const { subjects } = statement
  return [
    holds('accepted', SAMPLE_APPRAISAL),
    holds('refused', { ...SAMPLE_APPRAISAL, outcome: 'refused', facts: [], keys: [] }),
    holds('without evidence', unavailable),
    bad('unavailable, with evidence', { outcome: 'unavailable' }),
    bad('another evidence file than its subject', { evidence: 'ef'.repeat(32) }),
    bad('a fact twice', { facts: [...SAMPLE_APPRAISAL.facts, ...SAMPLE_APPRAISAL.facts] }),
    bad('a key for another use', { keys: [{ use: 'door', sha256: 'ab'.repeat(32) }] }),
    bad('appraised before it was gathered', { appraisedAtMs: 0 }),
    bad('an origin of another scheme', { place: { name: 'provider', origin: 'ftp://example.org' } }),
    bad('a policy nested too deeply', { policy: { tee: [[[[[[[[]]]]]]]] } }),
    refused('subjects in another order', payload({ ...statement, subjects: subjects.toReversed() }), 'shape/bad-value'),
    refused('no subject', payload({ ...statement, subjects: [] }), 'shape/bad-value'),
    refused('of another type', payload({ ...statement, predicateType: 'urn:example' }), 'statement/wrong-type'),
  ]
}

function revocations(): readonly FormatVector[] {
  const holds = (name: string, each: RevocationPredicate) =>
    gives(name, payload(revocationStatement(crypto, each)), each as unknown as Json)
  const device = sampleRevocation({ kind: 'device', ids: ['00ff'] })
  const statement = revocationStatement(crypto, device)
  const bad = (name: string, changes: object, code: ErrorCode = 'shape/bad-value') =>
    refused(name, payload({ ...statement, predicate: { ...device, ...changes } as unknown as Json }), code)
  return [
    ...SAMPLE_REVOKED.map((what) => holds(`of a ${what.kind}`, sampleRevocation(what))),
    holds('from ever', sampleRevocation({ kind: 'device', ids: ['00ff'] }, null)),
    bad('of nothing', { what: { kind: 'device', ids: [] } }),
    bad('of a model', { what: { kind: 'model', ids: ['00'] } }),
    bad('of an odd number of digits', { what: { kind: 'device', ids: ['0'] } }),
    bad('of another kind than its subject', { what: { kind: 'certificate', issuer: '3000', serial: '01' } }),
    bad('of every state', { what: { kind: 'tcb', tee: 'tdx' } }, 'shape/missing-field'),
    bad('without a reason', { reason: '' }),
    bad('from a date', { since: '2026-01-01' }, 'shape/wrong-type'),
    refused('of another type', payload({ ...statement, predicateType: 'urn:example' }), 'statement/wrong-type'),
  ]
}

const CODE = { tee: 'sev-snp', measurements: { measurement: ['5a'.repeat(48)] } }

const EVERYTHING = {
  ...CODE,
  ...{ profile: 'countersign', signers: { idkeydigest: ['7c'.repeat(48)] }, minimum: { snp: 24 } },
  ...{ allow: ['migration', 'no-freshness'], forbid: ['smt', 'vlek'], gpus: 8, require: ['physical-trust'] },
  physical: { clouds: ['azure'], chips: ['00ff'] },
}

/** What a policy says that says nothing. */
const SILENT = {
  ...{ profile: 'none', measurements: {}, signers: {}, minimum: {}, states: [], advisories: [], allow: [], forbid: [] },
  ...{ require: [], maxAgeMs: 3_600_000, physical: { clouds: [], chips: [] } },
}

function policies(): readonly FormatVector[] {
  const holds = (name: string, policy: object, read: object) =>
    gives(name, policy as Json, { ...SILENT, ...policy, ...read } as Json)
  const vouched = { tee: 'azure-vtpm', measurements: { pcr4: ['4d'.repeat(32)] } }
  const malformed = (name: string, changes: object) =>
    refused(name, { ...CODE, ...changes } as Json, 'place-policy/malformed')
  const bad = (name: string, changes: object) => refused(name, { ...CODE, ...changes } as Json, 'shape/bad-value')
  return [
    holds('no more than it must', CODE, {}),
    gives('everything', { ...EVERYTHING, maxAgeMinutes: 5 }, { ...SILENT, ...EVERYTHING, maxAgeMs: 300_000 }),
    holds(
      'states, advisories and a preset',
      {
        ...{ tee: 'tdx', measurements: { mrtd: ['ab'.repeat(48)] }, preset: 'azure' },
        ...{ states: ['UpToDate', 'SWHardeningNeeded'], advisories: ['INTEL-SA-00837'] },
      },
      { allow: ['sept-ve'] },
    ),
    holds(
      'registers of a TPM, and what vouches for them',
      { ...vouched, signers: { idkeydigest: ['7c'.repeat(48)] } },
      { states: ['UpToDate'] },
    ),
    refused('no code', { tee: 'sev-snp' }, 'place-policy/empty'),
    refused(
      'what the host says, and no code',
      { tee: 'sev-snp', measurements: { hostdata: ['00'] } },
      'place-policy/empty',
    ),
    refused('registers of a TPM that nothing vouches for', vouched, 'place-policy/empty'),
    malformed('a register of other hardware', { measurements: { pcr0: ['00'.repeat(48)] } }),
    malformed('a weakness that is not known', { allow: ['everything'] }),
    malformed('a preset for other hardware', { preset: 'azure' }),
    bad('a register without a value', { measurements: { measurement: [] } }),
    bad('a value in capitals', { measurements: { measurement: ['5A'.repeat(48)] } }),
    bad('no age', { maxAgeMinutes: 0 }),
    refused('a field that is not known', { ...CODE, region: 'eu' }, 'shape/unknown-field'),
  ]
}
