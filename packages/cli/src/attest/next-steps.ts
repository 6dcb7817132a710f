/** What somebody who reads an appraisal for the first time can do about what it leaves open. */
import { type Appraisal, LACKING_BESIDE } from '@countersign/verify'

interface Asked {
  readonly hasCollateral: boolean
  readonly hasTime: boolean
  readonly hasPolicy: boolean
}

/** Checks of what the makers serve anew; other certificates come with the evidence, and stay as they are. */
const IS_FETCHED = /^(tdx|sev-snp|azure-vtpm)\//

/** Its floor is a number of lists, and no time. */
const IS_OF_POLICY = /\/tcb-evaluation-number$/

/** Sentences for people, the most pressing first; none where nothing is open. */
export function nextSteps({ status, items, checks }: Appraisal, asked: Asked): readonly string[] {
  const isOpen = items.some(({ isGenuine }) => !isGenuine)
  const isMissing = checks.some(
    ({ result, detail = '' }) => result === 'not-checked' && /collateral|key set/.test(detail),
  )
  const past = checks.filter(
    ({ name, result, code }) => result === 'fail' && code?.endsWith('/not-current') && !IS_OF_POLICY.test(name),
  )
  const steps: string[] = []
  if (isOpen && isMissing && !asked.hasCollateral) {
    steps.push(
      'Something of the makers’ is missing: get it with "countersign attest fetch", and give it with --collateral.',
    )
  }
  if (past.length > 0) {
    steps.push(
      'Something is not of the time that is judged by. By itself that is no sign of a forgery: it shows nothing.',
    )
    if (past.some(({ name }) => IS_FETCHED.test(name))) {
      steps.push(
        'For today, get what its makers say now with "countersign attest fetch", and give it with --collateral.',
      )
    }
    if (!asked.hasTime) {
      steps.push('--at judges as of another time. That shows something only where somebody else proves that time.')
    }
  }
  if (checks.some(({ result, detail = '' }) => result === 'not-checked' && detail.startsWith(LACKING_BESIDE))) {
    steps.push(
      'Give what the provider says beside its evidence with --beside: a JSON object with the member that is named.',
    )
  }
  const hasProcessor = checks.some(({ name, result }) => name === 'place/tee' && result === 'pass')
  if (!isOpen && hasProcessor && status === 'unproven' && !asked.hasPolicy) {
    steps.push('To decide, write the measurements that you expect into a policy: "countersign attest verify --policy".')
  }
  return steps
}
