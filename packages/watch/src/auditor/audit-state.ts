/** The state of an audit as a file: all that is needed to go on after a crash, the seed among it. */
import {
  type AuditedEntry,
  CountersignError,
  type Crypto,
  Fields,
  type Json,
  MAX_AUDITED_ENTRIES,
  type Path,
  parseAuditCommitment,
  parseJson,
  parseStatement,
  readAuditedEntry,
  statementDigest,
  toBase64,
} from '@countersign/verify'
import type { AuditState, Epoch, SampledEntry, SeenHead, SignedPayload } from './decide-audit.ts'

const FORMAT = 'countersign-audit-state/v1'
const LIMITS = { maxBytes: 64 * 1024 * 1024, maxDepth: 8 }
const PHASES = ['committing', 'running', 'reading', 'asking', 'signing', 'reporting', 'over'] as const

/** The text of a state; `undefined` for one with nothing in it. */
export function formatAuditState(state: AuditState): string | undefined {
  if (state.phase === 'idle') return undefined
  const { epoch, ...rest } = state
  const result = 'result' in rest ? { result: signedJson(rest.result) } : {}
  return JSON.stringify({
    format: FORMAT,
    ...rest,
    seed: epoch.seed,
    commitment: signedJson(epoch.signed),
    ...result,
  })
}

/**
 * Reads a state.
 *
 * @throws {CountersignError} `json/*`, `bytes/*`, `shape/*`, `statement/wrong-type`
 */
export function parseAuditState(crypto: Crypto, bytes: Uint8Array): AuditState {
  const fields = new Fields(parseJson(bytes, LIMITS), 'state')
  fields.literal('format', FORMAT)
  const phase = fields.oneOf('phase', PHASES)
  const epoch = readEpoch(crypto, fields)
  const state = readPhase(phase, epoch, fields)
  fields.end()
  return state
}

function readPhase(phase: (typeof PHASES)[number], epoch: Epoch, fields: Fields): AuditState {
  if (phase === 'committing') return { phase, epoch }
  const index = fields.integer('index')
  if (phase === 'running') {
    const to = fields.optional('to', () => fields.integer('to'))
    const head = fields.optional('head', () => readHead(fields.object('head')))
    return { phase, epoch, index, ...(to === undefined ? {} : { to }), ...(head === undefined ? {} : { head }) }
  }
  const place = { epoch, index, to: fields.integer('to'), head: readHead(fields.object('head')) }
  if (phase === 'reading') return { phase, ...place }
  const entries: readonly AuditedEntry[] = fields.list('entries', MAX_AUDITED_ENTRIES, readAuditedEntry)
  const findings = { ...place, entries, computeMs: fields.integer('computeMs') }
  if (phase === 'signing') return { phase, ...findings }
  if (phase === 'asking') {
    const sampled = fields.list('sampled', MAX_AUDITED_ENTRIES, readSampled)
    return { phase, ...findings, sampled, deadlineMs: fields.integer('deadlineMs') }
  }
  const result = readSigned(fields.object('result'))
  if (phase === 'reporting') return { phase, ...findings, result, deadlineMs: fields.integer('deadlineMs') }
  const resultIndex = fields.any('resultIndex') === null ? null : fields.integer('resultIndex')
  return { phase, ...findings, result, resultIndex }
}

function readEpoch(crypto: Crypto, fields: Fields): Epoch {
  const seed = fields.hex('seed', 32)
  const signed = readSigned(fields.object('commitment'))
  const commitment = parseAuditCommitment(parseStatement(signed.payload))
  return { seed, commitment, digest: statementDigest(crypto, signed.payload), signed }
}

function readHead(fields: Fields): SeenHead {
  const head = {
    size: fields.integer('size'),
    root: fields.hex('root', 32),
    confirmedAtSeconds: fields.integer('confirmedAtSeconds'),
  }
  fields.end()
  return head
}

function readSampled(item: Json, path: Path): SampledEntry {
  const fields = new Fields(item, path)
  const entry = { index: fields.integer('index'), leafHash: fields.hex('leafHash', 32) }
  fields.end()
  return entry
}

function readSigned(fields: Fields): SignedPayload {
  const signed = { payload: fields.base64('payload', 2 * 1024 * 1024), signature: fields.base64('signature', 256) }
  fields.end()
  return signed
}

function signedJson({ payload, signature }: SignedPayload): Json {
  return { payload: toBase64(payload), signature: toBase64(signature) }
}

/** What cannot be read is not thrown away: the seed may be in it. */
export function damagedState(thrown: unknown): CountersignError {
  const why = thrown instanceof Error ? thrown.message : 'unreadable'
  return new CountersignError(
    'data/damaged',
    `the state of the audit cannot be read (${why}); keep it: the seed is in it`,
  )
}
