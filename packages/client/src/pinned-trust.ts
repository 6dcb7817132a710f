/** What the caller pins: the log's key, alone or in a trust file. */
import {
  CountersignError,
  type Crypto,
  type NoteKey,
  parseNoteKey,
  parseTrustFile,
  quote,
  type Trust,
  utf8,
} from '@countersign/verify'

/** The logs whose promises count. Empty when nothing was pinned: then nothing that is signed can hold. */
export interface PinnedTrust {
  readonly logKeys: readonly NoteKey[]
  /** Where a whole trust file was given: for verdicts. */
  readonly trust: Trust | undefined
}

/** A verifier key as the log's operator hands it out: `name+id+base64`, alone or in its line of a policy. */
const KEY_LINE = /^(?:log[ \t]+)?([^+\s]+\+[0-9a-f]{8}\+[A-Za-z0-9+/]+=*)$/

/**
 * Reads the text of a trust file, or a log's verifier key, with or without the `log` before it.
 *
 * @throws {CountersignError} `trust/malformed`, `key/malformed`
 */
export function parsePinnedTrust(crypto: Crypto, text: string | undefined): PinnedTrust {
  if (text === undefined) return { logKeys: [], trust: undefined }
  const [, key] = KEY_LINE.exec(text.trim()) ?? []
  if (key !== undefined) return { logKeys: [parseNoteKey(crypto, key)], trust: undefined }
  const trust = parseTrustFile(crypto, utf8(text))
  return { logKeys: trust.policy.logs.map(({ key }) => key), trust }
}

/**
 * The pinned key of the log that calls itself `origin`.
 *
 * @throws {CountersignError} `policy/unknown-log`
 */
export function findLogKey({ logKeys }: PinnedTrust, origin: string): NoteKey {
  const key = logKeys.find(({ name }) => name === origin)
  if (key !== undefined) return key
  const why = logKeys.length === 0 ? 'no log’s key is pinned' : `the log ${quote(origin)} is not the one pinned`
  throw new CountersignError('policy/unknown-log', why)
}
