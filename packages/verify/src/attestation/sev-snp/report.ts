/**
 * SEV-SNP attestation reports of versions 2 to 5: 1,184 bytes, of which the firmware signs the first 672. The rest is
 * the signature and bytes that must be zero, so that no byte of a report is open; what follows the report is unsigned.
 *
 * @spec AMD 56860 (SEV Secure Nested Paging Firmware ABI), "ATTESTATION_REPORT"
 */
import { concat, toHex } from '../../bytes/bytes.ts'
import { CountersignError } from '../../errors.ts'
import type { SnpProduct } from './tcb-version.ts'

export const REPORT_BYTES = 1184
export const SIGNED_BYTES = 0x2a0

/** Which key the report says it is signed with. */
export type SigningKey = 'vcek' | 'vlek' | 'none' | 'reserved'

export interface FirmwareVersion {
  readonly major: number
  readonly minor: number
  readonly build: number
}

/** What a report says. Nothing in it is checked beyond its form; TCB versions are read when the product is known. */
export interface SnpReport {
  readonly version: number
  readonly guestSvn: number
  /** What the guest's owner let the host do. */
  readonly policy: {
    readonly bits: bigint
    readonly allowsSmt: boolean
    readonly allowsMigrationAgent: boolean
    readonly allowsDebug: boolean
  }
  readonly familyId: Uint8Array
  readonly imageId: Uint8Array
  /** Privilege level that asked for the report: 0 to 3; {@link HOST_VMPL} when the host did. */
  readonly vmpl: number
  readonly platform: { readonly bits: bigint; readonly isSmtEnabled: boolean; readonly isAliasCheckComplete: boolean }
  readonly signingKey: SigningKey
  readonly hasAuthorKey: boolean
  readonly reportData: Uint8Array
  readonly measurement: Uint8Array
  readonly hostData: Uint8Array
  readonly idKeyDigest: Uint8Array
  readonly authorKeyDigest: Uint8Array
  readonly reportId: Uint8Array
  /** All ones when no migration agent is associated. */
  readonly migrationAgentId: Uint8Array
  /** From the processor's family and model; `undefined` before version 3. */
  readonly product: SnpProduct | undefined
  /** 64 bytes; all zero when the host masks it. */
  readonly chipId: Uint8Array
  readonly currentTcb: Uint8Array
  readonly reportedTcb: Uint8Array
  readonly committedTcb: Uint8Array
  readonly launchTcb: Uint8Array
  readonly currentFirmware: FirmwareVersion
  readonly committedFirmware: FirmwareVersion
  /** What the signature covers. */
  readonly signed: Uint8Array
  /** r ‖ s, big-endian, 96 bytes. */
  readonly signature: Uint8Array
  /** How many unsigned bytes follow the report. */
  readonly trailingBytes: number
}

const MIN_VERSION = 2
const MAX_VERSION = 5

export const HOST_VMPL = 0xffff_ffff
const MAX_VMPL = 3

const ECDSA_P384_SHA384 = 1
const SCALAR_BYTES = 48
const SCALAR_FIELD_BYTES = 72

const POLICY_SMT = 1n << 16n
const POLICY_RESERVED_ONE = 1n << 17n
const POLICY_MIGRATION_AGENT = 1n << 18n
const POLICY_DEBUG = 1n << 19n
const POLICY_KNOWN_BITS = 26n

const PLATFORM_SMT = 1n << 0n
const PLATFORM_ALIAS_CHECK = 1n << 5n
/** SMT, TSME, ECC, RAPL, hiding of ciphertext, alias check, safe writes of the IOMMU (Turin), trusted input and output. */
const PLATFORM_KNOWN = 0b1111_1111n

/** Bytes that must be zero in every version. Signed, but whatever stood there would not be known here. */
const ZERO_ALWAYS = [
  [0x4c, 0x50],
  [0x18b, 0x1a0],
  [0x1eb, 0x1ec],
  [0x1ef, 0x1f0],
  [0x208, SIGNED_BYTES],
  [SIGNED_BYTES + SCALAR_BYTES, SIGNED_BYTES + SCALAR_FIELD_BYTES],
  [SIGNED_BYTES + SCALAR_FIELD_BYTES + SCALAR_BYTES, REPORT_BYTES],
] as const

/** Those that a later version gave a meaning: processor identity from 3, vectors of mitigations from 5. Version 4 has the fields of 3. */
const ZERO_BEFORE = [
  { version: 3, from: 0x188, to: 0x18b },
  { version: 5, from: 0x1f8, to: 0x208 },
] as const

/**
 * Reads a report. Bytes after it are counted, and otherwise ignored.
 *
 * @throws {CountersignError} `evidence/malformed` for its length and bytes that have to be zero, `evidence/unsupported` for a
 *   version, signature algorithm or processor that is not known, and for bits of policy and platform that are not
 */
export function parseSnpReport(bytes: Uint8Array): SnpReport {
  if (bytes.length < REPORT_BYTES) {
    throw malformed(`an SEV-SNP report has ${REPORT_BYTES} bytes, and this has ${bytes.length}`)
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, REPORT_BYTES)
  const version = view.getUint32(0, true)
  if (version < MIN_VERSION || version > MAX_VERSION) throw unsupported(`version ${version} of a report`)
  requireZeros(bytes, version)
  const algorithm = view.getUint32(0x34, true)
  if (algorithm !== ECDSA_P384_SHA384) throw unsupported(`signature algorithm ${algorithm} of a report`)
  const vmpl = view.getUint32(0x30, true)
  if (vmpl > MAX_VMPL && vmpl !== HOST_VMPL) throw malformed(`there is no privilege level ${vmpl}`)
  const key = view.getUint32(0x48, true)
  if (key >>> 5 !== 0) throw malformed('reserved bits of the key information are not zero')
  return {
    version,
    guestSvn: view.getUint32(4, true),
    policy: readPolicy(view.getBigUint64(8, true)),
    familyId: bytes.subarray(0x10, 0x20),
    imageId: bytes.subarray(0x20, 0x30),
    vmpl,
    platform: readPlatform(view.getBigUint64(0x40, true)),
    signingKey: SIGNING_KEYS[(key >>> 2) & 7] ?? 'reserved',
    hasAuthorKey: (key & 1) !== 0,
    reportData: bytes.subarray(0x50, 0x90),
    measurement: bytes.subarray(0x90, 0xc0),
    hostData: bytes.subarray(0xc0, 0xe0),
    idKeyDigest: bytes.subarray(0xe0, 0x110),
    authorKeyDigest: bytes.subarray(0x110, 0x140),
    reportId: bytes.subarray(0x140, 0x160),
    migrationAgentId: bytes.subarray(0x160, 0x180),
    product: version < 3 ? undefined : productOf(view.getUint8(0x188), view.getUint8(0x189)),
    chipId: bytes.subarray(0x1a0, 0x1e0),
    currentTcb: bytes.subarray(0x38, 0x40),
    reportedTcb: bytes.subarray(0x180, 0x188),
    committedTcb: bytes.subarray(0x1e0, 0x1e8),
    launchTcb: bytes.subarray(0x1f0, 0x1f8),
    currentFirmware: readFirmware(view, 0x1e8),
    committedFirmware: readFirmware(view, 0x1ec),
    signed: bytes.subarray(0, SIGNED_BYTES),
    signature: concat(bigEndianScalar(bytes, SIGNED_BYTES), bigEndianScalar(bytes, SIGNED_BYTES + SCALAR_FIELD_BYTES)),
    trailingBytes: bytes.length - REPORT_BYTES,
  }
}

const SIGNING_KEYS: readonly (SigningKey | undefined)[] = ['vcek', 'vlek', ...Array<undefined>(5), 'none']

/** Places that no signature covers: whatever follows the report. */
export function unsignedRegions(): readonly { readonly from: number; readonly to: number; readonly why: string }[] {
  return [{ from: REPORT_BYTES, to: Number.MAX_SAFE_INTEGER, why: 'bytes after the report' }]
}

function requireZeros(bytes: Uint8Array, version: number): void {
  const regions = [
    ...ZERO_ALWAYS,
    ...ZERO_BEFORE.filter((each) => version < each.version).map(({ from, to }) => [from, to] as const),
  ]
  for (const [from, to] of regions) {
    if (bytes.subarray(from, to).every((byte) => byte === 0)) continue
    throw malformed(`bytes ${from} to ${to - 1} have to be zero in version ${version}`)
  }
}

function readPolicy(bits: bigint): SnpReport['policy'] {
  if ((bits & POLICY_RESERVED_ONE) === 0n) throw malformed('bit 17 of the guest policy has to be one')
  if (bits >> POLICY_KNOWN_BITS !== 0n) throw unsupported(`a guest policy of 0x${bits.toString(16)}`)
  return {
    bits,
    allowsSmt: (bits & POLICY_SMT) !== 0n,
    allowsMigrationAgent: (bits & POLICY_MIGRATION_AGENT) !== 0n,
    allowsDebug: (bits & POLICY_DEBUG) !== 0n,
  }
}

function readPlatform(bits: bigint): SnpReport['platform'] {
  if ((bits & ~PLATFORM_KNOWN) !== 0n) throw unsupported(`platform information of 0x${bits.toString(16)}`)
  return {
    bits,
    isSmtEnabled: (bits & PLATFORM_SMT) !== 0n,
    isAliasCheckComplete: (bits & PLATFORM_ALIAS_CHECK) !== 0n,
  }
}

/** Bergamo and Siena are of the line of Genoa; dense Turin is of that of Turin. */
function productOf(family: number, model: number): SnpProduct {
  const group = model >> 4
  if (family === 0x19 && group === 0) return 'milan'
  if (family === 0x19 && (group === 1 || group === 0xa)) return 'genoa'
  if (family === 0x1a && group <= 1) return 'turin'
  throw unsupported(`a processor of family 0x${toHex(Uint8Array.of(family))}, model 0x${toHex(Uint8Array.of(model))}`)
}

function readFirmware(view: DataView, at: number): FirmwareVersion {
  return { build: view.getUint8(at), minor: view.getUint8(at + 1), major: view.getUint8(at + 2) }
}

function bigEndianScalar(bytes: Uint8Array, at: number): Uint8Array {
  return bytes.slice(at, at + SCALAR_BYTES).reverse()
}

function malformed(why: string): CountersignError {
  return new CountersignError('evidence/malformed', why)
}

function unsupported(what: string): CountersignError {
  return new CountersignError('evidence/unsupported', `${what} is not known here`)
}
