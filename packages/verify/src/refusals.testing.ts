/** A valid JSON value, changed at one place at a time, and the code that each change must be refused with. */
import assert from 'node:assert/strict'
import type { Json } from './bytes/json.ts'
import { type JsonPath, valueAt, withValueAt } from './bytes/json-edit.testing.ts'
import type { ErrorCode } from './errors.ts'

/** Where, what stands there instead (`undefined`: nothing), and the code. */
export type Refusal = readonly [path: JsonPath, replacement: Json | undefined, code: ErrorCode]

/** Asserts that `parse` takes `valid`, and refuses it with each change. */
export function assertRefusals(valid: Json, parse: (value: Json) => unknown, refusals: readonly Refusal[]): void {
  parse(valid)
  for (const [path, replacement, code] of refusals) {
    const changed = withValueAt(valid, path, replacement)
    assert.notDeepEqual(changed, valid)
    assert.throws(() => parse(changed), { code }, `${path.join('.')} = ${JSON.stringify(replacement)}`)
  }
}

/** A surplus field in every object of `value`, and every field taken away that is not `optional`. */
export function shapeRefusals(value: Json, optional: readonly string[], path: JsonPath = []): readonly Refusal[] {
  const found = valueAt(value, path)
  if (found === null || typeof found !== 'object') return []
  if (Array.isArray(found)) return found.flatMap((_, i) => shapeRefusals(value, optional, [...path, i]))
  return [
    [[...path, 'surplus'], 1, 'shape/unknown-field'] as const,
    ...Object.keys(found).flatMap((name): readonly Refusal[] => [
      ...(optional.includes(name) ? [] : [[[...path, name], undefined, 'shape/missing-field'] as const]),
      ...shapeRefusals(value, optional, [...path, name]),
    ]),
  ]
}
