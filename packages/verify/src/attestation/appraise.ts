/** All the evidence of one place, appraised together: what it shows, fact by fact, and what it leaves open. */
import { equalBytes } from '../bytes/bytes.ts'
import { createMemory } from '../bytes/memory.ts'
import { CountersignError } from '../errors.ts'
import type { Freshness } from '../statement/appraisal.ts'
import type { AppraisalInput, Appraised, EvidenceKind, TrustTier } from './appraised.ts'
import { APPRAISERS } from './appraisers.ts'
import type { BindingResult, BoundKey } from './binding/binding-profile.ts'
import { BINDING_PROFILES } from './binding/binding-profiles.ts'
import { type EvidenceCheck, EvidenceChecks } from './checks.ts'
import type { EvidenceItem, UnverifiedEvidence } from './evidence-file.ts'
import { decideFacts, decidePhysicalTrust, type FactBasis, type PhysicalTrust } from './fact-decisions.ts'
import type { Fact } from './facts.ts'
import type { PlacePolicy } from './place-policy.ts'
import type { ProfileName } from './profile-names.ts'
import { isTeeKind } from './vocabulary.ts'

/** `unproven`: no check failed, and something that the policy asks for was not shown. */
export type AppraisalStatus = 'accepted' | 'refused' | 'unproven'

/** What evidence showed. */
export interface Appraisal {
  readonly profile: ProfileName
  readonly atMs: number
  readonly status: AppraisalStatus
  /** One sentence: why this status. */
  readonly reason: string
  readonly items: readonly Appraised[]
  /** All checks: of the items in their order, of the binding, of the place as a whole. */
  readonly checks: readonly EvidenceCheck[]
  /** Keys that genuine hardware bound to the evidence. */
  readonly keys: readonly BoundKey[]
  /** The first moment at which nothing may be accepted under these keys any more; `undefined` where nothing says. */
  readonly keysUntilMs: number | undefined
  /** Every fact of `FACTS`, in that order. */
  readonly facts: readonly Fact[]
  readonly physicalTrust: PhysicalTrust
  readonly freshness: Freshness
  readonly tier: TrustTier
  /** Until then all that it rests on is current; `undefined` where nothing says. */
  readonly currentUntilMs: number | undefined
  readonly doesNotProve: readonly string[]
  readonly notes: readonly string[]
}

const PLACE_CHECKS = ['evidence', 'tee', 'profile', 'nonce', 'gpus', 'required-facts'] as const
type PlaceChecks = EvidenceChecks<(typeof PLACE_CHECKS)[number]>

const ALWAYS_OPEN = [
  'that nobody with the hardware in their hands broke it: attestation keys have been taken out of machines by people who could touch them',
  'that the code which was measured is free of faults',
]

/**
 * Appraises everything in an evidence file. Never throws for bad evidence: what is wrong is a check that failed.
 *
 * Says nothing of which answers came from there: that follows from the keys, when an answer is shown to have used one.
 */
export function appraiseEvidence(evidence: UnverifiedEvidence, given: AppraisalInput): Appraisal {
  const list: PlaceChecks = new EvidenceChecks('place', PLACE_CHECKS)
  const policy = given.policy
  const ownNonce = unlessEmpty(given.nonce)
  // Of many items each would read the whole bundle again.
  const memory = given.memory ?? createMemory()
  const input = { ...given, nonce: ownNonce ?? unlessEmpty(evidence.nonce), memory }
  list.attempt('evidence', () => requireItems(evidence.items))
  const items = evidence.items.flatMap((item) => appraiseItem(item, input) ?? [])
  checkPlace(list, evidence, { policy, nonce: ownNonce }, items)
  const main = items.filter(({ kind }) => isTeeKind(kind))
  const binding = BINDING_PROFILES[evidence.profile].bind({
    crypto: input.crypto,
    evidence,
    items,
    policy,
    atMs: input.atMs,
  })
  const isGenuine = main.length > 0 && main.every((item) => item.isGenuine)
  const keys = isGenuine ? binding.keys : []
  const physicalTrust = decidePhysicalTrust(main, policy)
  const facts = decideFacts({ items, main, binding, keys, physicalTrust, policy })
  checkGpus(list, items, policy)
  checkRequired(list, facts, policy)
  const checks = [...items.flatMap((item) => item.checks), ...binding.checks, ...list.list()]
  return {
    profile: evidence.profile,
    atMs: input.atMs,
    ...decideStatus(checks, facts, list, { policy, binding }),
    items,
    checks,
    keys,
    keysUntilMs: isGenuine ? binding.keysUntilMs : undefined,
    facts,
    physicalTrust,
    freshness: isGenuine
      ? decideFreshness({ items, main }, binding, ownNonce !== undefined && list.passed('nonce'))
      : 'none',
    tier: worstTier(items),
    currentUntilMs: earliest([...items.map((item) => item.currentUntilMs), lastMoment(binding.keysUntilMs)]),
    doesNotProve: [...ALWAYS_OPEN, ...binding.doesNotProve],
    notes: items.flatMap((item) => item.notes),
  }
}

/** An empty challenge is none: evidence without a challenge in it would answer it. */
function unlessEmpty(nonce: Uint8Array | undefined): Uint8Array | undefined {
  return nonce === undefined || nonce.length === 0 ? undefined : nonce
}

function requireItems(items: readonly EvidenceItem[]): void {
  if (items.length === 0) throw new CountersignError('evidence/malformed', 'the file has no evidence in it')
  const unknown = items.find(({ kind }) => APPRAISERS[kind] === undefined)
  if (unknown === undefined) return
  throw new CountersignError('evidence/unsupported', `evidence of the kind ${unknown.kind} is not appraised here`)
}

function appraiseItem(item: EvidenceItem, input: AppraisalInput): Appraised | undefined {
  return APPRAISERS[item.kind]?.(item, input)
}

function checkPlace(
  list: PlaceChecks,
  evidence: UnverifiedEvidence,
  { policy, nonce }: Pick<AppraisalInput, 'policy' | 'nonce'>,
  items: readonly Appraised[],
): void {
  const isGpuAlone = policy === undefined && items.length > 0 && !items.some(({ kind }) => isTeeKind(kind))
  if (isGpuAlone) list.notChecked('tee', 'there is no evidence of a processor: a GPU alone is no place')
  else list.attempt('tee', () => requireTee(items, policy))
  if (policy === undefined) list.notChecked('profile', 'no policy was given')
  else list.attempt('profile', () => requireProfile(evidence, policy))
  if (nonce === undefined) list.notChecked('nonce', 'no freshness: the caller gave no challenge of its own')
  else {
    list.attempt('nonce', () => {
      if (evidence.nonce.length === 0 || equalBytes(nonce, evidence.nonce)) return
      throw new CountersignError('evidence/mismatch', 'the file says that it answers another challenge')
    })
  }
}

function requireTee(items: readonly Appraised[], policy: PlacePolicy | undefined): void {
  const kinds: readonly EvidenceKind[] = items.map(({ kind }) => kind).filter(isTeeKind)
  if (kinds.length === 0) throw new CountersignError('evidence/refused', 'there is no evidence of a processor')
  const other = kinds.find((kind) => policy !== undefined && kind !== policy.tee)
  if (other === undefined) return
  throw new CountersignError('evidence/refused', `the policy asks for ${policy?.tee}, and this is ${other}`)
}

function requireProfile({ profile }: UnverifiedEvidence, policy: PlacePolicy): void {
  if (profile === policy.profile) return
  throw new CountersignError(
    'evidence/refused',
    `the policy asks for keys bound as ${policy.profile}, and the file says ${profile}`,
  )
}

/** GPUs by device: one that is shown four times is one, and so is one whose firmware was changed in between. */
function checkGpus(list: PlaceChecks, items: readonly Appraised[], policy: PlacePolicy | undefined): void {
  const wanted = policy?.gpus
  if (wanted === undefined) {
    list.notChecked('gpus', policy === undefined ? 'no policy was given' : 'the policy asks for none')
    return
  }
  list.attempt('gpus', () => {
    const gpus = items.filter(({ kind, isGenuine }) => !isTeeKind(kind) && isGenuine)
    const lasting = new Map(gpus.flatMap(({ lastingIds }) => [...(lastingIds ?? [])]))
    const ids = gpus.flatMap(({ deviceIds, switchIds = [] }) => deviceIds.filter((id) => !switchIds.includes(id)))
    const devices = new Set(ids.map((id) => lasting.get(id) ?? id))
    if (devices.size >= wanted) return
    throw new CountersignError(
      'evidence/refused',
      `the policy asks for ${wanted} GPUs, and ${devices.size} genuine and distinct ones are shown`,
    )
  })
}

function checkRequired(list: PlaceChecks, facts: readonly Fact[], policy: PlacePolicy | undefined): void {
  if (policy === undefined) {
    list.notChecked('required-facts', 'no policy was given')
    return
  }
  const missing = facts.filter(({ name, status }) => policy.require.includes(name) && status !== 'shown')
  if (missing.length === 0) list.attempt('required-facts', () => undefined)
  else list.notChecked('required-facts', missing.map(({ name, reason }) => `${name}: ${reason}`).join('; '))
}

function decideStatus(
  checks: readonly EvidenceCheck[],
  facts: readonly Fact[],
  list: PlaceChecks,
  { policy, binding }: Pick<FactBasis, 'policy' | 'binding'>,
): Pick<Appraisal, 'status' | 'reason'> {
  const failed = checks.find(({ result }) => result === 'fail')
  if (failed !== undefined) return { status: 'refused', reason: `${failed.name}: ${failed.detail}` }
  if (policy === undefined) return { status: 'unproven', reason: 'no policy was given, so no code is known' }
  const open = facts.find(({ name, status }) => isNeeded(name) && status !== 'shown')
  if (open !== undefined) return { status: 'unproven', reason: `${open.name}: ${open.reason}` }
  // The policy names a profile, and nobody gave what it reads.
  if (binding.lacks !== undefined) return { status: 'unproven', reason: `profile ${policy.profile}: ${binding.lacks}` }
  if (list.passed('required-facts')) {
    return { status: 'accepted', reason: 'genuine hardware runs code that the policy names' }
  }
  const required = list.list().find(({ name }) => name === 'place/required-facts')
  return { status: 'unproven', reason: `place/required-facts: ${required?.detail}` }
}

function isNeeded(name: string): boolean {
  return name === 'genuine-hardware' || name === 'known-code'
}

/**
 * A challenge counts when it is the caller's own: one that the file alone names is the word of whoever made the file. A GPU that
 * answers another has failed its own check; where nobody was challenged, a report of it without a time may be of any age.
 */
function decideFreshness(
  { items, main }: Pick<FactBasis, 'items' | 'main'>,
  binding: BindingResult,
  isForCaller: boolean,
): Freshness {
  if (isForCaller && (binding.answersNonce || main.every((item) => item.answersNonce))) return 'nonce'
  return items.every((item) => item.madeAtMs !== undefined) ? 'signed-time' : 'none'
}

const TIERS: readonly TrustTier[] = ['affirming', 'warning', 'none', 'contraindicated']

function worstTier(items: readonly Appraised[]): TrustTier {
  const worst = Math.max(-1, ...items.map(({ tier }) => TIERS.indexOf(tier)))
  return TIERS[worst] ?? 'none'
}

function lastMoment(untilMs: number | undefined): number | undefined {
  return untilMs === undefined ? undefined : untilMs - 1
}

function earliest(times: readonly (number | undefined)[]): number | undefined {
  const known = times.filter((each) => each !== undefined)
  return known.length === 0 ? undefined : Math.min(...known)
}
