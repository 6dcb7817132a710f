/** Everything but the hot path. @spec spec/http.md */
import {
  CountersignError,
  formatEvidence,
  formatPromiseHeader,
  parseHex,
  parseTilePath,
  TILE_WIDTH,
  tileWidth,
  toBase64Url,
  utf8,
} from '@countersign/verify'
import { type Context, Hono } from 'hono'
import { given, requireRight } from '../access/api-key.ts'
import { aggregateUsage, parseUsageDimensions, readSpend } from '../access/usage.ts'
import { errorBody } from '../dialects/error-body.ts'
import { receiptSecret, sameSecret } from '../receipts/receipt-secret.ts'
import { createStatementIntake } from '../receipts/statements.ts'
import { archivedCheckpoint, archivedTile } from '../recovery/archive.ts'
import type { Services } from '../services.ts'
import { METRICS_TYPE } from '../telemetry/exposition.ts'
import { addAuditRoutes } from './audit-routes.ts'
import { networkOf } from './client-address.ts'
import { errorFacts } from './dialect-error.ts'
import { addModelRoutes } from './model-routes.ts'
import { createRateLimit, type RateLimit } from './rate-limit.ts'
import { errorReply, JSON_TYPE, type Reply, reply } from './reply.ts'
import { keyFromHeaders } from './request-headers.ts'
import { statementReply } from './statement-reply.ts'
import { addSubjectRoutes, readReason } from './subject-routes.ts'
import { isCovered } from './waiting.ts'

const BUNDLE_TYPE = 'application/vnd.dev.sigstore.bundle.v0.3+json'
/** A result of an audit lists up to 1,024 entries. */
const MAX_STATEMENT_BODY_BYTES = 512 * 1024

/** Requests for evidence per address: hardware takes a while for each. */
const ATTESTATIONS_PER_SECOND = 1
const ATTESTATIONS_BURST = 10

const IMMUTABLE = 'public, max-age=31536000, immutable'

type App = Hono

/** The peer's address, handed over by the server beside the request. */
export interface Peer {
  readonly address: string
}

export function createApp(gateway: Services): App {
  const app = new Hono()
  addProtocolRoutes(app, gateway)
  addModelRoutes(app, gateway, respond)
  addReceiptRoutes(app, gateway)
  addSubjectRoutes(app, gateway, respond)
  addStatementRoutes(app, gateway)
  addAuditRoutes(app, gateway, respond)
  addAttestationRoute(app, gateway)
  addLogRoutes(app, gateway)
  addArchiveRoutes(app, gateway)
  app.get('/usage', (c) => {
    const key = gateway.authenticate(keyFromHeaders(c.req.raw.headers))
    if (key === undefined) authoriseOperator(c, gateway)
    else requireRight(key, 'usage')
    const { by = 'key,deployment,day', from, to } = c.req.query()
    const query = { by: parseUsageDimensions(by), ...given('from', from), ...given('to', to) }
    return respond(reply(200, aggregateUsage(readSpend(gateway.log.database, query), query)))
  })
  app.get('/metrics', () => {
    const text = gateway.telemetry.renderMetrics()
    if (text === undefined) throw new CountersignError('request/not-found', 'metrics are switched off')
    return respond({ status: 200, headers: { 'content-type': METRICS_TYPE, 'cache-control': 'no-store' }, body: text })
  })
  app.get('/healthz', () => respond(reply(200, gateway.health())))
  app.notFound((c) => {
    const nothing = new CountersignError('request/not-found', 'there is nothing at this address; see spec/http.md')
    return failFor(gateway, c, nothing)
  })
  app.onError((thrown, c) => failFor(gateway, c, thrown))
  return app
}

/** The Open Inference Protocol, but for `infer`. */
function addProtocolRoutes(app: App, gateway: Services): void {
  app.get('/v2', () => respond(reply(200, { name: 'countersign', version: gateway.version, extensions: [] })))
  app.get('/v2/health/live', () => respond(reply(200, { live: true })))
  app.get('/v2/health/ready', () => respond(reply(gateway.isReady() ? 200 : 503, { ready: gateway.isReady() })))
  app.get('/v2/models/:name', (c) => respond(reply(200, gateway.modelMetadata(c.req.param('name')))))
  app.get('/v2/models/:name/ready', (c) => {
    gateway.tensorDeployment(c.req.param('name'))
    return respond(reply(200, { name: c.req.param('name'), ready: true }))
  })
  app.all('/v2/models/:name/infer', (c) => {
    gateway.tensorDeployment(c.req.param('name'))
    return fail(gateway, new CountersignError('request/wrong-method', 'use POST'), { allow: 'POST' })
  })
}

function addReceiptRoutes(app: App, gateway: Services): void {
  const { receiptRequestsPerSecond, receiptRequestsBurst } = gateway.config.limits
  const limit = createRateLimit(receiptRequestsPerSecond, receiptRequestsBurst)
  limitRate(app, ['/receipts/*', '/dossiers/*', '/statements', '/statements/*', '/subjects', '/audit/*'], limit)
  app.get('/receipts/:id', async (c) => {
    const id = readReceiptId(c)
    authorise(c, gateway, id)
    const row = gateway.receipts.find(id)
    const promise = { 'countersign-promise': formatPromiseHeader(gateway.receipts.promise(row)) }
    if (!(await isCovered(gateway, row, c.req.raw.headers)))
      return respond(reply(202, { receipt: id, status: 'promised' }, promise))
    const { head, isWitnessed } = gateway.receipts.choose(row)
    const headers = { ...promise, ...witnessedHeader(isWitnessed), 'content-type': BUNDLE_TYPE }
    return respond(reply(200, gateway.receipts.bundle(row, head), headers))
  })
  app.get('/dossiers/:id', async (c) => {
    const id = readReceiptId(c)
    authorise(c, gateway, id)
    const row = gateway.receipts.find(id)
    if (!(await isCovered(gateway, row, c.req.raw.headers)))
      return respond(reply(202, { receipt: id, status: 'promised' }))
    const seed = gateway.receipts.saltSeed(row)
    const salts: Reply['headers'] = seed === undefined ? {} : { 'countersign-salts': toBase64Url(seed) }
    const { json, isWitnessed } = gateway.receipts.dossier(row)
    return respond(reply(200, json, { ...salts, ...witnessedHeader(isWitnessed), 'cache-control': 'no-store' }))
  })
  app.delete('/receipts/:id/content', async (c) => {
    const id = readReceiptId(c)
    authoriseOperator(c, gateway)
    const reason = readReason(c.req.query('reason'))
    try {
      await gateway.log.perform({ kind: 'erase', receipt: id, reason })
    } finally {
      // Also where that was refused, or broke off: what the vault does not keep the cache may have.
      forgetAnswer(gateway, id)
    }
    return respond(reply(200, { receipt: id, erased: true }))
  })
  app.delete('/receipts/:id/secret', async (c) => {
    const id = readReceiptId(c)
    authorise(c, gateway, id)
    gateway.receipts.find(id)
    await gateway.log.perform({ kind: 'revoke-secret', receipt: id })
    return respond(reply(200, { receipt: id, revoked: true }))
  })
}

/** Lets go of what the cache has of an answer: itself, or the one that it repeats. */
function forgetAnswer({ cache, statements, receipts }: Services, id: string): void {
  const row = statements.byReceipt(id)
  const { repeats } = row === undefined ? {} : receipts.inference(row)
  cache.forget(repeats === undefined ? [id] : [id, repeats])
}

function addStatementRoutes(app: App, gateway: Services): void {
  const accept = createStatementIntake(gateway)
  app.get('/deployments', () => respond(reply(200, gateway.deploymentList())))
  app.get('/statements/:digest', (c) => {
    const row = gateway.statements.byDigest(readDigest(c))
    if (row === undefined) throw new CountersignError('receipt/not-found', 'there is no such statement')
    if (row.kind === 'inference') authorise(c, gateway, gateway.receipts.inference(row).receipt)
    return respond(reply(200, statementReply(gateway, row)))
  })
  app.post('/statements', async (c) => {
    const length = Number(c.req.header('content-length') ?? 'NaN')
    if (!(length <= MAX_STATEMENT_BODY_BYTES)) {
      throw new CountersignError('request/too-large', `send content-length, of at most ${MAX_STATEMENT_BODY_BYTES}`)
    }
    const result = await accept(new Uint8Array(await c.req.arrayBuffer()))
    return respond(reply(result.isNew ? 201 : 200, { statement: result.statement, index: result.index }))
  })
}

/** Refuses what one address asks too often. */
function limitRate(app: App, paths: readonly string[], limit: RateLimit): void {
  for (const path of paths) {
    app.use(path, async (c, next) => {
      if (!limit.admit(networkOf((c.env as Peer).address), Date.now())) {
        throw new CountersignError('rate/limited', 'too many requests of this kind from this address')
      }
      await next()
    })
  }
}

/** Evidence of where this gateway runs, made for the challenge that is sent. */
function addAttestationRoute(app: App, gateway: Services): void {
  limitRate(app, ['/attestation'], createRateLimit(ATTESTATIONS_PER_SECOND, ATTESTATIONS_BURST))
  app.get('/attestation', async (c) => {
    const evidence = await gateway.places.attest(c.req.query('nonce') ?? '')
    return respond(reply(200, formatEvidence(evidence), { 'cache-control': 'no-store' }))
  })
}

/** The log, as any C2SP client reads it. */
function addLogRoutes(app: App, gateway: Services): void {
  const { limits } = gateway.config
  const limit = createRateLimit(limits.logRequestsPerSecond, limits.logRequestsBurst)
  limitRate(app, ['/log/*'], limit)
  app.get('/log/checkpoint', () => {
    const note = gateway.publishedCheckpoint()
    if (note === undefined) throw new CountersignError('request/not-found', 'nothing is published yet')
    return respond({
      status: 200,
      headers: { 'content-type': 'text/plain; charset=utf-8', 'cache-control': 'max-age=1' },
      body: note,
    })
  })
  app.get('/log/tile/*', (c) => {
    const tile = parseTilePath(c.req.path.slice('/log/'.length))
    const available = tileWidth(tile.level, tile.index, gateway.log.head?.size ?? 0)
    if (tile.width > available) throw new CountersignError('request/not-found', 'the log has no such tile yet')
    return respond({
      status: 200,
      headers: {
        'content-type': 'application/octet-stream',
        'cache-control': tile.width === TILE_WIDTH ? IMMUTABLE : 'public, max-age=3600',
      },
      body: gateway.log.reader.tile(tile),
    })
  })
}

/** Logs that have ended, from the files that they left. @spec spec/log-successor.md */
function addArchiveRoutes(app: App, gateway: Services): void {
  app.get('/log/archive/:number/checkpoint', (c) => {
    const note = archivedCheckpoint(gateway.dataRoot, readArchiveNumber(c))
    if (note === undefined) throw new CountersignError('request/not-found', 'there is no such log')
    return respond({ status: 200, headers: { 'content-type': 'text/plain; charset=utf-8' }, body: note })
  })
  app.get('/log/archive/:number/tile/*', (c) => {
    const number = readArchiveNumber(c)
    const tile = archivedTile(gateway.dataRoot, number, parseTilePath(c.req.path.split('/').slice(4).join('/')))
    if (tile === undefined) throw new CountersignError('request/not-found', 'the log has no such tile')
    const headers = { 'content-type': 'application/octet-stream', 'cache-control': IMMUTABLE }
    return respond({ status: 200, headers, body: tile })
  })
}

function readArchiveNumber(c: Context): number {
  const text = c.req.param('number') ?? ''
  if (!/^[1-9][0-9]{0,2}$/.test(text)) throw new CountersignError('request/not-found', 'there is no such log')
  return Number(text)
}

/** The receipt's secret, an API key that may read it, or the operator's token. @throws {CountersignError} `auth/missing`, `auth/wrong` */
function authorise(c: Context, gateway: Services, receipt: string): void {
  const token = keyFromHeaders(c.req.raw.headers)
  if (token !== undefined) {
    const key = gateway.authenticate(token)
    if (key !== undefined) {
      requireRight(key, 'receipts', gateway.receipts.find(receipt).name)
      return
    }
  }
  const id = new Uint8Array(Buffer.from(receipt, 'hex'))
  const expected = receiptSecret(gateway.rootKey, id, gateway.statements.secretGeneration(id))
  const given = readBearer(c)
  if (!sameSecret(given, expected) && !sameSecret(given, gateway.operatorToken)) throw wrongSecret()
}

function authoriseOperator(c: Context, gateway: Services): void {
  if (!sameSecret(readBearer(c), gateway.operatorToken)) throw wrongSecret()
}

function wrongSecret(): CountersignError {
  return new CountersignError('auth/wrong', 'this secret does not open that')
}

function readBearer(c: Context): string {
  const [, token] = /^Bearer ([!-~]{1,256})$/.exec(c.req.header('authorization') ?? '') ?? []
  if (token === undefined) {
    throw new CountersignError('auth/missing', 'send the receipt’s secret: Authorization: Bearer <Countersign-Secret>')
  }
  return token
}

function readReceiptId(c: Context): string {
  const id = c.req.param('id') ?? ''
  try {
    parseHex(id, 16)
    return id
  } catch {
    throw new CountersignError('receipt/not-found', 'a receipt id has 32 lower-case hexadecimal digits')
  }
}

function readDigest(c: Context): string {
  const digest = c.req.param('digest') ?? ''
  try {
    parseHex(digest, 32)
    return digest
  } catch {
    throw new CountersignError('receipt/not-found', 'a statement digest has 64 lower-case hexadecimal digits')
  }
}

/** Whether the head of a receipt meets its deployment's quorum; nothing where the deployment has none. */
function witnessedHeader(isWitnessed: boolean | undefined): Reply['headers'] {
  return isWitnessed === undefined ? {} : { 'countersign-witnessed': String(isWitnessed) }
}

/** Whoever speaks a provider's dialect gets errors in it. */
function failFor(gateway: Services, c: Context, thrown: unknown): Response {
  if (!c.req.path.startsWith('/v1/')) return fail(gateway, thrown)
  const family = c.req.header('anthropic-version') === undefined ? 'openai' : 'anthropic'
  const error = errorFacts(thrown, gateway.logError)
  return respond({ status: error.status, headers: { 'content-type': JSON_TYPE }, body: errorBody(family, error) })
}

function fail(gateway: Services, thrown: unknown, headers: Reply['headers'] = {}): Response {
  const error = errorReply(thrown, gateway.logError)
  return respond({ ...error, headers: { ...error.headers, ...headers } })
}

function respond({ status, headers, body }: Reply): Response {
  const bytes = typeof body === 'string' ? utf8(body) : body
  return new Response(bytes as Uint8Array<ArrayBuffer>, { status, headers: { ...headers } })
}
