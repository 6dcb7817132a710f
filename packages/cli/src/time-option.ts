/** The time that a command judges by. */
import { CountersignError } from '@countersign/verify'

/** What `--at` says, or now. @throws {CountersignError} `usage/invalid` */
export function readTime(text: string | undefined): number {
  return text === undefined ? Date.now() : parseTime('--at', text)
}

/** Milliseconds since 1970 of the time that an option says. @throws {CountersignError} `usage/invalid` */
export function parseTime(option: string, text: string): number {
  const time = Date.parse(text)
  if (Number.isNaN(time)) throw new CountersignError('usage/invalid', `${option}: ${text} is not an ISO 8601 time`)
  return time
}
