/** `countersign serve`: runs a gateway until it is told to stop. */
import { join, resolve } from 'node:path'
import { type Config, exampleConfig, Gateway, readConfigFile } from '@countersign/gateway'
import { CountersignError } from '@countersign/verify'
import type { Command } from 'commander'
import { bundledExamples, bundledModels } from '../files.ts'
import { print, warn } from '../terminal.ts'

interface ServeOptions {
  readonly config?: string
  readonly data?: string
  readonly host?: string
  readonly port?: string
  readonly allowRemote?: boolean
}

const EXAMPLES = `
Examples:
  countersign serve                                   the bundled example on 127.0.0.1:8787
  countersign serve --config countersign.yaml
  countersign serve --data /srv/countersign --port 9000`

export function addServe(program: Command): void {
  program
    .command('serve')
    .description('run a gateway: answers with receipts')
    .option('--config <file>', 'configuration (YAML); without it, the bundled credit model under an example party')
    .option('--data <folder>', 'where records and keys are kept (default: ./countersign-data)')
    .option('--host <address>', 'address to listen on')
    .option('--port <number>', 'port to listen on; 0 picks a free one')
    .option('--allow-remote', 'allow an address beyond this machine')
    .addHelpText('after', EXAMPLES)
    .action(async (options: ServeOptions) => {
      await serve(loadConfig(options), options.allowRemote ?? false)
    })
}

/** The configuration with what the command line says instead. @throws {CountersignError} `config/*`, `usage/invalid` */
export function loadConfig(options: ServeOptions): Config {
  const base =
    options.config === undefined
      ? exampleConfig(resolve('countersign-data'), join(bundledModels(), 'credit', 'credit.onnx'))
      : readConfigFile(options.config)
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

async function serve(config: Config, allowRemote: boolean): Promise<void> {
  const gateway = await Gateway.start({
    config,
    allowRemote,
    notices: { info: print, error: warn },
    // The log must not go on, so neither does the process: whoever supervises it starts it again, and start-up checks all.
    onHalt: () => process.exit(1),
  })
  const names = config.deployments.map((deployment) => deployment.name).join(', ')
  print(`countersign is serving ${names} at ${gateway.url}`)
  print(`data    ${gateway.dataRoot}`)
  print(`log     ${gateway.log.origin}  (${gateway.url}/log/checkpoint)`)
  if (config.example) {
    print('example This is the labelled example: made-up parties, no witness. Nobody real answers for its decisions.')
    print(
      `try     countersign infer credit --input ${join(bundledExamples(), 'applications.jsonl')} --gateway ${gateway.url}`,
    )
  }
  let isStopping = false
  const stop = () => {
    if (isStopping) return
    isStopping = true
    print('stopping: letting requests end')
    gateway.close().then(
      () => process.exit(0),
      (thrown: unknown) => {
        warn(thrown instanceof Error ? thrown.message : String(thrown))
        process.exit(1)
      },
    )
  }
  process.on('SIGTERM', stop)
  process.on('SIGINT', stop)
}
