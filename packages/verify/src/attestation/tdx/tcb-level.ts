/**
 * Grades a platform: which of Intel's TCB levels it reaches, with its TDX module and its quoting enclave, and what that makes
 * of it as a whole.
 *
 * @spec Intel PCS API v4, "Get TDX TCB Info" (how to evaluate); Intel SGX TDX DCAP Quote Verification Library,
 *   `checkTcbLevel`, `checkForRelaunch`
 */
import { equalBytes, toHex } from '../../bytes/bytes.ts'
import { CountersignError } from '../../errors.ts'
import type { ComponentLevel, ComponentStatus, PlatformStatus } from './intel-json.ts'
import type { PckPlatform } from './pck-extension.ts'
import type { QeIdentity } from './qe-identity.ts'
import type { QeReport, TdReport } from './quote.ts'
import type { ModuleIdentity, PlatformLevel, TcbInfo, VersionedModule } from './tcb-info.ts'

/** States of a platform as a whole. The last two are of domains that were started before their module was brought up to date. */
export type TcbStatus = PlatformStatus | 'TDRelaunchAdvised' | 'TDRelaunchAdvisedConfigurationNeeded'

/** What was reached. */
export interface TcbEvaluation {
  readonly status: TcbStatus
  readonly platform: PlatformLevel
  readonly qe: ComponentLevel
  /** `undefined` for modules of major version 0, whose SVN is among those of the platform. */
  readonly module: ComponentLevel | undefined
  /** Of all levels that were reached, sorted. */
  readonly advisories: readonly string[]
  /** The oldest date of those levels: the platform has everything that was known by then. */
  readonly dateMs: number
}

/** What is graded, and by what. */
export interface TcbQuestion {
  readonly report: TdReport
  readonly qeReport: QeReport
  readonly pck: PckPlatform
  readonly tcbInfo: TcbInfo
  readonly qeIdentity: QeIdentity
}

const MODULE_MINOR = 0
const MODULE_MAJOR = 1
const FIRST_BEYOND_MODULE = 2
const HARMLESS: readonly TcbStatus[] = [
  ...(['UpToDate', 'SWHardeningNeeded', 'ConfigurationNeeded', 'ConfigurationAndSWHardeningNeeded'] as const),
]

/**
 * Proves that the TDX module is one that the TCB information names: signed by whom it says, with the attributes that it says,
 * and none of those that it leaves open.
 *
 * @throws {CountersignError} `evidence/mismatch`
 */
export function verifyModule(report: TdReport, tcbInfo: TcbInfo): VersionedModule | undefined {
  const versioned = versionedModule(report.teeTcbSvn, tcbInfo)
  const module: ModuleIdentity = versioned ?? tcbInfo.module
  if (!equalBytes(report.mrSignerSeam, module.mrSigner)) {
    throw mismatch(`the TDX module was signed by ${toHex(report.mrSignerSeam)}, not by ${toHex(module.mrSigner)}`)
  }
  const found = report.seamAttributes
  // Attributes that the mask leaves open would be of unknown meaning; Intel asks for zeros as well.
  if (!equalBytes(found, masked(module.attributes, module.attributesMask))) {
    throw mismatch(`the TDX module has attributes ${toHex(found)}`)
  }
  return versioned
}

/**
 * Proves that the quoting enclave is the one of the identity: signer, product, and what its masks look at.
 *
 * @throws {CountersignError} `evidence/mismatch`
 */
export function verifyQe(qe: QeReport, identity: QeIdentity): void {
  if (!equalBytes(qe.mrSigner, identity.mrSigner)) {
    throw mismatch(
      `the quoting enclave was signed by ${toHex(qe.mrSigner)}, not by Intel's ${toHex(identity.mrSigner)}`,
    )
  }
  if (qe.isvProdId !== identity.isvProdId) throw mismatch(`the quoting enclave is product ${qe.isvProdId}`)
  requireMasked('MISCSELECT', qe.miscSelect, identity.miscSelect, identity.miscSelectMask)
  requireMasked('attributes', qe.attributes, identity.attributes, identity.attributesMask)
}

/**
 * Grades the platform.
 *
 * @throws {CountersignError} `evidence/mismatch` when it is below every level, or its module is not named
 */
export function evaluateTcb(question: TcbQuestion): TcbEvaluation {
  const { report, qeReport, pck, tcbInfo, qeIdentity } = question
  const platform = tcbInfo.levels.find((level) => reachesSgx(pck, level) && reachesTdx(report.teeTcbSvn, level))
  if (platform === undefined) {
    throw mismatch(`the platform is below every TCB level: ${describe(pck)}, TDX ${toHex(report.teeTcbSvn)}`)
  }
  const versioned = versionedModule(report.teeTcbSvn, tcbInfo)
  const module =
    versioned === undefined ? undefined : reached(versioned.levels, svnAt(report.teeTcbSvn, MODULE_MINOR), 'TDX module')
  const qe = reached(qeIdentity.levels, qeReport.isvSvn, 'quoting enclave')
  const withModule = converge(platform.status, module?.status)
  const relaunched = qe.status === 'UpToDate' ? relaunch(question, withModule, module?.status) : withModule
  const levels = [platform, qe, ...(module === undefined ? [] : [module])]
  return {
    status: converge(relaunched, qe.status),
    ...{ platform, qe, module },
    advisories: [...new Set(levels.flatMap(({ advisories }) => advisories))].sort(),
    dateMs: Math.min(...levels.map(({ dateMs }) => dateMs)),
  }
}

/** The module by its major version; `undefined` for major version 0, which TCB information has no such entry for. */
function versionedModule(teeTcbSvn: Uint8Array, { modules }: TcbInfo): VersionedModule | undefined {
  const major = svnAt(teeTcbSvn, MODULE_MAJOR)
  if (major === 0) return undefined
  const found = modules.find(({ majorVersion }) => majorVersion === major)
  if (found === undefined) throw mismatch(`the TCB information names no TDX module of major version ${major}`)
  return found
}

function reachesSgx({ pceSvn, components }: PckPlatform, level: PlatformLevel): boolean {
  return pceSvn >= level.pceSvn && level.sgxComponents.every((svn, i) => (components[i] ?? 0) >= svn)
}

/** With a major version of its own, the module is graded by its identity: its two SVNs are not those of the level. */
function reachesTdx(teeTcbSvn: Uint8Array, level: PlatformLevel): boolean {
  const first = svnAt(teeTcbSvn, MODULE_MAJOR) > 0 ? FIRST_BEYOND_MODULE : 0
  return level.tdxComponents.every((svn, i) => i < first || svnAt(teeTcbSvn, i) >= svn)
}

function reached(levels: readonly ComponentLevel[], svn: number, what: string): ComponentLevel {
  const level = levels.find(({ isvSvn }) => svn >= isvSvn)
  if (level === undefined) throw mismatch(`the ${what}, of SVN ${svn}, is below every level that Intel lists`)
  return level
}

/** The state of the platform with that of a part of it. */
function converge(platform: TcbStatus, part: ComponentStatus | undefined): TcbStatus {
  if (part === 'Revoked') return 'Revoked'
  if (part !== 'OutOfDate') return platform
  if (platform === 'UpToDate' || platform === 'SWHardeningNeeded') return 'OutOfDate'
  return platform === 'ConfigurationNeeded' || platform === 'ConfigurationAndSWHardeningNeeded'
    ? 'OutOfDateConfigurationNeeded'
    : platform
}

/**
 * A domain that was started under an old module, where the module that runs now is the latest: it is the domain that has to
 * be started again, not the platform to be updated. Only reports of TD 1.5 say which module runs now.
 */
function relaunch(question: TcbQuestion, status: TcbStatus, module: ComponentStatus | undefined): TcbStatus {
  const { report, pck, tcbInfo } = question
  const isOutOfDate = status === 'OutOfDate' || status === 'OutOfDateConfigurationNeeded'
  if (report.td15 === undefined || module !== 'OutOfDate' || !isOutOfDate) return status
  const sgx = tcbInfo.levels.find((level) => reachesSgx(pck, level))?.status
  const [latest] = tcbInfo.levels
  if (sgx === undefined || latest === undefined || !HARMLESS.includes(sgx)) return status
  const now = report.td15.teeTcbSvn2
  const latestMinor = versionedModule(now, tcbInfo)?.levels[0]?.isvSvn ?? latest.tdxComponents[MODULE_MINOR] ?? 0
  const isLatest =
    svnAt(now, MODULE_MINOR) >= latestMinor &&
    svnAt(now, FIRST_BEYOND_MODULE) >= (latest.tdxComponents[FIRST_BEYOND_MODULE] ?? 0)
  if (!isLatest) return status
  const isConfigurationNeeded = [sgx, status].some(
    (each) => each.startsWith('Configuration') || each.endsWith('ConfigurationNeeded'),
  )
  return isConfigurationNeeded ? 'TDRelaunchAdvisedConfigurationNeeded' : 'TDRelaunchAdvised'
}

function requireMasked(what: string, found: Uint8Array, wanted: Uint8Array, mask: Uint8Array): void {
  if (equalBytes(masked(found, mask), masked(wanted, mask))) return
  throw mismatch(`the quoting enclave has ${what} ${toHex(found)}`)
}

function masked(bytes: Uint8Array, mask: Uint8Array): Uint8Array {
  return bytes.map((byte, i) => byte & (mask[i] ?? 0))
}

function svnAt(svns: Uint8Array, index: number): number {
  return svns[index] ?? 0
}

function describe({ components, pceSvn }: PckPlatform): string {
  return `SGX ${toHex(Uint8Array.from(components))}, PCE ${pceSvn}`
}

function mismatch(why: string): CountersignError {
  return new CountersignError('evidence/mismatch', why)
}
