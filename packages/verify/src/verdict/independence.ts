/** The claim `independence`: how many parties that do not answer to one another say so? */
import { type CountedOwner, confirmingParties, countOwners } from '../independence/confirmation.ts'
import type { Party, Trust } from '../trust/trust-file.ts'
import type { AuditorWord } from './auditor-word.ts'
import { Checklist, type ClaimRow } from './checklist.ts'
import type { RecordedAnswer } from './evidence.ts'
import { hearAuditors, isAgreement } from './output.ts'

const APART = 'that the owners are truly apart: ownership is what the trust file says it is'
const BY_WITNESSES = [APART, 'that they checked more than the log’s history; a witness does not look at answers']
const BY_AUDITORS = [
  APART,
  'that auditors ran the model at all: this is their word',
  'that all of these owners looked at the answer; a witness checks the log’s history alone',
]

/**
 * Decides `independence` for an answer whose record holds. Witnesses count by owner, and so do auditors who say that the
 * output is the same, where the claim `output` holds; the operator's own count nothing.
 */
export function decideIndependence(answer: RecordedAnswer, trust: Trust, isOutputHolding: boolean): ClaimRow {
  const list = new Checklist('independence')
  const words = isOutputHolding ? hearAuditors(answer, trust).words.filter(isAgreement) : []
  const auditors = partiesOf(words)
  const owners = countOwners(trust, [...confirmingParties(trust, answer.confirmations), ...auditors])
  const counted = owners.reduce((sum, each) => sum + each.counted, 0)
  const names = owners.map(describe).join(', ')
  if (counted < trust.minimumOwners) {
    const who = owners.length === 0 ? nobody(answer) : `only ${names} confirmed this record`
    list.missing('owners', `${who}; the trust file asks for ${needed(trust)}`)
  } else {
    list.attempt('owners', () => owners)
  }
  const audited = auditors.map(({ name }) => `auditor ${name}`)
  const which = audited.length === 0 ? '' : `; ${audited.join(', ')} ran the model again`
  const shared = `that each confirmation is another owner’s: the trust file lets ${trust.perOwner} of one owner count`
  const doesNotProve = audited.length === 0 ? BY_WITNESSES : BY_AUDITORS
  return list.row(
    {
      grade: audited.length === 0 ? 'witnessed' : 'auditor-re-executed',
      reason: `${owners.length} independent owners confirmed this record: ${names}${which}`,
    },
    {
      basis: [
        `head ${answer.head.origin} size ${answer.head.size}`,
        ...words.map(({ result }) => `statement ${result}`),
      ],
      trusts: [...owners.map(({ owner }) => `owner ${owner}`), ...audited],
      doesNotProve: trust.perOwner === 1 ? doesNotProve : [...doesNotProve, shared],
    },
  )
}

/** Why no owner counts: nobody confirmed it, or only those who do not count. */
function nobody({ confirmations }: RecordedAnswer): string {
  if (confirmations.length === 0) return 'nobody but the operator confirmed this record'
  const who = confirmations.length === 1 ? 'its one witness is' : `its ${confirmations.length} witnesses are`
  return `${who} the operator’s own or unknown`
}

/** Each once, however many of its audits list the answer. */
function partiesOf(words: readonly AuditorWord[]): readonly Party[] {
  return [...new Set(words.map(({ auditor }) => auditor))]
}

function describe({ owner, counted }: CountedOwner): string {
  return counted === 1 ? owner : `${owner} (${counted} times)`
}

function needed({ minimumOwners, perOwner }: Trust): string {
  if (perOwner === 1) return `${minimumOwners} independent owners`
  return `${minimumOwners} independent confirmations, of which ${perOwner} may be of one owner`
}
