/** What auditors ask for: entries by their place in the log, with what opens them. @spec spec/http.md */
import { CountersignError } from '@countersign/verify'
import type { Hono } from 'hono'
import { type ApiKey, requireRight } from '../access/api-key.ts'
import { RateLimited } from '../relay/admission.ts'
import type { Services } from '../services.ts'
import type { StatementRow } from '../store/statement-reader.ts'
import { type Reply, reply } from './reply.ts'
import { keyFromHeaders } from './request-headers.ts'
import { statementReply } from './statement-reply.ts'
import { isCovered } from './waiting.ts'

/**
 * `GET /audit/entries/{index}`. An answer comes as its dossier, any other statement as it is public already. What cannot be
 * given is refused with the reason: an auditor counts each refusal.
 */
export function addAuditRoutes(app: Hono, gateway: Services, respond: (reply: Reply) => Response): void {
  app.get('/audit/entries/:index', async (c) => {
    const { headers } = c.req.raw
    const key = authoriseAudit(gateway, headers)
    const row = findEntry(gateway, c.req.param('index'))
    if (row.kind === 'inference') requireRight(key, 'audit', row.name)
    if (!(await isCovered(gateway, row, headers))) {
      return respond(reply(202, { index: row.index, status: 'promised' }))
    }
    if (row.kind !== 'inference') return respond(reply(200, statementReply(gateway, row)))
    requireContent(gateway, row)
    return respond(reply(200, gateway.receipts.dossier(row).json, { 'cache-control': 'no-store' }))
  })
}

/** @throws {CountersignError} `auth/*`, `rate/limited` */
function authoriseAudit(gateway: Services, headers: Headers): ApiKey {
  const key = gateway.authenticate(keyFromHeaders(headers))
  if (key === undefined) {
    throw new CountersignError('auth/missing', 'send an API key with the right "audit": Authorization: Bearer csk_…')
  }
  requireRight(key, 'audit')
  const admission = gateway.access.rates.admit(key, 0, gateway.log.clock.read().timeMs)
  if (!admission.admitted) throw new RateLimited(admission.limit, admission.retryAfterSeconds)
  return key
}

/** @throws {CountersignError} `receipt/not-found` */
function findEntry({ statements }: Services, index: string): StatementRow {
  const row = /^(0|[1-9]\d{0,14})$/.test(index) ? statements.byIndex(Number(index)) : undefined
  if (row === undefined) throw new CountersignError('receipt/not-found', 'the log has no such entry')
  return row
}

/** @throws {CountersignError} `vault/erased`, `vault/no-content` */
function requireContent({ receipts }: Services, row: StatementRow): void {
  const kept = receipts.kept(row)
  if (kept === 'erased') throw new CountersignError('vault/erased', 'the content of this answer was erased')
  if (kept === 'nothing') {
    throw new CountersignError(
      'vault/no-content',
      'nothing is kept of this answer: see the vault mode of its deployment',
    )
  }
}
