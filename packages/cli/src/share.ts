/** Shares as people write them: `0.01`. Exact: digits move, nothing is multiplied as a fraction. */
import { CountersignError, MILLION, quote } from '@countersign/verify'

const FORM = /^(0|1)(?:\.(\d{1,6})0*)?$/

/** Millionths, from 1 to `maximum`. @throws {CountersignError} `usage/invalid` */
export function parseShare(option: string, text: string, maximum: number): number {
  const [, units, fraction = ''] = FORM.exec(text) ?? []
  const millionths = Number(units) * MILLION + Number(fraction.padEnd(6, '0'))
  if (units !== undefined && millionths >= 1 && millionths <= maximum) return millionths
  const least = maximum === MILLION ? 'at most 1' : 'below 1'
  throw new CountersignError('usage/invalid', `${option}: ${quote(text)} is no share; write it as in 0.01, ${least}`)
}

/** A share in percent, as exact as it is: `1%`, `0.9983%`. */
export function formatShare(millionths: number): string {
  const digits = String(millionths).padStart(5, '0')
  const fraction = digits.slice(-4).replace(/0+$/, '')
  return `${digits.slice(0, -4)}${fraction === '' ? '' : `.${fraction}`}%`
}
