/** The time that a command judges by. */
import { CountersignError } from '@countersign/verify'

/** What `--at` says, or now. @throws {CountersignError} `usage/invalid` */
export function readTime(text: string | undefined): number {
  const time = text === undefined ? Date.now() : Date.parse(text)
  if (Number.isNaN(time)) throw new CountersignError('usage/invalid', `--at: ${text} is not an ISO 8601 time`)
  return time
}
