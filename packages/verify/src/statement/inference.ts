/** The statement that one answer leaves behind. @spec spec/inference.md */
import type { Json } from '../bytes/json.ts'
import { Fields, type Path, readHex, readText } from '../bytes/shape.ts'
import { CountersignError } from '../errors.ts'
import { COMMITMENT_ALGORITHM } from './commitment.ts'
import { readSignatureCoverage, type SignatureCoverage } from './signature-coverage.ts'
import { type Statement, type StatementDigest, subjectDigest } from './statement.ts'

export const INFERENCE_TYPE = 'urn:countersign:inference/v1'

/** 128 random bits in hexadecimal. */
export type ReceiptId = string

/** What a statement commits to; the optional ones are there when there was something to commit to. */
export const COMMITTED_SUBJECTS = [
  'request-received',
  'request-sent',
  'response-received',
  'response-delivered',
  'request-patch',
  'parameters',
  'provider-signature',
] as const
export type CommittedSubject = (typeof COMMITTED_SUBJECTS)[number]

/** Why the answer ended. `error` and `interrupted` have no model's answer behind them. */
export const FINISH_REASONS = [
  'complete',
  'stop',
  'length',
  'tool-calls',
  'content-filter',
  'other',
  'error',
  'interrupted',
] as const
export type FinishReason = (typeof FINISH_REASONS)[number]

/** Where the digest of the weights comes from, from strongest to none. */
export const DIGEST_SOURCES = ['loaded-file', 'upstream-reported', 'unknown'] as const

/** Things that happened on the way which a reader should know. */
export const OBSERVATIONS = [
  'clock-clamped',
  'upstream-headers-stripped',
  'upstream-comments-stripped',
  'upstream-encoding-decoded',
  'cache-hit',
  'request-changed',
] as const
export type Observation = (typeof OBSERVATIONS)[number]

/** Numbers that may stand in clear, all optional. A seed is text: it may have 64 bits. */
export interface Parameters {
  readonly temperature?: string
  readonly topP?: string
  readonly seed?: string
  readonly maxTokens?: number
}

export type Usage =
  | 'unknown'
  | {
      readonly rows?: number
      readonly inputTokens?: number
      readonly outputTokens?: number
      readonly cachedInputTokens?: number
    }

export interface PriceLine {
  readonly item: string
  /** Millionths of the currency's unit. */
  readonly amountMicros: number
  /** ISO 4217. */
  readonly currency: string
  /** Party that is paid. */
  readonly payee: string
}

export interface Attempt {
  readonly upstream: string
  readonly outcome: 'answered' | 'failed'
  /** HTTP status, where there was one. */
  readonly status?: number
  /** A code of ours, where it failed. */
  readonly code?: string
  /** Name of the model as it was sent. */
  readonly model?: string
  /** The upstream's own id of the request. */
  readonly requestId?: string
  /** SHA-256 of the certificate that the upstream showed, hexadecimal. */
  readonly tlsCertificate?: string
  readonly startedAtMs: number
  readonly endedAtMs: number
}

/** What an upstream says of its own answer. Nobody checked it. */
export interface Reported {
  /** The upstream's id of the answer. */
  readonly id?: string
  readonly systemFingerprint?: string
  /** What it signed of this answer; the signature itself is the subject `provider-signature`. */
  readonly signature?: SignatureCoverage
}

/** A tree head that the operator had seen when it answered: the answer came after it. */
export interface CitedCheckpoint {
  readonly origin: string
  readonly size: number
  /** Root hash, hexadecimal. */
  readonly root: string
}

export interface InferencePredicate {
  readonly receipt: ReceiptId
  readonly deployment: { readonly name: string; readonly statement: StatementDigest }
  readonly model: {
    readonly requested: string
    readonly served: string
    readonly digestSource: (typeof DIGEST_SOURCES)[number]
    readonly digest?: { readonly sha256: string }
  }
  readonly engine?: { readonly name: string; readonly version: string; readonly profile: string }
  readonly parameters: Parameters
  readonly usage: Usage
  readonly finish: {
    readonly reason: FinishReason
    readonly by?: 'client' | 'upstream' | 'gateway'
    readonly code?: string
    readonly deliveredBytes?: number
  }
  readonly price: readonly PriceLine[]
  readonly attempts: readonly Attempt[]
  readonly reported?: Reported
  /** The receipt whose answer was given again, from the cache. */
  readonly repeats?: ReceiptId
  readonly observations: readonly Observation[]
  /** The appraisal statement that covered the serving place, by its digest. */
  readonly appraisal?: StatementDigest
  /** SHA-256 of the evidence file and of the collateral bundle that it was appraised with. */
  readonly evidence: readonly string[]
  readonly parents: readonly ReceiptId[]
  /** The client's nonce, as it sent it. */
  readonly nonce?: string
  /** Operator's clock, milliseconds since 1970. */
  readonly startedAtMs: number
  readonly endedAtMs: number
  readonly checkpoint: CitedCheckpoint
  /** One history of one log's sequence numbers, 64 bits in hexadecimal. */
  readonly epoch: string
  /** Position in this deployment's answers of this epoch, from 0 without gaps. */
  readonly sequence: number
}

/** An inference statement with its commitments by name. */
export interface Inference extends InferencePredicate {
  readonly commitments: { readonly [name in CommittedSubject]?: string }
}

const NAME = { maxLength: 128, pattern: /^[!-~]+$/ }
/** Texts of upstreams: spaces and other scripts may stand in them, control and invisible characters may not. */
const REPORTED = { maxLength: 256 }
const MAX_TIME_MS = 8_640_000_000_000_000
const MAX_LIST = 64

/**
 * Reads an inference statement.
 *
 * @throws {CountersignError} `statement/wrong-type`, `shape/*`
 */
export function parseInference(statement: Statement): Inference {
  if (statement.predicateType !== INFERENCE_TYPE) {
    throw new CountersignError('statement/wrong-type', `expected a statement of type ${INFERENCE_TYPE}`)
  }
  const fields = new Fields(statement.predicate, 'predicate')
  const inference: Inference = {
    receipt: fields.hex('receipt', 16),
    deployment: readDeploymentReference(fields.object('deployment')),
    model: readModel(fields.object('model')),
    ...optionalField('engine', fields, () => readEngine(fields.object('engine'))),
    parameters: readParameters(fields.object('parameters')),
    usage: readUsage(fields),
    finish: readFinish(fields.object('finish')),
    price: fields.list('price', MAX_LIST, readPriceLine),
    attempts: fields.list('attempts', MAX_LIST, readAttempt),
    ...optionalField('reported', fields, () => readReported(fields.object('reported'))),
    ...optionalField('repeats', fields, () => fields.hex('repeats', 16)),
    observations: fields.list('observations', OBSERVATIONS.length, readObservation),
    ...optionalField('appraisal', fields, () => fields.hex('appraisal', 32)),
    evidence: fields.list('evidence', MAX_LIST, (item, path) => readHex(item, path, 32)),
    parents: fields.list('parents', MAX_LIST, (item, path) => readHex(item, path, 16)),
    ...optionalField('nonce', fields, () => fields.text('nonce', NAME)),
    startedAtMs: fields.integer('startedAtMs', 0, MAX_TIME_MS),
    endedAtMs: fields.integer('endedAtMs', 0, MAX_TIME_MS),
    checkpoint: readCheckpoint(fields.object('checkpoint')),
    epoch: fields.hex('epoch', 8),
    sequence: fields.integer('sequence'),
    commitments: readCommitments(statement),
  }
  fields.end()
  if (inference.endedAtMs < inference.startedAtMs) {
    throw new CountersignError('shape/bad-value', 'the answer ended before it started')
  }
  if (new Set(inference.observations).size !== inference.observations.length) {
    throw new CountersignError('shape/bad-value', 'an observation stands twice')
  }
  checkTogether(inference, 'cache-hit', inference.repeats, 'the receipt that it repeats')
  if (inference.reported?.signature !== undefined && inference.commitments['provider-signature'] === undefined) {
    throw new CountersignError('shape/bad-value', 'what a signature covers, and a commitment to it, come together')
  }
  checkTogether(inference, 'request-changed', inference.commitments['request-patch'], 'a commitment to the patch')
  return inference
}

/** Refuses an observation without what belongs to it, and the other way round. */
function checkTogether(
  { observations }: Inference,
  name: Observation,
  partner: string | undefined,
  what: string,
): void {
  if (observations.includes(name) === (partner !== undefined)) return
  throw new CountersignError('shape/bad-value', `the observation "${name}" and ${what} come together`)
}

/** `{ [name]: value }` when the field is there, `{}` when it is not. */
export function optionalField<K extends string, T>(name: K, fields: Fields, read: () => T): { [key in K]?: T } {
  const value = fields.optional(name, read)
  return value === undefined ? {} : ({ [name]: value } as { [key in K]?: T })
}

function readCommitments(statement: Statement): Inference['commitments'] {
  const commitments: { [name in CommittedSubject]?: string } = {}
  for (const subject of statement.subjects) {
    const name = COMMITTED_SUBJECTS.find((known) => known === subject.name)
    const digest = name && subjectDigest(statement, name, COMMITMENT_ALGORITHM)
    // Another digest beside the commitment would give away what the salt hides.
    if (name === undefined || digest === undefined || Object.keys(subject.digest).length !== 1) {
      throw new CountersignError(
        'shape/bad-value',
        'an inference commits to known subjects, each once and by that alone',
      )
    }
    commitments[name] = digest
  }
  if (commitments['request-received'] === undefined) {
    throw new CountersignError('shape/missing-field', 'an inference commits to the request as received')
  }
  return commitments
}

/** Reads the name of a deployment and the digest of its manifest. */
export function readDeploymentReference(fields: Fields): InferencePredicate['deployment'] {
  const reference = { name: fields.text('name', NAME), statement: fields.hex('statement', 32) }
  fields.end()
  return reference
}

function readModel(fields: Fields): InferencePredicate['model'] {
  const model = {
    requested: fields.text('requested', { maxLength: 256 }),
    served: fields.text('served', { maxLength: 256 }),
    digestSource: fields.oneOf('digestSource', DIGEST_SOURCES),
    ...optionalField('digest', fields, () => readSha256(fields.object('digest'))),
  }
  fields.end()
  if ((model.digestSource === 'unknown') !== (model.digest === undefined)) {
    throw new CountersignError('shape/bad-value', `${fields.path}: a digest and its source come together`)
  }
  return model
}

/** Reads `{ sha256 }`. */
export function readSha256(fields: Fields): { readonly sha256: string } {
  const digest = { sha256: fields.hex('sha256', 32) }
  fields.end()
  return digest
}

function readEngine(fields: Fields): NonNullable<InferencePredicate['engine']> {
  const engine = {
    name: fields.text('name', NAME),
    version: fields.text('version', NAME),
    profile: fields.text('profile', NAME),
  }
  fields.end()
  return engine
}

function readParameters(fields: Fields): Parameters {
  const decimal = { maxLength: 32, pattern: /^-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?$/ }
  const parameters = {
    ...optionalField('temperature', fields, () => fields.text('temperature', decimal)),
    ...optionalField('topP', fields, () => fields.text('topP', decimal)),
    ...optionalField('seed', fields, () => fields.text('seed', { maxLength: 32, pattern: /^-?(0|[1-9][0-9]*)$/ })),
    ...optionalField('maxTokens', fields, () => fields.integer('maxTokens')),
  }
  fields.end()
  return parameters
}

function readUsage(parent: Fields): Usage {
  if (parent.any('usage') === 'unknown') return 'unknown'
  const fields = parent.object('usage')
  const usage = {
    ...optionalField('rows', fields, () => fields.integer('rows')),
    ...optionalField('inputTokens', fields, () => fields.integer('inputTokens')),
    ...optionalField('outputTokens', fields, () => fields.integer('outputTokens')),
    ...optionalField('cachedInputTokens', fields, () => fields.integer('cachedInputTokens')),
  }
  fields.end()
  return usage
}

function readFinish(fields: Fields): InferencePredicate['finish'] {
  const finish = {
    reason: fields.oneOf('reason', FINISH_REASONS),
    ...optionalField('by', fields, () => fields.oneOf('by', ['client', 'upstream', 'gateway'] as const)),
    ...optionalField('code', fields, () => fields.text('code', NAME)),
    ...optionalField('deliveredBytes', fields, () => fields.integer('deliveredBytes')),
  }
  fields.end()
  return finish
}

function readPriceLine(item: Json, path: Path): PriceLine {
  const fields = new Fields(item, path)
  const line = {
    item: fields.text('item', { maxLength: 64 }),
    amountMicros: fields.integer('amountMicros'),
    currency: fields.text('currency', { maxLength: 3, pattern: /^[A-Z]{3}$/ }),
    payee: fields.text('payee', { maxLength: 128 }),
  }
  fields.end()
  return line
}

function readAttempt(item: Json, path: Path): Attempt {
  const fields = new Fields(item, path)
  const attempt = {
    upstream: fields.text('upstream', NAME),
    outcome: fields.oneOf('outcome', ['answered', 'failed'] as const),
    ...optionalField('status', fields, () => fields.integer('status', 100, 999)),
    ...optionalField('code', fields, () => fields.text('code', NAME)),
    ...optionalField('model', fields, () => fields.text('model', REPORTED)),
    ...optionalField('requestId', fields, () => fields.text('requestId', REPORTED)),
    ...optionalField('tlsCertificate', fields, () => fields.hex('tlsCertificate', 32)),
    startedAtMs: fields.integer('startedAtMs', 0, MAX_TIME_MS),
    endedAtMs: fields.integer('endedAtMs', 0, MAX_TIME_MS),
  }
  fields.end()
  return attempt
}

function readReported(fields: Fields): Reported {
  const reported = {
    ...optionalField('id', fields, () => fields.text('id', REPORTED)),
    ...optionalField('systemFingerprint', fields, () => fields.text('systemFingerprint', REPORTED)),
    ...optionalField('signature', fields, () => readSignatureCoverage(fields.object('signature'))),
  }
  fields.end()
  return reported
}

function readObservation(item: Json, path: Path): Observation {
  const text = readText(item, path)
  const known = OBSERVATIONS.find((observation) => observation === text)
  if (known === undefined) throw new CountersignError('shape/bad-value', `${path}: unknown observation`)
  return known
}

function readCheckpoint(fields: Fields): CitedCheckpoint {
  const checkpoint = {
    origin: fields.text('origin', { maxLength: 256 }),
    size: fields.integer('size'),
    root: fields.hex('root', 32),
  }
  fields.end()
  return checkpoint
}
