/**
 * Appraises a TDX quote with Intel's collateral, check by check: see `spec/evidence.md` for what each means. Checks that fail
 * do not stop others; what rests on a failed one is not reached.
 *
 * Who controls the hardware physically can forge all of this: see `physicalTrust` of an appraisal.
 */
import { toHex } from '../../bytes/bytes.ts'
import type { Json } from '../../bytes/json.ts'
import type { AppraisalInput, Appraised } from '../appraised.ts'
import { type EventLogReading, verifyEventLog } from '../event-log/event-log.ts'
import type { EvidenceItem } from '../evidence-file.ts'
import type { PlacePolicy } from '../place-policy.ts'
import { VENDOR_ROOTS } from '../roots.ts'
import { tierOf } from '../trust-tier.ts'
import { namesInChain } from '../x509/certificate.ts'
import { readIntelCollateral } from './intel-collateral.ts'
import { proveLists } from './list-proof.ts'
import { type PckProof, provePck } from './pck-proof.ts'
import { parseTdxQuote, type UnverifiedTdxQuote } from './quote.ts'
import { proveQuote } from './quote-proof.ts'
import type { TcbEvaluation } from './tcb-level.ts'
import { checkPolicy, isMigratable, isSeptVeDisabled, type ProvenDomain } from './td-policy.ts'
import { startTdxChecks, TDX_GENUINE_CHECKS, TDX_POLICY_CHECKS, type TdxChecks } from './tdx-checks.ts'

/** What must have passed for the report to be a platform's word, through the quoting enclave that Intel names. */
const SIGNED_CHECKS = ['pck-chain', 'quote-signature', 'qe-identity-match'] as const

/** Firmware, kernel, and what the kernel was given. Everything else that is measured is their word. */
const BOOTED = ['mrtd', 'rtmr1', 'rtmr2'] as const

/**
 * Appraises one quote.
 *
 * Shows that a trust domain with these measurements ran on a processor of Intel's whose state is known, and had the hardware
 * sign its report data. Does not show when: the report has no time and no challenge of its own; who binds a key in its report
 * data binds a challenge there too.
 */
export function appraiseTdx(item: EvidenceItem, input: AppraisalInput): Appraised {
  const checks = startTdxChecks()
  const roots = input.roots?.intel ?? VENDOR_ROOTS.intel
  const collateral = readIntelCollateral(input.collateral, input.memory)
  const quote = checks.attempt('format', () => parseTdxQuote(item.content))
  const pck = provePck(checks, quote, collateral, roots, input)
  const lists = proveLists(checks, collateral, pck, roots, input)
  const tcb = proveQuote(checks, quote, pck, lists, input)
  const log = quote && checkEventLog(checks, item, quote, input)
  const isSigned = quote !== undefined && checks.passed(...SIGNED_CHECKS)
  const domain = isSigned ? { report: quote.report, tcb, lists, measurements: measurementsOf(quote, log) } : undefined
  const policy = input.policy?.tee === 'tdx' ? input.policy : undefined
  checkPolicy(checks, policy, domain)
  const isGenuine = checks.passed(...TDX_GENUINE_CHECKS)
  const isKnownCode = isGenuine && policy !== undefined && domain !== undefined && meetsPolicy(checks)
  const weaknesses = domain === undefined ? [] : weaknessesOf(domain, policy)
  return {
    kind: 'tdx',
    checks: checks.list(),
    ...{ isGenuine, isKnownCode },
    measurements: domain?.measurements ?? {},
    boundData: domain?.report.reportData,
    deviceIds: isSigned ? deviceIdsOf(pck) : [],
    certificates: isSigned ? namesInChain(pck.chain ?? []) : [],
    madeAtMs: undefined,
    currentUntilMs: isGenuine ? Math.min(pck.currentUntilMs, lists.currentUntilMs) : undefined,
    answersNonce: false,
    tier: tierOf(checks.list(), isKnownCode, weaknesses.length > 0),
    claims: isSigned ? claimsOf(quote, domain, pck) : {},
    notes: [...(quote === undefined ? [] : notesOf(quote, log)), ...weaknesses],
  }
}

function checkEventLog(
  checks: TdxChecks,
  { eventLog }: EvidenceItem,
  { report }: UnverifiedTdxQuote,
  { crypto }: AppraisalInput,
): EventLogReading | undefined {
  if (eventLog !== undefined) {
    return checks.attempt('event-log', () => verifyEventLog(crypto, eventLog, report.rtmrs, report.mrConfigId))
  }
  checks.notChecked('event-log', 'no event log came with the quote')
  return undefined
}

/** A service domain that cannot be told, and an event log that did not come, are no breach of what a policy asks for. */
function meetsPolicy(checks: TdxChecks): boolean {
  const failed = checks
    .list()
    .filter(({ result }) => result === 'fail')
    .map(({ name }) => name)
  const asked = TDX_POLICY_CHECKS.filter((name) => name !== 'service-td')
  return checks.passed(...asked) && !failed.includes('tdx/service-td') && !failed.includes('tdx/event-log')
}

/** What a quote says was measured; with an event log that replays, what its events say. */
export function measurementsOf({ report }: Pick<UnverifiedTdxQuote, 'report'>, log: EventLogReading | undefined) {
  const [rtmr0, rtmr1, rtmr2, rtmr3] = report.rtmrs
  return {
    mrtd: toHex(report.mrTd),
    ...{ rtmr0: toHex(rtmr0), rtmr1: toHex(rtmr1), rtmr2: toHex(rtmr2), rtmr3: toHex(rtmr3) },
    mrconfigid: toHex(report.mrConfigId),
    mrowner: toHex(report.mrOwner),
    mrownerconfig: toHex(report.mrOwnerConfig),
    mrseam: toHex(report.mrSeam),
    mrsignerseam: toHex(report.mrSignerSeam),
    ...(report.td15 === undefined ? {} : { mrservicetd: toHex(report.td15.mrServiceTd) }),
    ...Object.fromEntries(log?.values ?? []),
  }
}

/** The processor, or the platform as it was registered, as far as the certificate tells one of them. */
function deviceIdsOf({ platform }: PckProof): readonly string[] {
  const id = platform?.ppid ?? platform?.platformInstanceId
  return id === undefined ? [] : [id]
}

function weaknessesOf({ report, tcb }: ProvenDomain, policy: PlacePolicy | undefined): readonly string[] {
  const weaknesses: string[] = []
  if (tcb !== undefined && tcb.status !== 'UpToDate') weaknesses.push(`The platform is ${tcb.status}.`)
  if (tcb !== undefined && tcb.advisories.length > 0) {
    weaknesses.push(`Intel's advisories that apply: ${tcb.advisories.join(', ')}.`)
  }
  if (!isSeptVeDisabled(report)) {
    const preset = policy?.preset === undefined ? '' : `, as preset ${policy.preset} allows`
    weaknesses.push(`SEPT_VE_DISABLE is off${preset}.`)
  }
  if (isMigratable(report)) weaknesses.push('The trust domain may be moved to another machine.')
  const unnamed = BOOTED.filter((register) => policy?.measurements[register] === undefined)
  if (policy !== undefined && unnamed.length > 0) {
    weaknesses.push(`The policy leaves open what was booted: it does not name ${unnamed.join(', ')}.`)
  }
  return weaknesses
}

function notesOf({ trailing }: UnverifiedTdxQuote, log: EventLogReading | undefined): readonly string[] {
  const notes: string[] = []
  if (trailing.length > 0) {
    notes.push(
      `${trailing.length} bytes follow the signature of the quote; nobody signed them, and they were not looked at.`,
    )
  }
  if (log !== undefined && log.registers.length < 4) {
    const names = log.registers.map((register) => `RTMR${register}`)
    notes.push(`The event log has events of ${names.join(', ') || 'no register'} alone.`)
  }
  return notes
}

/** In the names of EAT where it has one, else with the prefix of the hardware. @spec RFC 9711 */
function claimsOf(
  { version, report, qeReport }: UnverifiedTdxQuote,
  domain: ProvenDomain | undefined,
  { platform }: PckProof,
): { readonly [name: string]: Json } {
  return {
    hwmodel: 'Intel TDX',
    dbgstat: report.tdAttributes[0] === 0 ? 'disabled-since-boot' : 'enabled',
    tdx_quote_version: version,
    tdx_report_version: report.td15 === undefined ? '1.0' : '1.5',
    tdx_td_attributes: toHex(report.tdAttributes),
    tdx_xfam: toHex(report.xfam),
    tdx_seam_attributes: toHex(report.seamAttributes),
    tdx_tee_tcb_svn: toHex(report.teeTcbSvn),
    ...(report.td15 === undefined ? {} : { tdx_tee_tcb_svn2: toHex(report.td15.teeTcbSvn2) }),
    tdx_report_data: toHex(report.reportData),
    tdx_qe_svn: qeReport.isvSvn,
    ...platformClaims(platform),
    ...tcbClaims(domain?.tcb),
  }
}

function platformClaims(platform: PckProof['platform']): { readonly [name: string]: Json } {
  if (platform === undefined) return {}
  const { fmspc, pceId, pceSvn, sgxType, ppid, platformInstanceId } = platform
  return {
    ...{ tdx_fmspc: fmspc, tdx_pce_id: pceId, tdx_pce_svn: pceSvn, tdx_platform_type: sgxType },
    ...(ppid === undefined ? {} : { tdx_ppid: ppid }),
    ...(platformInstanceId === undefined ? {} : { tdx_platform_instance_id: platformInstanceId }),
  }
}

function tcbClaims(tcb: TcbEvaluation | undefined): { readonly [name: string]: Json } {
  if (tcb === undefined) return {}
  return {
    tdx_tcb_status: tcb.status,
    tdx_tcb_date: new Date(tcb.dateMs).toISOString(),
    tdx_advisory_ids: tcb.advisories,
  }
}
