/**
 * Changes members of a JSON object in its bytes. All that is not changed stays as it came: numbers of 64 bits, spaces,
 * the order of names. What was changed is said as a JSON Patch.
 */
import { CountersignError, concat, type Json, utf8 } from '@countersign/verify'
import type { Member, ScannedObject } from './json-scan.ts'
import { COMMA } from './json-syntax.ts'

/** One operation of a JSON Patch. @spec RFC 6902 */
export type PatchOperation =
  | { readonly op: 'add' | 'replace'; readonly path: string; readonly value: Json }
  | { readonly op: 'remove'; readonly path: string }

export interface Splice {
  readonly bytes: Uint8Array
  /** Applied to the old object it gives the new one. */
  readonly patch: readonly PatchOperation[]
}

/** For each name the JSON text of its new value, or `undefined` to take the member away. */
export type MemberChanges = ReadonlyMap<string, string | undefined>

/** {@link spliceMembers} for one member that gets a value. */
export function setMember(scanned: ScannedObject, name: string, valueJson: string): Splice {
  return spliceMembers(scanned, new Map([[name, valueJson]]))
}

/** {@link spliceMembers} for one member that goes; nothing changes when it is not there. */
export function removeMember(scanned: ScannedObject, name: string): Splice {
  return spliceMembers(scanned, new Map([[name, undefined]]))
}

/**
 * The object with some members replaced, added at its end, or taken away with one comma.
 *
 * Compares nothing: a member that is replaced by the value it has is named in the patch too. The scanned object is left
 * as it was; places of its members do not hold for the new bytes.
 *
 * @throws {CountersignError} `json/malformed` when a new value is not JSON
 */
export function spliceMembers(scanned: ScannedObject, changes: MemberChanges): Splice {
  const patch: PatchOperation[] = []
  const added: Uint8Array[] = []
  const replaced = new Map<string, Uint8Array | undefined>()
  for (const [name, valueJson] of changes) {
    const isThere = scanned.members.has(name)
    const path = pointerTo(name)
    if (valueJson === undefined) {
      if (isThere) patch.push({ op: 'remove', path })
    } else {
      patch.push({ op: isThere ? 'replace' : 'add', path, value: parseValue(name, valueJson) })
      if (!isThere) added.push(utf8(`${JSON.stringify(name)}:${valueJson}`))
    }
    if (isThere) replaced.set(name, valueJson === undefined ? undefined : utf8(valueJson))
  }
  return { bytes: patch.length === 0 ? scanned.bytes : join(scanned, replaced, added), patch }
}

/** The members that stay, what stands between them as it was, and then the new ones. */
function join(
  { bytes, members, contentStart }: ScannedObject,
  replaced: ReadonlyMap<string, Uint8Array | undefined>,
  added: readonly Uint8Array[],
): Uint8Array {
  const parts: Uint8Array[] = []
  let previous: Member | undefined
  let kept = 0
  for (const [name, member] of members) {
    // A member that goes takes along what stands before it, or the first one what stands behind it.
    const isKept = !replaced.has(name) || replaced.get(name) !== undefined
    if (previous === undefined) parts.push(bytes.subarray(0, member.nameSpan.start))
    else if (isKept && kept > 0) parts.push(bytes.subarray(previous.end, member.nameSpan.start))
    if (isKept) {
      parts.push(bytes.subarray(member.nameSpan.start, member.start))
      parts.push(replaced.get(name) ?? bytes.subarray(member.start, member.end))
      kept++
    }
    previous = member
  }
  const tailStart = previous?.end ?? contentStart
  if (previous === undefined) parts.push(bytes.subarray(0, contentStart))
  for (const member of added) {
    if (kept > 0) parts.push(Uint8Array.of(COMMA))
    parts.push(member)
    kept++
  }
  parts.push(bytes.subarray(tailStart))
  return concat(...parts)
}

/** @spec RFC 6901 */
function pointerTo(name: string): string {
  return `/${name.replaceAll('~', '~0').replaceAll('/', '~1')}`
}

/** @throws {CountersignError} `json/malformed` */
function parseValue(name: string, valueJson: string): Json {
  try {
    return JSON.parse(valueJson) as Json
  } catch {
    throw new CountersignError('json/malformed', `the new value of ${name} is not JSON`)
  }
}
