import { createRandom, shuffle } from './random.ts'

/** One split: the indexes to learn from, and those held out to measure on. */
export type Fold = { readonly training: readonly number[]; readonly heldOut: readonly number[] }

/**
 * Splits `0 … labels.length - 1` into `count` folds whose shares of bad credits are as equal as whole numbers allow.
 *
 * The split depends on nothing but the labels and `seed`.
 */
export function stratifiedFolds(labels: readonly number[], count: number, seed: readonly number[]): Fold[] {
  const foldOf = new Array<number>(labels.length).fill(0)
  let dealt = 0
  for (const label of [0, 1]) {
    const members = labels.flatMap((value, index) => (value === label ? [index] : []))
    shuffle(members, createRandom([...seed, label]))
    for (const member of members) {
      foldOf[member] = dealt % count
      dealt += 1
    }
  }
  return Array.from({ length: count }, (_, fold) => ({
    training: foldOf.flatMap((value, index) => (value === fold ? [] : [index])),
    heldOut: foldOf.flatMap((value, index) => (value === fold ? [index] : [])),
  }))
}
