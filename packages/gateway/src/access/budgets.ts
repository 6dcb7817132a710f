/** What each key may still spend this month. A state machine in memory over the durable table of spend. @spec spec/access.md */
import { CountersignError } from '@countersign/verify'
import type { ApiKey } from './api-key.ts'

/** What one deployment cost one key on one day (UTC), as far as it is recorded. */
export interface Spend {
  readonly keyId: string
  readonly deployment: string
  /** `YYYY-MM-DD`. */
  readonly day: string
  readonly currency: string
  readonly amountMicros: number
  readonly requests: number
  readonly inputTokens: number
  readonly outputTokens: number
}

/** Money set aside for one request. It is settled once; settling it again does nothing. */
export interface Reservation {
  readonly keyId: string
  /** Day (UTC) of the request, `YYYY-MM-DD`: what it costs counts on that day, however long it takes. */
  readonly day: string
  readonly currency: string
  readonly amountMicros: number
}

export interface Budgets {
  /**
   * Sets money aside. A key without a budget may reserve anything.
   *
   * @throws {CountersignError} `budget/exceeded`, `budget/other-currency`, `shape/bad-value` for an amount that is none,
   *   `queue/full`
   */
  reserve(key: ApiKey, estimateMicros: number, currency: string, nowMs: number): Reservation
  /**
   * Puts what a request did cost in the place of what was set aside; `0` gives it all back. `unknown` keeps the estimate:
   * nobody has shown that it cost less. What cost more than was set aside counts in full, so a budget is overrun by that.
   *
   * @throws {CountersignError} `shape/bad-value` for an amount that is none; the reservation is still open then
   */
  settle(reservation: Reservation, actual: number | 'unknown'): void
  /** What a key has spent and set aside in the month of `nowMs`, in its budget's currency; `undefined` without a budget. */
  balance(key: ApiKey, nowMs: number): Balance | undefined
}

export interface Balance {
  readonly spentMicros: number
  readonly reservedMicros: number
}

/** Most reservations at once; more than requests can be under way. */
export const MAX_OPEN_RESERVATIONS = 100_000

interface Account {
  readonly month: string
  spentMicros: number
  reservedMicros: number
}

interface State {
  /** By month, currency and key: amounts of two currencies never meet. */
  readonly accounts: Map<string, Account>
  readonly open: Map<Reservation, Account | undefined>
  month: string
}

/**
 * Budgets that know what was spent before. Of `loadSpend`, rows of the month before `nowMs` and later count.
 * A sum beyond bounds stays at its bound, where nothing is left of any budget.
 *
 * @throws {CountersignError} `data/damaged` for an amount that is no whole number from 0 on
 */
export function createBudgets(loadSpend: () => Iterable<Spend>, nowMs: number): Budgets {
  const state: State = { accounts: new Map(), open: new Map(), month: monthOf(dayOf(nowMs)) }
  const oldest = monthBefore(state.month)
  for (const { keyId, day, currency, amountMicros } of loadSpend()) {
    const month = monthOf(day)
    if (month < oldest) continue
    const account = openAccount(state, keyId, currency, month)
    account.spentMicros = Math.min(Number.MAX_SAFE_INTEGER, account.spentMicros + amountMicros)
    if (!(amountMicros >= 0 && Number.isInteger(amountMicros))) {
      throw new CountersignError('data/damaged', `the spend of ${month} does not add up; restore the database`)
    }
  }
  return {
    reserve: (key, estimateMicros, currency, atMs) => reserve(state, key, { estimateMicros, currency }, atMs),
    settle: (reservation, actual) => settle(state, reservation, actual),
    balance(key, atMs) {
      if (key.monthlyBudget === undefined) return undefined
      const { currency } = key.monthlyBudget
      const account = state.accounts.get(accountId(key.id, currency, monthOf(dayOf(atMs))))
      return { spentMicros: account?.spentMicros ?? 0, reservedMicros: account?.reservedMicros ?? 0 }
    },
  }
}

interface Cost {
  readonly estimateMicros: number
  readonly currency: string
}

function reserve(state: State, key: ApiKey, { estimateMicros, currency }: Cost, nowMs: number): Reservation {
  requireAmount(estimateMicros)
  if (state.open.size >= MAX_OPEN_RESERVATIONS) {
    throw new CountersignError('queue/full', 'too many requests are under way; try again later')
  }
  const day = dayOf(nowMs)
  const reservation: Reservation = { keyId: key.id, day, currency, amountMicros: estimateMicros }
  const budget = key.monthlyBudget
  if (budget === undefined) {
    state.open.set(reservation, undefined)
    return reservation
  }
  if (budget.currency !== currency) {
    const why = `this key has a budget in ${budget.currency}, and the deployment is priced in ${currency}`
    throw new CountersignError(
      'budget/other-currency',
      `${why}; ask the operator for a key with a budget in ${currency}`,
    )
  }
  turnMonth(state, monthOf(day))
  const account = openAccount(state, key.id, currency, monthOf(day))
  // Taken away, not added up: no sum can leave the safe integers.
  if (estimateMicros > budget.amountMicros - account.spentMicros - account.reservedMicros) {
    const why = 'what this request may cost is more than what is left of the key’s budget for this month'
    throw new CountersignError('budget/exceeded', `${why}; wait for the next month (UTC), or ask for less`)
  }
  account.reservedMicros += estimateMicros
  state.open.set(reservation, account)
  return reservation
}

function settle(state: State, reservation: Reservation, actual: number | 'unknown'): void {
  const spentMicros = actual === 'unknown' ? reservation.amountMicros : actual
  requireAmount(spentMicros)
  const account = state.open.get(reservation)
  state.open.delete(reservation)
  if (account === undefined) return
  account.reservedMicros -= reservation.amountMicros
  // The request is over and cannot be refused any more: a sum beyond bounds is all that there is.
  account.spentMicros = Math.min(Number.MAX_SAFE_INTEGER, account.spentMicros + spentMicros)
}

/** Forgets what is older than the month before: requests of that one may still be open, and a clock may step back. */
function turnMonth(state: State, month: string): void {
  if (month <= state.month) return
  state.month = month
  const oldest = monthBefore(month)
  for (const [id, account] of state.accounts) if (account.month < oldest) state.accounts.delete(id)
}

function openAccount({ accounts }: State, keyId: string, currency: string, month: string): Account {
  const id = accountId(keyId, currency, month)
  const known = accounts.get(id)
  if (known !== undefined) return known
  const account = { month, spentMicros: 0, reservedMicros: 0 }
  accounts.set(id, account)
  return account
}

function accountId(keyId: string, currency: string, month: string): string {
  return `${month} ${currency} ${keyId}`
}

/** The day of a time (UTC), `YYYY-MM-DD`. */
export function dayOf(timeMs: number): string {
  return new Date(timeMs).toISOString().slice(0, 10)
}

/** The month of a day, `YYYY-MM`. */
export function monthOf(day: string): string {
  return day.slice(0, 7)
}

function monthBefore(month: string): string {
  return monthOf(dayOf(Date.parse(`${month}-01T00:00:00Z`) - 1))
}

/** Whole seconds until the next month begins (UTC), when a budget is whole again. */
export function secondsToNextMonth(nowMs: number): number {
  const now = new Date(nowMs)
  return Math.ceil((Date.UTC(now.getUTCFullYear(), now.getUTCMonth() + 1, 1) - nowMs) / 1000)
}

function isAmount(amountMicros: number): boolean {
  return Number.isSafeInteger(amountMicros) && amountMicros >= 0
}

function requireAmount(amountMicros: number): void {
  if (isAmount(amountMicros)) return
  throw new CountersignError('shape/bad-value', 'amountMicros: expected a whole number from 0 to 2^53 − 1')
}
