/** Adds `amount` to the element at `index`, which must exist. */
export function addAt(array: Float64Array, index: number, amount: number): void {
  array[index] = (array[index] as number) + amount
}
