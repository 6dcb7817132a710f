/** What a monitor can observe, and what it then does. */
import type { Hash, Json } from '@countersign/verify'
import type { Finding, MissingKind, WarningKind } from './finding.ts'
import type { Alert, ProvenMisbehaviour, SignedHead, WaitingHead, WaitingPromise } from './monitor-state.ts'

/** Something that a pass over entries found wrong with a file of the log. */
export interface TreeProblem {
  readonly kind: Extract<MissingKind, 'tile-withheld' | 'tile-differs' | 'entry-differs'>
  /** Path of the tile or bundle. */
  readonly path: string
  readonly summary: string
  /** SHA-256 of what the tile should be, in hexadecimal. */
  readonly expected?: string
}

/** What came of comparing two heads. `root` and `path` are of the newer head's tree, and were checked against it. */
export type Comparison =
  | { readonly outcome: 'agrees' }
  | { readonly outcome: 'differs'; readonly root: Hash; readonly path: readonly Hash[] }
  | { readonly outcome: 'unknown'; readonly reason: string }

/** What came of looking up the leaf of a promise. */
export type PromiseCheck =
  | { readonly outcome: 'kept' }
  | { readonly outcome: 'broken'; readonly place: ProvenPlace }
  | { readonly outcome: 'unknown'; readonly reason: string }

/** A leaf hash with its path to a head, checked. */
export interface ProvenPlace {
  readonly leafHash: Hash
  readonly path: readonly Hash[]
  /** The head's note. */
  readonly head: string
}

/** The parts of a proof file, before it is one. */
export type ProofDraft =
  | { readonly kind: 'two-heads-of-one-size'; readonly subject: string; readonly notes: readonly [string, string] }
  | {
      readonly kind: 'head-of-another-history'
      readonly subject: string
      readonly older: string
      readonly newer: string
      readonly root: Hash
      readonly path: readonly Hash[]
    }
  | {
      readonly kind: 'two-leaves-one-index'
      readonly subject: string
      readonly index: number
      readonly places: readonly [ProvenPlace, ProvenPlace]
    }
  | {
      readonly kind: 'promise-other-leaf'
      readonly subject: string
      readonly promise: string
      readonly place: ProvenPlace
    }
  | { readonly kind: 'promise-not-covered'; readonly subject: string; readonly promise: string; readonly head: string }
  | {
      readonly kind: 'two-statements-one-receipt' | 'two-statements-one-sequence-number'
      readonly subject: string
      readonly receipts: readonly [Json, Json]
    }

export type Observation =
  /** Someone showed a head; its signature was checked. */
  | {
      readonly kind: 'head'
      readonly source: string
      readonly head: SignedHead
      /** Heads of the same size with other roots that were seen before. */
      readonly rivals: readonly SignedHead[]
      /** Whether it was found to be of the verified history before. */
      readonly isSettled: boolean
      /** Latest time at which a quorum of the policy had signed it, or later; `undefined` without one. */
      readonly quorumSeconds: number | undefined
      readonly atMs: number
    }
  | {
      readonly kind: 'trouble'
      readonly finding: MissingKind | WarningKind
      readonly subject: string
      readonly summary: string
      readonly atMs: number
    }
  | {
      readonly kind: 'fine'
      readonly finding: MissingKind | WarningKind
      readonly subject: string
      readonly atMs: number
    }
  /** Everyone was asked for heads. */
  | { readonly kind: 'looked'; readonly atMs: number }
  /** The log was followed as far as it could be. */
  | { readonly kind: 'followed'; readonly atMs: number }
  /** Entries were taken in, up to the target or as far as they were to be had. */
  | {
      readonly kind: 'extended'
      readonly target: SignedHead
      readonly agreeing: readonly SignedHead[]
      readonly differing: readonly SignedHead[]
      readonly problems: readonly TreeProblem[]
      /** Why it ended before the target. */
      readonly failure: { readonly path: string; readonly reason: string } | undefined
      readonly atMs: number
    }
  | {
      readonly kind: 'compared'
      readonly older: SignedHead
      readonly newer: SignedHead
      readonly comparison: Comparison
      readonly atMs: number
    }
  | { readonly kind: 'promise'; readonly promise: WaitingPromise; readonly atMs: number }
  | {
      readonly kind: 'promise-checked'
      readonly promise: WaitingPromise
      readonly check: PromiseCheck
      readonly atMs: number
    }
  | { readonly kind: 'contradiction'; readonly draft: ProofDraft; readonly atMs: number }
  | { readonly kind: 'proven'; readonly misbehaviour: ProvenMisbehaviour }
  | { readonly kind: 'delivered'; readonly id: string }
  /** The end of a round. */
  | { readonly kind: 'tick'; readonly atMs: number; readonly terms: MonitorTerms }

/** What whoever runs a monitor decides. */
export interface MonitorTerms {
  /** How long something may be missing before it counts. */
  readonly graceMs: number
  /** Oldest head that is fresh; no limit when missing. */
  readonly maximumAgeMs: number | undefined
  /** Whether the policy has a quorum, whose times can be believed. */
  readonly hasQuorum: boolean
}

export type Effect =
  /** Take in entries up to each of these heads; the last one is what the log serves. */
  | { readonly kind: 'extend'; readonly heads: readonly WaitingHead[] }
  | { readonly kind: 'compare'; readonly older: SignedHead; readonly newer: SignedHead }
  /** Find the first entry that two trees do not share. */
  | { readonly kind: 'locate'; readonly older: SignedHead; readonly newer: SignedHead }
  | { readonly kind: 'check-promise'; readonly promise: WaitingPromise }
  /** Make the proof file, check it, write it. */
  | { readonly kind: 'prove'; readonly draft: ProofDraft }
  /** Remember that the head is of the verified history. */
  | { readonly kind: 'settle'; readonly head: SignedHead }
  | { readonly kind: 'report'; readonly report: Report }

/** A line for whoever watches the monitor. */
export type Report =
  | { readonly event: 'verified'; readonly size: number; readonly root: string; readonly atMs: number }
  | { readonly event: 'opened' | 'due' | 'closed'; readonly finding: Finding; readonly atMs: number }
  | { readonly event: 'misbehaviour'; readonly misbehaviour: ProvenMisbehaviour; readonly atMs: number }
  | { readonly event: 'alert-dropped'; readonly alert: Alert; readonly atMs: number }
