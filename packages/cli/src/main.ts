/** The `countersign` command. */
import { VERSION } from '@countersign/gateway'
import { CountersignError } from '@countersign/verify'
import { Command, CommanderError } from 'commander'
import { addAccept } from './commands/accept.ts'
import { addConfig } from './commands/config.ts'
import { addDemo } from './commands/demo.ts'
import { addEngine } from './commands/engine.ts'
import { addErase } from './commands/erase.ts'
import { addInfer } from './commands/infer.ts'
import { addInspect } from './commands/inspect.ts'
import { addKey } from './commands/key.ts'
import { addLog } from './commands/log.ts'
import { addMonitor } from './commands/monitor.ts'
import { addServe } from './commands/serve.ts'
import { addUsage } from './commands/usage.ts'
import { addVerify } from './commands/verify.ts'
import { EXIT } from './exit-codes.ts'
import { warn } from './terminal.ts'

const COMMANDS = [
  addDemo,
  addServe,
  addInfer,
  addAccept,
  addVerify,
  addInspect,
  addLog,
  addMonitor,
  addKey,
  addUsage,
  addErase,
  addEngine,
  addConfig,
]

function createProgram(): Command {
  const program = new Command('countersign')
    .description('AI answers with receipts that anyone can check')
    .version(VERSION)
    .showHelpAfterError('(--help shows what is possible)')
    .exitOverride()
  for (const add of COMMANDS) add(program)
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
    await createProgram().parseAsync()
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
