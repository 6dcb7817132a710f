/** What the appraised items show, fact by fact. */
import { CountersignError, type ErrorCode } from '../errors.ts'
import type { Appraised } from './appraised.ts'
import type { BindingResult, BoundKey } from './binding/binding-profile.ts'
import type { EvidenceCheck } from './checks.ts'
import { FACTS, type Fact, type FactName } from './facts.ts'
import { type Cloud, type PlacePolicy, requireSomeCode } from './place-policy.ts'
import { isTeeKind } from './vocabulary.ts'

/** Who is known to keep hands off the hardware. */
export type PhysicalTrust = 'known-cloud' | 'allow-listed-chip' | 'unknown'

export interface FactBasis {
  readonly items: readonly Appraised[]
  /** The items about processors; the others are about GPUs. */
  readonly main: readonly Appraised[]
  readonly binding: BindingResult
  readonly keys: readonly BoundKey[]
  readonly physicalTrust: PhysicalTrust
  readonly policy: PlacePolicy | undefined
}

/**
 * Kinds of evidence that only one cloud's machines can give. A virtual TPM is none: nothing in it is signed by its cloud, and the
 * paravisor that makes it can be run elsewhere.
 */
const CLOUD_OF: { readonly [kind: string]: Cloud } = {
  nitro: 'aws',
  maa: 'azure',
  'confidential-space': 'gcp',
}

/** Whether the policy trusts a cloud that this evidence can only come from, or each of its chips. */
export function decidePhysicalTrust(main: readonly Appraised[], policy: PlacePolicy | undefined): PhysicalTrust {
  if (policy === undefined || main.length === 0 || !main.every(({ isGenuine }) => isGenuine)) return 'unknown'
  const { clouds, chips } = policy.physical
  const isOfCloud = ({ kind }: Appraised) => clouds.some((cloud) => cloud === CLOUD_OF[kind])
  if (main.every(isOfCloud)) return 'known-cloud'
  const isListed = ({ deviceIds }: Appraised) => deviceIds.length > 0 && deviceIds.every((id) => chips.includes(id))
  return main.every((item) => isOfCloud(item) || isListed(item)) ? 'allow-listed-chip' : 'unknown'
}

/** Every fact, in the order of `FACTS`. */
export function decideFacts(basis: FactBasis): readonly Fact[] {
  return FACTS.map((name) => DECISIONS[name](basis))
}

const DECISIONS: { readonly [name in FactName]: (basis: FactBasis) => Fact } = {
  'genuine-hardware': ({ main }) => {
    const name = 'genuine-hardware'
    if (main.length === 0) return { name, status: 'not-shown', reason: 'there is no evidence of a processor' }
    if (main.every(({ isGenuine }) => isGenuine)) {
      return { name, status: 'shown', reason: `genuine: ${main.map(({ kind }) => kind).join(', ')}` }
    }
    const failed = failureOf(main, refutesGenuineness)
    if (failed !== undefined) return { name, status: 'refuted', reason: failed }
    const open = failureOf(main, (check) => !isOfPolicy(check)) ?? openCheckOf(main)
    return { name, status: 'not-shown', reason: open ?? 'not every check could be made' }
  },

  'known-code': ({ main, policy }) => {
    const name = 'known-code'
    if (policy === undefined) return { name, status: 'not-shown', reason: 'no policy names the code' }
    if (main.some(({ kind }) => kind !== policy.tee)) {
      return { name, status: 'not-shown', reason: `the policy names code for ${policy.tee} alone` }
    }
    if (!namesCode(policy)) return { name, status: 'not-shown', reason: 'the policy names no code' }
    const isKnown = main.length > 0 && main.every((item) => item.isGenuine && item.isKnownCode)
    if (isKnown) return { name, status: 'shown', reason: 'the measurements are those that the policy names' }
    // What fails on genuine hardware is not about the hardware, whatever its code.
    const genuine = main.filter(({ isGenuine }) => isGenuine)
    const failed = failureOf(main, isOfPolicy) ?? failureOf(genuine, (check) => !isOfChallenge(check))
    if (failed !== undefined) return { name, status: 'refuted', reason: failed }
    return { name, status: 'not-shown', reason: 'the measurements do not rest on genuine hardware' }
  },

  'serving-key-bound': ({ keys, binding, main }) => {
    const name = 'serving-key-bound'
    const failed = binding.checks.find(({ result }) => result === 'fail')
    if (failed !== undefined) {
      const status = NOT_SHOWN.includes(failed.code) ? 'not-shown' : 'refuted'
      return { name, status, reason: `${failed.name}: ${failed.detail}` }
    }
    if (keys.length > 0) return { name, status: 'shown', reason: `bound: ${keys.map(({ use }) => use).join(', ')}` }
    const isGenuine = main.length > 0 && main.every((item) => item.isGenuine)
    const reason = isGenuine
      ? (binding.lacks ?? 'no key of the server is in signed bytes')
      : 'nothing genuine binds a key'
    return { name, status: 'not-shown', reason }
  },

  'gpu-same-session': ({ items, binding }) => {
    const name = 'gpu-same-session'
    const gpus = items.filter(({ kind }) => !isTeeKind(kind))
    if (gpus.length === 0) return { name, status: 'not-shown', reason: 'there is no evidence of a GPU' }
    const failed = failureOf(gpus, ({ code }) => !NOT_SHOWN.includes(code))
    if (failed !== undefined) return { name, status: 'refuted', reason: failed }
    return addedBy(
      binding,
      name,
      gpus.every(({ isGenuine }) => isGenuine),
      'nothing that was measured ties the GPU to this machine; one nonce in both does not',
    )
  },

  'weights-measured': ({ main, binding }) =>
    addedBy(
      binding,
      'weights-measured',
      main.length > 0 && main.every((item) => item.isGenuine && item.isKnownCode),
      'the weights are not part of what was measured',
    ),

  'physical-trust': ({ physicalTrust }) => {
    const name = 'physical-trust'
    if (physicalTrust === 'known-cloud') {
      return { name, status: 'shown', reason: 'only machines of a cloud that the policy trusts give such evidence' }
    }
    if (physicalTrust === 'allow-listed-chip') {
      return { name, status: 'shown', reason: 'the chip is one of those that the policy lists' }
    }
    return { name, status: 'not-shown', reason: 'who can touch the machine is not known' }
  },
}

/** A policy that was read does; one that was put together otherwise may not. */
function namesCode(policy: PlacePolicy): boolean {
  try {
    requireSomeCode(policy, 'policy')
    return true
  } catch (thrown) {
    if (thrown instanceof CountersignError) return false
    throw thrown
  }
}

function addedBy({ shown }: BindingResult, name: FactName, isSound: boolean, otherwise: string): Fact {
  const added = shown.find((each) => each.name === name)
  if (added !== undefined && isSound) return { name, status: 'shown', reason: added.reason }
  return { name, status: 'not-shown', reason: otherwise }
}

/** Policies refuse sound evidence with one code; what hardware for debugging says is sound, and no proof. */
function isOfPolicy({ name, code }: EvidenceCheck): boolean {
  return code === 'evidence/refused' && !name.endsWith('/debug')
}

/** Genuine hardware may answer another challenge. */
function isOfChallenge({ name }: EvidenceCheck): boolean {
  return name.endsWith('/nonce')
}

/** Codes that say that something was not shown, as against shown to be false: what is missing, a key that nobody pins. */
const NOT_SHOWN: readonly (ErrorCode | undefined)[] = [
  'signature/unknown-key',
  'evidence/unsupported',
  'collateral/missing',
  'shape/missing-field',
]

/** Checks beside the hardware's own that end in other codes than a policy's. */
const BESIDE_HARDWARE: readonly string[] = ['tdx/event-log', 'tdx/tcb-evaluation-number']

/** Whether a failed check shows that the hardware is not what it says: neither a challenge nor a policy, nor what is only missing. */
function refutesGenuineness(check: EvidenceCheck): boolean {
  const isBeside = BESIDE_HARDWARE.some((name) => check.name.endsWith(name))
  return !isOfPolicy(check) && !isOfChallenge(check) && !isBeside && !NOT_SHOWN.includes(check.code)
}

function failureOf(items: readonly Appraised[], isMeant: (check: EvidenceCheck) => boolean): string | undefined {
  const failed = items.flatMap(({ checks }) => checks).find((check) => check.result === 'fail' && isMeant(check))
  return failed && `${failed.name}: ${failed.detail}`
}

function openCheckOf(items: readonly Appraised[]): string | undefined {
  const open = items.filter(({ isGenuine }) => !isGenuine).flatMap(({ checks }) => checks)
  const first = open.find(({ result }) => result === 'not-checked')
  return first && `${first.name}: ${first.detail}`
}
