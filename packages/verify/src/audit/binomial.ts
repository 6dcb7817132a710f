/**
 * What a sample says of the whole, exactly. Shares are whole millionths.
 *
 * Each answer of the epoch is selected with the same chance, apart from the others. Bounds are those of drawing with
 * replacement; a sample without it says as much or more.
 */
import { CountersignError } from '../errors.ts'
import { MILLION } from '../statement/audit-commitment.ts'

/** Below this many, tails are summed in whole numbers; above it in logarithms, on the safe side. */
const EXACT_SAMPLE = 200

/** How far a sum of logarithms may be off: far more than it is. */
const LOG_MARGIN = 1e-9

/**
 * The least number of entries to look at, so that a share of `fraudMillionths` would show at least once with
 * `confidenceMillionths`: the smallest n with (1 − f)^n ≤ 1 − c.
 *
 * @throws {CountersignError} `shape/bad-value`
 */
export function samplesNeeded(fraudMillionths: number, confidenceMillionths: number): number {
  checkMillionths(fraudMillionths, 1, MILLION)
  checkMillionths(confidenceMillionths, 1, MILLION - 1)
  const [honest, doubt] = [MILLION - fraudMillionths, MILLION - confidenceMillionths]
  if (honest === 0) return 1
  const estimate = Math.log(doubt / MILLION) / Math.log1p(-fraudMillionths / MILLION)
  let count = Math.max(1, Math.floor(estimate) - 1)
  while (!powerIsAtMost(honest, count, doubt)) count++
  return count
}

/**
 * The largest share that is not excluded, when `failures` of `sampled` entries are not as they should be: the upper bound
 * of Clopper and Pearson, in millionths, rounded up. One whole million where nothing was sampled.
 *
 * With a chance of at most 1 − c a sample comes out so well though the share is larger.
 *
 * @throws {CountersignError} `shape/bad-value`
 */
export function excludedFraud(sampled: number, failures: number, confidenceMillionths: number): number {
  checkMillionths(confidenceMillionths, 1, MILLION - 1)
  const isCount = Number.isSafeInteger(sampled) && Number.isSafeInteger(failures) && failures >= 0
  if (!isCount || sampled < failures) throw new CountersignError('shape/bad-value', 'expected 0 to all to have failed')
  if (sampled === failures) return MILLION
  const doubt = MILLION - confidenceMillionths
  // The tail falls as the share grows: the smallest share whose tail is within the doubt.
  let [low, high] = [0, MILLION]
  while (high - low > 1) {
    const middle = Math.floor((low + high) / 2)
    if (tailIsAtMost(sampled, failures, middle, doubt)) high = middle
    else low = middle
  }
  return high
}

/** Whether P(at most `failures` of `sampled`) ≤ `doubt`, when each fails with `share`. */
function tailIsAtMost(sampled: number, failures: number, share: number, doubt: number): boolean {
  if (failures === 0) return powerIsAtMost(MILLION - share, sampled, doubt)
  if (sampled <= EXACT_SAMPLE) return exactTail(sampled, failures, share) * BigInt(MILLION) <= doubtOf(sampled, doubt)
  return logTail(sampled, failures, share / MILLION) <= Math.log(doubt / MILLION) - LOG_MARGIN
}

/** P(at most `failures` of `sampled`), times 10^(6 · sampled). */
export function exactTail(sampled: number, failures: number, share: number): bigint {
  const [fail, pass] = [BigInt(share), BigInt(MILLION - share)]
  let choose = 1n
  let sum = 0n
  for (let i = 0; i <= failures; i++) {
    if (i > 0) choose = (choose * BigInt(sampled - i + 1)) / BigInt(i)
    sum += choose * fail ** BigInt(i) * pass ** BigInt(sampled - i)
  }
  return sum
}

function doubtOf(sampled: number, doubt: number): bigint {
  return BigInt(doubt) * BigInt(MILLION) ** BigInt(sampled)
}

/** The logarithm of P(at most `failures` of `sampled`): from the largest term down, until the rest is nothing. */
export function logTail(sampled: number, failures: number, share: number): number {
  const odds = Math.log(share) - Math.log1p(-share)
  let log = sampled * Math.log1p(-share)
  const terms = [log]
  for (let i = 1; i <= failures; i++) {
    log += Math.log((sampled - i + 1) / i) + odds
    terms.push(log)
  }
  const largest = terms.reduce((most, term) => Math.max(most, term))
  return largest + Math.log(terms.reduce((sum, term) => sum + Math.exp(term - largest), 0))
}

/**
 * Whether (base / 10^6)^count ≤ limit / 10^6, exactly: by a power in binary digits, rounded down and up, with more of
 * them until both say the same. Equal they can be for small counts alone, and those are reckoned in whole numbers.
 */
export function powerIsAtMost(base: number, count: number, limit: number): boolean {
  if (count <= 64) return BigInt(base) ** BigInt(count) * BigInt(MILLION) <= doubtOf(count, limit)
  if (base === 0) return true
  for (let bits = 128n; ; bits *= 2n) {
    const bound = (BigInt(limit) << bits) / BigInt(MILLION)
    if (power(base, count, bits, 1n) <= bound) return true
    if (power(base, count, bits, 0n) > bound) return false
  }
}

/** (base / 10^6)^count in fixed point, each step rounded up (`up` is 1) or down (0). */
function power(base: number, count: number, bits: bigint, up: bigint): bigint {
  const round = (value: bigint, divisor: bigint) => (value + up * (divisor - 1n)) / divisor
  const whole = 1n << bits
  let square = round(BigInt(base) << bits, BigInt(MILLION))
  let result = whole
  for (let rest = count; rest > 0; rest = Math.floor(rest / 2)) {
    if (rest % 2 === 1) result = round(result * square, whole)
    square = round(square * square, whole)
  }
  return result
}

function checkMillionths(value: number, least: number, most: number): void {
  if (Number.isSafeInteger(value) && value >= least && value <= most) return
  throw new CountersignError('shape/bad-value', `expected ${least} to ${most} millionths`)
}
