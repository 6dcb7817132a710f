/** What a relying party requires of a verdict: a claim, and the least grade it must hold at. */
import { CountersignError, quote } from '../errors.ts'

/** The seven things that a relying party wants to know about an answer. */
export const CLAIMS = ['record', 'model', 'place', 'output', 'independence', 'outcome', 'accountable'] as const
export type ClaimName = (typeof CLAIMS)[number]

export type Grade =
  | 're-executed'
  | 'proven'
  | 'auditor-re-executed'
  | 'hardware-attested'
  | 'statistically-tested'
  | 'witnessed'
  | 'provider-signed'
  | 'operator-asserted'

/** The grades of each claim, strongest first. A claim holds at no grade that is not in its list. */
export const GRADES: { readonly [claim in ClaimName]: readonly Grade[] } = {
  record: ['witnessed', 'operator-asserted'],
  model: ['hardware-attested', 'provider-signed', 'operator-asserted'],
  place: ['hardware-attested', 'provider-signed', 'operator-asserted'],
  output: [
    're-executed',
    'proven',
    'auditor-re-executed',
    'hardware-attested',
    'statistically-tested',
    'provider-signed',
  ],
  independence: ['auditor-re-executed', 'witnessed'],
  outcome: ['statistically-tested', 'operator-asserted'],
  accountable: ['provider-signed', 'operator-asserted'],
}

export interface Requirement {
  readonly claim: ClaimName
  /** Least grade; any will do when missing. */
  readonly grade: Grade | undefined
}

/** Whether `grade` is at least `least` for `claim`. */
export function reachesGrade(claim: ClaimName, grade: Grade, least: Grade | undefined): boolean {
  const order = GRADES[claim]
  return least === undefined || (order.includes(grade) && order.indexOf(grade) <= order.indexOf(least))
}

/**
 * Reads `claim[:grade],…`; the grade `any` is the same as none.
 *
 * @throws {CountersignError} `require/malformed`
 */
export function parseRequirements(text: string): readonly Requirement[] {
  const requirements = text
    .split(',')
    .filter((part) => part.trim() !== '')
    .map(parseRequirement)
  const names = requirements.map((requirement) => requirement.claim)
  const twice = names.find((name, i) => names.indexOf(name) !== i)
  if (twice !== undefined) throw new CountersignError('require/malformed', `${twice} is required twice`)
  return requirements
}

function parseRequirement(text: string): Requirement {
  const [claimText = '', gradeText = 'any', ...rest] = text.trim().split(':')
  const claim = CLAIMS.find((known) => known === claimText)
  if (claim === undefined || rest.length > 0) {
    throw new CountersignError('require/malformed', `${quote(text)}: claims are ${CLAIMS.join(', ')}`)
  }
  if (gradeText === 'any') return { claim, grade: undefined }
  const grade = GRADES[claim].find((known) => known === gradeText)
  if (grade === undefined) {
    throw new CountersignError(
      'require/malformed',
      `${quote(text)}: grades of ${claim} are ${GRADES[claim].join(', ')}`,
    )
  }
  return { claim, grade }
}
