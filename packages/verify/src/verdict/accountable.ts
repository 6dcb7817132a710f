/** The claim `accountable`: who answers, how is it challenged, what is still open? */
import { CountersignError } from '../errors.ts'
import {
  ACCEPTANCE_TYPE,
  type AcceptancePredicate,
  type Deadlines,
  type DeploymentPredicate,
  parseAcceptance,
} from '../statement/deployment.ts'
import { Checklist, type ClaimRow } from './checklist.ts'
import type { RecordedAnswer, SignedStatement } from './evidence.ts'
import { openDeployment } from './model.ts'

const DOES_NOT_PROVE = [
  'that the party will act, or can pay; only that it put its key under its word',
  'that no case is open about this answer: this version reads no case records',
]

/** Decides `accountable` for an answer whose record holds. */
export function decideAccountable(answer: RecordedAnswer): ClaimRow {
  const { inference, linked } = answer
  const list = new Checklist('accountable')
  const deployment = list.attempt('deployment', () => openDeployment(answer))
  const digest = linked.ofType(ACCEPTANCE_TYPE, inference.deployment.statement)
  if (digest === undefined) list.missing('acceptance', 'the dossier carries no acceptance of this deployment by anyone')
  const signed =
    digest === undefined ? undefined : list.attempt('acceptance', () => linked.open(digest, ['accountable']))
  const acceptance = signed && list.attempt('acceptance-text', () => parseAcceptance(signed.statement))
  if (deployment && signed && acceptance) {
    list.attempt('same-manifest', () => checkAcceptance(answer, deployment, signed, acceptance))
  }
  const late = signed && signed.index > answer.index ? ', though it accepted only after this answer' : ''
  const example = deployment?.example ? ' This is a labelled example: nobody real answers.' : ''
  const own = signed && signed.signer.owner === answer.operator.owner
  return list.row(
    {
      grade: own ? 'operator-asserted' : 'provider-signed',
      reason: `${acceptance?.party} accepted to answer for this deployment${late}; contact ${acceptance?.contact}.${example}`,
    },
    {
      basis: [`statement ${inference.deployment.statement}`, ...(digest ? [`statement ${digest}`] : [])],
      trusts: acceptance ? [`accountable party ${acceptance.party}`] : [],
      doesNotProve: DOES_NOT_PROVE,
    },
  )
}

function checkAcceptance(
  { inference }: RecordedAnswer,
  deployment: DeploymentPredicate,
  signed: SignedStatement,
  acceptance: AcceptancePredicate,
): void {
  const same: readonly [string, boolean][] = [
    ['another manifest', acceptance.deployment.statement === inference.deployment.statement],
    ['another deployment', acceptance.deployment.name === inference.deployment.name],
    ['a party other than the manifest names', acceptance.party === deployment.accountable.party],
    ['a party other than the key is trusted for', acceptance.party === signed.signer.name],
    ['a key other than the manifest names', signed.keyId === deployment.accountable.keyId],
    ['another contact', acceptance.contact === deployment.accountable.contact],
    ['other deadlines', sameDeadlines(acceptance.deadlines, deployment.deadlines)],
  ]
  const other = same.find(([, equal]) => !equal)
  if (other !== undefined) throw new CountersignError('leaf/mismatch', `the acceptance is for ${other[0]}`)
}

function sameDeadlines(a: Deadlines, b: Deadlines): boolean {
  return (
    a.acknowledgeBusinessDays === b.acknowledgeBusinessDays &&
    a.respondDays === b.respondDays &&
    a.decideDays === b.decideDays &&
    a.appealDays === b.appealDays
  )
}
