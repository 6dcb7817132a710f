/** What somebody who reads an appraisal for the first time can do about what it leaves open. */
import type { Appraisal } from '@countersign/verify'

interface Asked {
  readonly hasCollateral: boolean
  readonly hasTime: boolean
  readonly hasPolicy: boolean
}

/** Sentences for people, the most pressing first; none where nothing is open. */
export function nextSteps({ status, items, checks }: Appraisal, asked: Asked): readonly string[] {
  const isOpen = items.some(({ isGenuine }) => !isGenuine)
  const isMissing = checks.some(
    ({ result, detail = '' }) => result === 'not-checked' && /collateral|key set/.test(detail),
  )
  const isPast = checks.some(({ result, code }) => result === 'fail' && code?.endsWith('/not-current'))
  const steps: string[] = []
  if (isOpen && isMissing && !asked.hasCollateral) {
    steps.push(
      'Something of the makers’ is missing: get it with "countersign attest fetch", and give it with --collateral.',
    )
  }
  if (isPast && !asked.hasTime) {
    steps.push(
      'Not of today: --at judges as of another time. That shows something only where somebody else proves that time.',
    )
  }
  const hasProcessor = checks.some(({ name, result }) => name === 'place/tee' && result === 'pass')
  if (!isOpen && hasProcessor && status === 'unproven' && !asked.hasPolicy) {
    steps.push('To decide, write the measurements that you expect into a policy: "countersign attest verify --policy".')
  }
  return steps
}
