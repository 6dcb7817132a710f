/** The API key that a command shows a gateway. Never an argument: those stand in the list of processes. */
import { CountersignError } from '@countersign/verify'
import { readInput } from './files.ts'

/**
 * The key in the file, or else in the environment; `undefined` where there is none, or an empty one in the environment.
 *
 * @throws {CountersignError} `usage/invalid`, `file/unreadable`
 */
export function readApiKey(file: string | undefined): string | undefined {
  const given =
    file === undefined ? process.env.COUNTERSIGN_API_KEY || undefined : Buffer.from(readInput(file)).toString('utf8')
  const text = given?.trim()
  if (text === undefined || /^csk_[A-Za-z0-9_-]{43}$/.test(text)) return text
  throw new CountersignError('usage/invalid', 'the API key is not of the form csk_ and 43 characters')
}
