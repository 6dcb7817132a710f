/** Money as people write it: `25.00EUR`. Exact: digits move, nothing is multiplied as a fraction. */
import { CountersignError, quote } from '@countersign/verify'

const DECIMALS = 6
const FORM = /^(\d{1,10})(?:\.(\d{1,6}))? ?([A-Z]{3})$/

/** @throws {CountersignError} `usage/invalid` */
export function parseMoney(text: string): { readonly amountMicros: number; readonly currency: string } {
  const [, units, fraction = '', currency] = FORM.exec(text) ?? []
  const amountMicros = Number(`${units}${fraction.padEnd(DECIMALS, '0')}`)
  if (currency === undefined || !Number.isSafeInteger(amountMicros)) {
    throw new CountersignError('usage/invalid', `${quote(text)} is no amount; write it as in 25.00EUR`)
  }
  return { amountMicros, currency }
}

/** With at least two decimals, and as many as it takes: `25.00 EUR`, `0.000125 EUR`. */
export function formatMoney(amountMicros: number, currency: string): string {
  const digits = String(amountMicros).padStart(DECIMALS + 1, '0')
  const fraction = digits.slice(-DECIMALS).replace(/0{1,4}$/, '')
  return `${digits.slice(0, -DECIMALS)}.${fraction} ${currency}`
}
