/** Reads `deployments`: what is served under which name, and on which terms. @spec spec/config.md */
import { extname, resolve } from 'node:path'
import { PROFILES } from '@countersign/engines'
import {
  FAILURE_POLICIES,
  Fields,
  MAX_TARGETS,
  type Path,
  quote,
  readAnswersTo,
  readCache,
  readChanges,
  readDeadlines,
  readListedPrice,
  readTarget,
  ShapeError,
  VAULT_MODES,
} from '@countersign/verify'
import {
  DEFAULT_DEADLINES,
  DEFAULT_LLAMA_PROFILE,
  DEFAULT_PROFILE,
  DEFAULT_REFERENCE_PROFILE,
  DEFAULT_RETRIES,
  DEFAULT_TARGET,
  type DeploymentConfig,
  type ModelConfig,
  type Retries,
  type RouteTarget,
  type UpstreamConfig,
} from './config.ts'
import { readQuorum } from './witnesses.ts'

const MAX_DEPLOYMENTS = 64
const MAX_PRICES = 64
const MAX_ATTEMPTS = 64
const MAX_RETRY_MS = 60 * 60 * 1000
const MAX_NAME_LENGTH = 128

/** Parts between slashes: many hosts of models call them `maker/model:size`. */
const NAME = /^[A-Za-z0-9][A-Za-z0-9._:-]*(\/[A-Za-z0-9][A-Za-z0-9._:-]*)*$/

/** Fields that say what is made of requests to language models. */
const RELAY_FIELDS = ['changes', 'cache', 'retries'] as const

/** What the deployments are read with. */
export interface Surroundings {
  readonly folder: string
  readonly upstreams: readonly UpstreamConfig[]
}

/** @throws {ShapeError} `shape/*` */
export function readDeployments(fields: Fields, surroundings: Surroundings): readonly DeploymentConfig[] {
  const names = fields.names(MAX_DEPLOYMENTS)
  if (names.length === 0) throw new ShapeError('shape/missing-field', fields.path, 'expected at least one deployment')
  const deployments = names.map((name) => {
    if (NAME.test(name) && name.length <= MAX_NAME_LENGTH) {
      return readDeployment(name, fields.object(name), surroundings)
    }
    throw new ShapeError('shape/bad-value', fields.path, `${quote(name)} is not a name of letters, digits, . _ : / -`)
  })
  fields.end()
  checkAnswers(deployments, fields.path)
  return deployments
}

function readDeployment(name: string, fields: Fields, surroundings: Surroundings): DeploymentConfig {
  const accountable = fields.object('accountable')
  const deployment: DeploymentConfig = {
    name,
    ...readSource(fields, surroundings),
    answersTo: fields.optional('answersTo', () => readAnswersTo(fields)) ?? [name],
    changes: fields.optional('changes', () => readChanges(fields)) ?? [],
    cache: fields.optional('cache', () => readCache(fields.object('cache'))),
    retries: fields.optional('retries', () => readRetries(fields.object('retries'))) ?? DEFAULT_RETRIES,
    vault: fields.optional('vault', () => fields.oneOf('vault', VAULT_MODES)) ?? 'content',
    onFailure: fields.optional('onFailure', () => fields.oneOf('onFailure', FAILURE_POLICIES)) ?? 'flag',
    prices: readPrices(fields),
    accountable: {
      party: accountable.text('party', { maxLength: 128 }),
      contact: accountable.text('contact', { maxLength: 256 }),
      publicKeyFile: resolve(surroundings.folder, accountable.text('publicKey')),
    },
    deadlines: fields.optional('deadlines', () => readDeadlines(fields.object('deadlines'))) ?? DEFAULT_DEADLINES,
    quorum: fields.optional('quorum', () => readQuorum(fields.object('quorum'))),
  }
  accountable.end()
  fields.end()
  checkTerms(deployment, fields)
  return deployment
}

/** Reads `model` or `route`, one of which must be there. */
function readSource(fields: Fields, { folder, upstreams }: Surroundings): Pick<DeploymentConfig, 'model' | 'route'> {
  const model = fields.optional('model', () => readModel(fields.object('model'), folder))
  const route = fields.optional('route', () => readRoute(fields, upstreams)) ?? []
  if (model !== undefined && route.length > 0) {
    throw new ShapeError('shape/bad-value', fields.at('route'), 'expected either "model" or "route", not both')
  }
  if (model !== undefined || route.length > 0) return { model, route }
  throw new ShapeError('shape/missing-field', fields.path, 'expected a "model" to load or a "route" to upstreams')
}

function readRoute(fields: Fields, upstreams: readonly UpstreamConfig[]): readonly RouteTarget[] {
  const seen = new Set<string>()
  const route = fields.list('route', MAX_TARGETS, (item, path) => {
    const target = new Fields(item, path)
    const upstream = target.text('upstream', { maxLength: 128 })
    const read: RouteTarget = { upstream, ...readTarget(target, DEFAULT_TARGET) }
    target.end()
    if (!upstreams.some(({ name }) => name === upstream)) {
      const known = upstreams.map(({ name }) => name).join(', ') || 'none'
      const why = `no upstream is called ${quote(upstream)}; there are: ${known}`
      throw new ShapeError('shape/bad-value', target.at('upstream'), why)
    }
    const key = JSON.stringify([upstream, read.model])
    if (seen.has(key))
      throw new ShapeError('shape/bad-value', path, 'this upstream stands there twice; give it more weight')
    seen.add(key)
    return read
  })
  if (route.length > 0) return route
  throw new ShapeError('shape/bad-value', fields.at('route'), 'expected at least one upstream')
}

function readModel(fields: Fields, folder: string): ModelConfig {
  const path = resolve(folder, fields.text('path'))
  const isLlama = extname(path).toLowerCase() === '.gguf'
  const profiles = isLlama ? [DEFAULT_LLAMA_PROFILE] : PROFILES.map(({ id }) => id)
  const read = (name: 'profile' | 'referenceProfile', usual: string) =>
    fields.optional(name, () => fields.oneOf(name, profiles)) ?? usual
  const model: ModelConfig = {
    kind: isLlama ? 'llama' : 'onnx',
    path,
    profile: read('profile', isLlama ? DEFAULT_LLAMA_PROFILE : DEFAULT_PROFILE),
    referenceProfile: read('referenceProfile', isLlama ? DEFAULT_LLAMA_PROFILE : DEFAULT_REFERENCE_PROFILE),
    agreement:
      fields.optional('agreement', () => fields.oneOf('agreement', ['exact', 'tolerant'] as const)) ?? 'tolerant',
  }
  fields.end()
  if (!isLlama || model.agreement === 'tolerant') return model
  const why = 'a language model promises no exact agreement: nobody runs it again'
  throw new ShapeError('shape/bad-value', fields.at('agreement'), why)
}

function readRetries(fields: Fields): Retries {
  const read = (name: keyof Retries, minimum: number, maximum: number) =>
    fields.optional(name, () => fields.integer(name, minimum, maximum)) ?? DEFAULT_RETRIES[name]
  const retries = { attempts: read('attempts', 1, MAX_ATTEMPTS), totalMs: read('totalMs', 0, MAX_RETRY_MS) }
  fields.end()
  return retries
}

function readPrices(fields: Fields): DeploymentConfig['prices'] {
  if (fields.any('prices') === 'catalogue') return 'catalogue'
  return fields.optional('prices', () => fields.list('prices', MAX_PRICES, readListedPrice)) ?? []
}

/** What is said and would have no effect is a mistake. */
function checkTerms({ model, prices }: DeploymentConfig, fields: Fields): void {
  if (model !== undefined && prices === 'catalogue') {
    const why = 'the catalogue has prices of upstreams; list those of a model of your own'
    throw new ShapeError('shape/bad-value', fields.at('prices'), why)
  }
  const idle = model?.kind === 'onnx' ? RELAY_FIELDS.find((name) => fields.has(name)) : undefined
  if (idle !== undefined) {
    throw new ShapeError('shape/bad-value', fields.at(idle), `"${idle}" is for a route or a language model`)
  }
}

/**
 * Refuses two deployments that answer to the same name or pattern: which one would then be chance.
 *
 * @throws {ShapeError} `shape/bad-value`
 */
function checkAnswers(deployments: readonly DeploymentConfig[], path: Path): void {
  const known = new Map<string, string>()
  for (const { name, answersTo } of deployments) {
    for (const answer of answersTo) {
      const other = known.get(answer)
      if (other !== undefined) {
        const why = `${quote(other)} and ${quote(name)} both answer to ${quote(answer)}; take it from one of them`
        throw new ShapeError('shape/bad-value', `${path}.${name}.answersTo`, why)
      }
      known.set(answer, name)
    }
  }
}
