/** Runs again what an answer claims to be the result of. What follows from the result is `verify`'s to say. */
import {
  CountersignError,
  type Difference,
  type ExecutionRequest,
  type ExecutionResult,
  firstDifference,
  type Tensor,
} from '@countersign/verify'
import type { ModelStore } from './model-store.ts'
import { findProfile } from './profile.ts'

export interface ReexecutionOptions {
  readonly models: ModelStore
  /** Name of the profile to run in: the request's reference profile unless told. */
  readonly profile?: string
}

/**
 * Runs the request's model on its inputs. What cannot be run is `unavailable`, with the reason; nothing is thrown.
 *
 * Decides nothing: compares with no answer, and a result counts for whoever trusts this machine.
 */
export async function reexecute(request: ExecutionRequest, options: ReexecutionOptions): Promise<ExecutionResult> {
  const { statement, modelDigest, inputs } = request
  try {
    const profile = findProfile(options.profile ?? request.referenceProfile)
    const outputs = await options.models.use(profile, modelDigest, (model) => model.run(inputs, request.outputs))
    return { statement, outcome: 'ran', modelDigest, profile: profile.id, outputs }
  } catch (thrown) {
    if (thrown instanceof CountersignError) {
      return { statement, outcome: 'unavailable', code: thrown.code, reason: thrown.message }
    }
    return { statement, outcome: 'unavailable', code: 'execution/failed', reason: 'the model could not be run' }
  }
}

/** How two runs compare: the same values throughout, or the first place where they part. */
export type Agreement =
  | { readonly agreement: 'exact' }
  | { readonly agreement: 'differs'; readonly difference: Difference }

/** Compares two runs as {@link firstDifference} does: without tolerance. Which one to allow is a policy's to say. */
export function compareRuns(claimed: readonly Tensor[], computed: readonly Tensor[]): Agreement {
  const difference = firstDifference(claimed, computed)
  return difference === undefined ? { agreement: 'exact' } : { agreement: 'differs', difference }
}
