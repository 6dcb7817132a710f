/** Deployments: models loaded by digest, registered, and served under a manifest that is in the log. */
import { readFileSync } from 'node:fs'
import { basename, extname } from 'node:path'
import { findLlamaProfile, findProfile, type LoadedModel, loadLlamaModel, loadModel } from '@countersign/engines'
import {
  ACCEPTANCE_TYPE,
  CountersignError,
  type Crypto,
  DEPLOYMENT_TYPE,
  type DeploymentPredicate,
  formatStatement,
  type Json,
  modelStatement,
  parseHex,
  preAuthEncoding,
  quote,
  type RequestChange,
  type ServedModel,
  type ServedPlace,
  type ServedUpstream,
  type StatementDigest,
  toHex,
  utf8,
  type VaultMode,
} from '@countersign/verify'
import type { Config, DeploymentConfig, ModelConfig, Retries, RouteTarget, WriterRole } from '../config/config.ts'
import type { PlaceConfig } from '../config/place-config.ts'
import { loadStatementKey, readP256PublicKey } from '../data/keys.ts'
import type { LogService } from '../log/log-service.ts'
import type { Prices } from '../prices/prices.ts'
import type { StatementReader } from '../store/statement-reader.ts'
import { createLlamaUpstream } from '../upstreams/llama-upstream.ts'
import type { Upstream } from '../upstreams/upstream.ts'
import { createPricing, type Pricing } from './pricing.ts'

/** What every deployment has, however it answers. */
interface DeploymentBase {
  readonly name: string
  readonly manifest: DeploymentPredicate
  /** Digest of the manifest's statement. */
  readonly statement: StatementDigest
  /** What a recording needs to know of it. */
  readonly reference: { readonly name: string; readonly statement: StatementDigest; readonly vault: VaultMode }
}

/** A deployment of a model that takes and gives tensors, run by the gateway. */
export interface TensorDeployment extends DeploymentBase {
  readonly kind: 'tensor'
  readonly served: ServedModel
  readonly model: LoadedModel
}

/** A deployment whose answers come from upstreams, one of the gateway's own among them where it runs a language model. */
export interface RelayDeployment extends DeploymentBase, Pick<Pricing, 'priceOf' | 'linesFor' | 'perRequest'> {
  readonly kind: 'relay'
  readonly answersTo: readonly string[]
  readonly route: readonly RouteTarget[]
  /** Those that the route names. What is under way keeps them when the configuration is read again. */
  readonly upstreams: ReadonlyMap<string, Upstream>
  readonly retries: Retries
  readonly changes: readonly RequestChange[]
  readonly cache: DeploymentConfig['cache']
}

export type Deployment = TensorDeployment | RelayDeployment

export interface DeploymentsOptions {
  readonly crypto: Crypto
  /** Upstreams by name; those of language models that are loaded here are added. */
  readonly upstreams: Map<string, Upstream>
  readonly catalogue: Prices
  readonly config: Config
  readonly log: LogService
  readonly statements: StatementReader
  /** Puts an engine of the gateway's own behind the gateway's own place. */
  readonly guardOwn: (upstream: Upstream) => Upstream
  /** Where the example's accountable key is made; used in the labelled example alone. */
  readonly exampleAccountableKey: string
  readonly now: () => number
}

/** A public key whose holder may write statements, and how many a day. */
export interface Writer {
  readonly party: string
  readonly roles: readonly WriterRole[]
  readonly spki: Uint8Array
  readonly keyId: string
  readonly perDay: number
}

/** Statements a day for accountable parties, who may write without being listed. */
const ACCOUNTABLE_PER_DAY = 100

/**
 * Loads and logs every deployment. What is in the log already and has not changed is not logged again.
 *
 * @throws {CountersignError} `config/missing-file`, `execution/*`, `key/malformed`, and what appending throws
 */
export async function startDeployments(options: DeploymentsOptions): Promise<readonly Deployment[]> {
  const deployments: Deployment[] = []
  for (const each of options.config.deployments) deployments.push(await startDeployment(options, each))
  return deployments
}

/** Those who may write: the configured writers, and each deployment's accountable party. */
export function allowedWriters({ crypto, config, exampleAccountableKey }: DeploymentsOptions): readonly Writer[] {
  const listed = config.writers.map(({ publicKeyFile, ...rest }) => ({ ...rest, file: publicKeyFile }))
  const accountable = config.deployments.map(({ accountable: { party, publicKeyFile } }) => ({
    party,
    roles: ['accountable'] as const,
    file: publicKeyFile ?? exampleAccountableKey,
    perDay: ACCOUNTABLE_PER_DAY,
  }))
  return [...listed, ...accountable].map(({ file, ...rest }) => {
    const spki = readP256PublicKey(file)
    return { ...rest, spki, keyId: toHex(crypto.sha256(spki)) }
  })
}

async function startDeployment(options: DeploymentsOptions, config: DeploymentConfig): Promise<Deployment> {
  if (config.model === undefined) return await startRelay(options, config, config.route)
  checkModelName(basename(config.model.path))
  return config.model.kind === 'llama'
    ? await startLanguageModel(options, config, config.model)
    : await startTensorModel(options, config, config.model)
}

async function startTensorModel(
  options: DeploymentsOptions,
  config: DeploymentConfig,
  { path, profile: profileId, referenceProfile, agreement }: ModelConfig,
): Promise<TensorDeployment> {
  const { name, prices } = config
  if (prices === 'catalogue') {
    throw new CountersignError('config/malformed', `deployments.${name}.prices: the catalogue has no tensor models`)
  }
  const bytes = readModelFile(path)
  const digest = toHex(options.crypto.sha256(bytes))
  const profile = findProfile(profileId)
  const model = await loadModel(profile, bytes, digest)
  const engine = { name: profile.engine, version: profile.version, profile: profile.id }
  const reference = findProfile(referenceProfile).id
  const served = await registered(options, path, digest, { engine, referenceProfile: reference, agreement })
  const base = await logged(options, config, manifestOf(options, config, { models: [served], prices }))
  return { kind: 'tensor', ...base, served, model }
}

/** A language model is an upstream like others, but for one thing: its weights are known. */
async function startLanguageModel(
  options: DeploymentsOptions,
  config: DeploymentConfig,
  { path, profile: profileId }: ModelConfig,
): Promise<RelayDeployment> {
  const digest = toHex(options.crypto.sha256(readModelFile(path)))
  const profile = findLlamaProfile(profileId)
  const model = await loadLlamaModel(profile, path, digest)
  const engine = { name: profile.engine, version: profile.version, profile: profile.id }
  const settings = { engine, referenceProfile: profile.id, agreement: 'tolerant' as const }
  const served = await registered(options, path, digest, settings)
  const name = `llama:${config.name}`
  options.upstreams.set(name, options.guardOwn(createLlamaUpstream({ name, model, served, now: options.now })))
  return await startRelay(options, config, [{ upstream: name, weight: 1, rank: 0 }], served)
}

async function startRelay(
  options: DeploymentsOptions,
  config: DeploymentConfig,
  route: readonly RouteTarget[],
  served?: ServedModel,
): Promise<RelayDeployment> {
  const { answersTo, retries, changes, cache } = config
  const upstreams = route.map((target) => servedUpstream(options, target))
  const targets = route.map(({ upstream, model }) => ({ provider: providerOf(options, upstream), model }))
  const { listed, ...pricing } = createPricing(config, targets, options.catalogue, options.config.operator.name)
  const manifest = manifestOf(options, config, {
    models: served === undefined ? [] : [served],
    upstreams,
    answersTo,
    ...(changes.length === 0 ? {} : { changes }),
    ...(cache === undefined ? {} : { cache }),
    prices: listed,
  })
  const base = await logged(options, config, manifest)
  const { upstreams: all } = options
  const places = new Map(route.map(({ upstream }) => [upstream, requiredUpstream(all, upstream)]))
  return { kind: 'relay', ...base, answersTo, route, upstreams: places, retries, changes, cache, ...pricing }
}

function servedUpstream(
  { upstreams, config }: DeploymentsOptions,
  { upstream: name, model, weight, rank }: RouteTarget,
): ServedUpstream {
  const { kind, origin } = requiredUpstream(upstreams, name)
  const place = config.upstreams.find((each) => each.name === name)?.place
  return {
    ...{ name, kind, origin, ...(model === undefined ? {} : { model }), weight, rank },
    ...(place === undefined ? {} : { place: servedPlace(place) }),
  }
}

/** As the manifest says it: the policy as it is written, and what happens when it is not met. */
function servedPlace({ written, onFailure }: PlaceConfig): ServedPlace {
  return { policy: written, onFailure }
}

/** The catalogue knows providers by the name that the operator gave the upstream, or by the API that it speaks. */
function providerOf({ upstreams, catalogue }: DeploymentsOptions, name: string): string {
  return catalogue.providers.has(name) ? name : requiredUpstream(upstreams, name).kind
}

function requiredUpstream(upstreams: ReadonlyMap<string, Upstream>, name: string): Upstream {
  const upstream = upstreams.get(name)
  if (upstream === undefined) throw new CountersignError('config/malformed', `there is no upstream ${quote(name)}`)
  return upstream
}

/** Logs a manifest unless its name's newest is the same word for word. */
async function logged(
  options: DeploymentsOptions,
  config: DeploymentConfig,
  manifest: DeploymentPredicate,
): Promise<DeploymentBase> {
  const { crypto, log, statements } = options
  const { name, vault } = config
  const newest = statements.latest('deployment', name)
  const payload = formatStatement({
    subjects: [{ name, digest: { sha256: subjectDigestOf(crypto, manifest) } }],
    predicateType: DEPLOYMENT_TYPE,
    predicate: manifest as unknown as Json,
  })
  const same = newest !== undefined && Buffer.compare(newest.payload, payload) === 0
  const row = same ? newest : await log.append({ kind: 'own', type: 'deployment', name, payload })
  const statement = toHex(row.digest)
  if (options.config.example) await acceptExample(options, config, manifest, statement)
  return { name, manifest, statement, reference: { name, statement, vault } }
}

/** A subject needs a digest: the model's, or of the list of upstreams where no model is known. */
function subjectDigestOf(crypto: Crypto, { models, upstreams }: DeploymentPredicate): string {
  return models[0]?.digest.sha256 ?? toHex(crypto.sha256(utf8(JSON.stringify(upstreams))))
}

/** A model's file, registered in the log. */
async function registered(
  options: DeploymentsOptions,
  path: string,
  digest: string,
  settings: Pick<ServedModel, 'engine' | 'referenceProfile' | 'agreement'>,
): Promise<ServedModel> {
  const fileName = basename(path)
  const name = basename(fileName, extname(fileName))
  return { name, digest: { sha256: digest }, registration: await register(options, fileName, digest), ...settings }
}

/** The file's name becomes the model's, in statements that must be readable again. */
function checkModelName(fileName: string): void {
  if (/^[!-~]{1,128}$/.test(basename(fileName, extname(fileName)))) return
  const message = `the model file ${quote(fileName)} needs a name of 1 to 128 visible ASCII characters; rename it`
  throw new CountersignError('config/malformed', message)
}

function manifestOf(
  options: DeploymentsOptions,
  config: DeploymentConfig,
  {
    models,
    prices,
    ...optional
  }: Pick<DeploymentPredicate, 'models' | 'prices' | 'upstreams' | 'answersTo' | 'changes' | 'cache'>,
): DeploymentPredicate {
  const { party, contact, publicKeyFile } = config.accountable
  const spki =
    publicKeyFile === undefined
      ? loadStatementKey(options.exampleAccountableKey, options.config.example).spki
      : readP256PublicKey(publicKeyFile)
  // Models that the gateway runs itself run where it does.
  const { place } = models.length === 0 ? {} : options.config.ownPlace
  return {
    name: config.name,
    operator: options.config.operator,
    models,
    ...optional,
    ...(place === undefined ? {} : { place: servedPlace(place) }),
    vault: config.vault,
    onFailure: config.onFailure,
    prices,
    accountable: { party, keyId: toHex(options.crypto.sha256(spki)), contact },
    deadlines: config.deadlines,
    example: options.config.example,
  }
}

/** The registration of a model's file; made when the log has none that lists it. */
async function register(
  { crypto, log, statements }: DeploymentsOptions,
  fileName: string,
  digest: string,
): Promise<StatementDigest> {
  const name = basename(fileName, extname(fileName))
  const payload = formatStatement(modelStatement(crypto, name, [{ name: fileName, digest }]))
  const known = statements.byDigest(toHex(crypto.sha256(payload)))
  const row = known ?? (await log.append({ kind: 'own', type: 'model', name, payload }))
  return toHex(row.digest)
}

/** In the labelled example the gateway plays the accountable party too, and its statements say that it is an example. */
async function acceptExample(
  { log, statements, exampleAccountableKey, now }: DeploymentsOptions,
  config: DeploymentConfig,
  manifest: DeploymentPredicate,
  statement: StatementDigest,
): Promise<void> {
  const logged = statements.latest('acceptance', config.name)
  const accepted = logged !== undefined && Buffer.from(logged.payload).includes(statement)
  if (accepted) return
  const key = loadStatementKey(exampleAccountableKey, false)
  const payload = acceptancePayload(manifest, statement, now())
  const signature = key.sign(preAuthEncoding(payload))
  await log.append({ kind: 'foreign', type: 'acceptance', name: config.name, payload, signature, spki: key.spki })
}

/** The payload by which an accountable party accepts a manifest, word for word. */
export function acceptancePayload(
  manifest: DeploymentPredicate,
  statement: StatementDigest,
  acceptedAtMs: number,
): Uint8Array {
  parseHex(statement, 32)
  return formatStatement({
    subjects: [{ name: manifest.name, digest: { sha256: statement } }],
    predicateType: ACCEPTANCE_TYPE,
    predicate: {
      deployment: { name: manifest.name, statement },
      party: manifest.accountable.party,
      contact: manifest.accountable.contact,
      deadlines: { ...manifest.deadlines },
      acceptedAtMs,
    },
  })
}

function readModelFile(path: string): Uint8Array {
  try {
    return readFileSync(path)
  } catch {
    throw new CountersignError('config/missing-file', `cannot read the model file ${JSON.stringify(basename(path))}`)
  }
}
