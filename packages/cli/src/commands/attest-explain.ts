/** `countersign attest explain`: what evidence says, and what of that is shown. */
import { CountersignError } from '@countersign/verify'
import type { Command } from 'commander'
import { formatExplanation } from '../attest/appraisal-text.ts'
import {
  type AppraisedFile,
  type AppraiseOptions,
  appraiseFile,
  askedWith,
  readPolicy,
} from '../attest/appraise-files.ts'
import { nextSteps } from '../attest/next-steps.ts'
import { EXIT, type ExitCode, errorJson } from '../exit-codes.ts'
import { formatJson } from '../files.ts'
import { print } from '../terminal.ts'
import { readTime } from '../time-option.ts'
import { addAppraiseOptions } from './attest-verify.ts'

export const EXPLANATION_FORMAT = 'countersign-explanation/v1'

interface ExplainOptions extends AppraiseOptions {
  readonly json?: boolean
}

const EXAMPLES = `
It decides nothing: it ends with 0 whether or not a check failed. To decide, write the measurements that you expect into a policy, and
use "verify". With --json, "status" is what "verify" would say, and "claimed" what the bytes say was measured where nothing shows it.
Bytes, hexadecimal, base64 and JSON around those are told apart; spec/evidence.md lists what is known.

Examples:
  countersign attest explain quote.bin
  countersign attest explain quote.bin --collateral collateral.json --at 2026-03-01T00:00:00Z
  countersign attest explain gpu-report.txt --collateral gpu-chain.pem
  countersign attest explain report.json --profile near-ai
  countersign attest explain evidence.json --json

Exit codes: 0 it could be read; 2 bad usage, or a file that cannot be read.`

export function addAttestExplain(attest: Command): void {
  addAppraiseOptions(
    attest
      .command('explain')
      .description('say what evidence says, check by check, without a policy')
      .argument('<file>', 'evidence: a file of ours, or as the hardware or a service gave it'),
  )
    .option('--policy <file>', 'what the place must be (YAML); without one no code is known')
    .option('--json', 'print JSON')
    .addHelpText('after', EXAMPLES)
    .action((file: string, options: ExplainOptions) => {
      process.exitCode = explain(file, options)
    })
}

/** As for other commands, wrong options are bad usage, and a file that cannot be read is in the report. */
function explain(file: string, options: ExplainOptions): ExitCode {
  readPolicy(options.policy)
  readTime(options.at)
  let explained: AppraisedFile
  try {
    explained = appraiseFile(file, options)
  } catch (thrown) {
    if (!options.json || !(thrown instanceof CountersignError)) throw thrown
    print(formatJson({ format: EXPLANATION_FORMAT, file, error: errorJson(thrown), exitCode: EXIT.usage }).trimEnd())
    return EXIT.usage
  }
  const { appraisal, claimed } = explained
  if (options.json) print(formatJson({ format: EXPLANATION_FORMAT, file, ...appraisal, claimed }).trimEnd())
  else print(formatExplanation(explained, nextSteps(appraisal, askedWith(options))))
  return EXIT.ok
}
