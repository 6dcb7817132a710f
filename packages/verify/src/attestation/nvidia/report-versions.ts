/** What a report says of driver and VBIOS, as NVIDIA's tools write it. As good as the report is. */
import { parseUtf8, toHex } from '../../bytes/bytes.ts'
import { OPAQUE, type SpdmReport } from './spdm.ts'

const VBIOS_BYTES = 8

/** Such as `590.12`; `undefined` where the report does not say. */
export function driverVersionOf({ opaque }: SpdmReport): string | undefined {
  return textIn(opaque.get(OPAQUE.driverVersion))
}

/** Such as `96.00.A5.00.01`: of GPUs four bytes from the last to the first, and the fifth; of switches text. `undefined` where the report does not say. */
export function vbiosVersionOf({ opaque }: SpdmReport): string | undefined {
  const bytes = opaque.get(OPAQUE.vbiosVersion)
  if (bytes === undefined || bytes.length !== VBIOS_BYTES) return textIn(bytes)
  const [a = 0, b = 0, c = 0, d = 0, e = 0] = bytes
  return [d, c, b, a, e].map((byte) => toHex(Uint8Array.of(byte)).toUpperCase()).join('.')
}

/** Printable ASCII, with zeros behind it or none. */
export function textIn(bytes: Uint8Array | undefined): string | undefined {
  if (bytes === undefined) return undefined
  const end = bytes.indexOf(0)
  const text = end < 0 ? bytes : bytes.subarray(0, end)
  return text.length > 0 && text.every((byte) => byte >= 0x20 && byte < 0x7f) ? parseUtf8(text) : undefined
}
