/**
 * Appraises reports of AMD SEV-SNP. All 1,184 bytes of a report are signed, the signature, or zero; what follows is ignored,
 * and noted. @spec spec/attestation.md, "sev-snp"
 */
import { equalBytes, toHex } from '../../bytes/bytes.ts'
import { CountersignError } from '../../errors.ts'
import type { AppraisalInput, Appraised } from '../appraised.ts'
import { EvidenceChecks } from '../checks.ts'
import type { EvidenceItem } from '../evidence-file.ts'
import { tierOf } from '../trust-tier.ts'
import { type Certificate, namesInChain } from '../x509/certificate.ts'
import { chainCurrentUntilMs, verifyMessage } from '../x509/chain.ts'
import { checkSnpPolicy, type ProvenReport, type ReportTcb, SEV_SNP_POLICY_CHECKS } from './policy-checks.ts'
import { parseSnpReport, type SnpReport } from './report.ts'
import { claimsOf } from './report-claims.ts'
import {
  type AcceptedKey,
  chainsOf,
  issuerNames,
  leavesOf,
  listsOf,
  readCertificates,
  type SigningChain,
  verifyNotRevoked,
  verifySigningChain,
} from './signing-chain.ts'
import { parseTcbVersion } from './tcb-version.ts'
import { type KeyExtensions, parseKeyExtensions } from './vcek-extension.ts'

/** Every check of the kind, in the order in which they are listed. */
export const SEV_SNP_CHECKS = [
  'format',
  'signing-key',
  'product',
  'chain',
  'revocation',
  'certificate-tcb',
  'chip-id',
  'report-signature',
  'debug',
  ...SEV_SNP_POLICY_CHECKS,
] as const
export type SnpCheck = (typeof SEV_SNP_CHECKS)[number]

/** All of these have to pass. A chip that is not named and a revocation that nobody looked up leave evidence genuine. */
const GENUINE = [
  'format',
  'signing-key',
  'product',
  'chain',
  'certificate-tcb',
  'report-signature',
  'debug',
] as const satisfies readonly SnpCheck[]

type Checks = EvidenceChecks<SnpCheck>

/** What is known of the key that signed, before anything about it is proven. */
interface Signer {
  readonly report: SnpReport
  readonly key: AcceptedKey
  readonly leaf: Certificate
  readonly extensions: KeyExtensions
  readonly tcb: ReportTcb
  /** All of the bundle, among which its issuers are. */
  readonly certificates: readonly Certificate[]
}

/** What a reader should know; a weakness lowers the tier. */
interface Remarks {
  readonly notes: string[]
  readonly weaknesses: string[]
}

/** Appraises one report. Takes certificates and revocation lists from the collateral. */
export function appraiseSevSnp(item: EvidenceItem, input: AppraisalInput): Appraised {
  const list: Checks = new EvidenceChecks('sev-snp', SEV_SNP_CHECKS)
  const remarks: Remarks = { notes: [], weaknesses: [] }
  const report = list.attempt('format', () => parseSnpReport(item.content))
  if (report !== undefined && report.trailingBytes > 0) {
    remarks.notes.push(`${report.trailingBytes} unsigned bytes after the report were ignored.`)
  }
  const signer = report && findSigner(list, report, input, remarks)
  const signing = signer && checkSigner(list, signer, input, remarks)
  const proven = signer !== undefined && list.passed('report-signature') ? signer : undefined
  if (proven !== undefined) list.attempt('debug', () => requireNoDebug(proven.report))
  const isNamed = decidePolicy(list, proven, input)
  if (proven !== undefined) remarkOn(proven, input, remarks)
  const checks = list.list()
  const isFailed = (name: SnpCheck) => checks[SEV_SNP_CHECKS.indexOf(name)]?.result === 'fail'
  const isGenuine = list.passed(...GENUINE) && !isFailed('chip-id') && !isFailed('revocation')
  const isKnownCode = isGenuine && isNamed
  return {
    kind: 'sev-snp',
    checks,
    isGenuine,
    isKnownCode,
    measurements: proven ? measurementsOf(proven.report) : {},
    boundData: proven?.report.reportData,
    deviceIds: list.passed('chip-id') && proven ? [toHex(proven.report.chipId)] : [],
    certificates: proven && signing ? namesInChain(signing.chain) : [],
    madeAtMs: undefined,
    currentUntilMs: proven && signing?.untilMs,
    answersNonce: false,
    tier: tierOf(checks, isKnownCode, remarks.weaknesses.length > 0),
    claims: proven ? claimsOf(proven.report, proven.tcb, proven.extensions) : {},
    notes: [...remarks.notes, ...remarks.weaknesses],
  }
}

/** Finds the certificate of the key; what can be said without proving it. */
function findSigner(list: Checks, report: SnpReport, input: AppraisalInput, remarks: Remarks): Signer | undefined {
  const key = list.attempt('signing-key', () => requireKey(report))
  if (key === undefined) return undefined
  const { certificates, unreadable } = readCertificates(input)
  if (unreadable > 0) remarks.notes.push(`${unreadable} certificates of the collateral cannot be read.`)
  const leaf = chooseLeaf(leavesOf(certificates, key), report)
  if (leaf === undefined) {
    list.notChecked('product', `the collateral has no certificate of the ${key.toUpperCase()} that signed`)
    return undefined
  }
  const found = list.attempt('product', () => {
    const extensions = parseKeyExtensions(leaf)
    requireProduct(report, extensions)
    return { extensions, tcb: readTcb(report, extensions) }
  })
  return found && { report, key, leaf, certificates, ...found }
}

/** Proves chain and report; the chain, and until when what they rest on is current. */
function checkSigner(
  list: Checks,
  signer: Signer,
  input: AppraisalInput,
  remarks: Remarks,
): { readonly chain: SigningChain; readonly untilMs: number } | undefined {
  const chain = checkChain(list, signer, input)
  if (chain === undefined) return undefined
  const { report, key, leaf, extensions } = signer
  const listsUntilMs = checkRevocation(list, chain, input, remarks)
  list.attempt('certificate-tcb', () => requireCertifiedTcb(report, extensions))
  checkChip(list, report, extensions)
  list.attempt('report-signature', () =>
    verifyMessage(input.crypto, leaf.publicKey, 'sha384', report.signed, report.signature),
  )
  if (key === 'vlek') {
    remarks.notes.push(
      `The report is signed with a VLEK of ${extensions.cloudId}: such a key is the cloud's, lives for a year, and names no chip.`,
    )
  }
  return { chain, untilMs: Math.min(chainCurrentUntilMs(chain), listsUntilMs ?? Number.MAX_SAFE_INTEGER) }
}

function checkChain(list: Checks, signer: Signer, input: AppraisalInput): SigningChain | undefined {
  const { key, leaf, extensions, certificates } = signer
  const chains = chainsOf(leaf, certificates)
  if (chains.length > 0) {
    return list.attempt('chain', () => verifySigningChain(input, chains, key, extensions.product))
  }
  list.notChecked('chain', `the collateral lacks a certificate of ${issuerNames(key, extensions.product).join(' or ')}`)
  return undefined
}

function checkRevocation(
  list: Checks,
  chain: SigningChain,
  input: AppraisalInput,
  remarks: Remarks,
): number | undefined {
  const { lists, hasUnreadable } = listsOf(chain[2], input)
  if (lists.length > 0) return list.attempt('revocation', () => verifyNotRevoked(input, chain, lists))
  if (hasUnreadable) {
    list.attempt('revocation', () => {
      throw new CountersignError(
        'certificate/malformed',
        'a revocation list cannot be read, and no other is of the root',
      )
    })
    return undefined
  }
  const missing = "the collateral has no revocation list of AMD's root"
  if (input.policy?.forbid.includes('unchecked-revocation')) {
    list.attempt('revocation', () => {
      throw new CountersignError('collateral/missing', missing)
    })
    return undefined
  }
  list.notChecked('revocation', missing)
  remarks.weaknesses.push(`Whether AMD revoked an intermediate was not checked: ${missing}.`)
  return undefined
}

function checkChip(list: Checks, report: SnpReport, { hardwareId }: KeyExtensions): void {
  if (hardwareId === undefined) list.notChecked('chip-id', 'a VLEK names no chip')
  else if (report.chipId.every((byte) => byte === 0))
    list.notChecked('chip-id', 'the host masks the chip in the report')
  else list.attempt('chip-id', () => requireChip(report, hardwareId))
}

function decidePolicy(list: Checks, proven: ProvenReport | undefined, { policy }: AppraisalInput): boolean {
  if (proven !== undefined && policy !== undefined) return checkSnpPolicy<SnpCheck>(list, proven, policy)
  if (policy === undefined) for (const name of SEV_SNP_POLICY_CHECKS) list.notChecked(name, 'no policy was given')
  return false
}

function requireKey({ signingKey }: SnpReport): AcceptedKey {
  if (signingKey === 'vcek' || signingKey === 'vlek') return signingKey
  const what = signingKey === 'none' ? 'with no key' : 'with a key of a reserved kind'
  throw new CountersignError('evidence/unsupported', `the report says that it is signed ${what}`)
}

/** The certificate that fits the report best: a bundle may hold those of many chips, and of one chip with many firmwares. */
function chooseLeaf(leaves: readonly Certificate[], report: SnpReport): Certificate | undefined {
  const fits = (leaf: Certificate) => {
    try {
      const { tcb, hardwareId } = parseKeyExtensions(leaf)
      return (isChip(report, hardwareId) ? 2 : 0) + (equalBytes(tcb, report.reportedTcb) ? 1 : 0)
    } catch (thrown) {
      if (!(thrown instanceof CountersignError)) throw thrown
      return -1
    }
  }
  return leaves.reduce<Certificate | undefined>(
    (best, leaf) => (best === undefined || fits(leaf) > fits(best) ? leaf : best),
    undefined,
  )
}

function requireProduct({ product }: SnpReport, extensions: KeyExtensions): void {
  if (product === undefined || product === extensions.product) return
  throw new CountersignError(
    'evidence/mismatch',
    `the report is of a processor of ${product}, and the certificate of its key of ${extensions.productName}`,
  )
}

function readTcb(report: SnpReport, { product }: KeyExtensions): ReportTcb {
  return {
    current: parseTcbVersion(report.currentTcb, product),
    reported: parseTcbVersion(report.reportedTcb, product),
    committed: parseTcbVersion(report.committedTcb, product),
    launch: parseTcbVersion(report.launchTcb, product),
  }
}

/** A key is derived from the firmware that it is for: one of newer firmware says nothing about a report of older. */
function requireCertifiedTcb({ reportedTcb }: SnpReport, { tcb }: KeyExtensions): void {
  if (equalBytes(tcb, reportedTcb)) return
  throw new CountersignError(
    'evidence/mismatch',
    `the certificate is for the TCB ${toHex(tcb)}, and the report of ${toHex(reportedTcb)}`,
  )
}

function requireChip(report: SnpReport, hardwareId: Uint8Array): void {
  if (isChip(report, hardwareId)) return
  throw new CountersignError(
    'evidence/mismatch',
    `the certificate is of the chip ${toHex(hardwareId)}, and the report of ${toHex(report.chipId)}`,
  )
}

/** Turin has shorter names of chips, and zeros after them in reports. */
function isChip({ chipId }: SnpReport, hardwareId: Uint8Array | undefined): boolean {
  if (hardwareId === undefined) return false
  const padded = new Uint8Array(chipId.length)
  padded.set(hardwareId)
  return equalBytes(padded, chipId)
}

function requireNoDebug({ policy }: SnpReport): void {
  if (!policy.allowsDebug) return
  throw new CountersignError(
    'evidence/refused',
    'the policy of the guest lets the host debug it: nothing in it is private',
  )
}

function remarkOn({ report }: ProvenReport, { policy }: AppraisalInput, { weaknesses }: Remarks): void {
  if (!report.platform.isAliasCheckComplete) {
    weaknesses.push('The firmware has not reported its check for addresses that are one place in memory.')
  }
  if (policy?.allow.includes('migration') && report.policy.allowsMigrationAgent) {
    weaknesses.push('A migration agent may move the guest; the policy allows it.')
  }
  if (policy !== undefined && report.vmpl !== 0) {
    weaknesses.push(`The report was asked for at privilege level ${report.vmpl}.`)
  }
}

/** What a report says was measured. */
export function measurementsOf({ measurement, hostData }: SnpReport): Appraised['measurements'] {
  return { measurement: toHex(measurement), hostdata: toHex(hostData) }
}
