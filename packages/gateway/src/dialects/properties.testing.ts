/** Property tests of this folder: one seed for all, and what upstreams and clients may send. */
import type { TestContext } from 'node:test'
import { CountersignError } from '@countersign/verify'
import fc from 'fast-check'

/** `COUNTERSIGN_SEED` overrides it, to look further. */
const SEED = Number(process.env.COUNTERSIGN_SEED ?? 20_261_121)

/** Longest time for one property; what is left of its runs is dropped. */
const MAX_PROPERTY_MS = 10_000

/** Longest time for one input: what takes longer hangs the gateway. */
const MAX_INPUT_MS = 2_000

/** Runs a property and prints its seed. */
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

/** Runs `read`: a value or one of our errors, in time. The value, or the error's code. */
export function expectTyped<T>(read: () => T): { readonly value: T } | { readonly code: string } {
  const start = performance.now()
  try {
    return { value: read() }
  } catch (thrown) {
    if (!(thrown instanceof CountersignError)) throw new Error(`it threw ${String(thrown)}`, { cause: thrown })
    return { code: thrown.code }
  } finally {
    expectFast(start)
  }
}

function expectFast(start: number): void {
  const tookMs = performance.now() - start
  if (tookMs > MAX_INPUT_MS) throw new Error(`it took ${Math.round(tookMs)} ms`)
}

/** The bytes of a text, at an odd place of a larger buffer: what comes off a socket is a window too. */
export function windowOn(text: string | Uint8Array, offset = 1): Uint8Array {
  const bytes = Buffer.from(text)
  const larger = new Uint8Array(bytes.length + offset + 5).fill(0x22)
  larger.set(bytes, offset)
  return larger.subarray(offset, offset + bytes.length)
}

/** Cuts bytes in pieces whose lengths `sizes` gives, over and over; a size of 0 is an empty piece. */
export function cut(bytes: Uint8Array, sizes: readonly number[]): readonly Uint8Array[] {
  const pieces: Uint8Array[] = []
  const total = sizes.reduce((sum, size) => sum + size, 0)
  if (total === 0) return [bytes]
  for (let at = 0, turn = 0; at < bytes.length; turn++) {
    const size = sizes[turn % sizes.length] ?? 0
    pieces.push(bytes.slice(at, at + size))
    at += size
  }
  return pieces
}

/** Changes of a text: at a place, so many characters give way to a piece. */
export const textChanges: fc.Arbitrary<readonly (readonly [number, number, string])[]> = fc.array(
  fc.tuple(
    fc.nat(),
    fc.nat({ max: 2 }),
    fc.constantFrom(...'{}[]:,"\\/ \t\n\r\u0001\u001fu0123456789abcdefEe+-.truefalsn\u00e9\u{1f600}', ''),
  ),
  { minLength: 1, maxLength: 4 },
)

/** The text with each change made in turn. */
export function changed(text: string, changes: readonly (readonly [number, number, string])[]): string {
  let result = text
  for (const [place, length, piece] of changes) {
    const at = place % (result.length + 1)
    result = result.slice(0, at) + piece + result.slice(at + length)
  }
  return result
}
