/** The `countersign` command. */
import { CountersignError } from '@countersign/verify'
import { Command, CommanderError } from 'commander'
import { EXIT } from './exit-codes.ts'
import { readVersion } from './files.ts'
import { warn } from './terminal.ts'

/**
 * In the order of the help. A command's module is loaded when it is asked for: a witness, which runs for years, has no use
 * for what a gateway is made of.
 */
const COMMANDS: { readonly [name: string]: () => Promise<(program: Command) => void> } = {
  demo: async () => (await import('./commands/demo.ts')).addDemo,
  serve: async () => (await import('./commands/serve.ts')).addServe,
  infer: async () => (await import('./commands/infer.ts')).addInfer,
  accept: async () => (await import('./commands/accept.ts')).addAccept,
  verify: async () => (await import('./commands/verify.ts')).addVerify,
  independence: async () => (await import('./commands/independence.ts')).addIndependence,
  attest: async () => (await import('./commands/attest.ts')).addAttest,
  inspect: async () => (await import('./commands/inspect.ts')).addInspect,
  audit: async () => (await import('./commands/audit.ts')).addAudit,
  witness: async () => (await import('./commands/witness.ts')).addWitness,
  monitor: async () => (await import('./commands/monitor.ts')).addMonitor,
  log: async () => (await import('./commands/log.ts')).addLog,
  key: async () => (await import('./commands/key.ts')).addKey,
  usage: async () => (await import('./commands/usage.ts')).addUsage,
  erase: async () => (await import('./commands/erase.ts')).addErase,
  engine: async () => (await import('./commands/engine.ts')).addEngine,
  config: async () => (await import('./commands/config.ts')).addConfig,
}

const EXAMPLES = `
Examples:
  countersign demo --out demo-out
  countersign serve
  countersign infer credit --input examples/applications.jsonl --out dossiers
  countersign verify dossiers/*.json --trust trust.yaml

Exit codes: 0 all is as it should be; 1 something is refuted; 2 bad usage, or something that cannot be had; 3 unproven. The
help of each command says what they mean there.`

/** The program with the command that is asked for, or with all where none is known by that name. */
async function createProgram(asked: string | undefined): Promise<Command> {
  const program = new Command('countersign')
    .description('AI answers with receipts that anyone can check')
    .version(readVersion())
    .showHelpAfterError('(--help shows what is possible)')
    .addHelpText('after', EXAMPLES)
    .exitOverride()
  const isKnown = asked !== undefined && Object.hasOwn(COMMANDS, asked)
  for (const [name, load] of Object.entries(COMMANDS)) {
    if (isKnown && name !== asked) continue
    const add = await load()
    add(program)
  }
  return program
}

/** Whoever reads our output may stop reading, as `head` does: that is no error of ours. */
function ignoreClosedPipes(): void {
  for (const stream of [process.stdout, process.stderr]) {
    stream.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code !== 'EPIPE') throw error
      process.exit(process.exitCode ?? EXIT.ok)
    })
  }
}

async function main(): Promise<void> {
  ignoreClosedPipes()
  try {
    const program = await createProgram(process.argv[2])
    await program.parseAsync()
  } catch (thrown) {
    if (thrown instanceof CommanderError) {
      process.exitCode = thrown.exitCode === 0 ? EXIT.ok : EXIT.usage
      return
    }
    process.exitCode = EXIT.usage
    if (thrown instanceof CountersignError) warn(`${thrown.code}: ${thrown.message}`)
    else warn(thrown instanceof Error ? (thrown.stack ?? thrown.message) : String(thrown))
  }
}

await main()
