/** Files of which several may be given: what is wrong with one of them names it. */
import { CountersignError } from '@countersign/verify'
import { readInput } from './files.ts'

/** What is read from one file. @throws {CountersignError} what reading throws, with the name of the file before it */
export function readFrom<T>(path: string, read: (content: Uint8Array) => T): T {
  const content = readInput(path)
  try {
    return read(content)
  } catch (thrown) {
    if (!(thrown instanceof CountersignError)) throw thrown
    throw new CountersignError(thrown.code, `${path}: ${thrown.message}`, { cause: thrown })
  }
}
