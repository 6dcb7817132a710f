import { EvidenceChecks } from '../checks.ts'

/** Checks of hardware and its maker's word; evidence is genuine when all of them passed. No policy has a say in them. */
export const TDX_GENUINE_CHECKS = [
  'format',
  'pck-chain',
  'pck-extension',
  'root-crl',
  'pck-ca-revocation',
  'pck-crl',
  'pck-revocation',
  'tcb-signing-chain',
  'tcb-signing-revocation',
  'tcb-info',
  'qe-identity',
  'qe-report-signature',
  'qe-report-binding',
  'qe-identity-match',
  'quote-signature',
  'platform-match',
  'tdx-module',
  'tcb-level',
  'tcb-not-revoked',
  'debug',
  'td-attributes',
] as const

/** Checks that a policy asks for. */
export const TDX_POLICY_CHECKS = [
  'tcb-evaluation-number',
  'tcb-state',
  'advisories',
  'sept-ve',
  'migration',
  'service-td',
  'measurements',
] as const

/** All checks of TDX evidence, in the order of the report. */
export const TDX_CHECKS = [...TDX_GENUINE_CHECKS, 'event-log', ...TDX_POLICY_CHECKS] as const

export type TdxCheck = (typeof TDX_CHECKS)[number]
export type TdxChecks = EvidenceChecks<TdxCheck>

/** No check made yet. */
export function startTdxChecks(): TdxChecks {
  return new EvidenceChecks<TdxCheck>('tdx', TDX_CHECKS)
}
