/** `countersign witness`: runs a witness until it is told to stop. */
import { existsSync } from 'node:fs'
import { resolve } from 'node:path'
import { CountersignError } from '@countersign/verify'
import { createNodeCrypto } from '@countersign/verify/crypto/node'
import {
  type RunningWitness,
  readWitnessConfigFile,
  startWitness,
  WITNESS_LOG_LEVELS,
  type WitnessConfig,
  type WitnessLogLevel,
} from '@countersign/watch/witness'
import type { Command } from 'commander'
import { EXIT } from '../exit-codes.ts'
import { writeOutput } from '../files.ts'
import { print, warn } from '../terminal.ts'

interface WitnessOptions {
  readonly config: string
  readonly init?: boolean
  readonly allowRemote?: boolean
  readonly unusedKey?: boolean
  readonly logLevel?: string
  readonly json?: boolean
}

const EXAMPLES = `
Examples:
  countersign witness --init                        writes witness.yaml, an example with comments
  countersign witness --config witness.yaml
  countersign witness --config witness.yaml --json 2>> witness.log

Give the line that begins with "witness" to whoever runs or relies on the logs: it goes into their policies.
SIGTERM lets requests end, and closes the state.

Exit codes: 0 stopped as told; 1 the state cannot be trusted any more; 2 it cannot start.`

export function addWitness(program: Command): void {
  program
    .command('witness')
    .description('run a witness: cosigns logs that only ever grow')
    .option('--config <file>', 'configuration (YAML)', 'witness.yaml')
    .option('--init', 'write an example configuration there, and end')
    .option('--allow-remote', 'allow an address beyond this machine')
    .option('--unused-key', 'once, for a key file made elsewhere: it has never signed anything')
    .option(
      '--log-level <level>',
      `least that is logged, as JSON lines on stderr: ${WITNESS_LOG_LEVELS.join(', ')} (default: info, or warn at a terminal)`,
    )
    .option('--json', 'say in JSON where it listens and what its key is')
    .addHelpText('after', EXAMPLES)
    .action(async (options: WitnessOptions) => {
      if (options.init) init(options.config)
      else await run(options)
    })
}

const EXAMPLE_CONFIG = `# A witness. Fields, limits, meanings: spec/witness.md
format: countersign-witness/v1

# Name of the witness's key, unique in the world: a domain of yours, and a path. No spaces, no plus. It never changes.
name: witness.example.org/w1

# Where to listen. Beyond loopback the witness wants TLS in front of it, and --allow-remote.
listen:
  host: 127.0.0.1
  port: 8797
  # prefix: /witness

# Where logs reach it, for the line that goes into policies.
# url: https://witness.example.org

# What it must never forget. Never restore it from a backup: see spec/witness.md.
data: ./witness-data

# Its private key: PKCS#8 PEM, mode 0600, made at the first start. This is the default.
# key: ./witness-data/witness.pem

# The logs that it serves, by their keys. A log whose first line is not the name of its key has it under origin.
logs: []
#  - key: log.example.org/credit+1a2b3c4d+AQ…
#    requestsPerSecond: 10
#    burst: 100
#  - key: sum.golang.org+033de0ae+Ac4zctda0e5eza+HJyk9SxEdh+s3Ux18htTTAD8OuAn8
#    origin: go.sum database tree

# limits:
#   connections: 256
#   requestMs: 10000
`

/** @throws {CountersignError} `usage/invalid` where there is a file already */
function init(path: string): void {
  if (existsSync(path)) throw new CountersignError('usage/invalid', `${path} is there already; it is left as it is`)
  writeOutput(path, EXAMPLE_CONFIG)
  print(`wrote ${path}: name the witness and its logs in it, then: countersign witness --config ${path}`)
}

async function run(options: WitnessOptions): Promise<void> {
  const config = readWitnessConfigFile(createNodeCrypto(), resolve(options.config))
  const witness = await startWitness({
    config,
    allowRemote: options.allowRemote ?? false,
    isKeyUnused: options.unusedKey ?? false,
    logLevel: logLevel(options),
    write: (line) => process.stderr.write(line),
    // It must not go on, so neither does the process: whoever supervises it starts it again, and start-up checks all.
    onHalt: ({ code, message }) => {
      warn(`${code}: ${message}`)
      setImmediate(() => process.exit(EXIT.refuted))
    },
  })
  stopOnSignals(witness)
  describe(witness, config, options.json ?? false)
}

function stopOnSignals(witness: RunningWitness): void {
  let isStopping = false
  const stop = () => {
    if (isStopping) return
    isStopping = true
    witness.close().then(
      () => process.exit(EXIT.ok),
      (thrown: unknown) => {
        warn(thrown instanceof Error ? thrown.message : String(thrown))
        process.exit(EXIT.refuted)
      },
    )
  }
  process.on('SIGTERM', stop)
  process.on('SIGINT', stop)
}

function describe({ url, key, policyLine }: RunningWitness, config: WitnessConfig, isJson: boolean): void {
  const origins = [...config.logs.keys()]
  if (isJson) {
    print(JSON.stringify({ url, name: config.name, key, policyLine, data: config.dataRoot, origins }))
    return
  }
  print(`countersign witness ${config.name} is listening at ${url}`)
  print(`data    ${config.dataRoot}`)
  print(`logs    ${origins.length === 0 ? 'none yet: name them in the configuration' : origins.join(', ')}`)
  print('policy  paste this line into the policies of logs and relying parties:')
  print(policyLine)
}

/** @throws {CountersignError} `usage/invalid` */
function logLevel({ logLevel: asked }: WitnessOptions): WitnessLogLevel {
  if (asked === undefined) return process.stderr.isTTY ? 'warn' : 'info'
  const level = WITNESS_LOG_LEVELS.find((known) => known === asked)
  if (level === undefined) {
    throw new CountersignError('usage/invalid', `--log-level: expected ${WITNESS_LOG_LEVELS.join(', ')}`)
  }
  return level
}
