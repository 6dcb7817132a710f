/** Erasing everything that is kept of a data subject. @spec spec/http.md */
import { CountersignError, ERASURE_REASONS, type ErasureReason } from '@countersign/verify'
import type { Hono } from 'hono'
import { requireRight } from '../access/api-key.ts'
import { sameSecret } from '../receipts/receipt-secret.ts'
import type { Services } from '../services.ts'
import { type Reply, reply } from './reply.ts'
import { keyFromHeaders } from './request-headers.ts'
import { parseSubject, SUBJECT_HEADER } from './subject-header.ts'

/** `DELETE /subjects`. The subject is named in a header: a path would stand in the logs of proxies. */
export function addSubjectRoutes(app: Hono, gateway: Services, respond: (reply: Reply) => Response): void {
  app.delete('/subjects', async (c) => {
    authoriseErasure(gateway, c.req.raw.headers)
    const named = c.req.header(SUBJECT_HEADER)
    if (named === undefined) throw new CountersignError('request/malformed', 'say whom in Countersign-Subject')
    const subject = parseSubject(named)
    const reason = readReason(c.req.query('reason'))
    return respond(reply(200, { erased: await gateway.log.eraseSubject(subject, reason) }))
  })
}

/** The reason that a request names for an erasure. @throws {CountersignError} `request/malformed` */
export function readReason(asked = 'requested'): ErasureReason {
  const reason = ERASURE_REASONS.find((known) => known === asked)
  if (reason === undefined) {
    throw new CountersignError('request/malformed', `reason: expected one of ${ERASURE_REASONS.join(', ')}`)
  }
  return reason
}

/**
 * The operator's token, or an API key that may erase, everywhere: a subject's receipts may be of any deployment.
 *
 * @throws {CountersignError} `auth/*`
 */
function authoriseErasure(gateway: Services, headers: Headers): void {
  const [, token] = /^Bearer ([!-~]{1,256})$/.exec(headers.get('authorization') ?? '') ?? []
  if (token !== undefined && sameSecret(token, gateway.operatorToken)) return
  const presented = keyFromHeaders(headers)
  const key = presented === undefined ? undefined : gateway.authenticate(presented)
  if (key === undefined) {
    const isMissing = token === undefined
    throw new CountersignError(isMissing ? 'auth/missing' : 'auth/wrong', 'this takes the operator’s token')
  }
  requireRight(key, 'erase')
  if (key.deployments !== 'all') {
    throw new CountersignError('auth/not-allowed', 'erasing a data subject is for keys that are for all deployments')
  }
}
