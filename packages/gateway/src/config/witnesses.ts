/** Reads `witnesses`, and what deployments need of them. @spec spec/config.md */
import { readFileSync, statSync } from 'node:fs'
import { resolve } from 'node:path'
import { CountersignError, type Fields, type Path, quote, ShapeError } from '@countersign/verify'
import { createNodeCrypto } from '@countersign/verify/crypto/node'
import { parseWitnessPolicy, quorumNames } from '../witnesses/policy-text.ts'
import {
  type Config,
  DEFAULT_ASK_MS,
  DEFAULT_UNMET_SECONDS,
  type DeploymentConfig,
  type WitnessesConfig,
} from './config.ts'

const MAX_POLICY_BYTES = 64 * 1024
const MAX_ASK_MS = 10_000
/** Heads are published once a second, and witnesses take their time. */
const MIN_UNMET_SECONDS = 5
const MAX_UNMET_SECONDS = 31_622_400
const WHEN_UNMET = ['flag', 'refuse'] as const

/** Reads the policy's file, too: what deployments need must be defined there. @throws {ShapeError} `shape/*` */
export function readWitnesses(fields: Fields, folder: string): WitnessesConfig {
  const policyFile = resolve(folder, fields.text('policy'))
  const policy = readPolicy(policyFile, fields.at('policy'))
  try {
    parseWitnessPolicy(createNodeCrypto(), policy)
  } catch (thrown) {
    throw new ShapeError('shape/bad-value', fields.at('policy'), thrown instanceof Error ? thrown.message : '')
  }
  const askMs = fields.optional('askMs', () => fields.integer('askMs', 1, MAX_ASK_MS)) ?? DEFAULT_ASK_MS
  fields.end()
  return { policyFile, policy, askMs }
}

/** What a deployment needs. Whether its name is one of the policy is for {@link checkQuorums}. @throws {ShapeError} `shape/*` */
export function readQuorum(fields: Fields): NonNullable<DeploymentConfig['quorum']> {
  const quorum = {
    name: fields.text('name', { maxLength: 256 }),
    unmetAfterSeconds:
      fields.optional('unmetAfterSeconds', () =>
        fields.integer('unmetAfterSeconds', MIN_UNMET_SECONDS, MAX_UNMET_SECONDS),
      ) ?? DEFAULT_UNMET_SECONDS,
    whenUnmet: fields.optional('whenUnmet', () => fields.oneOf('whenUnmet', WHEN_UNMET)) ?? 'flag',
  }
  fields.end()
  return quorum
}

/**
 * Refuses a quorum that no witness could ever meet: a name that the policy does not define.
 *
 * @throws {ShapeError} `shape/bad-value`
 */
export function checkQuorums(deployments: readonly DeploymentConfig[], witnesses: WitnessesConfig | undefined): void {
  const names = witnesses === undefined ? [] : quorumNames(parseWitnessPolicy(createNodeCrypto(), witnesses.policy))
  for (const { name, quorum } of deployments) {
    if (quorum === undefined || names.includes(quorum.name)) continue
    const known = names.length === 0 ? 'there is no "witnesses"' : `there are: ${names.join(', ')}`
    const why = `${quote(quorum.name)} is no witness or group of the policy; ${known}`
    throw new ShapeError('shape/bad-value', `config.deployments.${name}.quorum.name`, why)
  }
}

/**
 * Refuses quorums that the policy of the start does not define: another policy needs a restart.
 *
 * @throws {CountersignError} `config/malformed`
 */
export function checkReloadedQuorums({ deployments, witnesses }: Pick<Config, 'deployments' | 'witnesses'>): void {
  try {
    checkQuorums(deployments, witnesses)
  } catch (thrown) {
    const why = thrown instanceof Error ? thrown.message : ''
    throw new CountersignError('config/malformed', `${why} (another policy of witnesses needs a restart)`)
  }
}

function readPolicy(file: string, path: Path): string {
  try {
    if (statSync(file).size <= MAX_POLICY_BYTES) return readFileSync(file, 'utf8')
  } catch {
    throw new ShapeError('shape/bad-value', path, `cannot read ${quote(file)}`)
  }
  throw new ShapeError('shape/bad-value', path, `the file has more than ${MAX_POLICY_BYTES} bytes`)
}
