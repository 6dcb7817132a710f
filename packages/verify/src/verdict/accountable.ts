/** The claim `accountable`: who answers, how is it challenged, what is still open? */
import { verifyAcceptance } from '../accountability/acceptance.ts'
import { ACCEPTANCE_TYPE, parseAcceptance } from '../statement/deployment.ts'
import type { StatementDigest } from '../statement/statement.ts'
import { Checklist, type ClaimRow } from './checklist.ts'
import type { RecordedAnswer } from './evidence.ts'
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
  const carried = linked.about(inference.deployment.statement, ACCEPTANCE_TYPE)
  const digest = carried.find((each) => opens(answer, each)) ?? carried[0]
  if (digest === undefined) list.missing('acceptance', 'the dossier carries no acceptance of this deployment by anyone')
  const signed =
    digest === undefined ? undefined : list.attempt('acceptance', () => linked.open(digest, ['accountable']))
  const acceptance = signed && list.attempt('acceptance-text', () => linked.read(signed, 'acceptance', parseAcceptance))
  if (deployment && signed && acceptance) {
    list.attempt('same-manifest', () =>
      verifyAcceptance(deployment, inference.deployment.statement, acceptance, signed.keyId),
    )
  }
  const isLater = signed && signed.origin === answer.head.origin && signed.index > answer.index
  const late = isLater ? ', though it accepted only after this answer' : ''
  const example = deployment?.example ? ' This is a labelled example: nobody real answers.' : ''
  const isOwn = deployment?.example || signed?.signer.owner === answer.operator.owner
  return list.row(
    {
      grade: isOwn ? 'operator-asserted' : 'provider-signed',
      reason: `${signed?.signer.name} accepted to answer for this deployment${late}; contact ${acceptance?.contact}.${example}`,
    },
    {
      basis: [`statement ${inference.deployment.statement}`, ...(digest ? [`statement ${digest}`] : [])],
      trusts: signed ? [`accountable party ${signed.signer.name}`] : [],
      doesNotProve: DOES_NOT_PROVE,
    },
  )
}

function opens({ linked }: RecordedAnswer, digest: StatementDigest): boolean {
  try {
    linked.open(digest, ['accountable'])
    return true
  } catch {
    return false
  }
}
