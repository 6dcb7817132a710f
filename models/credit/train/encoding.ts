import type { Feature } from './features.ts'

/** A yes-or-no question about one raw value. The answers are all that the network sees. */
export type Indicator = {
  readonly featureIndex: number
  readonly relation: 'equal' | 'at-least'
  readonly value: number
}

/** The questions asked of `features`, categories first, in the order of the network's input. */
export function indicatorsOf(features: readonly Feature[]): Indicator[] {
  const equal = features.flatMap((feature, featureIndex) =>
    feature.kind === 'category'
      ? feature.codes.map((_, value): Indicator => ({ featureIndex, relation: 'equal', value }))
      : [],
  )
  const atLeast = features.flatMap((feature, featureIndex) =>
    feature.kind === 'number'
      ? feature.cuts.map((value): Indicator => ({ featureIndex, relation: 'at-least', value }))
      : [],
  )
  return [...equal, ...atLeast]
}

/**
 * Answers the questions for one row of raw values: the ascending indexes of those that hold.
 *
 * Any value is harmless: a category out of range or not whole equals no code, and NaN is neither equal to nor at least
 * anything.
 */
export function activeIndicators(raw: Float32Array, indicators: readonly Indicator[]): Uint16Array {
  const active: number[] = []
  indicators.forEach(({ featureIndex, relation, value }, index) => {
    const given = raw[featureIndex] ?? Number.NaN
    if (relation === 'equal' ? given === value : given >= value) active.push(index)
  })
  return Uint16Array.from(active)
}
