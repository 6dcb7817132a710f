/**
 * Microsoft Azure Attestation: a token in which one of its instances says what a machine of Azure measured. It is the word of
 * that instance and of whoever wrote its policy: so the policy of a place names the instance, and pins its key.
 *
 * A confidential VM of Azure starts in Azure's own firmware, and that is what its launch measurement covers. Which program
 * runs is in the PCR values (VMs), or in the host data (container groups).
 *
 * Every byte of the token is signed, or part of the signature.
 *
 * @spec https://learn.microsoft.com/azure/attestation/claim-sets
 */
import { parseBase64 } from '../../bytes/base64.ts'
import { parseHex, parseUtf8, toHex, utf8 } from '../../bytes/bytes.ts'
import type { Fields } from '../../bytes/shape.ts'
import { CountersignError, quote } from '../../errors.ts'
import type { AppraisalInput, Appraised } from '../appraised.ts'
import { EvidenceChecks } from '../checks.ts'
import type { EvidenceItem } from '../evidence-file.ts'
import type { PlacePolicy } from '../place-policy.ts'
import { readable } from '../readable.ts'
import { refused } from '../refusals.ts'
import { tierOf } from '../trust-tier.ts'
import type { Claims } from './jws.ts'
import { hasFailed, openToken, type SignedToken, TOKEN_CHECKS, timesShown } from './open-token.ts'
import {
  checkListed,
  checkNonce,
  hexOf,
  memberOf,
  NO_POLICY,
  objectOf,
  requireClaim,
  shownClaims,
} from './token-claims.ts'

const GENUINE_CHECKS = ['tee', 'compliance', 'debug'] as const
const POLICY_CHECKS = ['migration', 'tcb-status', 'tcb-minimum', 'measurements', 'policy-hash'] as const
export const MAA_CHECKS = [...TOKEN_CHECKS, 'nonce', ...GENUINE_CHECKS, ...POLICY_CHECKS] as const
type Checks = EvidenceChecks<(typeof MAA_CHECKS)[number]>

/** What Azure calls machines that its own hosts run: confidential VMs, container groups, pods of AKS. */
const COMPLIANT = ['azure-compliant-cvm', 'azure-compliant-uvm', 'azure-signed-katacc-uvm']

type Tee = 'sevsnpvm' | 'tdxvm'

/** Claim and length of each register, by kind. */
const REGISTERS: { readonly [tee in Tee]: readonly (readonly [register: string, claim: string, bytes: number])[] } = {
  sevsnpvm: [
    ['measurement', 'x-ms-sevsnpvm-launchmeasurement', 48],
    ['hostdata', 'x-ms-sevsnpvm-hostdata', 32],
  ],
  tdxvm: [
    ['mrtd', 'tdx_mrtd', 48],
    ['rtmr0', 'tdx_rtmr0', 48],
    ['rtmr1', 'tdx_rtmr1', 48],
    ['rtmr2', 'tdx_rtmr2', 48],
    ['rtmr3', 'tdx_rtmr3', 48],
  ],
}

const REPORT_DATA = { sevsnpvm: 'x-ms-sevsnpvm-reportdata', tdxvm: 'tdx_report_data' } as const
const TD_ATTRIBUTES = 'tdx_td_attributes'
/** In byte 3. @spec Intel TDX Module Architecture Specification, TD attributes */
const TD_MIGRATABLE = 0x20
const PCR_VALUES = 'x-ms-azurevm-attested-pcr-values'
const PCR_COUNT = 24

/** Claims of SEV-SNP for what a policy can set a minimum of. */
const VERSIONS: { readonly [component: string]: string } = {
  bootloader: 'x-ms-sevsnpvm-bootloader-svn',
  tee: 'x-ms-sevsnpvm-tee-svn',
  snp: 'x-ms-sevsnpvm-snpfw-svn',
  microcode: 'x-ms-sevsnpvm-microcode-svn',
  guestsvn: 'x-ms-sevsnpvm-guestsvn',
}

/** Debuggers of the guest: where a token says so, they are off. */
const GUEST_DEBUGGERS = ['bootdebug', 'hypervisordebug', 'kerneldebug'].map((name) => `x-ms-azurevm-${name}-enabled`)

/** What the token says, where the key that the policy pins signed it. See {@link MAA_CHECKS} for what is checked. */
export function appraiseMaa({ content }: EvidenceItem, input: AppraisalInput): Appraised {
  const list: Checks = new EvidenceChecks('maa', MAA_CHECKS)
  const token = openToken(list, content, input, ['RS256'], (claims) =>
    checkListed(list, 'issuer', input.policy, 'issuer', () => [claims.text('iss')]),
  )
  const hardware = token === undefined ? undefined : checkHardware(list, token.claims, input)
  if (hardware !== undefined) checkPolicy(list, token?.claims ?? hardware.fields, hardware, input.policy)
  const isGenuine = list.passed(...TOKEN_CHECKS, ...GENUINE_CHECKS)
  const isKnownCode =
    isGenuine &&
    token?.isVouched === true &&
    list.passed('measurements', 'tcb-status') &&
    !hasFailed(list, ...POLICY_CHECKS)
  return {
    kind: 'maa',
    checks: list.list(),
    isGenuine,
    isKnownCode,
    ...partsShown(token, hardware),
    ...timesShown(token),
    answersNonce: token?.isVouched === true && list.passed('nonce'),
    tier: tierOf(list.list(), isKnownCode, false),
    notes: notesOf(token),
  }
}

/** What a token says of the hardware: at its top, or within what the guest of a VM had attested. */
interface Hardware {
  readonly tee: Tee
  readonly fields: Fields
}

function checkHardware(list: Checks, claims: Fields, { nonce }: AppraisalInput): Hardware | undefined {
  checkNonce(list, () => noncesOf(claims), nonce)
  const hardware = list.attempt('tee', () => hardwareOf(claims))
  if (hardware === undefined) return undefined
  const { tee, fields } = hardware
  list.attempt('compliance', () => {
    const status = fields.text('x-ms-compliance-status')
    if (!COMPLIANT.includes(status)) {
      throw new CountersignError('evidence/unsupported', `${quote(status)} is no status of a machine of Azure`)
    }
  })
  list.attempt('debug', () => {
    if (tee === 'sevsnpvm') requireClaim(fields, 'x-ms-sevsnpvm-is-debuggable', false)
    else {
      requireClaim(fields, 'tdx_td_attributes_debug', false)
      requireClaim(fields, 'dbgstat', 'disabled')
    }
    for (const name of GUEST_DEBUGGERS) if (claims.has(name)) requireClaim(claims, name, false)
  })
  return hardware
}

function hardwareOf(claims: Fields): Hardware {
  const outer = claims.text('x-ms-attestation-type')
  const fields = outer === 'azurevm' ? claims.object('x-ms-isolation-tee') : claims
  const tee = fields.text('x-ms-attestation-type')
  if (tee === 'sevsnpvm' || tee === 'tdxvm') return { tee, fields }
  throw new CountersignError('evidence/unsupported', `the token is about ${quote(tee)}, not about SEV-SNP or TDX`)
}

/** The challenge is passed through as a claim of the service, or within what the guest sent, there in base64 once more. */
function noncesOf(claims: Fields): readonly string[] {
  const payload = objectOf(objectOf(claims, 'x-ms-runtime'), 'client-payload')
  const own = claims.has('nonce') ? [claims.text('nonce')] : []
  // Empty where the guest was given none.
  if (!payload.has('nonce') || payload.any('nonce') === '') return own
  const sent = payload.text('nonce')
  const decoded = readable(() => parseUtf8(parseBase64(sent)))
  return [...own, sent, ...(decoded === undefined ? [] : [decoded])]
}

function checkPolicy(list: Checks, claims: Fields, hardware: Hardware, policy: PlacePolicy | undefined): void {
  checkListed(list, 'policy-hash', policy, 'policy_hash', () => [claims.text('x-ms-policy-hash')])
  if (policy === undefined) {
    for (const name of ['migration', 'tcb-status', 'tcb-minimum', 'measurements'] as const) {
      list.notChecked(name, NO_POLICY)
    }
    return
  }
  const { tee, fields } = hardware
  checkMigration(list, hardware, policy)
  list.attempt('tcb-status', () => {
    if (tee === 'sevsnpvm') return
    const status = fields.text('attester_tcb_status')
    if (!policy.states.includes(status)) throw refused(`the platform is ${quote(status)}`)
  })
  checkMinimum(list, hardware, policy)
  list.attempt('measurements', () => {
    const found = measurementsOf(claims, hardware)
    for (const [register, allowed] of Object.entries(policy.measurements)) {
      const value = found[register]
      if (value === undefined) throw refused(`the token does not say ${register}`)
      if (!allowed.includes(value)) throw refused(`${register} is ${value}, which the policy does not name`)
    }
  })
}

/** Of TDX the attributes tell, where the token has them. */
function checkMigration(list: Checks, { tee, fields }: Hardware, policy: PlacePolicy): void {
  if (tee === 'tdxvm' && !fields.has(TD_ATTRIBUTES)) {
    list.notChecked('migration', `the token has no ${TD_ATTRIBUTES}`)
    return
  }
  list.attempt('migration', () => {
    if (policy.allow.includes('migration')) return
    if (tee === 'sevsnpvm') requireClaim(fields, 'x-ms-sevsnpvm-migration-allowed', false)
    else if (((parseHex(hexOf(fields, TD_ATTRIBUTES, 8))[3] ?? 0) & TD_MIGRATABLE) !== 0) {
      throw refused('the trust domain may be moved to another machine')
    }
  })
}

function checkMinimum(list: Checks, { tee, fields }: Hardware, policy: PlacePolicy): void {
  const components = Object.entries(policy.minimum)
  if (components.length === 0) {
    list.notChecked('tcb-minimum', 'the policy has no minimum')
    return
  }
  list.attempt('tcb-minimum', () => {
    if (tee !== 'sevsnpvm') throw refused('the policy has a minimum for SEV-SNP, and this is TDX')
    for (const [component, minimum] of components) {
      const found = fields.integer(VERSIONS[component] ?? component)
      if (found < minimum) throw refused(`${component} is ${found}; the policy asks for ${minimum}`)
    }
  })
}

/**
 * Registers that the token has, hexadecimal.
 *
 * @throws {CountersignError} `shape/*`, `bytes/bad-base64`
 */
function measurementsOf(claims: Fields, { tee, fields }: Hardware): { readonly [register: string]: string } {
  const own = REGISTERS[tee].filter(([, claim]) => fields.has(claim))
  const values = own.map(([register, claim, bytes]) => [register, hexOf(fields, claim, bytes)] as const)
  const pcrs = objectOf(claims, PCR_VALUES)
  for (let i = 0; i < PCR_COUNT; i++) {
    const register = `pcr${i}`
    if (pcrs.has(register)) values.push([register, toHex(pcrs.base64(register, 128))])
  }
  return Object.fromEntries(values)
}

const SHOWN_CLAIMS = [
  ...[
    'iss',
    'iat',
    'nbf',
    'exp',
    'jti',
    'eat_profile',
    'dbgstat',
    'secureboot',
    'nonce',
    'x-ms-ver',
    'x-ms-policy-hash',
  ],
  ...['x-ms-attestation-type', 'x-ms-compliance-status', 'x-ms-runtime', 'attester_tcb_status', 'x-ms-azurevm-vmid'],
]

function partsShown(
  token: SignedToken | undefined,
  hardware: Hardware | undefined,
): Pick<Appraised, 'measurements' | 'boundData' | 'claims' | 'deviceIds'> {
  const nothing = { measurements: {}, boundData: undefined, claims: {}, deviceIds: [] }
  if (token?.isVouched !== true || hardware === undefined) return nothing
  const { claims, raw } = token
  const isNested = hardware.fields !== claims
  const tee = isNested ? memberOf(raw, 'x-ms-isolation-tee') : raw
  const shown = shownClaims(raw, SHOWN_CLAIMS)
  return {
    measurements: readable(() => measurementsOf(claims, hardware)) ?? {},
    boundData: isNested ? sentNonce(raw) : readable(() => parseHex(hexOf(claims, REPORT_DATA[hardware.tee], 64))),
    claims: isNested ? { ...shown, 'x-ms-isolation-tee': tee } : { ...shownTee(tee), ...shown },
    deviceIds: readable(() => [hexOf(hardware.fields, 'x-ms-sevsnpvm-chipid', 64)].filter(isChip)) ?? [],
  }
}

/** Zeros are a chip that its host hides. */
function isChip(id: string): boolean {
  return !/^0+$/.test(id)
}

function shownTee(tee: Claims): Claims {
  return shownClaims(
    tee,
    Object.keys(tee).filter((name) => /^(x-ms-sevsnpvm-|tdx_)/.test(name)),
  )
}

/** In a VM the report data is the firmware's; what the guest chose is in its own payload. */
function sentNonce(raw: Claims): Uint8Array | undefined {
  const { nonce } = memberOf(memberOf(raw, 'x-ms-runtime'), 'client-payload')
  return typeof nonce === 'string' ? utf8(nonce) : undefined
}

function notesOf(token: SignedToken | undefined): readonly string[] {
  if (token?.isVouched !== true || token.raw.secureboot !== false) return []
  return ['secure boot was off: any kernel could have been started, and only the PCR values tell which']
}
