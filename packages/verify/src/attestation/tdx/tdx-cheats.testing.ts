/** Ways to be wrong in one thing, each with the one check that has to say so. */
import { concat, parseHex, utf8 } from '../../bytes/bytes.ts'
import type { ErrorCode } from '../../errors.ts'
import { TEST_AT_MS, USAGE } from '../x509/pki.testing.ts'
import {
  attributes,
  critical,
  MINUTE_MS,
  OTHER,
  policy,
  qe,
  report,
  svn,
  swapped,
  tcb,
} from './plan-changes.testing.ts'
import type { TdxCheck } from './tdx-checks.ts'
import { platformLevel, TDX_TEST_POLICY, type TdxPlan } from './tdx-evidence.testing.ts'

/** What is wrong, the one check that has to fail, its code. */
export interface Cheat {
  readonly what: string
  readonly change: (plan: TdxPlan) => void
  readonly check: TdxCheck
  readonly code: ErrorCode
}

function cheat(what: string, change: Cheat['change'], check: TdxCheck, code: ErrorCode): Cheat {
  return { what, change, check, code }
}

export const CHEATS: readonly Cheat[] = [
  cheat('version 3', (plan) => (plan.version = 3), 'format', 'evidence/unsupported'),
  cheat('another vendor', (plan) => (plan.header.vendor = '00'.repeat(16)), 'format', 'evidence/unsupported'),
  cheat('a P-384 key', (plan) => (plan.header.attestationKeyType = 3), 'format', 'evidence/unsupported'),
  cheat('an SGX quote', (plan) => (plan.header.teeType = 0), 'format', 'evidence/unsupported'),
  cheat('cut short', (plan) => (plan.editQuote = (bytes) => bytes.subarray(0, -1)), 'format', 'evidence/malformed'),

  cheat('no CA', (plan) => (plan.certificates.pckCa.isCa = false), 'pck-chain', 'certificate/wrong-chain'),
  cheat('a CA as leaf', (plan) => (plan.certificates.pck.isCa = true), 'pck-chain', 'certificate/wrong-chain'),
  cheat('another PCK signer', (plan) => (plan.certificates.pck.signer = OTHER), 'pck-chain', 'certificate/wrong-chain'),
  cheat('another name', (plan) => (plan.certificates.pck.subject = 'PCK'), 'pck-chain', 'certificate/wrong-chain'),
  cheat(
    'an authority of no PCK',
    (plan) => {
      plan.certificates.pckCa.subject = 'Intel SGX TCB Signing'
      plan.certificates.pck.issuer = 'Intel SGX TCB Signing'
    },
    'pck-chain',
    'certificate/wrong-chain',
  ),
  cheat(
    'an unknown critical extension',
    (plan) => (plan.certificates.pckCa.extensions = [critical]),
    'pck-chain',
    'certificate/wrong-chain',
  ),
  cheat('a chain upside down', (plan) => plan.chain.reverse(), 'pck-chain', 'certificate/wrong-chain'),
  cheat('a chain too short', (plan) => plan.chain.splice(1, 1), 'pck-chain', 'certificate/wrong-chain'),
  cheat(
    'an expired PCK',
    (plan) => (plan.certificates.pck.notAfterMs = TEST_AT_MS - MINUTE_MS),
    'pck-chain',
    'certificate/not-current',
  ),
  cheat('text between certificates', (plan) => (plan.terminator = utf8('x')), 'pck-chain', 'certificate/malformed'),
  cheat(
    'no SGX extension',
    (plan) => (plan.certificates.pck.extensions = []),
    'pck-extension',
    'certificate/malformed',
  ),
  cheat(
    'an SGX type of no meaning',
    (plan) => (plan.pckExtension.sgxType = 9),
    'pck-extension',
    'certificate/malformed',
  ),
  cheat('an SVN above 255', (plan) => (plan.pckExtension.components[3] = 256), 'pck-extension', 'der/malformed'),
  cheat(
    'an FMSPC too short',
    (plan) => (plan.pckExtension.fmspc = new Uint8Array(5)),
    'pck-extension',
    'certificate/malformed',
  ),

  cheat('a garbage root list', swapped('crl', 0, utf8('garbage')), 'root-crl', 'der/malformed'),
  cheat('a root list of another key', (plan) => (plan.crls.root.signer = OTHER), 'root-crl', 'certificate/wrong-chain'),
  cheat(
    'an expired root list',
    (plan) => (plan.crls.root.nextUpdateMs = TEST_AT_MS - MINUTE_MS),
    'root-crl',
    'certificate/not-current',
  ),
  cheat(
    'a root list of tomorrow',
    (plan) => (plan.crls.root.thisUpdateMs = TEST_AT_MS + MINUTE_MS),
    'root-crl',
    'certificate/not-current',
  ),
  cheat(
    'a root list without an end',
    (plan) => (plan.crls.root.nextUpdateMs = 'none'),
    'root-crl',
    'certificate/not-current',
  ),
  cheat(
    'a root that may not sign lists',
    (plan) => (plan.certificates.root.keyUsage = USAGE.certSign),
    'root-crl',
    'certificate/wrong-chain',
  ),
  cheat(
    'a revoked authority',
    (plan) => (plan.crls.root.revoked = [{ serial: '0b' }]),
    'pck-ca-revocation',
    'certificate/revoked',
  ),
  cheat('a garbage PCK list', swapped('crl', 1, utf8('garbage')), 'pck-crl', 'der/malformed'),
  cheat('a PCK list of another key', (plan) => (plan.crls.pck.signer = OTHER), 'pck-crl', 'certificate/wrong-chain'),
  cheat(
    'an expired PCK list',
    (plan) => (plan.crls.pck.nextUpdateMs = TEST_AT_MS - MINUTE_MS),
    'pck-crl',
    'certificate/not-current',
  ),
  cheat(
    'a list that is critical of something',
    (plan) => (plan.crls.pck.extensions = [critical]),
    'pck-crl',
    'certificate/malformed',
  ),
  cheat(
    'a revoked PCK',
    (plan) => (plan.crls.pck.revoked = [{ serial: '0c' }]),
    'pck-revocation',
    'certificate/revoked',
  ),

  cheat(
    'an expired signer',
    (plan) => (plan.certificates.tcbSigning.notAfterMs = TEST_AT_MS - MINUTE_MS),
    'tcb-signing-chain',
    'certificate/not-current',
  ),
  cheat(
    'a signer that is a CA',
    (plan) => (plan.certificates.tcbSigning.isCa = true),
    'tcb-signing-chain',
    'certificate/wrong-chain',
  ),
  cheat(
    'a signer of another root',
    (plan) => (plan.certificates.tcbSigning.signer = OTHER),
    'tcb-signing-chain',
    'certificate/wrong-chain',
  ),
  cheat(
    'a revoked signer',
    (plan) => (plan.crls.root.revoked = [{ serial: '0d' }]),
    'tcb-signing-revocation',
    'certificate/revoked',
  ),

  cheat(
    'doubled keys',
    (plan) => (plan.editTcbInfo = (text) => text.replace('"version":3', '"version":3,"version":3')),
    'tcb-info',
    'collateral/malformed',
  ),
  cheat('TCB information of version 2', (plan) => tcb(plan, ['version'], 2), 'tcb-info', 'collateral/malformed'),
  cheat(
    'a status of no meaning',
    (plan) => tcb(plan, ['tcbLevels', 1, 'tcbStatus'], 'Fine'),
    'tcb-info',
    'collateral/malformed',
  ),
  cheat(
    'a surplus field',
    (plan) => tcb(plan, ['tcbLevels', 0, 'tcb', 'fpgacomponents'], []),
    'tcb-info',
    'collateral/malformed',
  ),
  cheat(
    'a component too few',
    (plan) => tcb(plan, ['tcbLevels', 0, 'tcb', 'tdxtcbcomponents', 15], undefined),
    'tcb-info',
    'collateral/malformed',
  ),
  cheat(
    'a level that is never met',
    (plan) => tcb(plan, ['tcbLevels', 1], platformLevel(9, [5, 0, 9], 11)),
    'tcb-info',
    'collateral/malformed',
  ),
  cheat(
    'expired TCB information',
    (plan) => tcb(plan, ['nextUpdate'], '2026-06-15T11:59:00Z'),
    'tcb-info',
    'collateral/not-current',
  ),
  cheat(
    'TCB information of tomorrow',
    (plan) => tcb(plan, ['issueDate'], '2026-06-15T12:01:00Z'),
    'tcb-info',
    'collateral/not-current',
  ),
  cheat('a garbage TCB information', swapped('intel-tcb-info', 0, utf8('garbage')), 'tcb-info', 'collateral/malformed'),
  cheat(
    'two modules of one version',
    (plan) => tcb(plan, ['tdxModuleIdentities', 0, 'id'], 'TDX_01'),
    'tcb-info',
    'collateral/malformed',
  ),

  cheat(
    'an expired identity',
    (plan) => qe(plan, ['nextUpdate'], '2026-06-15T11:59:00Z'),
    'qe-identity',
    'collateral/not-current',
  ),
  cheat('an identity of version 1', (plan) => qe(plan, ['version'], 1), 'qe-identity', 'collateral/malformed'),
  cheat(
    'levels that go up',
    (plan) => qe(plan, ['tcbLevels', 1, 'tcb', 'isvsvn'], 5),
    'qe-identity',
    'collateral/malformed',
  ),

  cheat(
    'a report that the PCK did not sign',
    (plan) => (plan.keys.qeReportSigner = OTHER),
    'qe-report-signature',
    'signature/invalid',
  ),
  cheat(
    'another attestation key',
    (plan) => (plan.qeReportData = new Uint8Array(32)),
    'qe-report-binding',
    'evidence/mismatch',
  ),
  cheat(
    'more than the digest of the key',
    (plan) => (plan.qeReportData = concat(plan.boundDigest(), Uint8Array.of(1))),
    'qe-report-binding',
    'evidence/mismatch',
  ),
  cheat(
    'a quoting enclave of somebody else',
    (plan) => (plan.qeReport.mrSigner = new Uint8Array(32)),
    'qe-identity-match',
    'evidence/mismatch',
  ),
  cheat('another product', (plan) => (plan.qeReport.prodId = 1), 'qe-identity-match', 'evidence/mismatch'),
  cheat(
    'a quoting enclave in debug mode',
    (plan) => (plan.qeReport.attributes = parseHex('13000000000000000700000000000000')),
    'qe-identity-match',
    'evidence/mismatch',
  ),
  cheat(
    'a quoting enclave with MISCSELECT',
    (plan) => (plan.qeReport.miscSelect = Uint8Array.of(1, 0, 0, 0)),
    'qe-identity-match',
    'evidence/mismatch',
  ),
  cheat('a quote of another key', (plan) => (plan.keys.quoteSigner = OTHER), 'quote-signature', 'signature/invalid'),
  cheat('another PCE', (plan) => tcb(plan, ['pceId'], '0001'), 'platform-match', 'evidence/mismatch'),

  cheat(
    'a module that is not listed',
    (plan) => tcb(plan, ['tdxModuleIdentities', 1, 'id'], 'TDX_02'),
    'tdx-module',
    'evidence/mismatch',
  ),
  cheat(
    'no modules listed',
    (plan) => tcb(plan, ['tdxModuleIdentities'], undefined),
    'tdx-module',
    'evidence/mismatch',
  ),
  cheat(
    'a module of another signer',
    (plan) => report(plan, 'mrSignerSeam', new Uint8Array(48).fill(1)),
    'tdx-module',
    'evidence/mismatch',
  ),
  cheat(
    'SEAM attributes',
    (plan) => report(plan, 'seamAttributes', Uint8Array.of(1, 0, 0, 0, 0, 0, 0, 0)),
    'tdx-module',
    'evidence/mismatch',
  ),
  cheat(
    'SEAM attributes that no mask looks at',
    (plan) => {
      tcb(plan, ['tdxModuleIdentities', 1, 'attributesMask'], '00'.repeat(8))
      report(plan, 'seamAttributes', Uint8Array.of(1, 0, 0, 0, 0, 0, 0, 0))
    },
    'tdx-module',
    'evidence/mismatch',
  ),
  cheat(
    'a processor below all levels',
    (plan) => (plan.pckExtension.components[0] = 6),
    'tcb-level',
    'evidence/mismatch',
  ),
  cheat('a PCE below all levels', (plan) => (plan.pckExtension.pceSvn = 10), 'tcb-level', 'evidence/mismatch'),
  cheat(
    'a loader below all levels',
    (plan) => report(plan, 'teeTcbSvn', svn(6, 1, 6)),
    'tcb-level',
    'evidence/mismatch',
  ),
  cheat(
    'a module below all levels',
    (plan) => report(plan, 'teeTcbSvn', svn(3, 1, 8)),
    'tcb-level',
    'evidence/mismatch',
  ),
  cheat('a quoting enclave below all levels', (plan) => (plan.qeReport.svn = 1), 'tcb-level', 'evidence/mismatch'),
  cheat(
    'a revoked level',
    (plan) => tcb(plan, ['tcbLevels', 0, 'tcbStatus'], 'Revoked'),
    'tcb-not-revoked',
    'certificate/revoked',
  ),
  cheat(
    'a revoked module',
    (plan) => tcb(plan, ['tdxModuleIdentities', 1, 'tcbLevels', 0, 'tcbStatus'], 'Revoked'),
    'tcb-not-revoked',
    'certificate/revoked',
  ),
  cheat(
    'a revoked quoting enclave',
    (plan) => qe(plan, ['tcbLevels', 0, 'tcbStatus'], 'Revoked'),
    'tcb-not-revoked',
    'certificate/revoked',
  ),
  cheat('a domain for debugging', (plan) => attributes(plan, '0100001000000000'), 'debug', 'evidence/refused'),
  cheat('a domain for profiling', (plan) => attributes(plan, '2000001000000000'), 'debug', 'evidence/refused'),
  cheat(
    'attributes of no meaning',
    (plan) => attributes(plan, '0000011000000000'),
    'td-attributes',
    'evidence/unsupported',
  ),

  cheat(
    'lists below the floor',
    (plan) => policy(plan, { minimum: { tcbEvaluationDataNumber: 21 } }),
    'tcb-evaluation-number',
    'collateral/not-current',
  ),
  cheat(
    'an identity below the floor',
    (plan) => qe(plan, ['tcbEvaluationDataNumber'], 19),
    'tcb-evaluation-number',
    'collateral/not-current',
  ),
  cheat(
    'hardening that is needed',
    (plan) => tcb(plan, ['tcbLevels', 0, 'tcbStatus'], 'SWHardeningNeeded'),
    'tcb-state',
    'evidence/refused',
  ),
  cheat(
    'advisories',
    (plan) => tcb(plan, ['tcbLevels', 0, 'advisoryIDs'], ['INTEL-SA-00837']),
    'advisories',
    'evidence/refused',
  ),
  cheat('SEPT_VE_DISABLE off', (plan) => attributes(plan, '0000000000000000'), 'sept-ve', 'evidence/refused'),
  cheat('a domain that may be moved', (plan) => attributes(plan, '0000003000000000'), 'migration', 'evidence/refused'),
  cheat(
    'a service domain',
    (plan) => report(plan, 'mrServiceTd', new Uint8Array(48).fill(1)),
    'service-td',
    'evidence/refused',
  ),
  cheat('other firmware', (plan) => report(plan, 'mrTd', new Uint8Array(48)), 'measurements', 'evidence/refused'),
  cheat(
    'a measurement that is not shown',
    (plan) => policy(plan, { measurements: { ...TDX_TEST_POLICY.measurements, 'compose-hash': ['aa'] } }),
    'measurements',
    'evidence/refused',
  ),
]
