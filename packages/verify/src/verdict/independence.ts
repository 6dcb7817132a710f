/** The claim `independence`: how many parties that do not answer to one another say so? */
import { type CountedOwner, confirmingParties, countOwners } from '../independence/confirmation.ts'
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
  const owners = countOwners(trust, confirmingParties(trust, answer.confirmations))
  const counted = owners.reduce((sum, each) => sum + each.counted, 0)
  const names = owners.map(describe).join(', ')
  if (counted < trust.minimumOwners) {
    const who = owners.length === 0 ? 'nobody but the operator' : `only ${names}`
    list.missing('owners', `${who} confirmed this record; the trust file asks for ${needed(trust)}`)
  } else {
    list.attempt('owners', () => owners)
  }
  const shared = `that each confirmation is another owner’s: the trust file lets ${trust.perOwner} of one owner count`
  return list.row(
    { grade: 'witnessed', reason: `${owners.length} independent owners confirmed this record: ${names}` },
    {
      basis: [`head ${answer.head.origin} size ${answer.head.size}`],
      trusts: owners.map(({ owner }) => `owner ${owner}`),
      doesNotProve: trust.perOwner === 1 ? DOES_NOT_PROVE : [...DOES_NOT_PROVE, shared],
    },
  )
}

function describe({ owner, counted }: CountedOwner): string {
  return counted === 1 ? owner : `${owner} (${counted} times)`
}

function needed({ minimumOwners, perOwner }: Trust): string {
  if (perOwner === 1) return `${minimumOwners} independent owners`
  return `${minimumOwners} independent confirmations, of which ${perOwner} may be of one owner`
}
