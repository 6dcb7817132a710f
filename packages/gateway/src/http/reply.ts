/** Replies: an error in the protocol's shape, with a stable code; whatever is not ours is opaque. */
import { randomBytes } from 'node:crypto'
import { CountersignError } from '@countersign/verify'
import { RETRY_AFTER_SECONDS, STATUS } from './status.ts'

export interface Reply {
  readonly status: number
  readonly headers: { readonly [name: string]: string }
  readonly body: Uint8Array | string
}

export const JSON_TYPE = 'application/json; charset=utf-8'

/** Somewhere to write down what an opaque error was. */
export type ErrorLog = (id: string, thrown: unknown) => void

/**
 * The reply to an error. The message of one of ours is for the client to read, unless its status is 500: then, and for
 * everything else, an id that the server's log explains.
 */
export function errorReply(thrown: unknown, log: ErrorLog): Reply {
  if (thrown instanceof CountersignError && STATUS[thrown.code] !== 500) {
    const seconds = retryAfterOf(thrown)
    const headers = seconds === undefined ? {} : { 'retry-after': String(seconds) }
    return reply(STATUS[thrown.code], { error: thrown.message, code: thrown.code }, headers)
  }
  const id = randomBytes(8).toString('hex')
  log(id, thrown)
  return reply(500, { error: `internal error ${id}; the server's log says more`, code: 'internal', id })
}

/** When it is worth trying again, where an error says so itself. */
export function retryAfterOf(thrown: unknown): number | undefined {
  const seconds = (thrown as { retryAfterSeconds?: unknown } | null)?.retryAfterSeconds
  return typeof seconds === 'number' ? seconds : undefined
}

/** A JSON reply. */
export function reply(status: number, value: unknown, headers: Reply['headers'] = {}): Reply {
  const retry = RETRY_AFTER_SECONDS[status]
  return {
    status,
    headers: {
      'content-type': JSON_TYPE,
      ...(retry === undefined ? {} : { 'retry-after': String(retry) }),
      ...headers,
    },
    body: JSON.stringify(value),
  }
}
