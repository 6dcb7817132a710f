/** `countersign attest explain`: what evidence says, and what of that is shown. */
import type { Command } from 'commander'
import { formatAppraisal } from '../attest/appraisal-text.ts'
import { type AppraiseOptions, appraiseFile, askedWith } from '../attest/appraise-files.ts'
import { nextSteps } from '../attest/next-steps.ts'
import { EXIT } from '../exit-codes.ts'
import { formatJson } from '../files.ts'
import { print } from '../terminal.ts'
import { addAppraiseOptions } from './attest-verify.ts'

const EXAMPLES = `
It accepts nothing and refuses nothing: to decide, write the measurements that you expect into a policy, and use "verify".
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
    .action((file: string, options: AppraiseOptions & { readonly json?: boolean }) => {
      const appraisal = appraiseFile(file, options)
      print(
        options.json
          ? formatJson(appraisal).trimEnd()
          : formatAppraisal(appraisal, true, nextSteps(appraisal, askedWith(options))),
      )
      process.exitCode = EXIT.ok
    })
}
