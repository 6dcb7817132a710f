/** Property tests with one seed for all, so that a failure in one place can be had again in another. */
import type { TestContext } from 'node:test'
import fc from 'fast-check'

/** `COUNTERSIGN_SEED` overrides it, to look further. */
export const SEED = Number(process.env.COUNTERSIGN_SEED ?? 20_261_121)

/** Longest time for one property; what is left of its runs is dropped. */
const MAX_PROPERTY_MS = 10_000

/**
 * Runs a property and prints its seed.
 *
 * Cut short after ten seconds: that is the slowness of a machine, while a single run that hangs is caught by the harness
 * of the parsers and by the timeout of the test runner.
 */
export function checkProperty<T extends [unknown, ...unknown[]]>(
  context: TestContext,
  arbitraries: { [K in keyof T]: fc.Arbitrary<T[K]> },
  runs: number,
  holds: (...values: T) => void,
): void {
  context.diagnostic(`seed ${SEED}, ${runs} runs`)
  fc.assert(fc.property(...arbitraries, holds), {
    seed: SEED,
    numRuns: runs,
    interruptAfterTimeLimit: MAX_PROPERTY_MS,
    markInterruptAsFailure: false,
  })
}
