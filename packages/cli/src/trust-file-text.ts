/** Trust files, written for a relying party to look through, compare and edit. */
import { join } from 'node:path'
import {
  findIdentityAt,
  keyPaths,
  listArchives,
  loadLogKey,
  parseWitnessPolicy,
  quorumNames,
  readP256PublicKey,
} from '@countersign/gateway'
import { CountersignError, formatNoteKey, toBase64 } from '@countersign/verify'
import { createNodeCrypto } from '@countersign/verify/crypto/node'
import { readInput } from './files.ts'

/** A party of a trust file, with at most one key. */
export interface TrustedParty {
  readonly name: string
  readonly owner: string
  readonly role?: 'operator' | 'accountable'
  readonly spki?: Uint8Array
  /** Names of its witnesses in the policy. */
  readonly witnesses?: readonly string[]
  readonly cloud?: string
  readonly software?: string
}

/** The public keys of a gateway, from its data folder. */
export function readGatewayKeys(dataFolder: string) {
  const paths = keyPaths(join(dataFolder, 'keys'))
  const { origin } = findIdentityAt(dataFolder)
  return {
    /** Of the log, in the form that policies take. */
    log: formatNoteKey(loadLogKey(paths.log, origin, false).note),
    operator: readP256PublicKey(paths.statement),
    accountablePath: paths.exampleAccountable,
    /** Of logs that ended, oldest first. */
    ended: listArchives(dataFolder).map(({ key }) => key),
  }
}

/** Whose confirmation a head needs: lines of a policy, and the name of the quorum in them. */
export interface TrustedWitnesses {
  readonly lines: readonly string[]
  readonly quorum: string
}

/** What the policy of a trust file has besides the log's own key. */
export interface TrustedLogs {
  /** Keys of logs that ended. */
  readonly ended?: readonly string[]
  readonly witnesses?: TrustedWitnesses
}

const NO_WITNESSES: TrustedWitnesses = { lines: [], quorum: 'none' }

/**
 * The witnesses in the policy file that a gateway asks them by. The quorum is the one asked for, or else the file's own.
 *
 * @throws {CountersignError} `file/unreadable`, `policy/malformed`, `usage/invalid`
 */
export function readTrustedWitnesses(path: string, asked: string | undefined): TrustedWitnesses {
  const text = new TextDecoder().decode(readInput(path))
  const policy = parseWitnessPolicy(createNodeCrypto(), text)
  const quorum = asked ?? policy.quorum
  const names = quorumNames(policy)
  if (!names.includes(quorum)) {
    const known = names.join(', ')
    throw new CountersignError('usage/invalid', `--quorum: say which witness or group of ${path}; there are: ${known}`)
  }
  const lines = text.split('\n').filter((line) => line.trim() !== '' && !/^[ \t]*quorum[ \t]/.test(line))
  return { lines, quorum }
}

/** The text of a trust file. `more` is appended as it is. */
export function formatTrustFile(
  logKey: string,
  parties: readonly TrustedParty[],
  more = '',
  { ended = [], witnesses: { lines, quorum } = NO_WITNESSES }: TrustedLogs = {},
): string {
  return `# Whom you trust. Get these keys from the parties themselves, not from the gateway that they are to check.
format: countersign-trust/v1

# Which log, and whose confirmation a head of it needs: "none" means that the operator's word is enough.
policy: |
  log ${logKey}
${ended.map(formatEnded).join('')}${[...lines, `quorum ${quorum}`].map((line) => `  ${line.trim()}\n`).join('')}
parties:
${parties.map(formatParty).join('')}${more}`
}

/** A log that ended stays trusted for what it holds; the first entry of the one that follows says how far it is whole. */
function formatEnded(key: string): string {
  return `  # This log has ended. Take the line away to stop relying on it.\n  log ${key}\n`
}

function formatParty({ name, owner, role, spki, witnesses, cloud, software }: TrustedParty): string {
  const lines = [
    `- name: ${JSON.stringify(name)}`,
    `  owner: ${JSON.stringify(owner)}`,
    ...(role === undefined ? [] : [`  roles: [${role}]`]),
    ...(spki === undefined ? [] : ['  keys:', `    - spki: ${toBase64(spki)}`]),
    ...(witnesses === undefined ? [] : [`  witnesses: [${witnesses.join(', ')}]`]),
    ...(cloud === undefined ? [] : [`  cloud: ${JSON.stringify(cloud)}`]),
    ...(software === undefined ? [] : [`  software: ${JSON.stringify(software)}`]),
  ]
  return lines.map((line) => `  ${line}\n`).join('')
}
