/** Errors of the gateway as a client of an AI provider expects them. */
import { randomBytes } from 'node:crypto'
import type { ServerResponse } from 'node:http'
import { CountersignError, codeOf } from '@countersign/verify'
import type { Family } from '../dialects/dialect.ts'
import { type ErrorFacts, errorBody } from '../dialects/error-body.ts'
import type { Services } from '../services.ts'
import type { Operation } from '../telemetry/answer-event.ts'
import { type ErrorLog, retryAfterOf } from './reply.ts'
import { RETRY_AFTER_SECONDS, STATUS } from './status.ts'

/** What may be said of an error: ours in their words, everything else as an id that the server's log explains. */
export function errorFacts(thrown: unknown, log: ErrorLog, receipt?: string): ErrorFacts {
  if (thrown instanceof CountersignError && STATUS[thrown.code] !== 500) {
    return { status: STATUS[thrown.code], code: thrown.code, message: thrown.message, receipt }
  }
  const id = randomBytes(8).toString('hex')
  log(id, thrown)
  return { status: 500, code: 'internal', message: `internal error ${id}; the server's log says more`, receipt }
}

/** Refuses a request that was not admitted: no receipt, no record. */
export function sendRefusal(
  { telemetry, logError }: Pick<Services, 'telemetry' | 'logError'>,
  response: ServerResponse,
  family: Family,
  thrown: unknown,
  operation?: Operation,
): void {
  if (response.headersSent || response.destroyed) return
  const error = errorFacts(thrown, logError)
  telemetry.observeRefusal({ code: codeOf(thrown) ?? 'internal', status: error.status, operation })
  const body = errorBody(family, error)
  const retry = retryAfterOf(thrown) ?? RETRY_AFTER_SECONDS[error.status]
  response.writeHead(error.status, {
    'content-type': 'application/json',
    'content-length': body.length,
    ...(retry === undefined ? {} : { 'retry-after': String(retry) }),
  })
  response.end(body)
}
