/** Property tests with one seed for all, so that a failure in one place can be had again in another. */
import type { TestContext } from 'node:test'
import fc from 'fast-check'
import { CountersignError } from './errors.ts'

/** `COUNTERSIGN_SEED` overrides it, to look further. */
export const SEED = Number(process.env.COUNTERSIGN_SEED ?? 20_261_121)

/**
 * Part of a property's runs that are made; `COUNTERSIGN_RUNS=1` makes all of them, 10 ten times as many. The seed is fixed, so that
 * most of what a run could find was found when the code last changed.
 */
const RUN_SHARE = Number(process.env.COUNTERSIGN_RUNS ?? 0.4)

/** Longest time for one property; what is left of its runs is dropped. */
const MAX_PROPERTY_MS = 10_000

/** Longest time for one input of any size that a parser accepts: what takes longer hangs a caller. */
const MAX_INPUT_MS = 6_000

/**
 * Runs a property and prints its seed.
 *
 * Cut short after ten seconds: that is the slowness of a machine, while a single run that hangs is caught by
 * {@link expectTyped} and by the timeout of the test runner.
 */
export function checkProperty<T extends [unknown, ...unknown[]]>(
  context: TestContext,
  arbitraries: { [K in keyof T]: fc.Arbitrary<T[K]> },
  runs: number,
  holds: (...values: T) => void,
): void {
  const numRuns = Math.ceil(runs * RUN_SHARE)
  context.diagnostic(`seed ${SEED}, ${numRuns} runs`)
  fc.assert(fc.property(...arbitraries, holds), {
    seed: SEED,
    numRuns,
    interruptAfterTimeLimit: MAX_PROPERTY_MS * Math.max(1, RUN_SHARE),
    markInterruptAsFailure: false,
  })
}

/** Runs `parse`: a value or one of our errors, in time. The value, or `undefined` where it refused. */
export function expectTyped<T>(parse: () => T, maxMs = MAX_INPUT_MS): T | undefined {
  const start = performance.now()
  let value: T | undefined
  try {
    value = parse()
  } catch (thrown) {
    if (!(thrown instanceof CountersignError)) throw new Error(`it threw ${String(thrown)}`, { cause: thrown })
  }
  const tookMs = performance.now() - start
  if (tookMs > maxMs) throw new Error(`it took ${Math.round(tookMs)} ms`)
  return value
}
