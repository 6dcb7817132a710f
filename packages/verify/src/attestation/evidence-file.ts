/** An evidence file: everything that one place hands over at once, as it came. @spec spec/evidence.md */
import { toBase64 } from '../bytes/base64.ts'
import { FILE_LIMITS, type Json, parseJson } from '../bytes/json.ts'
import { Fields, type Path } from '../bytes/shape.ts'
import { EVIDENCE_KINDS, type EvidenceKind } from './appraised.ts'
import { PROFILE_NAMES, type ProfileName } from './profile-names.ts'

export const EVIDENCE_FORMAT = 'countersign-evidence/v1'

/** Formats of logs whose events are measured into RTMRs. */
export const EVENT_LOG_FORMATS = ['dstack', 'ccel'] as const
export type EventLogFormat = (typeof EVENT_LOG_FORMATS)[number]

/** One piece of evidence, as its maker hands it out. */
export interface EvidenceItem {
  readonly kind: EvidenceKind
  readonly content: Uint8Array
  /** The log of what was measured; TDX alone. */
  readonly eventLog?: { readonly format: EventLogFormat; readonly content: Uint8Array }
}

/** Nothing in it is checked yet. */
export interface UnverifiedEvidence {
  readonly profile: ProfileName
  readonly items: readonly EvidenceItem[]
  /** The challenge that was sent for it, up to 64 bytes; empty where there was none. */
  readonly nonce: Uint8Array
  /** What the provider says beside its evidence, unsigned; each profile reads its own members. */
  readonly beside: { readonly [name: string]: Json }
}

export const MAX_EVIDENCE_ITEMS = 32
const MAX_CONTENT_TEXT = 4 * 1024 * 1024
const MAX_BESIDE_MEMBERS = 64

/**
 * Reads an evidence file; looks into no item.
 *
 * @throws {CountersignError} `json/*`, `bytes/*`, `shape/*`
 */
export function parseEvidence(bytes: Uint8Array): UnverifiedEvidence {
  const fields = new Fields(parseJson(bytes, FILE_LIMITS), 'evidence')
  fields.literal('format', EVIDENCE_FORMAT)
  const evidence = {
    profile: fields.oneOf('profile', PROFILE_NAMES),
    items: fields.list('items', MAX_EVIDENCE_ITEMS, readItem),
    nonce: fields.base64('nonce', 88),
    beside: readBeside(fields.object('beside')),
  }
  fields.end()
  return evidence
}

function readBeside(fields: Fields): { readonly [name: string]: Json } {
  return Object.fromEntries(fields.names(MAX_BESIDE_MEMBERS).map((name) => [name, fields.required(name)]))
}

function readItem(item: Json, path: Path): EvidenceItem {
  const fields = new Fields(item, path)
  const eventLog = fields.optional('eventLog', () => {
    const log = fields.object('eventLog')
    const read = { format: log.oneOf('format', EVENT_LOG_FORMATS), content: log.base64('content', MAX_CONTENT_TEXT) }
    log.end()
    return read
  })
  const read: EvidenceItem = {
    kind: fields.oneOf('kind', EVIDENCE_KINDS),
    content: fields.base64('content', MAX_CONTENT_TEXT),
    ...(eventLog === undefined ? {} : { eventLog }),
  }
  fields.end()
  return read
}

/** The JSON form of an evidence file. */
export function formatEvidence({ profile, items, nonce, beside }: UnverifiedEvidence): Json {
  return {
    format: EVIDENCE_FORMAT,
    profile,
    items: items.map(({ kind, content, eventLog }) => ({
      kind,
      content: toBase64(content),
      ...(eventLog === undefined ? {} : { eventLog: { format: eventLog.format, content: toBase64(eventLog.content) } }),
    })),
    nonce: toBase64(nonce),
    beside,
  }
}
