import { excludedFraud, samplesNeeded } from '../audit/binomial.ts'
import { createDraw } from '../audit/selection.ts'
import { parseHex } from '../bytes/bytes.ts'
import type { Json } from '../bytes/json.ts'
import { type FormatVector, type FormatVectors, gives, numberOf, refused, textOf } from './format-vector.testing.ts'

export function auditVectors(): readonly FormatVectors[] {
  return [selectionVectors(), boundVectors()]
}

const SEED = '0f'.repeat(32)
const LEAF = 'a5'.repeat(32)

function selectionVectors(): FormatVectors {
  const drawn = (index: number, rateMillionths: number, seed = SEED, leafHash = LEAF): Json => ({
    ...{ seed, rateMillionths, index, leafHash },
  })
  return {
    file: 'audit-selection',
    description:
      'Whether an audit selects an entry: `seed` and `leafHash` in hexadecimal, `rateMillionths`, `index`. The value is true when it does.',
    cases: SELECTIONS.map(([name, selected, ...input]) => gives(name, drawn(...input), selected)).concat([
      refused('no rate', drawn(0, 0), 'shape/bad-value'),
      refused('more than all', drawn(0, 1_000_001), 'shape/bad-value'),
      refused('a short seed', drawn(0, 1, '0f'.repeat(31)), 'shape/bad-value'),
    ]),
    run: (crypto, input) => {
      const draw = createDraw(crypto, parseHex(textOf(input, 'seed')), numberOf(input, 'rateMillionths'))
      return draw(numberOf(input, 'index'), parseHex(textOf(input, 'leafHash'), 32))
    },
  }
}

/** Reckoned with another program’s HMAC. */
const SELECTIONS: readonly (readonly [string, boolean, number, number, string?, string?])[] = [
  ['entry 0, half', false, 0, 500000],
  ['entry 1, half', false, 1, 500000],
  ['entry 2, half', true, 2, 500000],
  ['entry 3, half', false, 3, 500000],
  ['the least rate that selects entry 0', true, 0, 940094],
  ['one millionth less', false, 0, 940093],
  ['all', true, 0, 1000000],
  ['a large index', true, 9007199254740991, 300000],
  ['another leaf, half', false, 0, 500_000, SEED, 'a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a4'],
  ['another seed, half', false, 0, 500_000, '0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0e'],
]

function boundVectors(): FormatVectors {
  const needed = (fraudMillionths: number, confidenceMillionths: number, count: number): FormatVector =>
    gives(`samples for ${fraudMillionths} at ${confidenceMillionths}`, { fraudMillionths, confidenceMillionths }, count)
  const bound = (sampled: number, failures: number, confidenceMillionths: number, share: number): FormatVector =>
    gives(`${failures} of ${sampled} at ${confidenceMillionths}`, { sampled, failures, confidenceMillionths }, share)
  return {
    file: 'audit-bound',
    description:
      'What samples say. With `fraudMillionths`: the least number of entries that would show such a share. With `sampled` and `failures`: the largest share that is not excluded, in millionths, rounded up. Both at `confidenceMillionths`.',
    cases: [
      needed(10_000, 990_000, 459),
      needed(10_000, 950_000, 299),
      needed(1_000, 990_000, 4603),
      needed(500_000, 750_000, 2),
      needed(900_000, 999_000, 3),
      needed(1_000_000, 999_999, 1),
      needed(1, 999_999, 13_815_504),
      bound(459, 0, 990_000, 9983),
      bound(10, 0, 950_000, 258_866),
      bound(10, 1, 950_000, 394_164),
      bound(10, 5, 950_000, 777_559),
      bound(7, 7, 990_000, 1_000_000),
      bound(0, 0, 990_000, 1_000_000),
      refused('no fraud', { fraudMillionths: 0, confidenceMillionths: 990_000 }, 'shape/bad-value'),
      refused('no doubt', { sampled: 1, failures: 0, confidenceMillionths: 1_000_000 }, 'shape/bad-value'),
      refused('more than all', { sampled: 1, failures: 2, confidenceMillionths: 990_000 }, 'shape/bad-value'),
    ],
    run: (_, input) => {
      const confidence = numberOf(input, 'confidenceMillionths')
      const { fraudMillionths } = input as { readonly fraudMillionths?: number }
      return fraudMillionths === undefined
        ? excludedFraud(numberOf(input, 'sampled'), numberOf(input, 'failures'), confidence)
        : samplesNeeded(fraudMillionths, confidence)
    },
  }
}
