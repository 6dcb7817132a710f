/** The claim `independence`: how many parties that do not answer to one another say so? */
import { independentOwners } from '../independence/confirmation.ts'
import type { Trust } from '../trust/trust-file.ts'
import { Checklist, type ClaimRow } from './checklist.ts'
import type { RecordedAnswer } from './evidence.ts'

const DOES_NOT_PROVE = [
  'that the owners are truly apart: ownership is what the trust file says it is',
  'that they checked more than the log’s history; a witness does not look at answers',
]

/** Decides `independence` for an answer whose record holds. Witnesses count by owner; the operator's own count nothing. */
export function decideIndependence(answer: RecordedAnswer, trust: Trust): ClaimRow {
  const list = new Checklist('independence')
  const owners = independentOwners(trust, answer.confirmations)
  const needed = trust.minimumOwners
  if (owners.length < needed) {
    const who = owners.length === 0 ? 'nobody but the operator' : `only ${owners.join(', ')}`
    list.missing('owners', `${who} confirmed this record; the trust file asks for ${needed} independent owners`)
  } else {
    list.attempt('owners', () => owners)
  }
  return list.row(
    { grade: 'witnessed', reason: `${owners.length} independent owners confirmed this record: ${owners.join(', ')}` },
    {
      basis: [`head ${answer.head.origin} size ${answer.head.size}`],
      trusts: owners.map((owner) => `owner ${owner}`),
      doesNotProve: DOES_NOT_PROVE,
    },
  )
}
