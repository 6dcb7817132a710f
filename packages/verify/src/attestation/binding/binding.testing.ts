/** Appraised evidence made up for tests of binding profiles: what matters here is what it binds, not how it was proven. */
import { p256 } from '@noble/curves/nist.js'
import { concat, parseHex } from '../../bytes/bytes.ts'
import type { Json } from '../../bytes/json.ts'
import { createNobleCrypto } from '../../crypto/noble-provider.ts'
import type { Appraised, EvidenceKind } from '../appraised.ts'
import { readPlacePolicy } from '../place-policy.ts'
import type { ProfileName } from '../profile-names.ts'
import type { BindingInput, BindingResult } from './binding-profile.ts'
import { BINDING_PROFILES } from './binding-profiles.ts'

export const crypto = createNobleCrypto()
export const AT_MS = 1_790_000_000_000
export const NONCE = new Uint8Array(32).fill(7)

/** SubjectPublicKeyInfo of a P-256 key from a fixed secret. */
export function p256Spki(fill: number): Uint8Array {
  const header = parseHex('3059301306072a8648ce3d020106082a8648ce3d030107034200')
  return concat(header, p256.getPublicKey(new Uint8Array(32).fill(fill), false))
}

export function appraised(kind: EvidenceKind, changes: Partial<Appraised> = {}): Appraised {
  return {
    kind,
    checks: [],
    isGenuine: true,
    isKnownCode: true,
    measurements: {},
    boundData: undefined,
    deviceIds: [],
    madeAtMs: undefined,
    currentUntilMs: undefined,
    answersNonce: false,
    tier: 'affirming',
    claims: {},
    notes: [],
    ...changes,
  }
}

export interface Given {
  readonly items: readonly Appraised[]
  readonly nonce?: Uint8Array
  readonly beside?: { readonly [name: string]: Json }
  readonly policy?: Json
  readonly atMs?: number
}

export function bind(profile: ProfileName, given: Given): BindingResult {
  const input: BindingInput = {
    crypto,
    evidence: { profile, items: [], nonce: given.nonce ?? new Uint8Array(0), beside: given.beside ?? {} },
    items: given.items,
    policy: given.policy === undefined ? undefined : readPlacePolicy(given.policy, 'place'),
    atMs: given.atMs ?? AT_MS,
  }
  return BINDING_PROFILES[profile].bind(input)
}

/** Names of the checks that failed, without the kind before them. */
export function failuresOf({ checks }: BindingResult): readonly string[] {
  return checks.filter(({ result }) => result === 'fail').map(({ name }) => name.replace('binding/', ''))
}

export function resultOf({ checks }: BindingResult, what: string): string | undefined {
  return checks.find(({ name }) => name === `binding/${what}`)?.result
}
