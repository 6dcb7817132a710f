/** `countersign log recover`: ends a log that cannot go on, and begins the one that follows it. */
import { existsSync } from 'node:fs'
import { resolve } from 'node:path'
import { planRecovery, type Recovery, recoverLog } from '@countersign/gateway'
import { CountersignError } from '@countersign/verify'
import type { Command } from 'commander'
import { print } from '../terminal.ts'

interface RecoverOptions {
  readonly data: string
  readonly reason: string
  readonly origin?: string
  readonly yes?: boolean
  readonly json?: boolean
}

const EXAMPLES = `
A log never goes back and never changes its key. When its database is damaged or lost, or was restored from an older backup, or its key
is no longer safe, this ends it. Its data are kept as they are, in the folder archive; a log with a new key and name follows. Its first
entry says which log ended, its last head, how many entries are still whole, and why. Keys of statements, secrets and the vault go on.

Put back a newer copy of the data first, if there is one: then nothing needs to end. Stop the gateway before. A run that was cut
short is finished by the next one.

Examples:
  countersign log fsck --data countersign-data
  countersign log recover --data countersign-data --reason "disk failure on 2026-11-28, entries after 1204 lost"
  countersign log recover --data countersign-data --reason "disk failure on 2026-11-28, entries after 1204 lost" --yes

Exit codes: 0 done, or shown; 2 cannot be done.`

export function addRecover(log: Command): void {
  log
    .command('recover')
    .description('end a log that cannot go on, and begin a new one that names it')
    .requiredOption('--reason <text>', 'why it ends, for everyone to read')
    .option('--data <folder>', 'data folder of the gateway', 'countersign-data')
    .option('--origin <name>', 'name of the log that follows (default: the old one’s with a number)')
    .option('--yes', 'do it: the old log does not come back')
    .option('--json', 'print JSON')
    .addHelpText('after', EXAMPLES)
    .action(recover)
}

async function recover({ data, reason, origin, yes, json }: RecoverOptions): Promise<void> {
  const folder = resolve(data)
  if (!existsSync(folder)) throw new CountersignError('usage/invalid', `there is no data folder ${folder}; pass --data`)
  const options = { reason, ...(origin === undefined ? {} : { origin }) }
  const recovery = yes ? await recoverLog(folder, options) : planRecovery(folder, options)
  if (json) print(JSON.stringify({ ...recovery, done: yes === true }))
  else print(describe(recovery, yes === true))
}

function describe(recovery: Recovery, done: boolean): string {
  const { oldOrigin, origin, wholeSize, entries, headSize, interrupted, archive, isResumed } = recovery
  const all = entries === 0 ? '' : ` of ${entries}`
  return [
    ...(isResumed ? ['An earlier run began this, with its own reason and name.'] : []),
    `log ${oldOrigin}: ${done ? 'ended' : 'would end'}, with a last head of ${headSize} entries`,
    `  whole: the first ${wholeSize}${all} entries`,
    ...(interrupted === 0 ? [] : [`  requests under way of which nothing is recorded: ${interrupted}`]),
    `  its data: ${done ? 'kept' : 'would be kept'} in archive/${archive}`,
    `log ${origin}: ${done ? 'begun' : 'would begin'}`,
    done
      ? 'Give relying parties what "countersign log trust" prints now; witnesses and monitors need the new key as well.'
      : 'Nothing was changed: pass --yes to do it. The old log does not come back.',
  ].join('\n')
}
