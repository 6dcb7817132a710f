/** Changes at places inside JSON values. The value that is changed is left as it was. */
import type { Json } from './json.ts'

export type JsonPath = readonly (string | number)[]

/** The value at `path`. */
export function valueAt(value: Json, path: JsonPath): Json {
  let found = value
  for (const step of path) {
    const next: Json | undefined =
      found === null || typeof found !== 'object'
        ? undefined
        : (found as { readonly [key: string]: Json })[String(step)]
    if (next === undefined) throw new Error(`nothing at ${path.join('.')}`)
    found = next
  }
  return found
}

/** `value` with another one at `path`; `undefined` takes the field or item away. */
export function withValueAt(value: Json, path: JsonPath, replacement: Json | undefined): Json {
  const [step, ...rest] = path
  if (step === undefined) return replacement ?? null
  if (value === null || typeof value !== 'object') throw new Error(`nothing to change at ${step}`)
  const child = (value as { readonly [key: string]: Json })[String(step)]
  const changed = rest.length === 0 ? replacement : withValueAt(child ?? null, rest, replacement)
  if (Array.isArray(value))
    return value.flatMap((item: Json, i) => (i !== step ? [item] : changed === undefined ? [] : [changed]))
  const entries = Object.entries(value).filter(([key]) => key !== step)
  if (changed === undefined) return Object.fromEntries(entries)
  if (child === undefined) return Object.fromEntries([...entries, [String(step), changed]])
  return Object.fromEntries(Object.entries(value).map(([key, each]) => [key, key === step ? changed : each]))
}

/** Every path in a value, the root's own (empty) one first. */
export function pathsIn(value: Json): readonly JsonPath[] {
  if (value === null || typeof value !== 'object') return [[]]
  const children = Array.isArray(value) ? value.map((item: Json, i) => [i, item] as const) : Object.entries(value)
  return [[], ...children.flatMap(([step, child]) => pathsIn(child as Json).map((path) => [step, ...path]))]
}
