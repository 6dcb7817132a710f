/** Three witnesses, each in a process of its own with a folder of its own. In life each has an owner of its own, too. */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { CountersignError, formatAddCheckpoint, parseCheckpoint, type UnverifiedNote } from '@countersign/verify'
import { formatJson, writeOutput } from '../files.ts'
import type { TrustedWitnesses } from '../trust-file-text.ts'
import { countersignProgram } from './gateway-process.ts'
import type { Processes } from './processes.ts'

export const WITNESS_NAMES = ['witness-one.example', 'witness-two.example', 'witness-three.example'] as const

const QUORUM = 'two-of-three'
const ASK_TIMEOUT_MS = 10_000

export interface WitnessProcess {
  readonly name: string
  /** Its verifier key. */
  readonly key: string
  readonly url: string
  readonly dataFolder: string
}

/**
 * Starts the three on free ports, for one log. Each makes its key itself.
 *
 * @throws {CountersignError} `gateway/unreachable`
 */
export function startWitnesses(
  processes: Processes,
  folder: string,
  logKey: string,
): Promise<readonly WitnessProcess[]> {
  return Promise.all(
    WITNESS_NAMES.map(async (name) => {
      const dataFolder = join(folder, name)
      const config = `${dataFolder}.yaml`
      const logs = [{ key: logKey }]
      // JSON is YAML.
      const text = formatJson({ format: 'countersign-witness/v1', name, listen: { port: 0 }, data: dataFolder, logs })
      writeOutput(config, text)
      const { said } = await processes.start(
        [countersignProgram(), 'witness', '--config', config, '--json'],
        readAddress,
      )
      return { name, dataFolder, ...said }
    }),
  )
}

function readAddress(output: string): { readonly url: string; readonly key: string } | undefined {
  const [line, ...rest] = output.split('\n')
  if (line === undefined || rest.length === 0) return undefined
  const { url, key } = JSON.parse(line) as { readonly url: string; readonly key: string }
  return { url, key }
}

/** What a relying party's policy says of them: any two of the three. */
export function trustedWitnesses(witnesses: readonly Pick<WitnessProcess, 'name' | 'key'>[]): TrustedWitnesses {
  const names = witnesses.map(({ name }) => name).join(' ')
  const lines = witnesses.map(({ name, key }) => `witness ${name} ${key}`)
  return { lines: [...lines, `group ${QUORUM} 2 ${names}`], quorum: QUORUM }
}

/** The same for the gateway, which has to know where they are. */
export function formatPolicy(witnesses: readonly WitnessProcess[]): string {
  const { lines, quorum } = trustedWitnesses(witnesses)
  const addressed = lines.map((line, i) => (i < witnesses.length ? `${line} ${witnesses[i]?.url}` : line))
  return `${[...addressed, `quorum ${quorum}`].join('\n')}\n`
}

/**
 * Asks a witness to cosign a head in the place of the one of the same size that it has: the status of its answer.
 *
 * @throws {CountersignError} `gateway/unreachable`
 */
export async function askForAnother({ name, url }: WitnessProcess, checkpoint: UnverifiedNote): Promise<number> {
  const body = formatAddCheckpoint({ oldSize: parseCheckpoint(checkpoint.text).size, proof: [], checkpoint })
  const signal = AbortSignal.timeout(ASK_TIMEOUT_MS)
  try {
    const response = await fetch(`${url}/add-checkpoint`, { method: 'POST', body, signal })
    await response.arrayBuffer()
    return response.status
  } catch {
    throw new CountersignError('gateway/unreachable', `${name} does not answer at ${url}`)
  }
}

/** The proof of misbehaviour that a witness kept, where it has one. */
export function findEvidence({ dataFolder }: WitnessProcess): Uint8Array | undefined {
  const folder = join(dataFolder, 'evidence')
  try {
    const [name] = readdirSync(folder).filter((each) => each.endsWith('.json'))
    return name === undefined ? undefined : readFileSync(join(folder, name))
  } catch {
    return undefined
  }
}
