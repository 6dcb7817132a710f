/**
 * What NVIDIA writes into the certificate of the key that signs reports: the device, and the firmware that the key was derived
 * for. @spec TCG DICE Attestation Architecture 1.1 §6.1; DMTF DSP0274 1.1.1, "Subject alternative name otherName"
 */
import { parseUtf8, toHex } from '../../bytes/bytes.ts'
import { CountersignError } from '../../errors.ts'
import type { Certificate } from '../x509/certificate.ts'
import { type DerValue, octetString, oidOf, parseDer, requireTag, sequenceOf, TAG } from '../x509/der.ts'

/** As good as the certificate is. */
export interface GpuIdentity {
  /** Such as `GH100`, or `LS_10` for a switch. */
  readonly chip: string
  /** Stands between GPUs, and is none. */
  readonly isSwitch: boolean
  /** What the driver shows as PDI: 8 bytes, lower-case hexadecimal. */
  readonly pdi: string
  /** SHA-384 of firmware that the key stands for, 48 bytes each. */
  readonly firmwareIds: readonly Uint8Array[]
  /** Whether the certificate says that the firmware can be debugged; `undefined` where it says nothing, as on Hopper. */
  readonly isDebug: boolean | undefined
}

/** Where the certificate of the key that signs reports says which device it is of. */
export const SUBJECT_ALTERNATIVE_NAME = '2.5.29.17'
const DMTF_DEVICE_INFO = '1.3.6.1.4.1.412.274.1'
/** Hopper: a number, a public key, and one digest. */
const DICE_COMPOSITE = '2.23.133.5.4.1'
/** Blackwell: TcbInfo, with digests in [6] and flags in [7]. */
const DICE_TCB_INFO = '2.23.133.5.4.1.1'
const SHA384 = '2.16.840.1.101.3.4.2.2'
const CONTEXT_0 = 0xa0
const FWIDS = 0xa6
const FLAGS = 0x87
/** Bit 3, counted from the front. */
const DEBUG_FLAG = 0x10
const DEVICE_INFO = /^NVIDIA:(G[HB][0-9]{3}|LS_10):([0-9A-F]{16})$/

/**
 * Reads who a leaf certificate is for.
 *
 * @throws {CountersignError} `der/malformed`, `bytes/bad-utf8`; `evidence/unsupported` for a device that is not known
 */
export function parseGpuIdentity({ extensions }: Certificate): GpuIdentity {
  const name = extensions.get(SUBJECT_ALTERNATIVE_NAME)
  const info = name === undefined ? '' : deviceInfoIn(parseDer(name.value))
  const [, chip, pdi] = DEVICE_INFO.exec(info) ?? []
  if (chip === undefined || pdi === undefined) {
    throw new CountersignError(
      'evidence/unsupported',
      'the certificate names no GPU of Hopper or Blackwell, and no switch',
    )
  }
  return { chip, isSwitch: chip.startsWith('LS'), pdi: pdi.toLowerCase(), ...firmwareIn(extensions) }
}

function deviceInfoIn(names: DerValue): string {
  const [other, ...more] = sequenceOf(names, 'alternative names')
  const [type, value] = requireTag(other, CONTEXT_0, 'alternative name').children()
  if (more.length > 0 || oidOf(type) !== DMTF_DEVICE_INFO) return ''
  const [text] = requireTag(value, CONTEXT_0, 'alternative name').children()
  return parseUtf8(requireTag(text, TAG.utf8String, 'device').content)
}

function firmwareIn(extensions: Certificate['extensions']): Pick<GpuIdentity, 'firmwareIds' | 'isDebug'> {
  const composite = extensions.get(DICE_COMPOSITE)
  if (composite !== undefined) {
    const [, , digest] = sequenceOf(parseDer(composite.value), 'composite device')
    return { firmwareIds: [digestOf(digest)], isDebug: undefined }
  }
  const info = extensions.get(DICE_TCB_INFO)
  if (info === undefined) return { firmwareIds: [], isDebug: undefined }
  const parts = sequenceOf(parseDer(info.value), 'TCB information')
  const digests = parts.find(({ tag }) => tag === FWIDS)?.children() ?? []
  const flags = parts.find(({ tag }) => tag === FLAGS)?.content
  return {
    firmwareIds: digests.map(digestOf),
    isDebug: flags === undefined ? undefined : ((flags[1] ?? 0) & DEBUG_FLAG) !== 0,
  }
}

function digestOf(value: DerValue | undefined): Uint8Array {
  const [algorithm, digest] = sequenceOf(value, 'digest of firmware')
  const bytes = octetString(digest, 'digest of firmware')
  if (oidOf(algorithm) !== SHA384 || bytes.length !== 48) {
    throw new CountersignError('evidence/unsupported', 'the firmware is not named by its SHA-384')
  }
  return bytes
}

/** Proves that the key was derived for the firmware that a report names. @throws {CountersignError} `evidence/mismatch` */
export function verifyFirmwareId({ firmwareIds }: GpuIdentity, reported: Uint8Array): void {
  const wanted = toHex(reported)
  const isReal = reported.length === 48 && reported.some((byte) => byte !== 0)
  if (isReal && firmwareIds.some((each) => toHex(each) === wanted)) return
  throw new CountersignError('evidence/mismatch', 'the key was certified for other firmware than the report names')
}
