/** The quote itself: from the platform's key by way of the quoting enclave to what the trust domain reports. */
import { concat, equalBytes } from '../../bytes/bytes.ts'
import { CountersignError } from '../../errors.ts'
import type { AppraisalInput } from '../appraised.ts'
import { isZero } from '../byte-reader.ts'
import { type Certificate, latin1 } from '../x509/certificate.ts'
import { verifyMessage } from '../x509/chain.ts'
import type { ListProof } from './list-proof.ts'
import type { PckProof } from './pck-proof.ts'
import type { UnverifiedTdxQuote } from './quote.ts'
import { evaluateTcb, type TcbEvaluation, verifyModule, verifyQe } from './tcb-level.ts'
import type { TdxChecks } from './tdx-checks.ts'

const UNCOMPRESSED = Uint8Array.of(4)
const DIGEST_BYTES = 32

/** Byte 0 of the attributes: anything in it lets the host look into the domain. */
const DEBUG_BYTE = 0
/**
 * Attributes whose meaning is known, by byte: LASS, SEPT_VE_DISABLE, MIGRATABLE, PKS, KL in byte 3, PERFMON in byte 7. What
 * the others may come to mean is not known. @spec Intel TDX Module Architecture Specification, TD attributes
 */
const KNOWN_ATTRIBUTES: readonly number[] = [0xff, 0, 0, 0xf8, 0, 0, 0, 0x80]

/** Proves what it can of the quote; the graded platform when that was reached. */
export function proveQuote(
  checks: TdxChecks,
  quote: UnverifiedTdxQuote | undefined,
  { pck, platform }: PckProof,
  { tcbInfo, qeIdentity }: ListProof,
  input: AppraisalInput,
): TcbEvaluation | undefined {
  if (quote === undefined) return undefined
  const { report, qeReport } = quote
  proveSignatures(checks, quote, pck, input)
  if (qeIdentity !== undefined && checks.passed('qe-report-signature')) {
    checks.attempt('qe-identity-match', () => verifyQe(qeReport, qeIdentity))
  }
  if (platform !== undefined && tcbInfo !== undefined) {
    checks.attempt('platform-match', () => requireSamePce(platform.pceId, tcbInfo.pceId))
  }
  if (!checks.passed('quote-signature')) return undefined
  checks.attempt('debug', () => requireNoDebug(report.tdAttributes))
  checks.attempt('td-attributes', () => requireKnownAttributes(report.tdAttributes))
  if (tcbInfo === undefined || !checks.passed('platform-match')) return undefined
  checks.attempt('tdx-module', () => verifyModule(report, tcbInfo))
  if (platform === undefined || qeIdentity === undefined || !checks.passed('tdx-module', 'qe-identity-match')) {
    return undefined
  }
  const question = { report, qeReport, pck: platform, tcbInfo, qeIdentity }
  const tcb = checks.attempt('tcb-level', () => evaluateTcb(question))
  if (tcb !== undefined) checks.attempt('tcb-not-revoked', () => requireNotRevokedTcb(tcb))
  return tcb
}

function proveSignatures(
  checks: TdxChecks,
  quote: UnverifiedTdxQuote,
  pck: Certificate | undefined,
  input: AppraisalInput,
): void {
  const { crypto } = input
  const { signed, signature, attestationKey } = quote
  if (pck === undefined) return
  checks.attempt('qe-report-signature', () => proveQeReport(quote, pck, input))
  if (!checks.passed('qe-report-signature')) return
  checks.attempt('qe-report-binding', () => requireBound(quote, input))
  if (!checks.passed('qe-report-binding')) return
  checks.attempt('quote-signature', () => {
    const point = concat(UNCOMPRESSED, attestationKey)
    verifyMessage(crypto, { kind: 'p256', point }, 'sha256', signed, signature)
  })
}

/** A quoting enclave reports once for an attestation key that it then signs many quotes with. */
function proveQeReport(quote: UnverifiedTdxQuote, pck: Certificate, { crypto, memory }: AppraisalInput): void {
  const { qeReport, qeReportSignature } = quote
  const prove = () => {
    verifyMessage(crypto, pck.publicKey, 'sha256', qeReport.bytes, qeReportSignature)
    return true
  }
  if (memory === undefined) prove()
  else memory.recall('tdx/qe-report', latin1(concat(qeReport.bytes, qeReportSignature, pck.spki)), prove)
}

function requireBound({ qeReport, attestationKey, qeAuthData }: UnverifiedTdxQuote, { crypto }: AppraisalInput): void {
  const { reportData } = qeReport
  const isBound =
    equalBytes(reportData.subarray(0, DIGEST_BYTES), crypto.sha256(attestationKey, qeAuthData)) &&
    isZero(reportData.subarray(DIGEST_BYTES))
  if (isBound) return
  throw new CountersignError('evidence/mismatch', 'the quoting enclave reports another attestation key')
}

function requireSamePce(platform: string, listed: string): void {
  if (platform === listed) return
  throw new CountersignError(
    'evidence/mismatch',
    `the platform has PCE ${platform}, the TCB information is for ${listed}`,
  )
}

function requireNoDebug(attributes: Uint8Array): void {
  if (attributes[DEBUG_BYTE] === 0) return
  throw new CountersignError('evidence/refused', 'the host can debug the trust domain, and so read and change it')
}

function requireKnownAttributes(attributes: Uint8Array): void {
  if (attributes.every((byte, i) => (byte & ~(KNOWN_ATTRIBUTES[i] ?? 0)) === 0)) return
  throw new CountersignError('evidence/unsupported', 'the trust domain has attributes whose meaning is not known')
}

function requireNotRevokedTcb({ status }: TcbEvaluation): void {
  if (status !== 'Revoked') return
  throw new CountersignError('certificate/revoked', 'Intel has revoked the TCB level of the platform')
}
