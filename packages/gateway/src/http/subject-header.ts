/** `Countersign-Subject`: whom a request is about. Never logged, never forwarded, never quoted. @spec spec/http.md */
import type { IncomingHttpHeaders } from 'node:http'
import { CountersignError } from '@countersign/verify'
import { headerOf } from './request-headers.ts'

export const SUBJECT_HEADER = 'countersign-subject'

/** Most bytes of a subject's name, and most characters of it as it is sent: each byte may be percent-encoded. */
export const MAX_SUBJECT_BYTES = 256
const SENT = /^[!-~]{1,768}$/

/** The data subject that a request names. @throws {CountersignError} `request/malformed` */
export function readSubject(request: { readonly headers: IncomingHttpHeaders }): string | undefined {
  const value = headerOf(request, SUBJECT_HEADER)
  return value === undefined ? undefined : parseSubject(value)
}

/**
 * A subject's name: visible ASCII, in which `%` begins a percent-encoded byte of UTF-8. Two spellings of one name are one
 * subject, so that an erasure does not miss what was sent in the other one. Nothing else is made equal: not upper and lower
 * case, not forms of Unicode.
 *
 * @throws {CountersignError} `request/malformed`
 */
export function parseSubject(value: string): string {
  try {
    const subject = SENT.test(value) ? decodeURIComponent(value) : ''
    if (subject !== '' && Buffer.byteLength(subject) <= MAX_SUBJECT_BYTES) return subject
  } catch {
    // Not percent-encoded as it should be.
  }
  const expected = `1 to ${MAX_SUBJECT_BYTES} bytes as visible ASCII characters, others than these percent-encoded UTF-8`
  throw new CountersignError('request/malformed', `Countersign-Subject: expected ${expected}`)
}
