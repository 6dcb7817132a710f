/**
 * Which witness is asked for which head, and when: a pure step. Knows no clock, no network and no key.
 *
 * Each witness has one request under way at most. One that is free is asked for the newest head, or before it for the
 * **candidate**: the head that a quorum is being gathered on. Slow witnesses would otherwise each be asked for another
 * head, and no head would ever have them all.
 */
import type { TlogPolicy } from '@countersign/verify'
import type { SignedHead } from '../log/sequencer.ts'
import type { WitnessAnswer } from './answer.ts'
import { type CosignedHead, meets } from './cosigned-head.ts'

/** Bounds of the wait after failures in a row: what doubles, and its most. Drawn from the upper half. */
export const BASE_DELAY_MS = 1000
export const MAX_DELAY_MS = 60_000
/** A witness that has seen another history is asked again so much later. */
export const ALARM_DELAY_MS = 10 * 60 * 1000
/** Sizes that a witness may name in a row before it is left alone for a while. */
export const MAX_CONFLICTS = 3

export interface WitnessState {
  /** What it cosigned last, as far as it is known. */
  readonly size: number
  /** Time of its last cosignature; 0 when none is known. */
  readonly timeSeconds: number
  /** The one request that is under way. */
  readonly asking: { readonly oldSize: number; readonly size: number } | undefined
  /** In a row. */
  readonly failures: number
  readonly conflicts: number
  /** It is left alone until then. */
  readonly notBeforeMs: number
  /** Whether it has seen another history than ours. */
  readonly isAlarmed: boolean
}

export interface WitnessesState {
  readonly policy: TlogPolicy
  /** Names that deployments need; each is a witness or group of the policy. */
  readonly quorums: readonly string[]
  readonly witnesses: ReadonlyMap<string, WitnessState>
  /** By size: the newest, the candidate, those that somebody is asked for, and the newest of each quorum. */
  readonly heads: ReadonlyMap<number, CosignedHead>
  /** Sizes; 0 when there is none. */
  readonly newest: number
  readonly candidate: number
}

export type WitnessEvent =
  | { readonly kind: 'head'; readonly head: SignedHead; readonly nowMs: number }
  | {
      readonly kind: 'answer'
      readonly witness: string
      readonly answer: WitnessAnswer
      readonly nowMs: number
      /** 0 to 1, for the wait. */
      readonly random: number
    }
  /** The time of a `wake` has come. */
  | { readonly kind: 'due'; readonly witness: string; readonly nowMs: number }
  /** Deployments need others than before. */
  | { readonly kind: 'quorums'; readonly names: readonly string[]; readonly nowMs: number }

export type WitnessEffect =
  | { readonly kind: 'ask'; readonly witness: string; readonly oldSize: number; readonly head: SignedHead }
  | { readonly kind: 'wake'; readonly witness: string; readonly afterMs: number }
  | { readonly kind: 'cosigned'; readonly witness: string; readonly size: number }
  /** It has seen another history. Said each time it shows that. */
  | { readonly kind: 'alarm'; readonly witness: string; readonly why: string }
  /** The first failure of several in a row. */
  | { readonly kind: 'failing'; readonly witness: string; readonly why: string }
  /** It cosigns again after failures or an alarm. */
  | { readonly kind: 'recovered'; readonly witness: string }

export interface WitnessDecision {
  readonly state: WitnessesState
  readonly effects: readonly WitnessEffect[]
}

/** The state at a start: what is known of earlier cosignatures. */
export function firstWitnessesState(
  policy: TlogPolicy,
  quorums: readonly string[],
  kept: readonly CosignedHead[],
): WitnessesState {
  const witnesses = policy.witnesses.map(({ name }) => {
    let [size, timeSeconds] = [0, 0]
    for (const { head, cosignatures } of kept) {
      for (const { witness, cosignature } of cosignatures) {
        if (witness !== name) continue
        size = Math.max(size, head.size)
        timeSeconds = Math.max(timeSeconds, cosignature.timeSeconds)
      }
    }
    const idle = { asking: undefined, failures: 0, conflicts: 0, notBeforeMs: 0, isAlarmed: false }
    return [name, { size, timeSeconds, ...idle }] as const
  })
  const heads = new Map(kept.map((each) => [each.head.size, each]))
  return pruned({ policy, quorums, witnesses: new Map(witnesses), heads, newest: 0, candidate: 0 })
}

/** One step. An answer of a witness that was not asked changes nothing. */
export function decideWitnesses(state: WitnessesState, event: WitnessEvent): WitnessDecision {
  switch (event.kind) {
    case 'head':
      return askAll(withHead(state, event.head), event.nowMs)
    case 'quorums':
      return askAll({ ...state, quorums: event.names }, event.nowMs)
    case 'due':
      return askAll(state, event.nowMs)
    case 'answer': {
      const answered = takeAnswer(state, event)
      const { state: next, effects } = askAll(answered.state, event.nowMs)
      return { state: next, effects: [...answered.effects, ...effects] }
    }
  }
}

/** The newest head that meets a quorum; for `undefined` the newest that any witness cosigned. */
export function newestFor({ policy, heads }: WitnessesState, quorum: string | undefined): CosignedHead | undefined {
  let found: CosignedHead | undefined
  for (const each of heads.values()) {
    if (each.cosignatures.length === 0 || each.head.size <= (found?.head.size ?? 0)) continue
    if (quorum === undefined || meets(policy, quorum, each)) found = each
  }
  return found
}

/** Whether waiting longer for cosignatures of the head of that size is of no use. */
export function isGathered({ policy, quorums, witnesses, heads }: WitnessesState, size: number): boolean {
  if ([...witnesses.values()].every(({ asking }) => asking === undefined)) return true
  const head = heads.get(size)
  return quorums.length > 0 && head !== undefined && quorums.every((name) => meets(policy, name, head))
}

function withHead(state: WitnessesState, head: SignedHead): WitnessesState {
  const known = state.heads.get(head.size)
  if (head.size < state.newest) return state
  const heads = new Map(state.heads).set(head.size, { head, cosignatures: known?.cosignatures ?? [] })
  return { ...state, heads, newest: head.size }
}

/** Asks everyone who is free and has something left to cosign. */
function askAll(before: WitnessesState, nowMs: number): WitnessDecision {
  const state = { ...before, candidate: isSettled(before) ? before.newest : before.candidate }
  const witnesses = new Map(state.witnesses)
  const effects: WitnessEffect[] = []
  for (const [name, witness] of state.witnesses) {
    const target = targetOf(state, name, witness, nowMs)
    if (target === undefined) continue
    witnesses.set(name, { ...witness, asking: { oldSize: witness.size, size: target.head.size } })
    effects.push({ kind: 'ask', witness: name, oldSize: witness.size, head: target.head })
  }
  return { state: pruned({ ...state, witnesses }), effects }
}

/** Whether nothing more is to be expected for the candidate. */
function isSettled({ policy, quorums, witnesses, heads, candidate }: WitnessesState): boolean {
  const head = heads.get(candidate)
  if (head === undefined || quorums.every((name) => meets(policy, name, head))) return true
  return [...witnesses.values()].every(({ asking }) => asking?.size !== candidate)
}

function targetOf(
  { heads, candidate, newest }: WitnessesState,
  name: string,
  { asking, notBeforeMs, size }: WitnessState,
  nowMs: number,
): CosignedHead | undefined {
  if (asking !== undefined || notBeforeMs > nowMs) return undefined
  for (const each of [heads.get(candidate), heads.get(newest)]) {
    if (each === undefined || each.head.size < size) continue
    if (!each.cosignatures.some(({ witness }) => witness === name)) return each
  }
  return undefined
}

function takeAnswer(state: WitnessesState, event: Extract<WitnessEvent, { kind: 'answer' }>): WitnessDecision {
  const { witness: name, answer } = event
  const witness = state.witnesses.get(name)
  if (witness?.asking === undefined) return { state, effects: [] }
  const { asking } = witness
  const free = { ...witness, asking: undefined }
  switch (answer.kind) {
    case 'cosigned':
      return takeCosignature(state, name, free, asking.size, answer)
    case 'conflict':
      return takeConflict(state, event, free, asking, answer.size)
    case 'unprovable':
      return alarmed(state, event, free, `no proof leads from what it cosigned at ${asking.oldSize} to our head`)
    case 'refused':
    case 'unusable':
      return failed(state, event, free, answer.why, 0)
    case 'unavailable':
      return failed(state, event, free, answer.why, answer.retryAfterMs)
  }
}

function takeCosignature(
  state: WitnessesState,
  name: string,
  witness: WitnessState,
  size: number,
  { signature, timeSeconds }: Extract<WitnessAnswer, { kind: 'cosigned' }>,
): WitnessDecision {
  const head = state.heads.get(size)
  const key = state.policy.witnesses.find((each) => each.name === name)?.key
  if (head === undefined || key === undefined) return { state: withWitness(state, name, witness), effects: [] }
  const cosignature = { witness: key, timeSeconds }
  const cosignatures = [...head.cosignatures, { witness: name, cosignature, signature }]
  const effects: WitnessEffect[] = [{ kind: 'cosigned', witness: name, size }]
  if (witness.failures > 0 || witness.isAlarmed) effects.push({ kind: 'recovered', witness: name })
  const calm = { failures: 0, conflicts: 0, notBeforeMs: 0, isAlarmed: false }
  const next = withWitness(state, name, { ...witness, size, timeSeconds, ...calm })
  return { state: { ...next, heads: new Map(next.heads).set(size, { ...head, cosignatures }) }, effects }
}

/** It names another size than it was told: it is asked again from there, at once. */
function takeConflict(
  state: WitnessesState,
  event: Extract<WitnessEvent, { kind: 'answer' }>,
  witness: WitnessState,
  asking: { readonly oldSize: number; readonly size: number },
  size: number | undefined,
): WitnessDecision {
  // Old size and new size are the same, so all that can differ is the root.
  if (asking.oldSize === asking.size && (size === undefined || size === asking.size)) {
    return alarmed(state, event, witness, `it has cosigned another root of ${asking.size} entries`)
  }
  if (size === undefined) return failed(state, event, witness, 'it does not say which size it has', 0)
  if (size > state.newest) {
    return alarmed(state, event, witness, `it has cosigned ${size} entries, our newest head has ${state.newest}`)
  }
  const conflicts = witness.conflicts + 1
  if (conflicts >= MAX_CONFLICTS) return failed(state, event, witness, 'it goes on naming other sizes', 0)
  return { state: withWitness(state, event.witness, { ...witness, size, conflicts }), effects: [] }
}

function failed(
  state: WitnessesState,
  { witness: name, nowMs, random }: Extract<WitnessEvent, { kind: 'answer' }>,
  witness: WitnessState,
  why: string,
  retryAfterMs: number,
): WitnessDecision {
  const failures = witness.failures + 1
  const bound = Math.min(MAX_DELAY_MS, BASE_DELAY_MS * 2 ** (failures - 1))
  const afterMs = Math.max(bound / 2 + (bound / 2) * random, Math.min(retryAfterMs, MAX_DELAY_MS))
  const next = { ...witness, failures, conflicts: 0, notBeforeMs: nowMs + afterMs }
  const wake: WitnessEffect = { kind: 'wake', witness: name, afterMs }
  const effects: readonly WitnessEffect[] = failures === 1 ? [{ kind: 'failing', witness: name, why }, wake] : [wake]
  return { state: withWitness(state, name, next), effects }
}

function alarmed(
  state: WitnessesState,
  { witness: name, nowMs }: Extract<WitnessEvent, { kind: 'answer' }>,
  witness: WitnessState,
  why: string,
): WitnessDecision {
  const next = { ...witness, conflicts: 0, isAlarmed: true, notBeforeMs: nowMs + ALARM_DELAY_MS }
  return {
    state: withWitness(state, name, next),
    effects: [
      { kind: 'alarm', witness: name, why },
      { kind: 'wake', witness: name, afterMs: ALARM_DELAY_MS },
    ],
  }
}

function withWitness(state: WitnessesState, name: string, witness: WitnessState): WitnessesState {
  return { ...state, witnesses: new Map(state.witnesses).set(name, witness) }
}

/** Forgets the heads that nobody needs any more. */
function pruned(state: WitnessesState): WitnessesState {
  const needed = new Set([state.newest, state.candidate])
  for (const { asking } of state.witnesses.values()) if (asking !== undefined) needed.add(asking.size)
  for (const quorum of [undefined, ...state.quorums]) {
    const size = newestFor(state, quorum)?.head.size
    if (size !== undefined) needed.add(size)
  }
  return { ...state, heads: new Map([...state.heads].filter(([size]) => needed.has(size))) }
}
