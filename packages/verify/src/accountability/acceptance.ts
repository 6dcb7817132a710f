/** Whether an acceptance is of exactly this manifest, by exactly the key that the manifest names. */
import { CountersignError } from '../errors.ts'
import type { AcceptancePredicate, Deadlines, DeploymentPredicate } from '../statement/deployment.ts'
import type { StatementDigest } from '../statement/statement.ts'

/**
 * Proves that `acceptance`, signed with the key `keyId`, is of the manifest with that digest, word for word; or throws.
 *
 * Proves nothing about whose key that is; that is the trust file's job.
 *
 * @throws {CountersignError} `statement/mismatch`
 */
export function verifyAcceptance(
  manifest: DeploymentPredicate,
  digest: StatementDigest,
  acceptance: AcceptancePredicate,
  keyId: string,
): void {
  const same: readonly [string, boolean][] = [
    ['another manifest', acceptance.deployment.statement === digest],
    ['another deployment', acceptance.deployment.name === manifest.name],
    ['a party other than the manifest names', acceptance.party === manifest.accountable.party],
    ['a key other than the manifest names', keyId === manifest.accountable.keyId],
    ['another contact', acceptance.contact === manifest.accountable.contact],
    ['other deadlines', sameDeadlines(acceptance.deadlines, manifest.deadlines)],
  ]
  const other = same.find(([, equal]) => !equal)
  if (other !== undefined) throw new CountersignError('statement/mismatch', `the acceptance is for ${other[0]}`)
}

function sameDeadlines(a: Deadlines, b: Deadlines): boolean {
  return (
    a.acknowledgeBusinessDays === b.acknowledgeBusinessDays &&
    a.respondDays === b.respondDays &&
    a.decideDays === b.decideDays &&
    a.appealDays === b.appealDays
  )
}
