import type { Examples } from './applications.ts'
import { addAt } from './arrays.ts'

/** Logistic regression: one weight per indicator. */
export type Logistic = { readonly weights: Float64Array; readonly bias: number }

const MAXIMUM_STEPS = 30

/**
 * Solves a·x = b for a symmetric positive definite `a` (row by row), by Cholesky's method. Overwrites both; returns x
 * in `b`.
 */
function solve(a: Float64Array, b: Float64Array): Float64Array {
  const size = b.length
  for (let row = 0; row < size; row += 1) {
    for (let column = 0; column <= row; column += 1) {
      let sum = a[row * size + column] as number
      for (let k = 0; k < column; k += 1) sum -= (a[row * size + k] as number) * (a[column * size + k] as number)
      a[row * size + column] = row === column ? Math.sqrt(sum) : sum / (a[column * size + column] as number)
    }
  }
  for (let row = 0; row < size; row += 1) {
    let sum = b[row] as number
    for (let k = 0; k < row; k += 1) sum -= (a[row * size + k] as number) * (b[k] as number)
    b[row] = sum / (a[row * size + row] as number)
  }
  for (let row = size - 1; row >= 0; row -= 1) {
    let sum = b[row] as number
    for (let k = row + 1; k < size; k += 1) sum -= (a[k * size + row] as number) * (b[k] as number)
    b[row] = sum / (a[row * size + row] as number)
  }
  return b
}

/** The logit of a bad credit for one example. */
export function logisticLogit({ weights, bias }: Logistic, active: Uint16Array): number {
  let logit = bias
  for (const input of active) logit += weights[input] as number
  return logit
}

/**
 * Fits logistic regression with a ridge penalty of `penalty`/2 · |weights|² (the bias is free), by Newton's method.
 *
 * Deterministic: no random start. The penalty also makes the redundant indicators of a category harmless.
 */
export function trainLogistic(examples: Examples, penalty: number): Logistic {
  const size = examples.inputWidth + 1
  const weights = new Float64Array(examples.inputWidth)
  let bias = 0
  for (let step = 0; step < MAXIMUM_STEPS; step += 1) {
    const hessian = new Float64Array(size * size)
    const gradient = new Float64Array(size)
    examples.active.forEach((active, index) => {
      const probability = 1 / (1 + Math.exp(-logisticLogit({ weights, bias }, active)))
      const slope = probability - (examples.bad[index] as number)
      const columns = [...active, size - 1]
      for (const row of columns) {
        addAt(gradient, row, slope)
        for (const column of columns) addAt(hessian, row * size + column, probability * (1 - probability))
      }
    })
    for (let input = 0; input < examples.inputWidth; input += 1) {
      addAt(gradient, input, penalty * (weights[input] as number))
      addAt(hessian, input * size + input, penalty)
    }
    const change = solve(hessian, gradient)
    for (let input = 0; input < examples.inputWidth; input += 1) {
      addAt(weights, input, -(change[input] as number))
    }
    bias -= change[size - 1] as number
    if (change.every((value) => Math.abs(value) < 1e-9)) break
  }
  return { weights, bias }
}
