/** Errors of the gateway in the shapes that a client's library expects. */
import { utf8 } from '@countersign/verify'
import type { Dialect, Family } from './dialect.ts'

export interface ErrorFacts {
  /** HTTP status; in a stream the one that it would have been. */
  readonly status: number
  /** A code of ours, or `internal`. */
  readonly code: string
  readonly message: string
  /** Receipt's id, where there is one. */
  readonly receipt?: string | undefined
}

/** The type that a family gives to errors of a status. Others are {@link OTHER_TYPE}. */
const TYPE: { readonly [family in Family]: { readonly [status: number]: string } } = {
  openai: {
    401: 'authentication_error',
    403: 'permission_error',
    404: 'not_found_error',
    429: 'rate_limit_error',
    503: 'service_unavailable_error',
    504: 'timeout_error',
    529: 'service_unavailable_error',
  },
  anthropic: {
    401: 'authentication_error',
    402: 'billing_error',
    403: 'permission_error',
    404: 'not_found_error',
    413: 'request_too_large',
    429: 'rate_limit_error',
    503: 'overloaded_error',
    504: 'timeout_error',
    529: 'overloaded_error',
  },
  'open-inference': {},
}

const OTHER_TYPE: { readonly [family in Family]: { readonly client: string; readonly server: string } } = {
  openai: { client: 'invalid_request_error', server: 'server_error' },
  anthropic: { client: 'invalid_request_error', server: 'api_error' },
  // Has no types of errors.
  'open-inference': { client: '', server: '' },
}

/** The body of an error reply, JSON. Our code and the receipt's id stand beside what the family's errors have. */
export function errorBody(family: Family, error: ErrorFacts): Uint8Array {
  return utf8(JSON.stringify(errorObject(family, error)))
}

/**
 * The same as a frame, for a stream that breaks off. Its first byte must follow a blank line.
 *
 * `sequenceNumber` is for responses, whose events are numbered.
 */
export function errorFrame(
  dialect: Pick<Dialect, 'family' | 'streamError'>,
  error: ErrorFacts,
  sequenceNumber = 0,
): Uint8Array {
  const body = errorObject(dialect.family, error)
  if (dialect.streamError === 'data') return utf8(`data: ${JSON.stringify(body)}\n\n`)
  if (dialect.streamError === 'anthropic-event') return utf8(`event: error\ndata: ${JSON.stringify(body)}\n\n`)
  // Some clients look for the fields in the event, as documented, others in an object `error`, as it is often sent.
  const { code, message } = error
  const event = { type: 'error', code, message, param: null, sequence_number: sequenceNumber, ...body }
  return utf8(`event: error\ndata: ${JSON.stringify(event)}\n\n`)
}

function errorObject(family: Family, { status, code, message, receipt }: ErrorFacts): object {
  const type = errorType(family, status)
  const ours = { code, ...(receipt === undefined ? {} : { receipt }) }
  if (family === 'open-inference') return { error: message, ...ours }
  if (family === 'anthropic') return { type: 'error', error: { type, message, ...ours } }
  return { error: { message, type, param: null, ...ours } }
}

function errorType(family: Family, status: number): string {
  return TYPE[family][status] ?? (status >= 500 ? OTHER_TYPE[family].server : OTHER_TYPE[family].client)
}
