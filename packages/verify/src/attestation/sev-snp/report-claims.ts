/** What a report says, for people and programs, in EAT claim names where there are such. @spec RFC 9711 §4 */
import { toHex } from '../../bytes/bytes.ts'
import type { Json } from '../../bytes/json.ts'
import type { ReportTcb } from './policy-checks.ts'
import type { FirmwareVersion, SnpReport } from './report.ts'
import type { KeyExtensions } from './vcek-extension.ts'

/** Claims of a report whose signature was checked. */
export function claimsOf(
  report: SnpReport,
  tcb: ReportTcb,
  extensions: KeyExtensions,
): { readonly [name: string]: Json } {
  const { cloudId, productName } = extensions
  return {
    hwmodel: productName,
    // The policy is fixed when the guest is launched.
    dbgstat: report.policy.allowsDebug ? 'enabled' : 'disabled-since-boot',
    'report-version': report.version,
    'signing-key': report.signingKey,
    ...(cloudId === undefined ? {} : { 'csp-id': cloudId }),
    'guest-svn': report.guestSvn,
    'guest-policy': hexNumber(report.policy.bits),
    'platform-info': hexNumber(report.platform.bits),
    vmpl: report.vmpl,
    measurement: toHex(report.measurement),
    'host-data': toHex(report.hostData),
    'report-data': toHex(report.reportData),
    'family-id': toHex(report.familyId),
    'image-id': toHex(report.imageId),
    'id-key-digest': toHex(report.idKeyDigest),
    'author-key-digest': report.hasAuthorKey ? toHex(report.authorKeyDigest) : null,
    'report-id': toHex(report.reportId),
    'chip-id': toHex(report.chipId),
    'current-tcb': { ...tcb.current },
    'reported-tcb': { ...tcb.reported },
    'committed-tcb': { ...tcb.committed },
    'launch-tcb': { ...tcb.launch },
    'current-firmware': versionText(report.currentFirmware),
    'committed-firmware': versionText(report.committedFirmware),
  }
}

function hexNumber(value: bigint): string {
  return `0x${value.toString(16)}`
}

function versionText({ major, minor, build }: FirmwareVersion): string {
  return `${major}.${minor}.${build}`
}
