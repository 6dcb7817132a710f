/**
 * Appraises Azure's virtual TPM: the hardware vouches for a paravisor, the paravisor for the TPM's key, the key for the
 * registers that the guest was measured into and for the challenge.
 *
 * Nothing in this evidence is signed by Azure. Whoever has genuine hardware of any owner can run a program on it that answers
 * as a paravisor does, with a key of its own and registers at will; so the TPM counts only when the policy names the
 * paravisor by its measurement.
 *
 * The checks of the hardware stand in the list after `format`, with the names that they have there: `azure-vtpm/sev-snp/chain`.
 *
 * @spec spec/attestation.md, "azure-vtpm"
 */
import { equalBytes, toHex } from '../../bytes/bytes.ts'
import { CountersignError } from '../../errors.ts'
import type { AppraisalInput, Appraised } from '../appraised.ts'
import { isZero } from '../byte-reader.ts'
import { type EvidenceCheck, EvidenceChecks } from '../checks.ts'
import type { EvidenceItem } from '../evidence-file.ts'
import { parseSnpReport } from '../sev-snp/report.ts'
import { parseTdxQuote } from '../tdx/quote.ts'
import { tierOf } from '../trust-tier.ts'
import { type AzureEvidence, parseAzureEvidence } from './azure-evidence.ts'
import { appraiseHardware } from './hardware.ts'
import { type HclReport, parseHclReport } from './hcl-report.ts'
import { parseRuntimeData, type RuntimeData } from './runtime-data.ts'
import { verifySameReport } from './td-report.ts'
import { claimsOf } from './tpm-claims.ts'
import { AZURE_POLICY_CHECKS, checkPolicy } from './tpm-policy.ts'
import { parseTpmQuote, parseTpmSignature, type TpmQuote } from './tpm-quote.ts'

/**
 * Checks of the TPM, in their order. `privilege-level` is there on SEV-SNP alone, `td-report` on TDX; checks of the hardware come
 * after `format`.
 */
export const AZURE_CHECKS = [
  'format',
  'privilege-level',
  'td-report',
  'hcl-binding',
  'attestation-key',
  'tpm-quote',
  'tpm-signature',
  'pcr-digest',
  'nonce',
  ...AZURE_POLICY_CHECKS,
] as const
export type AzureCheck = (typeof AZURE_CHECKS)[number]

/** All that have to pass beside those of the hardware. */
const GENUINE = [
  'format',
  'hcl-binding',
  'attestation-key',
  'tpm-quote',
  'tpm-signature',
  'pcr-digest',
] as const satisfies readonly AzureCheck[]

/** The one check that each hardware has of its own. */
const OWN_CHECK = { 'sev-snp': 'privilege-level', tdx: 'td-report' } as const

type Checks = EvidenceChecks<AzureCheck>

interface Parts {
  readonly evidence: AzureEvidence
  readonly report: HclReport
}

/** What the TPM says, when its key signed it. */
interface Tpm {
  readonly data: RuntimeData
  readonly quote: TpmQuote
}

/** Appraises what one virtual TPM gave. */
export function appraiseAzureVtpm(item: EvidenceItem, input: AppraisalInput): Appraised {
  const list: Checks = new EvidenceChecks('azure-vtpm', AZURE_CHECKS)
  const parts = list.attempt('format', () => readParts(item.content))
  const hardware = parts && appraiseHardware(parts.report, parts.evidence.hardwareQuote, input)
  if (parts !== undefined) checkOwnReport(list, parts, hardware)
  const tpm = parts && checkTpm(list, parts, input)
  const isWhole = list.passed(...GENUINE) && parts !== undefined && list.passed(OWN_CHECK[parts.report.hardware])
  // The hardware's signature is on its report, and all the rest hangs on that.
  const isSigned = isWhole && hardware?.boundData !== undefined
  const isVouched = checkPolicy(
    list,
    input.policy,
    isSigned ? { hardware, values: parts?.evidence.quote.registers } : undefined,
  )
  const isGenuine = isSigned && hardware.isGenuine && (input.policy === undefined || list.passed('paravisor'))
  const isKnownCode = isGenuine && hardware.isKnownCode && isVouched
  const checks = joinChecks(list, parts?.report, hardware)
  const weaknesses = isSigned && tpm ? weaknessesOf(tpm, input) : []
  const notes = [...(hardware?.notes ?? []), ...weaknesses]
  return {
    kind: 'azure-vtpm',
    checks,
    isGenuine,
    isKnownCode,
    measurements: isSigned ? { ...hardware.measurements, ...registersOf(parts?.evidence) } : {},
    boundData: isSigned ? tpm?.quote.extraData : undefined,
    deviceIds: isSigned ? hardware.deviceIds : [],
    certificates: isSigned ? (hardware.certificates ?? []) : [],
    madeAtMs: undefined,
    currentUntilMs: isSigned ? hardware.currentUntilMs : undefined,
    answersNonce: isSigned && list.passed('nonce'),
    tier: tierOf(checks, isKnownCode, weaknesses.length > 0 || hardware?.tier === 'warning'),
    claims: isSigned && tpm ? claimsOf(tpm.data, tpm.quote, hardware) : {},
    notes,
  }
}

function readParts(content: Uint8Array): Parts {
  const evidence = parseAzureEvidence(content)
  const report = parseHclReport(evidence.hclReport)
  if (report.hardware !== 'tdx' && evidence.hardwareQuote !== undefined) {
    throw new CountersignError('evidence/malformed', `a quote of TDX beside a report of ${report.hardware}`)
  }
  return { evidence, report }
}

/**
 * On SEV-SNP the paravisor alone has the most privileged level: what a guest asks for below it binds what the guest says. On
 * TDX the quote alone is signed for others than the machine, so it has to say what the report in the TPM says.
 */
function checkOwnReport(list: Checks, { evidence, report }: Parts, appraised: Appraised | undefined): void {
  const { hardware, hardwareReport } = report
  const { hardwareQuote } = evidence
  if (hardware === 'tdx' && hardwareQuote === undefined) {
    list.notChecked('td-report', 'the quote of the trust domain did not come with it')
  }
  // What is not of its format has been refused by the checks of the hardware.
  if (appraised?.checks[0]?.result !== 'pass') return
  if (hardware === 'sev-snp') list.attempt('privilege-level', () => requireParavisorLevel(hardwareReport))
  else if (hardwareQuote !== undefined) {
    list.attempt('td-report', () => verifySameReport(hardwareReport, parseTdxQuote(hardwareQuote).report))
  }
}

function requireParavisorLevel(hardwareReport: Uint8Array): void {
  const { vmpl } = parseSnpReport(hardwareReport)
  if (vmpl === 0) return
  throw new CountersignError(
    'evidence/mismatch',
    `the report was asked for at privilege level ${vmpl}, not by a paravisor`,
  )
}

function checkTpm(list: Checks, { evidence, report }: Parts, input: AppraisalInput): Tpm | undefined {
  const { crypto, nonce } = input
  const { message, signature, registers } = evidence.quote
  list.attempt('hcl-binding', () => requireBound(report, crypto.sha256(report.runtimeData)))
  const data = list.attempt('attestation-key', () => parseRuntimeData(report.runtimeData))
  const quote = list.attempt('tpm-quote', () => parseTpmQuote(message))
  if (data === undefined || quote === undefined || !list.passed('hcl-binding')) return undefined
  list.attempt('tpm-signature', () => {
    const { attestationKey } = data
    const bare = parseTpmSignature(signature, attestationKey.modulus.length)
    const scheme = { padding: 'pkcs1-v1_5', hash: 'sha256' } as const
    if (crypto.rsaAccepts(attestationKey, scheme, message, bare)) return
    throw new CountersignError('signature/invalid', 'the quote is not signed by the key that the hardware binds')
  })
  if (!list.passed('tpm-signature')) return undefined
  list.attempt('pcr-digest', () => requireRegisters(quote, registers, (...values) => crypto.sha256(...values)))
  if (nonce === undefined) list.notChecked('nonce', 'no freshness: no challenge was given')
  else list.attempt('nonce', () => requireNonce(quote, nonce))
  return { data, quote }
}

const DIGEST_BYTES = 32

function requireBound({ reportData }: HclReport, digest: Uint8Array): void {
  const isBound = equalBytes(reportData.subarray(0, DIGEST_BYTES), digest) && isZero(reportData.subarray(DIGEST_BYTES))
  if (isBound) return
  throw new CountersignError('evidence/mismatch', "the hardware's report does not bind the runtime data")
}

function requireRegisters(
  { registers, registerDigest }: TpmQuote,
  values: ReadonlyMap<number, Uint8Array>,
  sha256: (...values: readonly Uint8Array[]) => Uint8Array,
): void {
  const quoted = registers.flatMap((register) => values.get(register) ?? [])
  if (quoted.length !== registers.length || values.size !== registers.length) {
    throw new CountersignError('evidence/mismatch', 'the values are not those of the registers that were quoted')
  }
  if (equalBytes(sha256(...quoted), registerDigest)) return
  throw new CountersignError('evidence/mismatch', 'the registers had other values when the TPM signed')
}

function requireNonce({ extraData }: TpmQuote, nonce: Uint8Array): void {
  if (equalBytes(extraData, nonce)) return
  throw new CountersignError('evidence/mismatch', `the quote answers another challenge: ${toHex(extraData)}`)
}

/** The hardware's checks under the name of this kind, after `format`. */
function joinChecks(
  list: Checks,
  report: HclReport | undefined,
  hardware: Appraised | undefined,
): readonly EvidenceCheck[] {
  const others = Object.entries(OWN_CHECK).flatMap(([hw, check]) =>
    hw === report?.hardware ? [] : `azure-vtpm/${check}`,
  )
  const own = list.list().filter(({ name }) => !others.includes(name))
  const nested = hardware?.checks.map((check) => ({ ...check, name: `azure-vtpm/${check.name}` })) ?? []
  return [...own.slice(0, 1), ...nested, ...own.slice(1)]
}

function registersOf(evidence: AzureEvidence | undefined): { readonly [register: string]: string } {
  const values = [...(evidence?.quote.registers ?? [])]
  return Object.fromEntries(values.map(([register, value]) => [`pcr${register}`, toHex(value)]))
}

/** The registers that a guest can reset while it runs. @spec TCG PC Client Platform TPM Profile, "PCR Attributes" */
const RESETTABLE = [16, 17, 18, 19, 20, 21, 22, 23] as const

function weaknessesOf({ data }: Tpm, { policy }: AppraisalInput): readonly string[] {
  const weaknesses: string[] = []
  if (data.hasSecureBoot === false) weaknesses.push('Secure boot is off: the registers alone say what was started.')
  const named = RESETTABLE.filter((register) => policy?.measurements[`pcr${register}`] !== undefined)
  if (named.length > 0) {
    weaknesses.push(
      `The policy names registers that the guest can reset: ${named.map((each) => `pcr${each}`).join(', ')}.`,
    )
  }
  return weaknesses
}
