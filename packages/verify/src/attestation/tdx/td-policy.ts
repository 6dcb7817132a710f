/** What a place policy asks of a trust domain, check by check. Only of what a proven quote says. */
import { CountersignError } from '../../errors.ts'
import { isZero } from '../byte-reader.ts'
import type { PlacePolicy } from '../place-policy.ts'
import { refused } from '../refusals.ts'
import type { ListProof } from './list-proof.ts'
import type { TdReport } from './quote.ts'
import type { TcbEvaluation } from './tcb-level.ts'
import { TDX_POLICY_CHECKS, type TdxChecks } from './tdx-checks.ts'

/** Byte 3 of the attributes. @spec Intel TDX Module Architecture Specification, TD attributes */
const SEPT_VE_DISABLE = 0x10
const MIGRATABLE = 0x20

/** What was proven of a trust domain. Parts are there when their checks passed. */
export interface ProvenDomain {
  readonly report: TdReport
  readonly tcb: TcbEvaluation | undefined
  readonly lists: ListProof
  readonly measurements: { readonly [register: string]: string }
}

/** Whether the faults of pages that the host took away reach the guest only as errors. */
export function isSeptVeDisabled({ tdAttributes }: TdReport): boolean {
  return ((tdAttributes[3] ?? 0) & SEPT_VE_DISABLE) !== 0
}

/** Whether the domain may be moved to another machine. */
export function isMigratable({ tdAttributes }: TdReport): boolean {
  return ((tdAttributes[3] ?? 0) & MIGRATABLE) !== 0
}

/**
 * Checks a proven domain against a policy; `undefined` in its place when no quote was proven, which leaves the checks unreached.
 */
export function checkPolicy(
  checks: TdxChecks,
  policy: PlacePolicy | undefined,
  domain: ProvenDomain | undefined,
): void {
  if (policy === undefined) {
    for (const name of TDX_POLICY_CHECKS) checks.notChecked(name, 'there is no policy for trust domains')
    return
  }
  if (domain === undefined) return
  const { report, tcb, lists, measurements } = domain
  const { tcbInfo, qeIdentity } = lists
  if (tcbInfo !== undefined && qeIdentity !== undefined) {
    const numbers = [tcbInfo, qeIdentity].map(({ evaluationDataNumber }) => evaluationDataNumber)
    checks.attempt('tcb-evaluation-number', () => requireEvaluation(Math.min(...numbers), policy))
  }
  if (tcb !== undefined) {
    checks.attempt('tcb-state', () => requireState(tcb, policy))
    checks.attempt('advisories', () => requireAdvisories(tcb, policy))
  }
  checks.attempt('sept-ve', () => {
    if (isSeptVeDisabled(report) || policy.allow.includes('sept-ve')) return
    throw refused('SEPT_VE_DISABLE is off: the host can make the guest handle faults of its own memory')
  })
  checks.attempt('migration', () => {
    if (!isMigratable(report) || policy.allow.includes('migration')) return
    throw refused('the trust domain may be moved to another machine')
  })
  checkServiceDomain(checks, policy, report)
  checks.attempt('measurements', () => requireMeasurements(measurements, policy))
}

function requireEvaluation(number: number, { minimum }: PlacePolicy): void {
  const floor = minimum.tcbEvaluationDataNumber ?? 0
  if (number >= floor) return
  throw new CountersignError(
    'collateral/not-current',
    `Intel's lists have evaluation data number ${number}, below ${floor}`,
  )
}

function requireState({ status }: TcbEvaluation, { states }: PlacePolicy): void {
  if (states.includes(status)) return
  throw refused(`the platform is ${status}; accepted are ${states.join(', ')}`)
}

function requireAdvisories(tcb: TcbEvaluation, { advisories }: PlacePolicy): void {
  const open = tcb.advisories.filter((each) => !advisories.includes(each))
  if (open.length === 0) return
  throw refused(`advisories of the platform that the policy does not accept: ${open.join(', ')}`)
}

/** Service domains may migrate the domain that they are bound to. Reports of TD 1.0 do not tell them. */
function checkServiceDomain(checks: TdxChecks, policy: PlacePolicy, { td15 }: TdReport): void {
  if (td15 === undefined) {
    checks.notChecked('service-td', 'a report of TD 1.0 does not say whether a service domain is bound')
    return
  }
  checks.attempt('service-td', () => {
    const isNamed = policy.measurements.mrservicetd !== undefined
    if (isZero(td15.mrServiceTd) || isNamed || policy.allow.includes('migration')) return
    throw refused('a service domain is bound that the policy does not name')
  })
}

function requireMeasurements(measurements: ProvenDomain['measurements'], policy: PlacePolicy): void {
  for (const [register, allowed] of Object.entries(policy.measurements)) {
    const value = Object.hasOwn(measurements, register) ? measurements[register] : undefined
    if (value === undefined) throw refused(`${register} is not shown`)
    if (!allowed.includes(value)) throw refused(`${register} is ${value}, which the policy does not name`)
  }
}
