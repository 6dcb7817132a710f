/** `countersign attest`: evidence of where a model ran. */
import type { Command } from 'commander'
import { addAttestExplain } from './attest-explain.ts'
import { addAttestFetch } from './attest-fetch.ts'
import { addAttestReappraise } from './attest-reappraise.ts'
import { addAttestRevoke } from './attest-revoke.ts'
import { addAttestVerify } from './attest-verify.ts'

const EXAMPLES = `
Examples:
  countersign attest explain quote.bin
  countersign attest fetch quote.bin --out collateral.json
  countersign attest verify quote.bin --collateral collateral.json --policy place.yaml
  countersign attest reappraise dossiers/*.json --trust trust.yaml --collateral today.json
  countersign attest revoke device 4f1c… --since 2026-10-01T00:00:00Z --reason "opened by hand" --source https://example.org/a \\
    --key auditor.pem

"countersign attest COMMAND --help" says what each takes, and its exit codes.`

export function addAttest(program: Command): void {
  const attest = program
    .command('attest')
    .description('get, check and explain what hardware says about where a model ran')
    .addHelpText('after', EXAMPLES)
  addAttestVerify(attest)
  addAttestExplain(attest)
  addAttestFetch(attest)
  addAttestReappraise(attest)
  addAttestRevoke(attest)
}
