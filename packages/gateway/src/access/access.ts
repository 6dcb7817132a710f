/** Who may call, how often, and for how much: joined for the routes. */
import { CountersignError } from '@countersign/verify'
import type { Sqlite } from '../store/database.ts'
import type { ApiKey } from './api-key.ts'
import { ApiKeyStore } from './api-keys.ts'
import { type Budgets, createBudgets } from './budgets.ts'
import { createRateLimits, type RateLimits } from './rate-limits.ts'
import { readSpend } from './usage.ts'

export interface Access {
  readonly rates: RateLimits
  readonly budgets: Budgets
  /**
   * The holder of a key. Without one: `undefined` where access is open, else a refusal.
   *
   * @throws {CountersignError} `auth/missing`, `auth/unknown-key`, `auth/revoked-key`, `auth/expired-key`
   */
  authenticate(token: string | undefined, nowMs: number): ApiKey | undefined
  close(): void
}

export interface AccessOptions {
  readonly mode: 'open' | 'keys'
  /** File of the keys; made when it is new. */
  readonly keysPath: string
  /** What was spent so far. */
  readonly database: Sqlite
  readonly nowMs: number
}

/** @throws {CountersignError} `data/newer-version`, `data/damaged`, `data/unsafe-journal-mode` */
export function openAccess({ mode, keysPath, database, nowMs }: AccessOptions): Access {
  const keys = new ApiKeyStore(keysPath)
  return {
    rates: createRateLimits(),
    budgets: createBudgets(() => readSpend(database), nowMs),
    authenticate(token, now) {
      if (token !== undefined) return keys.authenticate(token, now)
      if (mode === 'open') return undefined
      throw new CountersignError('auth/missing', 'send a key of this gateway as "Authorization: Bearer csk_…"')
    },
    close: () => keys.close(),
  }
}
