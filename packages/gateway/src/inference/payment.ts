/** What an answer of a tensor model costs the holder of a key: known before it runs. @spec spec/access.md */
import { CountersignError, type PriceLine } from '@countersign/verify'
import type { ApiKey } from '../access/api-key.ts'
import { dayOf } from '../access/budgets.ts'
import type { LogService } from '../log/log-service.ts'
import type { Charge } from '../log/sequencer.ts'
import { NO_CURRENCY, sumMicros } from '../prices/prices.ts'
import { requireRate } from '../relay/admission.ts'
import { NO_KEY } from '../relay/admitted-request.ts'
import type { Services } from '../services.ts'

/** Whose request it is, and the books that it stands in. */
export interface Payer {
  readonly key: ApiKey
  readonly access: Services['access']
}

export interface Payment {
  readonly charge: Charge
  /** Puts the price in the place of what was set aside. */
  pay(): void
  /** Gives back what was set aside, for a request that nobody answered. */
  giveBack(): void
}

/**
 * Sets the price aside, and counts the request against the key's rate.
 *
 * @throws {CountersignError} `rate/limited`, `budget/exceeded`, `budget/other-currency`
 */
export function reservePayment(log: LogService, { key, access }: Payer, price: readonly PriceLine[]): Payment {
  const currency = price[0]?.currency ?? key.monthlyBudget?.currency ?? NO_CURRENCY
  if (key.monthlyBudget !== undefined && price.some((line) => line.currency !== currency)) {
    throw new CountersignError(
      'budget/other-currency',
      'a key with a budget needs a model that is priced in one currency',
    )
  }
  const nowMs = log.clock.read().timeMs
  const amountMicros = sumOf(price, currency)
  const reservation = access.budgets.reserve(key, amountMicros, currency, nowMs)
  try {
    requireRate({ access, log }, key, 0)
  } catch (thrown) {
    access.budgets.settle(reservation, 0)
    throw thrown
  }
  return {
    charge: chargeOf(key.id, nowMs, currency, amountMicros),
    pay: () => access.budgets.settle(reservation, amountMicros),
    giveBack: () => access.budgets.settle(reservation, 0),
  }
}

/** What an answer counts for where no key is asked for. */
export function openCharge(price: readonly PriceLine[], atMs: number): Charge {
  const currency = price[0]?.currency ?? NO_CURRENCY
  return chargeOf(NO_KEY, atMs, currency, sumOf(price, currency))
}

function chargeOf(keyId: string, atMs: number, currency: string, amountMicros: number): Charge {
  return { keyId, day: dayOf(atMs), currency, amountMicros, inputTokens: 0, outputTokens: 0, isUsageUnknown: false }
}

function sumOf(price: readonly PriceLine[], currency: string): number {
  return Math.min(Number.MAX_SAFE_INTEGER, sumMicros(price.filter((line) => line.currency === currency)))
}
