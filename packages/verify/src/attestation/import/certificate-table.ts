/**
 * The table of certificates that a host hands to its guests beside reports of SEV-SNP. Nobody signs the table; each certificate
 * in it has to stand for itself. @spec AMD 56421 (SEV-ES Guest-Hypervisor Communication Block), "SNP Extended Guest Request"
 */
import { isZero, littleEndian } from '../byte-reader.ts'

const GUID_BYTES = 16
const ENTRY_BYTES = 24
const MAX_ENTRIES = 32

/**
 * The contents of the entries, in their order; `undefined` for bytes that are no table. Which entry is which its bytes tell, so
 * names of entries are not looked at.
 */
export function readCertificateTable(bytes: Uint8Array): readonly Uint8Array[] | undefined {
  const contents: Uint8Array[] = []
  for (let at = 0; at + ENTRY_BYTES <= bytes.length && contents.length <= MAX_ENTRIES; at += ENTRY_BYTES) {
    const entry = bytes.subarray(at, at + ENTRY_BYTES)
    // An entry of zeros ends the table; what it lists begins behind it.
    if (isZero(entry)) {
      const begin = at + ENTRY_BYTES
      const isSound = contents.length > 0 && contents.every((each) => each.byteOffset - bytes.byteOffset >= begin)
      return isSound ? contents : undefined
    }
    const offset = littleEndian(entry.subarray(GUID_BYTES, GUID_BYTES + 4))
    const length = littleEndian(entry.subarray(GUID_BYTES + 4))
    if (length === 0 || offset + length > bytes.length) return undefined
    contents.push(bytes.subarray(offset, offset + length))
  }
  return undefined
}
