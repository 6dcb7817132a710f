/** Names of members that some servers take for others: those that match names without regard to case. */
import { CountersignError, quote } from '@countersign/verify'
import type { ScannedObject } from './json-scan.ts'

/**
 * Refuses an object that spells one of these names in another case: a server that matches names without case could act
 * on that member, and the gateway on another.
 *
 * Looks at the outermost object alone. @throws {CountersignError} `json/duplicate-key`
 */
export function requireOneSpelling(body: ScannedObject, names: readonly string[]): void {
  const known = new Map(names.map((name) => [folded(name), name]))
  const exact = new Set(names)
  for (const name of body.members.keys()) {
    const meant = exact.has(name) ? undefined : known.get(folded(name))
    if (meant === undefined) continue
    const message = `the name ${quote(name)} is ${quote(meant)} but for case, and servers differ on whether it is the same`
    throw new CountersignError('json/duplicate-key', message)
  }
}

/** Upper case first: the long s and the Kelvin sign are letters of ours too, to some. */
function folded(name: string): string {
  return name.toUpperCase().toLowerCase()
}
