import type { Json } from './json.ts'

/**
 * What was proven before and need not be proven again: signatures on heads, and statements that many dossiers carry.
 * Holds proofs alone, keyed by everything that went into them, so that forgetting it changes no verdict.
 */
export interface Memory {
  /**
   * The value proven before under `key`, or the one that `prove` gives now. What throws is not remembered. `bytes` is how
   * long the text is that the value was read from, where that is not the key.
   */
  recall<T>(kind: string, key: string, prove: () => T, bytes?: number): T
  /** The same for what was read from `value`. `name` only finds it; what counts is that the value is the same. */
  recallJson<T>(kind: string, name: string, value: Json, read: () => T): T
  /**
   * The same for what follows from two objects alone, as a note and a key. They are known by what they are, not by what they
   * hold: nobody may change them afterwards. Forgotten with either of them.
   */
  recallOf<T>(kind: string, first: object, second: object, prove: () => T): T
}

/** Most bytes of texts whose values are remembered, all in all: whoever writes dossiers chooses how long they are. */
export const MAX_REMEMBERED_BYTES = 32 * 1024 * 1024

/** Bytes of the longest text whose value is remembered. Honest ones are far shorter. */
export const MAX_REMEMBERED_TEXT_BYTES = 256 * 1024

/** Forgets everything when it holds `capacity` proofs, or those of too many bytes. */
export function createMemory(capacity = 4096): Memory {
  const proven = new Map<string, Map<string, unknown>>()
  let size = 0
  let heldBytes = 0
  const ofObjects = new WeakMap<object, WeakMap<object, Map<string, unknown>>>()
  function keep(kind: string, key: string, value: unknown, bytes: number): void {
    if (bytes > MAX_REMEMBERED_TEXT_BYTES) return
    if (size >= capacity || heldBytes + bytes > MAX_REMEMBERED_BYTES) {
      proven.clear()
      size = 0
      heldBytes = 0
    }
    heldBytes += bytes
    const known = proven.get(kind) ?? new Map<string, unknown>()
    proven.set(kind, known)
    if (!known.has(key)) size++
    known.set(key, value)
  }

  return {
    recall<T>(kind: string, key: string, prove: () => T, bytes = key.length): T {
      const known = proven.get(kind)
      if (known?.has(key)) return known.get(key) as T
      const value = prove()
      keep(kind, key, value, Math.max(bytes, key.length))
      return value
    },
    recallJson<T>(kind: string, name: string, value: Json, read: () => T): T {
      const known = proven.get(kind)?.get(name) as { readonly from: Json; readonly value: T } | undefined
      if (known !== undefined && isSameJson(known.from, value)) return known.value
      const made = { from: value, value: read() }
      keep(kind, name, made, JSON.stringify(value).length)
      return made.value
    },
    recallOf<T>(kind: string, first: object, second: object, prove: () => T): T {
      const known = ofObjects.get(first)?.get(second)
      if (known?.has(kind)) return known.get(kind) as T
      const value = prove()
      const others = ofObjects.get(first) ?? new WeakMap<object, Map<string, unknown>>()
      ofObjects.set(first, others)
      others.set(second, (others.get(second) ?? new Map<string, unknown>()).set(kind, value))
      return value
    },
  }
}

/** Whether two parsed texts have one value; the order of members means nothing. */
function isSameJson(a: Json, b: Json): boolean {
  if (a === b) return true
  if (a === null || b === null || typeof a !== 'object' || typeof b !== 'object') return false
  if (Array.isArray(a) !== Array.isArray(b)) return false
  const [mine, theirs] = [a as { readonly [key: string]: Json }, b as { readonly [key: string]: Json }]
  const keys = Object.keys(mine)
  if (keys.length !== Object.keys(theirs).length) return false
  for (const key of keys) {
    const [left, right] = [mine[key], theirs[key]]
    if (left === undefined || right === undefined || !Object.hasOwn(theirs, key) || !isSameJson(left, right))
      return false
  }
  return true
}
