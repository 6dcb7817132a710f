/** What a place policy asks of a report that is genuine. */
import { equalBytes, toHex } from '../../bytes/bytes.ts'
import type { EvidenceChecks } from '../checks.ts'
import type { PlacePolicy } from '../place-policy.ts'
import { refused } from '../refusals.ts'
import { HOST_VMPL, type SnpReport } from './report.ts'
import type { AcceptedKey } from './signing-chain.ts'
import { TCB_COMPONENTS, type TcbVersion } from './tcb-version.ts'

/** Checks of a policy, in their order. */
export const SEV_SNP_POLICY_CHECKS = [
  'migration-agent',
  'vmpl',
  'smt',
  'vlek',
  'alias-check',
  'guest-svn',
  'reported-tcb',
  'committed-tcb',
  'launch-tcb',
  'firmware',
  'measurement',
  'host-data',
  'id-key',
  'author-key',
] as const
export type SnpPolicyCheck = (typeof SEV_SNP_POLICY_CHECKS)[number]

/** Of these one at least has to pass: the others leave open which code runs. */
const IDENTIFYING = ['measurement', 'id-key', 'author-key'] as const

const NOT_ASKED = 'the policy does not ask for it'
const ALL_ONES = /^(ff)+$/

interface Question {
  readonly isAsked: boolean
  /** Throws `evidence/refused` when the report is not what the policy asks for. */
  require(): void
}

/** The four TCB versions of a report, read. */
export interface ReportTcb {
  readonly current: TcbVersion
  readonly reported: TcbVersion
  readonly committed: TcbVersion
  readonly launch: TcbVersion
}

/** A report whose signature was checked, and what was told beside it. */
export interface ProvenReport {
  readonly report: SnpReport
  readonly tcb: ReportTcb
  readonly key: AcceptedKey
}

/** Makes all checks of the policy; whether the report is of code that the policy names, in a state that it accepts. */
export function checkSnpPolicy<Name extends string>(
  list: EvidenceChecks<Name | SnpPolicyCheck>,
  proven: ProvenReport,
  policy: PlacePolicy,
): boolean {
  const questions = questionsOf(proven, policy)
  for (const name of SEV_SNP_POLICY_CHECKS) {
    const { isAsked, require } = questions[name]
    if (isAsked) list.attempt(name, require)
    else list.notChecked(name, NOT_ASKED)
  }
  const asked = SEV_SNP_POLICY_CHECKS.filter((name) => questions[name].isAsked)
  return list.passed(...asked) && IDENTIFYING.some((name) => questions[name].isAsked)
}

function questionsOf(proven: ProvenReport, policy: PlacePolicy): { readonly [check in SnpPolicyCheck]: Question } {
  const { report, tcb, key } = proven
  const { minimum } = policy
  return {
    'migration-agent': question(!policy.allow.includes('migration'), () => requireNoMigrationAgent(report)),
    vmpl: question(true, () => requireVmpl(report, policy.allow.includes('any-vmpl'))),
    smt: question(policy.forbid.includes('smt'), () => {
      if (!report.policy.allowsSmt && !report.platform.isSmtEnabled) return
      throw refused('two threads may share a core (SMT)')
    }),
    vlek: question(policy.forbid.includes('vlek'), () => {
      if (key !== 'vlek') return
      throw refused("the report is signed with a key of the cloud's (VLEK), and not with the chip's own")
    }),
    'alias-check': question(policy.forbid.includes('unchecked-aliases'), () => {
      if (report.platform.isAliasCheckComplete) return
      throw refused('the firmware has not checked since its start that no two addresses are one place in memory')
    }),
    'guest-svn': question(minimum.guestsvn !== undefined, () => requireLeast('guestsvn', report.guestSvn, policy)),
    'reported-tcb': tcbQuestion('reported', tcb, policy),
    'committed-tcb': tcbQuestion('committed', tcb, policy),
    'launch-tcb': tcbQuestion('launch', tcb, policy),
    firmware: question(
      FIRMWARE_PARTS.some(([name]) => minimum[name] !== undefined),
      () => requireFirmware(report, policy),
    ),
    measurement: valueQuestion('the launch measurement', policy.measurements.measurement, report.measurement),
    'host-data': valueQuestion('the data of the host', policy.measurements.hostdata, report.hostData),
    'id-key': signerQuestion('ID key', policy.signers.idkeydigest, report.idKeyDigest),
    'author-key': signerQuestion(
      'author key',
      policy.signers.authorkeydigest,
      report.hasAuthorKey ? report.authorKeyDigest : new Uint8Array(report.authorKeyDigest.length),
    ),
  }
}

function question(isAsked: boolean, require: () => void): Question {
  return { isAsked, require }
}

/** An agent that may move the guest elsewhere is part of what has to be trusted, and is measured nowhere here. */
function requireNoMigrationAgent({ policy, migrationAgentId }: SnpReport): void {
  if (policy.allowsMigrationAgent) throw refused('the guest may be given a migration agent')
  if (!ALL_ONES.test(toHex(migrationAgentId))) throw refused('the guest has a migration agent')
}

/** What the host asked for says nothing that the guest wants to say. */
function requireVmpl({ vmpl }: SnpReport, isAnyAllowed: boolean): void {
  if (vmpl === HOST_VMPL) throw refused('the host asked for the report, not the guest')
  if (vmpl !== 0 && !isAnyAllowed) throw refused(`the report was asked for at privilege level ${vmpl}, expected 0`)
}

function tcbQuestion(which: keyof ReportTcb, tcb: ReportTcb, policy: PlacePolicy): Question {
  const named = TCB_COMPONENTS.filter((component) => policy.minimum[component] !== undefined)
  return question(named.length > 0, () => {
    const version = tcb[which]
    for (const component of named) {
      const value = version[component]
      if (value === undefined) throw refused(`${which} TCB: this product has no ${component}`)
      requireLeast(component, value, policy, `${which} TCB: `)
    }
  })
}

function requireLeast(component: string, value: number, { minimum }: PlacePolicy, where = ''): void {
  const least = minimum[component] ?? 0
  if (value < least) throw refused(`${where}${component} is ${value}, and the policy asks for ${least}`)
}

const FIRMWARE_PARTS = [
  ['fwmajor', 'major'],
  ['fwminor', 'minor'],
  ['fwbuild', 'build'],
] as const

/** Compares the parts that the policy names, the most significant first, with the version that cannot be gone back behind. */
function requireFirmware({ committedFirmware }: SnpReport, { minimum }: PlacePolicy): void {
  for (const [name, part] of FIRMWARE_PARTS) {
    const least = minimum[name]
    if (least === undefined) continue
    if (committedFirmware[part] > least) return
    if (committedFirmware[part] < least) {
      throw refused(
        `the committed firmware's ${part} version is ${committedFirmware[part]}, and the policy asks for ${least}`,
      )
    }
  }
}

function valueQuestion(what: string, allowed: readonly string[] | undefined, value: Uint8Array): Question {
  return question(allowed !== undefined, () => {
    const found = toHex(value)
    if (allowed?.includes(found)) return
    throw refused(`${what} is ${found}, which the policy does not name`)
  })
}

/** All zero says that nobody signed, so that no policy can ask for it. */
function signerQuestion(what: string, allowed: readonly string[] | undefined, digest: Uint8Array): Question {
  return question(allowed !== undefined, () => {
    if (equalBytes(digest, new Uint8Array(digest.length))) throw refused(`no ${what} signed the guest`)
    const found = toHex(digest)
    if (allowed?.includes(found)) return
    throw refused(`the digest of the ${what} is ${found}, which the policy does not name`)
  })
}
