/** What a verifier needs of the makers of hardware for one evidence file. Says it; fetches nothing. */

/** Levels of AMD's firmware, as a report states them; `fmc` on Turin alone. */
export interface AmdTcb {
  readonly bootloader: number
  readonly tee: number
  readonly snp: number
  readonly microcode: number
  readonly fmc?: number
}

export type AmdProduct = 'Milan' | 'Genoa' | 'Turin'

/** One thing that its maker serves. Values come from evidence that nobody checked: they name what to ask for, and prove nothing. */
export type CollateralNeed =
  /** TCB information of a platform, identity of the quoting enclave, and the lists of revoked certificates. */
  | { readonly kind: 'intel-tcb'; readonly fmspc: string; readonly ca: 'platform' | 'processor' }
  /** The certificate of one chip at one level, its issuers, and the list of revoked ones. */
  | { readonly kind: 'amd-vcek'; readonly product: AmdProduct; readonly chipId: string; readonly tcb: AmdTcb }
  /** The issuers of a certificate that the evidence brings along, and the list of revoked ones. */
  | { readonly kind: 'amd-vlek'; readonly product: AmdProduct }
  /** Keys of a token's issuer. */
  | { readonly kind: 'jwks'; readonly issuer: string }
