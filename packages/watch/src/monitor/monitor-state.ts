/** What a monitor knows between two observations. Plain values, so that it can be kept as JSON. */
import type { MisbehaviourKind } from '@countersign/verify'
import type { Finding } from './finding.ts'

/** A head whose signature by the log was checked. */
export interface SignedHead {
  readonly size: number
  /** Hexadecimal. */
  readonly root: string
  /** The whole note, with cosignatures. */
  readonly note: string
}

export interface WaitingHead extends SignedHead {
  /** Who showed it first: `log`, `witness …`, `file …`. */
  readonly source: string
  readonly sinceMs: number
}

/** A promise whose signature by the log was checked. */
export interface WaitingPromise {
  readonly note: string
  readonly receipt: string
  readonly index: number
  /** Hexadecimal. */
  readonly leafHash: string
  readonly coverBySeconds: number
}

/** A head that a quorum of the policy saw at a time or later. */
export interface CosignedHead extends SignedHead {
  readonly quorumSeconds: number
}

/** A proof file that was written. */
export interface ProvenMisbehaviour {
  readonly kind: MisbehaviourKind
  readonly subject: string
  readonly summary: string
  /** Name of the file in the folder of proofs, and its SHA-256 in hexadecimal. */
  readonly file: string
  readonly digest: string
  readonly atMs: number
}

/** What is sent to whoever wants to know. @spec spec/monitor.md */
export interface Alert {
  readonly id: string
  readonly atMs: number
  readonly level: 'misbehaviour' | 'evidence-missing' | 'resolved'
  readonly kind: string
  readonly subject: string
  readonly summary: string
  readonly sinceMs: number
  readonly file?: string
  readonly digest?: string
}

export interface MonitorState {
  /** Size 0 at the beginning, with an empty note. */
  readonly verified: SignedHead
  /** The largest head that the log itself has served, and when it began to. */
  readonly served: (SignedHead & { readonly grewAtMs: number }) | undefined
  /** What the log served last. */
  readonly servedSize: number
  readonly waiting: readonly WaitingHead[]
  /** A head that nothing served leads to, when to try it again, and how long was waited the last time. */
  readonly stuck: { readonly root: string; readonly untilMs: number; readonly waitMs: number } | undefined
  readonly promises: readonly WaitingPromise[]
  readonly cosigned: readonly CosignedHead[]
  readonly findings: readonly Finding[]
  readonly proven: readonly ProvenMisbehaviour[]
  readonly alerts: readonly Alert[]
  /** Alerts so far, which numbers the next. */
  readonly alertCount: number
}

/** What a monitor begins with. */
export function initialState(emptyRootHex: string): MonitorState {
  return {
    verified: { size: 0, root: emptyRootHex, note: '' },
    served: undefined,
    servedSize: 0,
    waiting: [],
    stuck: undefined,
    promises: [],
    cosigned: [],
    findings: [],
    proven: [],
    alerts: [],
    alertCount: 0,
  }
}
