/** Of several things that others gave: what can be read, and the first that holds. Errors that are not ours are bugs, and pass on. */
import { CountersignError } from '../errors.ts'

/** What `read` gives; `undefined` where it throws an error of ours. */
export function readable<T>(read: () => T): T | undefined {
  try {
    return read()
  } catch (thrown) {
    if (thrown instanceof CountersignError) return undefined
    throw thrown
  }
}

/** Items that could be read, and why the others could not. */
export interface ReadItems<T> {
  readonly items: readonly T[]
  readonly unreadable: readonly CountersignError[]
}

/** Reads each; what cannot be read must not get in the way, nor count as nothing. */
export function readItems<T>(contents: readonly Uint8Array[], parse: (content: Uint8Array) => T): ReadItems<T> {
  const items: T[] = []
  const unreadable: CountersignError[] = []
  for (const content of contents) {
    try {
      items.push(parse(content))
    } catch (thrown) {
      if (!(thrown instanceof CountersignError)) throw thrown
      unreadable.push(thrown)
    }
  }
  return { items, unreadable }
}

/**
 * What `verify` proves of the first choice that it lets through.
 *
 * @throws {CountersignError} what it has against the first choice; where there is none, `otherwise`, or `collateral/missing`
 */
export function firstThat<T, R>(choices: readonly T[], verify: (choice: T) => R, otherwise?: CountersignError): R {
  let refusal: CountersignError | undefined
  for (const choice of choices) {
    try {
      return verify(choice)
    } catch (thrown) {
      if (!(thrown instanceof CountersignError)) throw thrown
      refusal ??= thrown
    }
  }
  throw refusal ?? otherwise ?? new CountersignError('collateral/missing', 'there is nothing of the kind')
}
