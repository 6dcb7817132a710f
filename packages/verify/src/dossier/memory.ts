/**
 * What was proven before and need not be proven again: signatures on heads, and statements that many dossiers carry.
 * Holds proofs alone, keyed by everything that went into them, so that forgetting it changes no verdict.
 */
export interface Memory {
  /** The value proven before under `key`, or the one that `prove` gives now. What throws is not remembered. */
  recall<T>(kind: string, key: string, prove: () => T): T
}

/** Forgets everything when it holds `capacity` proofs. */
export function createMemory(capacity = 4096): Memory {
  const proven = new Map<string, unknown>()
  return {
    recall<T>(kind: string, key: string, prove: () => T): T {
      const name = `${kind} ${key}`
      if (proven.has(name)) return proven.get(name) as T
      const value = prove()
      if (proven.size >= capacity) proven.clear()
      proven.set(name, value)
      return value
    },
  }
}
