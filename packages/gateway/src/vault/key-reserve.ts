/** Vault keys that are durable already and nobody's yet. They are made elsewhere, some hundred at a time. */
import type { CountersignError } from '@countersign/verify'
import type { VaultKey } from './key-store.ts'

/** Keys left in hand when more are asked for. */
const REFILL_BELOW = 512

export interface KeyReserve {
  /** A key that nobody else gets. @throws {CountersignError} what {@link KeyReserve.refuse} was given */
  take(): VaultKey | Promise<VaultKey>
  /** Keys that were asked for are there. */
  add(keys: readonly VaultKey[]): void
  /** None can be made now: whoever waits for one is told. */
  refuse(error: CountersignError): void
}

interface Waiting {
  readonly resolve: (key: VaultKey) => void
  readonly reject: (error: CountersignError) => void
}

/** @param ask Asks for more keys; answered by `add` or `refuse`, and not asked again before. */
export function createKeyReserve(ask: () => void): KeyReserve {
  const keys: VaultKey[] = []
  let waiting: Waiting[] = []
  let isAsked = false
  const refill = () => {
    if (isAsked) return
    isAsked = true
    ask()
  }
  return {
    take() {
      if (keys.length < REFILL_BELOW) refill()
      const key = keys.pop()
      if (key !== undefined) return key
      return new Promise((resolve, reject) => {
        waiting.push({ resolve, reject })
      })
    },
    add(more) {
      isAsked = false
      keys.push(...more)
      for (const { resolve } of waiting.splice(0, keys.length)) resolve(keys.pop() as VaultKey)
      if (waiting.length > 0) refill()
    },
    refuse(error) {
      isAsked = false
      const refused = waiting
      waiting = []
      for (const { reject } of refused) reject(error)
    },
  }
}
