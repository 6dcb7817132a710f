/** `countersign attest`: evidence of where a model ran. */
import type { Command } from 'commander'
import { addAttestExplain } from './attest-explain.ts'
import { addAttestFetch } from './attest-fetch.ts'
import { addAttestReappraise } from './attest-reappraise.ts'
import { addAttestRevoke } from './attest-revoke.ts'
import { addAttestVerify } from './attest-verify.ts'

export function addAttest(program: Command): void {
  const attest = program
    .command('attest')
    .description('get, check and explain what hardware says about where a model ran')
  addAttestVerify(attest)
  addAttestExplain(attest)
  addAttestFetch(attest)
  addAttestReappraise(attest)
  addAttestRevoke(attest)
}
