/** Compares what an answer said with what running the model again gave. `verify` runs no model itself. */
import type { ErrorCode } from '../errors.ts'
import type { StatementDigest } from '../statement/statement.ts'
import type { Tensor } from './tensor.ts'

/** What to run: the port that `engines` fills. */
export interface ExecutionRequest {
  /** The inference statement that this is about. */
  readonly statement: StatementDigest
  /** SHA-256 of the model's file, hexadecimal. */
  readonly modelDigest: string
  /** Profile that served, and profile to run. */
  readonly servedProfile: string
  readonly referenceProfile: string
  readonly inputs: readonly Tensor[]
  readonly outputs: readonly string[]
}

/** What came of it. */
export type ExecutionResult =
  | {
      readonly statement: StatementDigest
      readonly outcome: 'ran'
      readonly modelDigest: string
      readonly profile: string
      readonly outputs: readonly Tensor[]
    }
  | {
      readonly statement: StatementDigest
      readonly outcome: 'unavailable'
      readonly code: ErrorCode
      readonly reason: string
    }

/** The first place where two sets of outputs differ. */
export interface Difference {
  readonly tensor: string
  /** Position in row order, or `undefined` where name, type or shape differ. */
  readonly position: number | undefined
  readonly claimed: string
  readonly computed: string
}

/** `undefined` when each tensor has the same name, type, shape and values; else the first difference. */
export function firstDifference(claimed: readonly Tensor[], computed: readonly Tensor[]): Difference | undefined {
  for (let i = 0; i < Math.max(claimed.length, computed.length); i++) {
    const a = claimed[i]
    const b = computed[i]
    if (a === undefined || b === undefined || describe(a) !== describe(b)) {
      return { tensor: a?.name ?? b?.name ?? '', position: undefined, claimed: describe(a), computed: describe(b) }
    }
    const position = firstDifferentElement(a, b)
    if (position !== undefined) {
      return { tensor: a.name, position, claimed: String(a.data[position]), computed: String(b.data[position]) }
    }
  }
  return undefined
}

function describe(tensor: Tensor | undefined): string {
  return tensor === undefined ? 'no tensor' : `${tensor.name} ${tensor.datatype} [${tensor.shape.join(', ')}]`
}

/** By value. +0 and −0 count as equal, for JSON writers drop the sign; NaN cannot come out of JSON. */
function firstDifferentElement(a: Tensor, b: Tensor): number | undefined {
  for (let i = 0; i < a.data.length; i++) if (a.data[i] !== b.data[i]) return i
  return undefined
}
