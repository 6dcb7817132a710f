/** What one piece of evidence showed: the form that all kinds share, which binding profiles and facts are decided from. */
import type { Json } from '../bytes/json.ts'
import type { Memory } from '../bytes/memory.ts'
import type { Crypto } from '../crypto/crypto.ts'
import type { EvidenceCheck } from './checks.ts'
import type { CollateralBundle } from './collateral.ts'
import { EVIDENCE_KINDS, type EvidenceKind } from './evidence-kind.ts'
import type { PlacePolicy } from './place-policy.ts'

export { EVIDENCE_KINDS, type EvidenceKind }

/** What an appraisal depends on beside the evidence. Nothing is fetched; same input, same result. */
export interface AppraisalInput {
  readonly crypto: Crypto
  /** The time that everything must be current at, milliseconds since 1970. */
  readonly atMs: number
  readonly collateral: CollateralBundle
  /** Without one, the checks of policy are `not-checked`, and no code is known. */
  readonly policy: PlacePolicy | undefined
  /** The challenge that the evidence must answer, where the kind has a field of its own for it (Nitro, NVIDIA, TPM, tokens). */
  readonly nonce: Uint8Array | undefined
  /** Shared by many appraisals, to verify chains and collateral once. */
  readonly memory: Memory | undefined
  /** SHA-256 of trusted roots (of the DER, hexadecimal) in place of the vendors' own: for tests with a PKI of their own. */
  readonly roots?: TrustedRoots
}

/** SHA-256 of the DER of each trusted root, hexadecimal; for tokens, the issuers' keys come as collateral and the issuer is pinned. */
export interface TrustedRoots {
  readonly intel: readonly string[]
  /** By product line. */
  readonly amd: {
    readonly milan: readonly string[]
    readonly genoa: readonly string[]
    readonly turin: readonly string[]
  }
  readonly nitro: readonly string[]
  readonly nvidia: readonly string[]
}

/** How far evidence is to be trusted, as EAR puts it. @spec draft-ietf-rats-ear, trustworthiness tiers */
export type TrustTier = 'affirming' | 'warning' | 'contraindicated' | 'none'

/** One piece of evidence, appraised. */
export interface Appraised {
  readonly kind: EvidenceKind
  /** All checks of the kind, in its order. */
  readonly checks: readonly EvidenceCheck[]
  /** Every check of genuineness passed: real hardware of the vendor signed `claims`, in a state that is not revoked, and not for debugging. */
  readonly isGenuine: boolean
  /** Genuine, and the policy's measurements, signers, versions and states were all met. False without a policy. */
  readonly isKnownCode: boolean
  /** Measured values by register name, hexadecimal; empty unless a vendor's signature covers them. */
  readonly measurements: { readonly [register: string]: string }
  /**
   * Bytes that the guest chose and the hardware signed: TDX and SNP report data (64 bytes), Nitro user data, TPM extra data,
   * nonce of NVIDIA. `undefined` unless a vendor's signature covers them.
   */
  readonly boundData: Uint8Array | undefined
  /** A second field that the guest chose, where the kind has one: Nitro's `public_key`. */
  readonly boundKey?: Uint8Array
  /** Names one chip or device, hexadecimal, where evidence tells: the PPID of an Intel processor, SNP CHIP_ID and GPU serials are such names, FMSPC is not. */
  readonly deviceIds: readonly string[]
  /** Those of the device ids that are of switches between GPUs: they count as no GPU. */
  readonly switchIds?: readonly string[]
  /** By device id: a name that the device keeps, where its id changes with its firmware. */
  readonly lastingIds?: ReadonlyMap<string, string>
  /** Certificates that its signature rests on, by issuer and serial number as in `Certificate`: what can be revoked one by one. */
  readonly certificates?: readonly { readonly issuer: string; readonly serial: string }[]
  /** When the evidence says it was made, milliseconds; `undefined` where it has no time that is signed. */
  readonly madeAtMs: number | undefined
  /** Last moment at which everything that it rests on is current, milliseconds: certificates, CRLs, TCB information. */
  readonly currentUntilMs: number | undefined
  /** Whether a nonce of the caller's was found in a field that the kind has for it. */
  readonly answersNonce: boolean
  readonly tier: TrustTier
  /** What the evidence says in EAT claim names where there are such, for people and programs; only what a signature covers. */
  readonly claims: { readonly [name: string]: Json }
  /** What a reader should know: unsigned trailing bytes, a year-long VLEK, advisories that were allowed. One sentence each. */
  readonly notes: readonly string[]
}
