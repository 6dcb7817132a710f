/**
 * Appraises reports that NVIDIA's GPUs sign themselves. All of request and response is signed; the list around them is not, and
 * says nothing that the certificates and reports do not. @spec spec/attestation.md, "nvidia-spdm"
 *
 * What NVIDIA compares with its reference values, and which certificates it revoked, takes its services: that stays unchecked
 * here, so no more than `warning` comes of it.
 */
import { equalBytes, toHex } from '../../bytes/bytes.ts'
import type { Json } from '../../bytes/json.ts'
import { CountersignError } from '../../errors.ts'
import type { AppraisalInput, Appraised } from '../appraised.ts'
import { EvidenceChecks } from '../checks.ts'
import type { EvidenceItem } from '../evidence-file.ts'
import { VENDOR_ROOTS } from '../roots.ts'
import { type Certificate, namesInChain, parsePemCertificates } from '../x509/certificate.ts'
import { chainCurrentUntilMs, verifyChain, verifyMessage } from '../x509/chain.ts'
import { type GpuIdentity, parseGpuIdentity, verifyFirmwareId } from './gpu-certificate.ts'
import { type NvidiaArchitecture, type NvidiaReport, parseNvidiaItem } from './nvidia-item.ts'
import { driverVersionOf, textIn, vbiosVersionOf } from './report-versions.ts'
import { OPAQUE } from './spdm.ts'

/** Every check of the kind, in the order in which they are listed. */
export const NVIDIA_SPDM_CHECKS = [
  'format',
  'chain',
  'signature',
  'device',
  'distinct',
  'firmware-id',
  'debug',
  'rim',
  'revocation',
  'nonce',
] as const
export type NvidiaSpdmCheck = (typeof NVIDIA_SPDM_CHECKS)[number]

const SIGNED = ['format', 'chain', 'signature', 'device'] as const satisfies readonly NvidiaSpdmCheck[]

type Checks = EvidenceChecks<NvidiaSpdmCheck>

/** Key of the report, firmware loader, provisioner, family, root. */
const CHAIN_LENGTH = 5
/** Twenty bytes. */
const DEVICE_ID_DIGITS = 40
const CHIP_OF: { readonly [arch in NvidiaArchitecture]: RegExp } = { HOPPER: /^GH/, BLACKWELL: /^GB/, LS10: /^LS_10$/ }

const OPEN_NOTE =
  'The firmware of the devices was not compared with the reference values of NVIDIA, nor their certificates with its revocations: that takes its services.'

interface Gpu extends NvidiaReport {
  readonly chain: readonly Certificate[]
}

interface ProvenGpu extends Gpu {
  readonly identity: GpuIdentity
}

/** Appraises the reports of one item, each of its own GPU. Needs no collateral: the chains come along. */
export function appraiseNvidiaSpdm(item: EvidenceItem, input: AppraisalInput): Appraised {
  const list: Checks = new EvidenceChecks('nvidia-spdm', NVIDIA_SPDM_CHECKS)
  const reports = list.attempt('format', () => parseNvidiaItem(item.content))
  const gpus = reports && checkSigned(list, reports, input)
  const proven = gpus && checkDevices(list, gpus)
  list.notChecked('rim', "needs NVIDIA's reference values from the network")
  list.notChecked('revocation', "needs NVIDIA's OCSP service from the network")
  if (proven !== undefined) checkNonce(list, proven, input.nonce)
  const checks = list.list()
  const isGenuine =
    proven !== undefined &&
    list.passed(...SIGNED, 'distinct') &&
    !checks.some(({ name, result }) => result === 'fail' && name !== 'nvidia-spdm/nonce')
  const isFailed = checks.some(({ result }) => result === 'fail')
  return {
    kind: 'nvidia-spdm',
    checks,
    isGenuine,
    isKnownCode: false,
    measurements: proven ? measurementsOf(proven) : {},
    boundData: proven && commonNonce(proven),
    deviceIds: proven ? [...new Set(proven.map(deviceIdOf))] : [],
    switchIds: proven ? proven.filter(isSwitch).map(deviceIdOf) : [],
    lastingIds: new Map(proven?.map((gpu) => [deviceIdOf(gpu), gpu.identity.pdi])),
    certificates: proven ? proven.flatMap(({ chain }) => namesInChain(chain)) : [],
    madeAtMs: undefined,
    currentUntilMs: proven && Math.min(...proven.map(({ chain }) => chainCurrentUntilMs(chain))),
    answersNonce: list.passed('nonce'),
    tier: isFailed ? 'contraindicated' : isGenuine ? 'warning' : 'none',
    claims: proven ? claimsOfAll(proven) : {},
    notes: proven ? [OPEN_NOTE] : [],
  }
}

/** Runs a proof for each report; the error of the first that fails says which it is. */
function forEach<T, U>(items: readonly T[], prove: (item: T) => U): readonly U[] {
  return items.map((item, i) => {
    try {
      return prove(item)
    } catch (thrown) {
      if (!(thrown instanceof CountersignError) || items.length === 1) throw thrown
      throw new CountersignError(thrown.code, `report ${i + 1} of ${items.length}: ${thrown.message}`, {
        cause: thrown,
      })
    }
  })
}

/** Chains and signatures; the reports with their chains, when those could be read. */
function checkSigned(
  list: Checks,
  reports: readonly NvidiaReport[],
  { crypto, roots = VENDOR_ROOTS, atMs, memory }: AppraisalInput,
): readonly Gpu[] | undefined {
  let gpus: readonly Gpu[] | undefined
  list.attempt('chain', () => {
    gpus = forEach(reports, (report) => ({
      ...report,
      chain: parsePemCertificates(report.chainPem, CHAIN_LENGTH, memory),
    }))
    const rules = { roots: roots.nvidia, atMs, names: Array.from({ length: CHAIN_LENGTH }, () => undefined) }
    forEach(gpus, ({ chain }) => verifyChain(crypto, chain, rules, memory))
  })
  if (gpus === undefined) return undefined
  const read = gpus
  list.attempt('signature', () =>
    forEach(read, ({ chain: [leaf], report }) => {
      if (leaf === undefined) throw new Error('a chain that was read is empty')
      verifyMessage(crypto, leaf.publicKey, 'sha384', report.signedBytes, report.signature)
    }),
  )
  return gpus
}

/** What the certificates say of the devices; nothing of it counts before chain and signature do. */
function checkDevices(list: Checks, gpus: readonly Gpu[]): readonly ProvenGpu[] | undefined {
  if (!list.passed('chain', 'signature')) return undefined
  const proven = list.attempt('device', () => forEach(gpus, identify))
  if (proven === undefined) return undefined
  list.attempt('distinct', () => requireDistinct(proven))
  checkFirmwareIds(list, proven)
  if (proven.some(({ identity }) => identity.isDebug === true)) {
    list.attempt('debug', () => {
      throw new CountersignError('evidence/refused', 'the certificate says that the firmware can be debugged')
    })
  } else {
    list.notChecked('debug', 'NVIDIA tells by its reference values; needs them from the network')
  }
  return proven
}

function identify(gpu: Gpu): ProvenGpu {
  const [leaf] = gpu.chain
  if (leaf === undefined) throw new Error('a chain that was read is empty')
  const identity = parseGpuIdentity(leaf)
  if (CHIP_OF[gpu.arch].test(identity.chip)) return { ...gpu, identity }
  throw new CountersignError('evidence/mismatch', `the list says ${gpu.arch}, and the certificate ${identity.chip}`)
}

/** A device has one key of its own beside that of its firmware: neither, nor its name, may come twice. */
function requireDistinct(gpus: readonly ProvenGpu[]): void {
  const namesOf = [
    ({ identity }: ProvenGpu) => identity.pdi,
    ({ chain }: ProvenGpu) => toHex(chain[0]?.spki ?? new Uint8Array(0)),
    ({ chain }: ProvenGpu) => toHex(chain[1]?.spki ?? new Uint8Array(0)),
  ]
  for (const nameOf of namesOf) {
    const distinct = new Set(gpus.map(nameOf)).size
    if (distinct === gpus.length) continue
    throw new CountersignError('evidence/mismatch', `${gpus.length} reports are of ${distinct} devices`)
  }
}

function checkFirmwareIds(list: Checks, gpus: readonly ProvenGpu[]): void {
  if (gpus.some(({ report }) => !report.opaque.has(OPAQUE.firmwareId))) {
    list.notChecked('firmware-id', 'a report of an older driver does not name the firmware')
    return
  }
  list.attempt('firmware-id', () =>
    forEach(gpus, ({ identity, report }) =>
      verifyFirmwareId(identity, report.opaque.get(OPAQUE.firmwareId) ?? new Uint8Array(0)),
    ),
  )
}

function checkNonce(list: Checks, gpus: readonly ProvenGpu[], wanted: Uint8Array | undefined): void {
  if (wanted === undefined || wanted.length === 0) {
    list.notChecked('nonce', 'no freshness: no challenge was given')
    return
  }
  list.attempt('nonce', () =>
    forEach(gpus, ({ report }) => {
      if (equalBytes(report.nonce, wanted)) return
      throw new CountersignError('evidence/mismatch', 'the report answers another challenge')
    }),
  )
}

function commonNonce(gpus: readonly ProvenGpu[]): Uint8Array | undefined {
  const [first, ...others] = gpus.map(({ report }) => report.nonce)
  return first !== undefined && others.every((each) => equalBytes(each, first)) ? first : undefined
}

/** The number of the certificate, as NVIDIA's service names devices: one GPU has one name, whoever speaks of it. */
function deviceIdOf({ chain }: Gpu): string {
  return (chain[0]?.serial ?? '').padStart(DEVICE_ID_DIGITS, '0')
}

/** Registers are `gpu<n>.<index>` and `switch<n>.<index>`, by the order of the reports of each. */
function measurementsOf(gpus: readonly ProvenGpu[]): { readonly [register: string]: string } {
  return Object.fromEntries(
    [gpus.filter((gpu) => !isSwitch(gpu)), gpus.filter(isSwitch)].flatMap((ofKind, kind) =>
      ofKind.flatMap(({ report }, i) =>
        [...report.measurements].map(([index, value]) => [`${DEVICES[kind]}${i}.${index}`, toHex(value)] as const),
      ),
    ),
  )
}

const DEVICES = ['gpu', 'switch'] as const

function isSwitch({ identity }: ProvenGpu): boolean {
  return identity.isSwitch
}

function claimsOfAll(devices: readonly ProvenGpu[]): { readonly [name: string]: Json } {
  const switches = devices.filter(isSwitch)
  const gpus = devices.filter((device) => !isSwitch(device)).map(claimsOf)
  return { gpus, ...(switches.length === 0 ? {} : { switches: switches.map(claimsOf) }) }
}

function claimsOf(gpu: ProvenGpu): Json {
  const { identity, report } = gpu
  const { opaque } = report
  const claims: { [name: string]: Json } = { hwmodel: identity.chip, ueid: deviceIdOf(gpu), pdi: identity.pdi }
  const driver = driverVersionOf(report)
  if (driver !== undefined) claims.driver_version = driver
  const vbios = vbiosVersionOf(report)
  if (vbios !== undefined) claims.vbios_version = vbios
  const firmwareId = opaque.get(OPAQUE.firmwareId)
  if (firmwareId !== undefined) claims.fwid = toHex(firmwareId)
  for (const [name, type] of [
    ['project', OPAQUE.project],
    ['project_sku', OPAQUE.projectSku],
    ['chip_sku', OPAQUE.chipSku],
  ] as const) {
    const text = textIn(opaque.get(type))
    if (text !== undefined) claims[name] = text
  }
  return claims
}
