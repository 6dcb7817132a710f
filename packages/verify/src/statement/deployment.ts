/**
 * A deployment: the signed manifest of what may serve under a name, and the acceptance of whoever answers for it.
 *
 * @spec spec/deployment.md
 */
import type { Json } from '../bytes/json.ts'
import { Fields, type Path, ShapeError } from '../bytes/shape.ts'
import { CountersignError } from '../errors.ts'
import { optionalField, readDeploymentReference, readSha256 } from './inference.ts'
import {
  MAX_TARGETS,
  type RequestChange,
  readAnswersTo,
  readCache,
  readChanges,
  readUpstream,
  type ServedUpstream,
} from './routing.ts'
import { readServedPlace, type ServedPlace } from './served-place.ts'
import type { Statement, StatementDigest } from './statement.ts'

export const DEPLOYMENT_TYPE = 'urn:countersign:deployment/v1'
export const ACCEPTANCE_TYPE = 'urn:countersign:acceptance/v1'

/** What the vault keeps of a deployment's content. */
export const VAULT_MODES = ['content', 'salts', 'none'] as const
export type VaultMode = (typeof VAULT_MODES)[number]

/** What is done when a check fails. */
export const FAILURE_POLICIES = ['flag', 'withhold', 'retry-elsewhere', 'stop'] as const

/** A model that may serve, by its file's digest, and how its runs can be repeated. */
export interface ServedModel {
  readonly name: string
  readonly digest: { readonly sha256: string }
  /** The model's registration statement. */
  readonly registration: StatementDigest
  readonly engine: { readonly name: string; readonly version: string; readonly profile: string }
  /** Profile that a referee runs. */
  readonly referenceProfile: string
  /** Whether two profiles must agree bit for bit. */
  readonly agreement: 'exact' | 'tolerant'
}

/** What one item costs. */
export interface ListedPrice {
  readonly item: string
  /** Millionths of the currency's unit. */
  readonly amountMicros: number
  /** ISO 4217. */
  readonly currency: string
  /** The price is for so many units; 1 when it is missing. */
  readonly per?: number
}

/** Whole days, but the first, which counts business days. */
export interface Deadlines {
  readonly acknowledgeBusinessDays: number
  readonly respondDays: number
  readonly decideDays: number
  readonly appealDays: number
}

export interface DeploymentPredicate {
  readonly name: string
  readonly operator: { readonly name: string; readonly contact: string }
  /** Empty where upstreams alone serve. */
  readonly models: readonly ServedModel[]
  readonly upstreams?: readonly ServedUpstream[]
  /** Names of models that clients may ask for, with `*` at the end for any rest; its own name when it is missing. */
  readonly answersTo?: readonly string[]
  readonly changes?: readonly RequestChange[]
  /** How old an answer may be that is given again; none is when it is missing. */
  readonly cache?: { readonly maxAgeSeconds: number }
  /** What evidence must show of the gateway's own place, for models that it runs itself; nothing when it is missing. */
  readonly place?: ServedPlace
  readonly vault: VaultMode
  readonly onFailure: (typeof FAILURE_POLICIES)[number]
  readonly prices: readonly ListedPrice[]
  readonly accountable: { readonly party: string; readonly keyId: string; readonly contact: string }
  readonly deadlines: Deadlines
  /** True for the labelled example: nobody real answers for it. */
  readonly example: boolean
}

/** An accountable party's word that it answers for exactly this manifest. */
export interface AcceptancePredicate {
  readonly deployment: { readonly name: string; readonly statement: StatementDigest }
  readonly party: string
  readonly contact: string
  readonly deadlines: Deadlines
  readonly acceptedAtMs: number
}

const NAME = { maxLength: 128, pattern: /^[!-~]+$/ }
const PARTY = { maxLength: 128 }
const CONTACT = { maxLength: 256 }
const MAX_MODELS = 64
const MAX_DAYS = 3660
const MAX_PRICES = 64

/** @throws {CountersignError} `statement/wrong-type`, `shape/*` */
export function parseDeployment(statement: Statement): DeploymentPredicate {
  const fields = predicateOf(statement, DEPLOYMENT_TYPE)
  const operator = fields.object('operator')
  const accountable = fields.object('accountable')
  const deployment: DeploymentPredicate = {
    name: fields.text('name', NAME),
    operator: { name: operator.text('name', PARTY), contact: operator.text('contact', CONTACT) },
    models: fields.list('models', MAX_MODELS, readServedModel),
    ...optionalField('upstreams', fields, () => fields.list('upstreams', MAX_TARGETS, readUpstream)),
    ...optionalField('answersTo', fields, () => readAnswersTo(fields)),
    ...optionalField('changes', fields, () => readChanges(fields)),
    ...optionalField('cache', fields, () => readCache(fields.object('cache'))),
    ...optionalField('place', fields, () => readServedPlace(fields.object('place'))),
    vault: fields.oneOf('vault', VAULT_MODES),
    onFailure: fields.oneOf('onFailure', FAILURE_POLICIES),
    prices: fields.list('prices', MAX_PRICES, readListedPrice),
    accountable: {
      party: accountable.text('party', PARTY),
      keyId: accountable.hex('keyId', 32),
      contact: accountable.text('contact', CONTACT),
    },
    deadlines: readDeadlines(fields.object('deadlines')),
    example: fields.boolean('example'),
  }
  for (const each of [operator, accountable, fields]) each.end()
  if (deployment.models.length === 0 && (deployment.upstreams ?? []).length === 0) {
    throw new ShapeError('shape/missing-field', fields.at('models'), 'expected a model or an upstream')
  }
  return deployment
}

/** @throws {CountersignError} `statement/wrong-type`, `shape/*` */
export function parseAcceptance(statement: Statement): AcceptancePredicate {
  const fields = predicateOf(statement, ACCEPTANCE_TYPE)
  const acceptance: AcceptancePredicate = {
    deployment: readDeploymentReference(fields.object('deployment')),
    party: fields.text('party', PARTY),
    contact: fields.text('contact', CONTACT),
    deadlines: readDeadlines(fields.object('deadlines')),
    acceptedAtMs: fields.integer('acceptedAtMs'),
  }
  fields.end()
  return acceptance
}

/** Reads deadlines; also used for configuration, so that a manifest cannot say what the file could not. */
export function readDeadlines(fields: Fields): Deadlines {
  const deadlines = {
    acknowledgeBusinessDays: fields.integer('acknowledgeBusinessDays', 1, MAX_DAYS),
    respondDays: fields.integer('respondDays', 1, MAX_DAYS),
    decideDays: fields.integer('decideDays', 1, MAX_DAYS),
    appealDays: fields.integer('appealDays', 1, MAX_DAYS),
  }
  fields.end()
  return deadlines
}

function predicateOf(statement: Statement, type: string): Fields {
  if (statement.predicateType !== type) {
    throw new CountersignError('statement/wrong-type', `expected a statement of type ${type}`)
  }
  return new Fields(statement.predicate, 'predicate')
}

function readServedModel(item: Json, path: Path): ServedModel {
  const fields = new Fields(item, path)
  const engine = fields.object('engine')
  const model: ServedModel = {
    name: fields.text('name', NAME),
    digest: readSha256(fields.object('digest')),
    registration: fields.hex('registration', 32),
    engine: {
      name: engine.text('name', NAME),
      version: engine.text('version', NAME),
      profile: engine.text('profile', NAME),
    },
    referenceProfile: fields.text('referenceProfile', NAME),
    agreement: fields.oneOf('agreement', ['exact', 'tolerant'] as const),
  }
  engine.end()
  fields.end()
  return model
}

/** Reads one price; also used for configuration. */
export function readListedPrice(item: Json, path: Path): ListedPrice {
  const fields = new Fields(item, path)
  const price: ListedPrice = {
    item: fields.text('item', { maxLength: 64 }),
    amountMicros: fields.integer('amountMicros'),
    currency: fields.text('currency', { maxLength: 3, pattern: /^[A-Z]{3}$/ }),
    ...optionalField('per', fields, () => fields.integer('per', 1)),
  }
  fields.end()
  return price
}
