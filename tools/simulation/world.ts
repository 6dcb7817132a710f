/** Five witnesses of three owners, and whom a relying party trusts. They outlive each operator that the simulation has. */
import { generateKeyPairSync } from 'node:crypto'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { keyPaths, loadLogKey, loadStatementKey, readP256PublicKey } from '@countersign/gateway'
import { formatNoteKey, toBase64 } from '@countersign/verify'
import { Processes } from './processes.ts'

/** Who owns which witnesses. */
const OWNERS = [
  { owner: 'North Foundation', witnesses: ['north-1', 'north-2'] },
  { owner: 'South University', witnesses: ['south-1', 'south-2'] },
  { owner: 'East GmbH', witnesses: ['east-1'] },
] as const

export const AUDITORS = ['Auditor One', 'Auditor Two'] as const

const DAY_MS = 86_400_000

/** A log before its operator starts: its keys, and where they are. */
export interface Identity {
  readonly name: string
  readonly origin: string
  readonly dataRoot: string
  /** The log's key, as policies have it. */
  readonly logKey: string
  readonly statementKey: Uint8Array
}

export class World {
  readonly folder: string
  readonly processes = new Processes()
  readonly #identities: ReadonlyMap<string, Identity>
  /** Lines of the witnesses, each with its address. */
  #witnessLines: readonly string[] = []

  private constructor(operators: readonly string[]) {
    this.folder = mkdtempSync(join(tmpdir(), 'countersign-simulation-'))
    this.#identities = new Map(operators.map((name) => [name, makeIdentity(this.folder, name)]))
    for (const name of ['accountable', ...AUDITORS]) writeKey(this.folder, name)
  }

  /** Makes the logs' keys, and starts witnesses of those logs. */
  static async start(operators: readonly string[]): Promise<World> {
    const world = new World(operators)
    try {
      const names = OWNERS.flatMap(({ witnesses }) => witnesses)
      world.#witnessLines = await Promise.all(names.map((name) => world.#startWitness(name)))
      writeFileSync(world.policyFile, `${[...world.#witnessLines, ...GROUPS].join('\n')}\n`)
      return world
    } catch (thrown) {
      await world.close()
      throw thrown
    }
  }

  /** What gateways ask witnesses by. */
  get policyFile(): string {
    return join(this.folder, 'witnesses.policy')
  }

  get witnessUrls(): readonly string[] {
    return this.#witnessLines.map((line) => line.split(' ')[3] ?? '')
  }

  identityOf(operator: string): Identity {
    const identity = this.#identities.get(operator)
    if (identity === undefined) throw new Error(`there is no operator ${operator}`)
    return identity
  }

  privateKeyOf(name: string): string {
    return join(this.folder, `${name}.pem`)
  }

  publicKeyOf(name: string): string {
    return join(this.folder, `${name}.pub.pem`)
  }

  /**
   * A file with whom a relying party of that operator trusts. `asksWitnesses`: whether it has the witnesses' addresses, so
   * that a monitor asks them.
   */
  trustFile(operator: string, asksWitnesses: boolean): string {
    const path = join(this.folder, `${operator}.trust.${asksWitnesses ? 'asking' : 'plain'}.yaml`)
    const { logKey, statementKey } = this.identityOf(operator)
    const lines = this.#witnessLines.map((line) => (asksWitnesses ? line : line.split(' ').slice(0, 3).join(' ')))
    const policy = [`log ${logKey}`, ...lines, ...GROUPS, 'quorum owners']
    const party = (name: string, owner: string, role: string, spki: Uint8Array) =>
      `- { name: ${name}, owner: ${owner}, roles: [${role}], keys: [{ spki: ${toBase64(spki)} }] }`
    const parties = [
      party('The operator', 'Operator Ltd', 'operator', statementKey),
      ...AUDITORS.map((name) => party(name, `${name} Ltd`, 'auditor', readP256PublicKey(this.publicKeyOf(name)))),
      ...OWNERS.flatMap(({ owner, witnesses }) =>
        witnesses.map((name) => `- { name: Witness ${name}, owner: ${owner}, witnesses: [${name}] }`),
      ),
    ]
    const indented = policy.map((line) => `  ${line}\n`).join('')
    writeFileSync(path, `format: countersign-trust/v1\npolicy: |\n${indented}parties:\n${parties.join('\n')}\n`)
    return path
  }

  async close(): Promise<void> {
    await this.processes.stopAll()
    rmSync(this.folder, { recursive: true, force: true })
  }

  async #startWitness(name: string): Promise<string> {
    const logs = [...this.#identities.values()].map(({ logKey }) => `- { key: ${logKey} }\n`).join('')
    const config = join(this.folder, `${name}.yaml`)
    const fields = `format: countersign-witness/v1\nname: ${name}.example/w\nlisten: { port: 0 }\ndata: ${name}\n`
    writeFileSync(config, `${fields}logs:\n${logs}`)
    const args = ['witness', '--config', config, '--json', '--log-level', 'error']
    const [line] = await this.processes.start(args, { folder: this.folder, limitMs: DAY_MS }).said(/^\{.*\}$/m)
    const { key, url } = JSON.parse(line) as { key: string; url: string }
    return `witness ${name} ${key} ${url}`
  }
}

/** Any witness of an owner speaks for that owner; two of the three owners are enough. */
const GROUPS = [
  'group north any north-1 north-2',
  'group south any south-1 south-2',
  'group owners 2 north south east-1',
]

function makeIdentity(folder: string, name: string): Identity {
  const dataRoot = join(folder, name)
  mkdirSync(join(dataRoot, 'keys'), { recursive: true, mode: 0o700 })
  const paths = keyPaths(join(dataRoot, 'keys'))
  const origin = `${name}.example/log`
  const logKey = formatNoteKey(loadLogKey(paths.log, origin, true).note)
  return { name, origin, dataRoot, logKey, statementKey: loadStatementKey(paths.statement, true).spki }
}

function writeKey(folder: string, name: string): void {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  writeFileSync(join(folder, `${name}.pem`), privateKey.export({ format: 'pem', type: 'pkcs8' }), { mode: 0o600 })
  writeFileSync(join(folder, `${name}.pub.pem`), publicKey.export({ format: 'pem', type: 'spki' }))
}
