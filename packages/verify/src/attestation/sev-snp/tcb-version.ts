/** Versions of the parts of AMD's firmware that a report rests on. @spec AMD 56860, "TCB_VERSION" */
import { CountersignError } from '../../errors.ts'

/** Product lines with SEV-SNP: each has a root of its own. */
export const SNP_PRODUCTS = ['milan', 'genoa', 'turin'] as const
export type SnpProduct = (typeof SNP_PRODUCTS)[number]

/** Eight bytes, as report and certificates order them. */
export const TCB_BYTES = 8

/** Parts with a version of their own, by the words of a place policy. */
export const TCB_COMPONENTS = ['fmc', 'bootloader', 'tee', 'snp', 'microcode'] as const
export type TcbComponent = (typeof TCB_COMPONENTS)[number]

/** Security version by component; `fmc` on Turin alone. */
export type TcbVersion = { readonly [component in TcbComponent]?: number }

/** Which byte is which; the others are reserved. */
const LAYOUTS: { readonly [product in SnpProduct]: readonly (TcbComponent | undefined)[] } = {
  milan: ['bootloader', 'tee', undefined, undefined, undefined, undefined, 'snp', 'microcode'],
  genoa: ['bootloader', 'tee', undefined, undefined, undefined, undefined, 'snp', 'microcode'],
  turin: ['fmc', 'bootloader', 'tee', 'snp', undefined, undefined, undefined, 'microcode'],
}

/**
 * Reads eight bytes in the layout of a product line.
 *
 * @throws {CountersignError} `evidence/malformed` when a reserved byte is not zero
 */
export function parseTcbVersion(bytes: Uint8Array, product: SnpProduct): TcbVersion {
  const version: { [component in TcbComponent]?: number } = {}
  LAYOUTS[product].forEach((component, i) => {
    const value = bytes[i]
    if (component !== undefined && value !== undefined) version[component] = value
    else if (value !== 0) {
      throw new CountersignError('evidence/malformed', `byte ${i} of a TCB version of ${product} is not zero`)
    }
  })
  return version
}

/** Numbers of the certificate extensions `1.3.6.1.4.1.3704.1.3.*` that hold each byte, in the order of the bytes. */
export const TCB_EXTENSIONS: { readonly [product in SnpProduct]: readonly number[] } = {
  milan: [1, 2, 4, 5, 6, 7, 3, 8],
  genoa: [1, 2, 4, 5, 6, 7, 3, 8],
  turin: [9, 1, 2, 3, 5, 6, 7, 8],
}
