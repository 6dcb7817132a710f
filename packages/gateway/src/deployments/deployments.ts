/** Deployments: models loaded by digest, registered, and served under a manifest that is in the log. */
import { readFileSync } from 'node:fs'
import { basename, extname } from 'node:path'
import { findProfile, type LoadedModel, loadModel } from '@countersign/engines'
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
  type ServedModel,
  type StatementDigest,
  toHex,
} from '@countersign/verify'
import type { Config, DeploymentConfig } from '../config/config.ts'
import { loadStatementKey, readP256PublicKey } from '../data/keys.ts'
import type { LogService } from '../log/log-service.ts'
import type { StatementReader } from '../store/statement-reader.ts'

/** A deployment that serves. */
export interface Deployment {
  readonly name: string
  readonly manifest: DeploymentPredicate
  /** Digest of the manifest's statement. */
  readonly statement: StatementDigest
  readonly served: ServedModel
  readonly model: LoadedModel
}

export interface DeploymentsOptions {
  readonly crypto: Crypto
  readonly config: Config
  readonly log: LogService
  readonly statements: StatementReader
  /** Where the example's accountable key is made; used in the labelled example alone. */
  readonly exampleAccountableKey: string
  readonly now: () => number
}

/** A public key whose holder may write statements, and how many a day. */
export interface Writer {
  readonly party: string
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
  const listed = config.writers.map(({ party, publicKeyFile, perDay }) => ({ party, file: publicKeyFile, perDay }))
  const accountable = config.deployments.map(({ accountable: { party, publicKeyFile } }) => ({
    party,
    file: publicKeyFile ?? exampleAccountableKey,
    perDay: ACCOUNTABLE_PER_DAY,
  }))
  return [...listed, ...accountable].map(({ party, file, perDay }) => {
    const spki = readP256PublicKey(file)
    return { party, spki, keyId: toHex(crypto.sha256(spki)), perDay }
  })
}

async function startDeployment(options: DeploymentsOptions, config: DeploymentConfig): Promise<Deployment> {
  const { crypto, log, statements } = options
  checkModelName(basename(config.model.path))
  const bytes = readModelFile(config.model.path)
  const digest = toHex(crypto.sha256(bytes))
  const profile = findProfile(config.model.profile)
  const model = await loadModel(profile, bytes, digest)
  const fileName = basename(config.model.path)
  const served: ServedModel = {
    name: basename(fileName, extname(fileName)),
    digest: { sha256: digest },
    registration: await register(options, fileName, digest),
    engine: { name: profile.engine, version: profile.version, profile: profile.id },
    referenceProfile: findProfile(config.model.referenceProfile).id,
    agreement: config.model.agreement,
  }
  const manifest = manifestOf(options, config, served)
  const logged = statements.latest('deployment', config.name)
  const payload = formatStatement({
    subjects: [{ name: config.name, digest: { sha256: digest } }],
    predicateType: DEPLOYMENT_TYPE,
    predicate: manifest as unknown as Json,
  })
  const same = logged !== undefined && Buffer.compare(logged.payload, payload) === 0
  const row = same ? logged : await log.append({ kind: 'own', type: 'deployment', name: config.name, payload })
  const statement = toHex(row.digest)
  if (options.config.example) await acceptExample(options, config, manifest, statement)
  return { name: config.name, manifest, statement, served, model }
}

/** The file's name becomes the model's, in statements that must be readable again. */
function checkModelName(fileName: string): void {
  if (/^[!-~]{1,128}$/.test(basename(fileName, extname(fileName)))) return
  const message = `the model file ${quote(fileName)} needs a name of 1 to 128 visible ASCII characters; rename it`
  throw new CountersignError('config/malformed', message)
}

function manifestOf(options: DeploymentsOptions, config: DeploymentConfig, served: ServedModel): DeploymentPredicate {
  const { party, contact, publicKeyFile } = config.accountable
  const spki =
    publicKeyFile === undefined
      ? loadStatementKey(options.exampleAccountableKey, options.config.example).spki
      : readP256PublicKey(publicKeyFile)
  return {
    name: config.name,
    operator: options.config.operator,
    models: [served],
    vault: config.vault,
    onFailure: config.onFailure,
    prices: config.prices,
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
