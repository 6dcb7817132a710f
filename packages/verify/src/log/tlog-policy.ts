/** Which log keys to trust, and whose cosignatures a checkpoint needs. @spec C2SP tlog-policy (draft) */
import { equalBytes } from '../bytes/bytes.ts'
import type { Crypto } from '../crypto/crypto.ts'
import { CountersignError, quote } from '../errors.ts'
import { NOTE_COSIGNATURE, NOTE_ED25519, type NoteKey, parseNoteKey } from './note.ts'

export interface PolicyLog {
  readonly key: NoteKey
  readonly url?: string
}

export interface PolicyWitness {
  readonly name: string
  readonly key: NoteKey
  readonly url?: string
}

/** `threshold` of `members` (witnesses or groups, by name). */
export interface PolicyGroup {
  readonly name: string
  readonly threshold: number
  readonly members: readonly string[]
}

export interface TlogPolicy {
  readonly logs: readonly PolicyLog[]
  readonly witnesses: readonly PolicyWitness[]
  readonly groups: readonly PolicyGroup[]
  /** Name of a witness or group, or `none`: then the log's own signature is enough. */
  readonly quorum: string
}

const MAX_LINES = 1024

/** Tab and line feed are the only control characters. Everything beyond ASCII is opaque. */
const FORBIDDEN = /[\u0000-\u0008\u000b-\u001f\u007f]/

interface Draft {
  readonly logs: PolicyLog[]
  readonly witnesses: PolicyWitness[]
  readonly groups: PolicyGroup[]
  quorum: string | undefined
}

/**
 * Reads a policy: every name defined before its use, one quorum line, no log and no witness by one key twice, each name in
 * one group. A policy may be without logs; whoever needs them must see to that.
 *
 * @throws {CountersignError} `policy/malformed`
 */
export function parseTlogPolicy(crypto: Crypto, text: string): TlogPolicy {
  const lines = text.split('\n')
  const bad = lines.findIndex((line) => FORBIDDEN.test(line))
  if (bad >= 0) throw malformed(bad + 1, 'control characters but tabs and line feeds are not allowed')
  if (lines.length > MAX_LINES) throw malformed(MAX_LINES, 'too many lines')
  const draft: Draft = { logs: [], witnesses: [], groups: [], quorum: undefined }
  lines.forEach((line, i) => {
    const words = line.split(/[ \t]+/).filter((word) => word !== '')
    const [keyword, ...rest] = words
    if (keyword === undefined || keyword.startsWith('#')) return
    readLine(crypto, draft, keyword, rest, i + 1)
  })
  if (draft.quorum === undefined) throw malformed(lines.length, 'a quorum line is missing (for none: "quorum none")')
  return { logs: draft.logs, witnesses: draft.witnesses, groups: draft.groups, quorum: draft.quorum }
}

function readLine(crypto: Crypto, draft: Draft, keyword: string, words: readonly string[], line: number): void {
  switch (keyword) {
    case 'log':
      draft.logs.push(readLog(crypto, draft, words, line))
      return
    case 'witness':
      draft.witnesses.push(readWitness(crypto, draft, words, line))
      return
    case 'group':
      draft.groups.push(readGroup(draft, words, line))
      return
    case 'quorum':
      draft.quorum = readQuorum(draft, words, line)
      return
    default:
      throw malformed(line, `unknown keyword ${quote(keyword)}`)
  }
}

function readLog(crypto: Crypto, draft: Draft, [vkey, url, ...rest]: readonly string[], line: number): PolicyLog {
  if (vkey === undefined || rest.length > 0) throw malformed(line, 'expected "log <key> [<url>]"')
  const key = readKey(crypto, vkey, NOTE_ED25519, line)
  checkNewKey(draft.logs, key, line)
  return url === undefined ? { key } : { key, url }
}

function readWitness(crypto: Crypto, draft: Draft, words: readonly string[], line: number): PolicyWitness {
  const [name, vkey, url, ...rest] = words
  if (name === undefined || vkey === undefined || rest.length > 0) {
    throw malformed(line, 'expected "witness <name> <key> [<url>]"')
  }
  checkNewName(draft, name, line)
  const key = readKey(crypto, vkey, NOTE_COSIGNATURE, line)
  checkNewKey(draft.witnesses, key, line)
  return url === undefined ? { name, key } : { name, key, url }
}

function readGroup(draft: Draft, [name, count, ...members]: readonly string[], line: number): PolicyGroup {
  if (name === undefined || count === undefined || members.length === 0) {
    throw malformed(line, 'expected "group <name> <any|all|number> <member>…"')
  }
  checkNewName(draft, name, line)
  if (new Set(members).size !== members.length) throw malformed(line, 'a member stands twice')
  for (const member of members) {
    if (!isDefined(draft, member)) throw malformed(line, `${quote(member)} is not defined above`)
    const taken = draft.groups.some((group) => group.members.includes(member))
    if (taken) throw malformed(line, `${quote(member)} is in a group already`)
  }
  const threshold = count === 'any' ? 1 : count === 'all' ? members.length : Number(count)
  const wellFormed = /^(any|all|[1-9][0-9]{0,3})$/.test(count) && threshold <= members.length
  if (!wellFormed) throw malformed(line, `${quote(count)} is not any, all, or a number up to the number of members`)
  return { name, threshold, members }
}

function readQuorum(draft: Draft, [name, ...rest]: readonly string[], line: number): string {
  if (name === undefined || rest.length > 0) throw malformed(line, 'expected "quorum <name>" or "quorum none"')
  if (draft.quorum !== undefined) throw malformed(line, 'the quorum is there already')
  if (name !== 'none' && !isDefined(draft, name)) throw malformed(line, `${quote(name)} is not defined above`)
  return name
}

function isDefined(draft: Draft, name: string): boolean {
  return [...draft.witnesses, ...draft.groups].some((each) => each.name === name)
}

/** Two lines by one key are one log or witness, whatever they call it: else one holder would count as two. */
function checkNewKey(known: readonly { readonly key: NoteKey }[], { publicKey }: NoteKey, line: number): void {
  if (known.some((each) => equalBytes(each.key.publicKey, publicKey)))
    throw malformed(line, 'this key is there already')
}

function checkNewName(draft: Draft, name: string, line: number): void {
  if (name === 'none' || isDefined(draft, name)) throw malformed(line, `the name ${quote(name)} is taken`)
}

function readKey(crypto: Crypto, text: string, type: number, line: number): NoteKey {
  try {
    const key = parseNoteKey(crypto, text)
    if (key.type === type) return key
  } catch (thrown) {
    throw malformed(line, thrown instanceof Error ? thrown.message : 'not a key')
  }
  throw malformed(line, type === NOTE_ED25519 ? 'a log needs an Ed25519 key' : 'a witness needs a cosignature key')
}

function malformed(line: number, why: string): CountersignError {
  return new CountersignError('policy/malformed', `policy line ${line}: ${why}`)
}
