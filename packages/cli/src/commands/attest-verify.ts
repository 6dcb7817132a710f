/** `countersign attest verify`: evidence, collateral, policy and time in; facts out. */
import { type Appraisal, CountersignError } from '@countersign/verify'
import type { Command } from 'commander'
import { formatAppraisal } from '../attest/appraisal-text.ts'
import { type AppraiseOptions, appraiseFile, askedWith, readPolicy } from '../attest/appraise-files.ts'
import { nextSteps } from '../attest/next-steps.ts'
import { EXIT, type ExitCode, errorJson, gravest } from '../exit-codes.ts'
import { formatJson } from '../files.ts'
import { paint, print } from '../terminal.ts'
import { readTime } from '../time-option.ts'

export const APPRAISALS_FORMAT = 'countersign-appraisals/v1'

interface VerifyOptions extends AppraiseOptions {
  readonly policy: string
  readonly json?: boolean
}

type FileResult =
  | { readonly file: string; readonly appraisal: Appraisal }
  | { readonly file: string; readonly error: { readonly code: string; readonly message: string } }

const EXAMPLES = `
A policy is a YAML file that says which code may run there, as in
  tee: tdx
  measurements: { mrtd: [91eb2b44…] }
An empty one is an error: it would accept any program of anybody.

Examples:
  countersign attest verify quote.bin --collateral collateral.json --policy place.yaml
  countersign attest verify report.bin --collateral vcek.der ask_ark.pem --policy place.yaml --at 2026-03-01T00:00:00Z
  countersign attest verify evidence.json --collateral collateral.json --policy place.yaml --nonce 6f1c… --json

Exit codes: 0 the policy is met; 1 refused: a check failed; 3 unproven: something that is needed was not shown; 2 bad usage, a
policy that names no code, or a file that cannot be read. With several files the gravest wins: 1, then 2, then 3.`

export function addAttestVerify(attest: Command): void {
  addAppraiseOptions(
    attest
      .command('verify')
      .description('check evidence against a policy, as of a time; nothing is fetched')
      .argument('<file...>', 'evidence: a file of ours, or as the hardware or a service gave it')
      .requiredOption('--policy <file>', 'what the place must be (YAML)'),
  )
    .option('--json', 'print a report for programs')
    .addHelpText('after', EXAMPLES)
    .action((files: readonly string[], options: VerifyOptions) => {
      process.exitCode = verifyFiles(files, options)
    })
}

/** Options that say what to appraise, and by what. */
export function addAppraiseOptions(command: Command): Command {
  return command
    .option(
      '--collateral <file...>',
      'from the makers of the hardware: bundles, certificates, chains, lists, TCB information',
    )
    .option('--kind <kind>', 'what the file is, where its bytes do not tell, or tell of several kinds')
    .option('--nonce <hex>', 'the challenge that the evidence must answer')
    .option('--at <time>', 'the time to judge by, ISO 8601 (default: now)')
    .option(
      '--event-log <file>',
      'log of what was measured into the RTMRs of a TDX quote: dstack’s JSON, or a CCEL table',
    )
    .option(
      '--profile <name>',
      'how the serving key is bound, where the file does not say; JSON is read as that provider answers',
    )
    .option('--beside <file>', 'what the provider says beside its evidence (JSON), for the profile')
}

function verifyFiles(files: readonly string[], options: VerifyOptions): ExitCode {
  // Both are the same for all files: wrong ones are bad usage.
  readPolicy(options.policy)
  readTime(options.at)
  const results = files.map((file) => verifyFile(file, options))
  const exitCode = gravest(results.map(exitCodeOfFile))
  if (options.json) print(formatJson({ format: APPRAISALS_FORMAT, results, exitCode }).trimEnd())
  else printResults(results, options)
  return exitCode
}

function verifyFile(file: string, options: VerifyOptions): FileResult {
  try {
    return { file, appraisal: appraiseFile(file, options).appraisal }
  } catch (thrown) {
    if (!(thrown instanceof CountersignError)) throw thrown
    return { file, error: errorJson(thrown) }
  }
}

function exitCodeOfFile(result: FileResult): ExitCode {
  if ('error' in result) return EXIT.usage
  const { status } = result.appraisal
  return status === 'accepted' ? EXIT.ok : status === 'refused' ? EXIT.refuted : EXIT.unproven
}

function printResults(results: readonly FileResult[], options: VerifyOptions): void {
  for (const result of results) {
    print(paint('bold', result.file))
    if ('error' in result) print(`${paint('red', 'cannot be read')}  ${result.error.code}: ${result.error.message}\n`)
    else {
      const { appraisal } = result
      print(formatAppraisal(appraisal, nextSteps(appraisal, askedWith(options))))
    }
  }
}
