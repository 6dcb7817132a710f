/** JSON of others that stands in a statement as it is: bounded, and read by every program as the same. */
import type { Json } from '../bytes/json.ts'
import { type Path, ShapeError } from '../bytes/shape.ts'

/** Limits of one such value. */
export interface ExactLimits {
  /** Most characters as compact JSON. */
  readonly maxLength: number
  readonly maxDepth: number
}

/**
 * `value`, after it was found to be within the limits and to have no number that another program would read as another one.
 *
 * @throws {CountersignError} `shape/bad-value`
 */
export function readExact(value: Json, path: Path, { maxLength, maxDepth }: ExactLimits): Json {
  requireExact(value, path, { maxDepth, depthLeft: maxDepth })
  if (JSON.stringify(value).length > maxLength) {
    throw new ShapeError('shape/bad-value', path, `expected at most ${maxLength} characters of JSON`)
  }
  return value
}

function requireExact(value: Json, path: Path, depth: { readonly maxDepth: number; readonly depthLeft: number }): void {
  if (typeof value === 'number' && !(Number.isInteger(value) ? Number.isSafeInteger(value) : Number.isFinite(value))) {
    throw new ShapeError(
      'shape/bad-value',
      path,
      `expected whole numbers up to ${Number.MAX_SAFE_INTEGER}, and finite ones`,
    )
  }
  if (value === null || typeof value !== 'object') return
  const { maxDepth, depthLeft } = depth
  if (depthLeft === 0) throw new ShapeError('shape/bad-value', path, `expected at most ${maxDepth} levels`)
  for (const each of Object.values(value)) requireExact(each, path, { maxDepth, depthLeft: depthLeft - 1 })
}
