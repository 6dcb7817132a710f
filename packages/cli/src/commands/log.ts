/** `countersign log`: what stock tools need to check a log, and a check of one's own. */
import { existsSync } from 'node:fs'
import { resolve } from 'node:path'
import { checkLog, readTrustedRoot } from '@countersign/gateway'
import { CountersignError } from '@countersign/verify'
import type { Command } from 'commander'
import { EXIT } from '../exit-codes.ts'
import { formatJson, writeOutput } from '../files.ts'
import { createProgress, paint, print } from '../terminal.ts'
import { formatTrustFile, readGatewayKeys, readTrustedWitnesses } from '../trust-file-text.ts'
import { addRecover } from './log-recover.ts'

interface LogOptions {
  readonly data: string
  readonly out?: string
  readonly json?: boolean
  readonly archive?: string
}

interface TrustOptions extends LogOptions {
  readonly name: string
  readonly policy?: string
  readonly quorum?: string
}

const HAND_CODES = '\n\nExit codes: 0 printed or written; 2 bad usage, or something that cannot be read or written.'

const LOG_EXAMPLES = `
Examples:
  countersign log trust --data countersign-data --out trust.yaml
  countersign log fsck --data countersign-data

Exit codes: 0 done; 1 errors found; 2 bad usage, or something that cannot be read or written.`

const TRUST_EXAMPLES = `
Examples:
  countersign log trust --data countersign-data --name "Example Bank" --out trust.yaml
  countersign log trust --data countersign-data --policy witnesses.policy --quorum two-of-three --out trust.yaml${HAND_CODES}`

export function addLog(program: Command): void {
  const log = program.command('log').description('work with a gateway’s log').addHelpText('after', LOG_EXAMPLES)
  log
    .command('trusted-root')
    .description('print the Sigstore trusted root of a gateway’s log')
    .option('--data <folder>', 'data folder of the gateway', 'countersign-data')
    .option('--out <file>', 'write it there')
    .addHelpText(
      'after',
      `\nExamples:\n  countersign log trusted-root --data countersign-data --out trusted-root.json${HAND_CODES}`,
    )
    .action((options: LogOptions) => {
      const text = formatJson(readTrustedRoot(requireData(options)))
      hand(text, options)
    })
  log
    .command('trust')
    .description(
      'print a trust file with the operator’s public keys and those of logs that ended, for relying parties to complete',
    )
    .option('--data <folder>', 'data folder of the gateway', 'countersign-data')
    .option('--name <name>', 'what relying parties call the operator', 'The operator')
    .option('--policy <file>', 'witnesses that must confirm the log: the policy that the gateway asks them by')
    .option('--quorum <name>', 'which witness or group of that policy; needed where it has no quorum line')
    .option('--out <file>', 'write it there')
    .addHelpText('after', TRUST_EXAMPLES)
    .action((options: TrustOptions) => {
      const { log: key, operator, ended } = readGatewayKeys(requireData(options))
      const { name, policy, quorum } = options
      if (policy === undefined && quorum !== undefined) {
        throw new CountersignError('usage/invalid', '--quorum is the name of a witness or group: pass --policy with it')
      }
      const witnesses = policy === undefined ? undefined : readTrustedWitnesses(policy, quorum)
      const text = formatTrustFile(key, [{ name, owner: name, role: 'operator', spki: operator }], '', {
        ended,
        ...(witnesses === undefined ? {} : { witnesses }),
      })
      hand(text, options)
    })
  log
    .command('fsck')
    .description('check every entry, signature, head and tile of a stopped gateway; changes nothing')
    .option('--data <folder>', 'data folder of the gateway', 'countersign-data')
    .option('--archive <number>', 'check a log that ended, by its number in the folder archive')
    .option('--json', 'print JSON')
    .addHelpText(
      'after',
      '\nExamples:\n  countersign log fsck --data countersign-data\n\nExit codes: 0 clean; 1 errors found; 2 cannot be checked.',
    )
    .action((options: LogOptions) => {
      process.exitCode = fsck(requireData(options), options)
    })
  addRecover(log)
}

function fsck(data: string, { json = false, archive }: LogOptions): number {
  let progress: ReturnType<typeof createProgress> | undefined
  const report = checkLog(data, {
    ...(archive === undefined ? {} : { archive: readArchiveNumber(archive) }),
    onProgress: (done, total) => {
      progress ??= createProgress('checking', total)
      progress.update(done)
    },
  })
  const errors = report.findings.filter((finding) => finding.severity === 'error')
  if (json) {
    print(JSON.stringify(report))
  } else {
    for (const { check, severity, detail } of report.findings)
      print(`${paint(severity === 'error' ? 'red' : 'yellow', severity)}  ${check}: ${detail}`)
    print(
      `${report.entries} entries, ${report.tiles} tiles: ${errors.length === 0 ? 'clean' : `${errors.length} errors`}`,
    )
  }
  return errors.length === 0 ? EXIT.ok : EXIT.refuted
}

function readArchiveNumber(text: string): number {
  if (!/^[1-9][0-9]{0,2}$/.test(text)) throw new CountersignError('usage/invalid', `--archive: ${text} is not a number`)
  return Number(text)
}

/** Writes text to the file that was asked for, else to standard output. */
function hand(text: string, { out }: LogOptions): void {
  if (out === undefined) print(text.trimEnd())
  else writeOutput(out, text)
}

function requireData({ data }: LogOptions): string {
  const folder = resolve(data)
  if (!existsSync(folder)) throw new CountersignError('usage/invalid', `there is no data folder ${folder}; pass --data`)
  return folder
}
