import type { CsvRow } from './csv.ts'
import { activeIndicators, type Indicator, indicatorsOf } from './encoding.ts'
import type { Feature } from './features.ts'

/** Applications as the learners see them. */
export type Examples = {
  readonly inputWidth: number
  /** Per application, the indexes of the indicators that hold. */
  readonly active: readonly Uint16Array[]
  /** Per application, 1 if the credit turned out bad. */
  readonly bad: readonly number[]
}

/**
 * The tensor row of one CSV line: the index of each code, and each number as it stands.
 *
 * @throws {Error} on a code that is not in the schema, or a number outside its range.
 */
export function rawValues(row: CsvRow, features: readonly Feature[]): Float32Array {
  return Float32Array.from(features, (feature) => {
    const text = row[feature.name] ?? ''
    if (feature.kind === 'category') {
      const index = feature.codes.findIndex(({ code }) => code === text)
      if (index === -1) throw new Error(`${feature.name} has no code "${text}"`)
      return index
    }
    const value = Number(text)
    if (text === '' || !(value >= feature.minimum && value <= feature.maximum)) {
      throw new Error(`${feature.name} "${text}" is outside ${feature.minimum} to ${feature.maximum}`)
    }
    return value
  })
}

/**
 * Encodes the table for learning.
 *
 * @throws {Error} on a row that {@link rawValues} refuses, or a class other than 1 (good) and 2 (bad).
 */
export function examplesOf(rows: readonly CsvRow[], features: readonly Feature[]): Examples {
  const indicators: readonly Indicator[] = indicatorsOf(features)
  return {
    inputWidth: indicators.length,
    active: rows.map((row) => activeIndicators(rawValues(row, features), indicators)),
    bad: rows.map((row) => {
      if (row.class !== '1' && row.class !== '2') throw new Error(`unknown class "${row.class}"`)
      return row.class === '2' ? 1 : 0
    }),
  }
}

/** The examples at `indexes`, in that order. */
export function pick(examples: Examples, indexes: readonly number[]): Examples {
  return {
    inputWidth: examples.inputWidth,
    active: indexes.map((index) => examples.active[index] as Uint16Array),
    bad: indexes.map((index) => examples.bad[index] as number),
  }
}
