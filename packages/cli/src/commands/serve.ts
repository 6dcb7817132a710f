/** `countersign serve`: runs a gateway until it is told to stop. */
import { join, resolve } from 'node:path'
import { enginesFolder, LLAMA_PROFILE, listEngines } from '@countersign/engines'
import {
  type Config,
  createLogger,
  exampleConfig,
  exampleWithWitnesses,
  Gateway,
  KIND_DIALECTS,
  LOG_LEVELS,
  type LogLevel,
  parseWitnessPolicy,
  readConfigFile,
} from '@countersign/gateway'
import { CountersignError } from '@countersign/verify'
import { createNodeCrypto } from '@countersign/verify/crypto/node'
import type { Command } from 'commander'
import { bundledExamples, bundledModels, readInput, requireFolderPath } from '../files.ts'
import { print, warn } from '../terminal.ts'

interface ServeOptions {
  readonly config?: string
  readonly data?: string
  readonly host?: string
  readonly port?: string
  readonly witnesses?: string
  readonly allowRemote?: boolean
  readonly logLevel?: string
}

const EXAMPLES = `
Examples:
  countersign serve                                   the bundled example on 127.0.0.1:8787
  countersign serve --config countersign.yaml
  countersign serve --data /srv/countersign --port 9000
  countersign serve --config countersign.yaml --log-level warn 2>> countersign.log
  countersign serve --witnesses witnesses.policy      the example, with the witnesses and the quorum of a policy

SIGTERM lets requests end and publishes a last checkpoint; SIGHUP reads deployments, upstreams and writers again.

Exit codes: 0 stopped as told; 1 the log must not go on, or it could not stop in order; 2 bad usage, or it cannot start.`

export function addServe(program: Command): void {
  program
    .command('serve')
    .description('run a gateway: answers with receipts')
    .option('--config <file>', 'configuration (YAML); without it, the bundled credit model under an example party')
    .option('--data <folder>', 'where records and keys are kept (default: ./countersign-data)')
    .option('--host <address>', 'address to listen on')
    .option('--port <number>', 'port to listen on; 0 picks a free one')
    .option('--witnesses <file>', 'of the example: have its log cosigned by the witnesses of a policy, to its quorum')
    .option('--allow-remote', 'allow an address beyond this machine')
    .option(
      '--log-level <level>',
      `least that is logged, as JSON lines on stderr: ${LOG_LEVELS.join(', ')} (default: info, or warn at a terminal)`,
    )
    .addHelpText('after', EXAMPLES)
    .action(async (options: ServeOptions) => {
      await serve(options)
    })
}

/** The bundled language model, where its engine is installed: the example serves it then. */
async function findLanguageModel(): Promise<string | undefined> {
  const engines = await listEngines(enginesFolder())
  const isInstalled = engines.some(({ profile, isMet }) => profile === LLAMA_PROFILE.id && isMet)
  return isInstalled ? join(bundledModels(), 'tiny-english', 'tiny-english-f16.gguf') : undefined
}

/**
 * The configuration with what the command line says instead.
 *
 * @throws {CountersignError} `config/*`, `file/unreadable`, `policy/malformed`, `usage/invalid`
 */
export function loadConfig(options: ServeOptions, languageModel?: string): Config {
  const base = options.config === undefined ? loadExample(options, languageModel) : readConfigFile(options.config)
  if (options.config !== undefined && options.witnesses !== undefined) {
    throw new CountersignError('usage/invalid', '--witnesses is for the example; a configuration names its own')
  }
  const port = options.port === undefined ? base.listen.port : Number(options.port)
  if (!Number.isInteger(port) || port < 0 || port > 65_535) {
    throw new CountersignError('usage/invalid', `--port: ${options.port} is not a port`)
  }
  return {
    ...base,
    listen: { host: options.host ?? base.listen.host, port },
    dataRoot: options.data === undefined ? base.dataRoot : resolve(options.data),
  }
}

function loadExample({ witnesses }: ServeOptions, languageModel: string | undefined): Config {
  const data = resolve('countersign-data')
  const example = exampleConfig(data, join(bundledModels(), 'credit', 'credit.onnx'), languageModel)
  if (witnesses === undefined) return example
  const policy = new TextDecoder().decode(readInput(witnesses))
  const { quorum } = parseWitnessPolicy(createNodeCrypto(), policy)
  if (quorum === 'none') {
    throw new CountersignError('usage/invalid', `--witnesses: ${witnesses} needs a line "quorum <witness or group>"`)
  }
  return exampleWithWitnesses(example, { policyFile: resolve(witnesses), policy, quorum })
}

async function serve(options: ServeOptions): Promise<void> {
  const languageModel = options.config === undefined ? await findLanguageModel() : undefined
  const config = loadConfig(options, languageModel)
  requireFolderPath('data folder', config.dataRoot)
  const logger = createLogger({ level: logLevel(options), write: (line) => process.stderr.write(line) })
  const gateway = await Gateway.start({
    config,
    allowRemote: options.allowRemote ?? false,
    notices: logger,
    logger,
    // The log must not go on, so neither does the process: whoever supervises it starts it again, and start-up checks all.
    onHalt: () => process.exit(1),
  })
  describe(gateway, config)
  process.on('SIGHUP', () => {
    const reload = async () => await gateway.reload(loadConfig(options, languageModel))
    reload().catch((thrown: unknown) => logger.error(`not reloaded, nothing changed: ${messageOf(thrown)}`))
  })
  let isStopping = false
  const stop = () => {
    if (isStopping) return
    isStopping = true
    print('stopping: letting requests end')
    gateway.close().then(
      () => process.exit(0),
      (thrown: unknown) => {
        warn(messageOf(thrown))
        process.exit(1)
      },
    )
  }
  process.on('SIGTERM', stop)
  process.on('SIGINT', stop)
}

/** How to point official clients at the gateway: those whose dialects upstreams of these kinds answer. */
export function clientSettings(url: string, kinds: readonly (keyof typeof KIND_DIALECTS)[]): readonly string[] {
  const dialects = kinds.flatMap((kind) => KIND_DIALECTS[kind])
  return [
    ...(dialects.includes('openai-chat') ? [`OPENAI_BASE_URL=${url}/v1`] : []),
    ...(dialects.includes('anthropic-messages') ? [`ANTHROPIC_BASE_URL=${url}`] : []),
  ]
}

/** Where things are, and how to try them. */
function describe(gateway: Gateway, config: Config): void {
  const { url } = gateway
  print(`countersign is serving ${gateway.deployments.map(({ name }) => name).join(', ')} at ${url}`)
  print(`data    ${gateway.dataRoot}`)
  print(`log     ${gateway.log.origin}  (${url}/log/checkpoint)`)
  print(`health  ${url}/healthz${config.telemetry.metrics ? `, metrics ${url}/metrics` : ''}`)
  print(
    `access  ${config.access === 'keys' ? 'virtual keys: countersign key create --name NAME' : 'open to whoever reaches it'}`,
  )
  const relayed = gateway.deployments.find(({ kind }) => kind === 'relay')
  const kinds = gateway.deployments.flatMap((each) =>
    each.kind === 'relay' ? [...each.upstreams.values()].map(({ kind }) => kind) : [],
  )
  const clients = clientSettings(url, kinds)
  if (clients.length > 0) print(`clients ${clients.join('   ')}`)
  if (!config.example) return
  const witnesses = config.witnesses === undefined ? 'no witness' : 'with witnesses'
  print(`example This is the labelled example: made-up parties, ${witnesses}. Nobody real answers for its decisions.`)
  print(`try     countersign infer credit --input ${join(bundledExamples(), 'applications.jsonl')} --gateway ${url}`)
  if (relayed === undefined) {
    print('chat    countersign engine install llama, then start again: a small language model is served as well')
    return
  }
  const body = JSON.stringify({
    model: relayed.name,
    messages: [{ role: 'user', content: 'It was a dark and' }],
    max_tokens: 40,
  })
  print(`chat    curl -i ${url}/v1/chat/completions -H 'content-type: application/json' -d '${body}'`)
}

/** @throws {CountersignError} `usage/invalid` */
function logLevel({ logLevel: asked }: ServeOptions): LogLevel {
  if (asked === undefined) return process.stderr.isTTY ? 'warn' : 'info'
  const level = LOG_LEVELS.find((known) => known === asked)
  if (level === undefined) throw new CountersignError('usage/invalid', `--log-level: expected ${LOG_LEVELS.join(', ')}`)
  return level
}

function messageOf(thrown: unknown): string {
  return thrown instanceof Error ? thrown.message : String(thrown)
}
