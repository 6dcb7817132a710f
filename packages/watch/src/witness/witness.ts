/** `@countersign/watch/witness`: a witness of logs, for any log that speaks C2SP tlog-witness. */
import { CountersignError, formatNoteKey, quote } from '@countersign/verify'
import { createNodeCrypto } from '@countersign/verify/crypto/node'
import { Cosigner } from './cosigner.ts'
import type { WitnessConfig } from './witness-config.ts'
import { createWitnessLog, type WitnessLogLevel } from './witness-log.ts'
import { listenForCheckpoints } from './witness-server.ts'

export { readWitnessConfigFile, WITNESS_CONFIG_FORMAT, type WitnessConfig } from './witness-config.ts'
export { WITNESS_LOG_LEVELS, type WitnessLogLevel } from './witness-log.ts'

export interface WitnessOptions {
  readonly config: WitnessConfig
  /** Listen beyond this machine. */
  readonly allowRemote?: boolean
  /** The key file was made elsewhere and has never signed anything. Said once, for a new state. */
  readonly isKeyUnused?: boolean
  readonly logLevel?: WitnessLogLevel
  /** Takes lines of the log. */
  readonly write?: (line: string) => void
  readonly now?: () => number
  /** The state cannot be trusted any more. What is called must end the process; a start checks everything. */
  readonly onHalt: (error: CountersignError) => void
}

export interface RunningWitness {
  /** Where it listens, with the prefix. */
  readonly url: string
  /** Its verifier key, `name+id+base64`. */
  readonly key: string
  /** The line that operators and relying parties paste into their policies. */
  readonly policyLine: string
  /** Lets requests end, and closes the state. */
  close(): Promise<void>
}

/**
 * Starts a witness.
 *
 * @throws {CountersignError} `config/*`, `data/*`, `key/malformed`, `disk/full`
 */
export async function startWitness(options: WitnessOptions): Promise<RunningWitness> {
  const { config, allowRemote = false, logLevel = 'info', write = () => undefined, now = Date.now } = options
  const { host, prefix } = config.listen
  if (!isLoopback(host) && !allowRemote) {
    throw new CountersignError(
      'config/unsafe-listen',
      `${quote(host)} can be reached from other machines; put TLS in front of the witness and pass --allow-remote, or listen on 127.0.0.1`,
    )
  }
  const log = createWitnessLog({ level: logLevel, write, now })
  const crypto = createNodeCrypto()
  const { isKeyUnused = false, onHalt } = options
  const cosigner = new Cosigner({ crypto, config, isKeyUnused, now, log, onHalt })
  try {
    const server = await listenForCheckpoints(cosigner, config, log)
    const url = `http://${host.includes(':') ? `[${host}]` : host}:${server.port}${prefix}`
    const key = formatNoteKey(cosigner.key)
    return {
      url,
      key,
      policyLine: `witness ${config.name} ${key} ${config.url ?? url}`,
      async close() {
        await server.close()
        cosigner.close()
      },
    }
  } catch (thrown) {
    cosigner.close()
    throw thrown
  }
}

/** Whether only this machine can reach an address. */
function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || /^127(\.\d{1,3}){3}$/.test(host)
}
