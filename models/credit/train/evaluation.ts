import { type Examples, pick } from './applications.ts'
import { sigmoid } from './calibration.ts'
import { stratifiedFolds } from './folds.ts'
import { approvalThreshold, type Judgement } from './metrics.ts'
import { networkLogit } from './network.ts'
import { fitLogistic, fitNetwork } from './procedure.ts'
import { judgeQuantised } from './quantisation.ts'

export const REPEATS = 5
export const FOLDS = 5

/** Names the part of the seed, so that no two uses share a stream. */
const OUTER_FOLDS_STREAM = 10
const FITTING_STREAM = 11

/** A held-out application's judgement, with its row so that groups can be looked up. */
export type HeldOutJudgement = Judgement & { readonly row: number }

/** What each model said about the held-out applications of one fold, in the same order. */
export type FoldResult = {
  readonly quantised: readonly HeldOutJudgement[]
  readonly unquantised: readonly HeldOutJudgement[]
  readonly logistic: readonly HeldOutJudgement[]
  readonly withAge: readonly HeldOutJudgement[]
  readonly weightDecay: number
}

type Verdict = { readonly probability: number; readonly approved: boolean }

function verdictAt(probability: number): Verdict {
  return { probability, approved: probability < approvalThreshold }
}

/**
 * Runs stratified five-fold cross-validation five times, each fold with the whole procedure: choosing, training,
 * calibrating and quantising see the training rows of that fold only.
 *
 * `withAge` are the same applications with age as one more input.
 */
export function crossValidate(
  examples: Examples,
  withAge: Examples,
  seed: number,
  report: (done: number, total: number) => void,
): FoldResult[] {
  const results: FoldResult[] = []
  for (let repeat = 0; repeat < REPEATS; repeat += 1) {
    const folds = stratifiedFolds(examples.bad, FOLDS, [seed, OUTER_FOLDS_STREAM, repeat])
    folds.forEach(({ training, heldOut }, fold) => {
      const path = [seed, FITTING_STREAM, repeat, fold]
      const fitted = fitNetwork(pick(examples, training), path)
      const logisticLogit = fitLogistic(pick(examples, training), path)
      const aged = fitNetwork(pick(withAge, training), path)
      const judge = (of: Examples, verdict: (active: Uint16Array) => Verdict): HeldOutJudgement[] =>
        heldOut.map((row) => ({ row, bad: of.bad[row] as number, ...verdict(of.active[row] as Uint16Array) }))
      const { slope, offset } = fitted.calibration
      results.push({
        quantised: judge(examples, (active) => judgeQuantised(fitted.quantised, active)),
        unquantised: judge(examples, (active) =>
          verdictAt(sigmoid(slope * networkLogit(fitted.network, active) + offset)),
        ),
        logistic: judge(examples, (active) => verdictAt(sigmoid(logisticLogit(active)))),
        withAge: judge(withAge, (active) => judgeQuantised(aged.quantised, active)),
        weightDecay: fitted.weightDecay,
      })
      report(results.length, REPEATS * FOLDS)
    })
  }
  return results
}
