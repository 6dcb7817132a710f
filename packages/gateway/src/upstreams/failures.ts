/** What errors of the HTTP client mean here. Their texts are not repeated: an upstream may have written them. */
import { CountersignError, type ErrorCode } from '@countersign/verify'
import { errors } from 'undici'
import type { UpstreamTimeouts } from '../config/config.ts'

/** How far a request had come: on no connection yet, sent, or being answered. */
export type Stage = 'connecting' | 'sent' | 'answering'

interface Meaning {
  readonly code: ErrorCode
  readonly why: string | ((timeouts: UpstreamTimeouts) => string)
}

const ENDED_EARLY = 'it ended the answer before its announced end'
const NOT_HTTP = 'its answer is not HTTP as it should be'

const MEANINGS: { readonly [code: string]: Meaning } = {
  UND_ERR_CONNECT_TIMEOUT: {
    code: 'upstream/timeout',
    why: ({ connectMs }) => `no connection to it within ${connectMs} ms`,
  },
  UND_ERR_HEADERS_TIMEOUT: {
    code: 'upstream/timeout',
    why: ({ firstByteMs }) => `it did not begin to answer within ${firstByteMs} ms`,
  },
  UND_ERR_BODY_TIMEOUT: {
    code: 'upstream/timeout',
    why: ({ idleMs }) => `its answer paused for longer than ${idleMs} ms`,
  },
  UND_ERR_HEADERS_OVERFLOW: { code: 'upstream/malformed', why: 'the headers of its answer are too long' },
  UND_ERR_INVALID_ARG: { code: 'request/malformed', why: 'the path or a header cannot be sent on to it' },
  UND_ERR_CLOSED: { code: 'upstream/unreachable', why: 'the gateway has closed it' },
  UND_ERR_DESTROYED: { code: 'upstream/unreachable', why: 'the gateway has closed it' },
}

/** Codes of Node and its libraries: never text of another machine. */
const PLATFORM_CODE = /^[A-Z][A-Z0-9_]{1,63}$/

/** @param upstream Its name, as configured. */
export function upstreamFailure(
  upstream: string,
  thrown: unknown,
  stage: Stage,
  timeouts: UpstreamTimeouts,
): CountersignError {
  if (thrown instanceof CountersignError)
    return new CountersignError(thrown.code, `upstream ${upstream}: ${thrown.message}`)
  const { code, why } = meaningOf(thrown, stage)
  return new CountersignError(code, `upstream ${upstream}: ${typeof why === 'string' ? why : why(timeouts)}`)
}

function meaningOf(thrown: unknown, stage: Stage): Meaning {
  const platformCode = platformCodeOf(thrown)
  const known = MEANINGS[platformCode]
  if (known !== undefined) return known
  if (stage === 'connecting') {
    return { code: 'upstream/unreachable', why: `no connection to it (${platformCode || 'unknown reason'})` }
  }
  if (platformCode === 'UND_ERR_RES_CONTENT_LENGTH_MISMATCH') {
    const isBegun = stage === 'answering'
    return isBegun ? { code: 'upstream/reset', why: ENDED_EARLY } : { code: 'upstream/malformed', why: NOT_HTTP }
  }
  if (isNotHttp(thrown)) return { code: 'upstream/malformed', why: NOT_HTTP }
  const why = stage === 'answering' ? ENDED_EARLY : 'it closed the connection without an answer'
  return { code: 'upstream/reset', why }
}

function platformCodeOf(thrown: unknown): string {
  const code = thrown instanceof Error && 'code' in thrown ? thrown.code : undefined
  return typeof code === 'string' && PLATFORM_CODE.test(code) ? code : ''
}

/**
 * Whether the client could not read it, or got an answer that nobody had asked for, which it says in words alone. An end
 * in the wrong place is no other language, but an answer that breaks off.
 */
function isNotHttp(thrown: unknown): boolean {
  if (thrown instanceof errors.HTTPParserError) return !thrown.message.includes('Invalid EOF state')
  return thrown instanceof Error && (thrown.message === 'bad response' || thrown.message === 'bad upgrade')
}
