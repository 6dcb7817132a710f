/** Reports of machines that never were, with a PKI of their own: sound ones, and every way in which one can be wrong. */
import { concat, parseHex, utf8 } from '../../bytes/bytes.ts'
import type { Json } from '../../bytes/json.ts'
import { createMemory } from '../../bytes/memory.ts'
import { createNodeCrypto } from '../../crypto/node-provider.ts'
import type { AppraisalInput, TrustedRoots } from '../appraised.ts'
import type { CollateralItem } from '../collateral.ts'
import type { EvidenceItem, UnverifiedEvidence } from '../evidence-file.ts'
import { type PlacePolicy, readPlacePolicy } from '../place-policy.ts'
import type { SweptEvidence } from '../sweep.testing.ts'
import { TAG } from '../x509/der.ts'
import { der, integer } from '../x509/der-writer.testing.ts'
import {
  type ChainLink,
  type CrlOptions,
  createTestKey,
  issueChain,
  issueCrl,
  pinOf,
  TEST_AT_MS,
  type TestExtension,
  type TestKey,
} from '../x509/pki.testing.ts'
import { REPORT_BYTES, SIGNED_BYTES, unsignedRegions } from './report.ts'
import { type AcceptedKey, issuerNames } from './signing-chain.ts'
import { type SnpProduct, TCB_EXTENSIONS } from './tcb-version.ts'

const crypto = createNodeCrypto()

export const MEASUREMENT = '5a'.repeat(48)
export const HOST_DATA = '6b'.repeat(32)
export const ID_KEY_DIGEST = '7c'.repeat(48)
export const AUTHOR_KEY_DIGEST = '8d'.repeat(48)
export const CLOUD = 'example-cloud'

/** All that a test may have otherwise. */
export interface SnpOptions {
  readonly product?: SnpProduct
  readonly version?: number
  readonly key?: AcceptedKey
  /** Changes the report before it is signed. */
  readonly edit?: (report: Uint8Array) => void
  /** Changes it afterwards. */
  readonly forge?: (report: Uint8Array) => Uint8Array
  readonly reportKey?: TestKey
  readonly extensions?: (those: readonly TestExtension[]) => readonly TestExtension[]
  readonly leaf?: Partial<ChainLink>
  readonly intermediate?: Partial<ChainLink>
  readonly root?: Partial<ChainLink>
  /** Lists of the root, each as it is unless it says otherwise; none in an empty list. */
  readonly lists?: readonly Partial<CrlOptions>[]
  readonly collateral?: (those: readonly CollateralItem[]) => readonly CollateralItem[]
  readonly roots?: (pin: string) => TrustedRoots
  /** Members of the policy besides the measurement; `null` for none at all. */
  readonly policy?: { readonly [name: string]: Json } | null
}

export interface SnpEvidence {
  readonly item: EvidenceItem
  readonly input: AppraisalInput
}

/** Processor family and model of each product line. */
const CPUIDS: { readonly [product in SnpProduct]: readonly [number, number] } = {
  milan: [0x19, 0x01],
  genoa: [0x19, 0x11],
  turin: [0x1a, 0x02],
}

/** TCB versions as in reports: 4, 1, 24 and 210 by component; FMC 3. */
const TCBS: { readonly [product in SnpProduct]: readonly number[] } = {
  milan: [4, 1, 0, 0, 0, 0, 24, 210],
  genoa: [4, 1, 0, 0, 0, 0, 24, 210],
  turin: [3, 4, 1, 24, 0, 0, 0, 210],
}

/** Where what stands in a report. */
export const AT = {
  version: 0,
  guestSvn: 4,
  policy: 8,
  vmpl: 0x30,
  algorithm: 0x34,
  currentTcb: 0x38,
  platform: 0x40,
  key: 0x48,
  reportData: 0x50,
  measurement: 0x90,
  hostData: 0xc0,
  idKey: 0xe0,
  authorKey: 0x110,
  migrationAgent: 0x160,
  reportedTcb: 0x180,
  cpuid: 0x188,
  chipId: 0x1a0,
  committedTcb: 0x1e0,
  currentFirmware: 0x1e8,
  committedFirmware: 0x1ec,
  launchTcb: 0x1f0,
  signature: SIGNED_BYTES,
} as const

/** Report data of sound evidence: 64 bytes that count up. */
export const REPORT_DATA = Uint8Array.from({ length: 64 }, (_, i) => i)

/** A sound report unless told otherwise, with all that its appraisal needs. */
export function snpEvidence(options: SnpOptions = {}): SnpEvidence {
  const { product = 'milan', key = 'vcek', lists = [{}] } = options
  const leafKey = createTestKey('p384', 'vcek')
  const links = linksOf(options, product, key, leafKey)
  const chain = issueChain(...links)
  const [root] = links
  const crls = lists.map((each) => issueCrl({ issuer: root.subject, signer: root.key, ...each }))
  const items: readonly CollateralItem[] = [
    ...chain.map((content) => ({ kind: 'certificate' as const, content })),
    ...crls.map((content) => ({ kind: 'crl' as const, content })),
  ]
  const pin = pinOf(chain.at(-1) ?? new Uint8Array())
  const report = signReport(snpReport(options), options.reportKey ?? leafKey)
  return {
    item: { kind: 'sev-snp', content: options.forge?.(report) ?? report },
    input: {
      ...{ crypto, atMs: TEST_AT_MS, nonce: undefined, memory: undefined },
      collateral: { items: options.collateral?.(items) ?? items },
      policy: options.policy === null ? undefined : snpPolicy(options.policy),
      roots: options.roots?.(pin) ?? rootsOf(product, pin),
    },
  }
}

/** A policy that names the measurement of sound evidence, and what `more` says. */
export function snpPolicy(more: { readonly [name: string]: Json } = {}): PlacePolicy {
  return readPlacePolicy({ tee: 'sev-snp', measurements: { measurement: [MEASUREMENT] }, ...more }, 'policy')
}

/** Pins a root for one product line alone. */
export function rootsOf(product: SnpProduct, pin: string): TrustedRoots {
  const none = { intel: [], nitro: [], nvidia: [], amd: { milan: [], genoa: [], turin: [] } }
  return { ...none, amd: { ...none.amd, [product]: [pin] } }
}

function linksOf(
  options: SnpOptions,
  product: SnpProduct,
  key: AcceptedKey,
  leafKey: TestKey,
): [ChainLink, ChainLink, ChainLink] {
  const [intermediateName, rootName] = issuerNames(key, product)
  const extensions = keyExtensions(product, key)
  return [
    { subject: rootName, key: createTestKey('rsa4096'), ...options.root },
    {
      subject: intermediateName,
      key: createTestKey('rsa4096', 'other'),
      serial: '010001',
      ...(options.intermediate?.isCa === false ? {} : { pathLength: 0 }),
      ...options.intermediate,
    },
    {
      subject: key === 'vcek' ? 'SEV-VCEK' : 'SEV-VLEK',
      key: leafKey,
      serial: '00',
      keyUsage: 'none',
      extensions: options.extensions?.(extensions) ?? extensions,
      ...options.leaf,
    },
  ]
}

export const AMD_OID = '1.3.6.1.4.1.3704.1'

/** AMD's extensions, as they fit sound evidence. */
export function keyExtensions(product: SnpProduct, key: AcceptedKey): readonly TestExtension[] {
  const name = { milan: 'Milan-B0', genoa: 'Genoa', turin: 'Turin' }[product]
  return [
    { oid: `${AMD_OID}.1`, value: integer(product === 'turin' ? 1 : 0) },
    { oid: `${AMD_OID}.2`, value: der(TAG.ia5String, utf8(name)) },
    ...TCB_EXTENSIONS[product].map((n, i) => ({ oid: `${AMD_OID}.3.${n}`, value: integer(TCBS[product][i] ?? 0) })),
    key === 'vcek'
      ? { oid: `${AMD_OID}.4`, value: hardwareId(product) }
      : { oid: `${AMD_OID}.5`, value: der(TAG.ia5String, utf8(CLOUD)) },
  ]
}

/** One of AMD's extensions with another value; taken out where there is none. */
export function withExtension(
  those: readonly TestExtension[],
  suffix: string,
  value: Uint8Array | undefined,
): readonly TestExtension[] {
  const oid = `${AMD_OID}.${suffix}`
  const others = those.filter((each) => each.oid !== oid)
  return value === undefined ? others : [...others, { oid, value }]
}

/** The chip of sound evidence. */
export function hardwareId(product: SnpProduct): Uint8Array {
  return Uint8Array.from({ length: product === 'turin' ? 8 : 64 }, (_, i) => 0xc0 ^ i)
}

/** A report without its signature. */
export function snpReport({ product = 'milan', version = 3, key = 'vcek', edit }: SnpOptions): Uint8Array {
  const report = new Uint8Array(REPORT_BYTES)
  const view = new DataView(report.buffer)
  const hex = (at: number, text: string) => report.set(parseHex(text), at)
  view.setUint32(AT.version, version, true)
  view.setUint32(AT.guestSvn, 7, true)
  view.setBigUint64(AT.policy, 0x3_0000n, true)
  view.setUint32(AT.algorithm, 1, true)
  view.setBigUint64(AT.platform, 0x25n, true)
  // With an author key; bits 2 to 4 name the key that signs.
  view.setUint32(AT.key, 1 | ((key === 'vcek' ? 0 : 1) << 2), true)
  report.set(REPORT_DATA, AT.reportData)
  hex(AT.measurement, MEASUREMENT)
  hex(AT.hostData, HOST_DATA)
  hex(AT.idKey, ID_KEY_DIGEST)
  hex(AT.authorKey, AUTHOR_KEY_DIGEST)
  report.fill(0xff, AT.migrationAgent, AT.migrationAgent + 32)
  for (const at of [AT.currentTcb, AT.reportedTcb, AT.committedTcb, AT.launchTcb]) report.set(TCBS[product], at)
  if (version >= 3) report.set([...CPUIDS[product], 1], AT.cpuid)
  report.set(hardwareId(product), AT.chipId)
  // Build, minor and major version.
  for (const at of [AT.currentFirmware, AT.committedFirmware]) report.set([29, 55, 1], at)
  edit?.(report)
  return report
}

/** Signs as the firmware does: r and s little-endian, in 72 bytes each. */
export function signReport(report: Uint8Array, key: TestKey): Uint8Array {
  const signature = key.signRaw(report.subarray(0, SIGNED_BYTES))
  const signed = report.slice()
  signed.set(signature.slice(0, 48).reverse(), AT.signature)
  signed.set(signature.slice(48).reverse(), AT.signature + 72)
  return signed
}

/** Changes one byte. */
export function flip(report: Uint8Array, at: number, mask = 1): void {
  report[at] = (report[at] ?? 0) ^ mask
}

/** Writes a number of four bytes. */
export function writeUint32(report: Uint8Array, at: number, value: number): void {
  new DataView(report.buffer, report.byteOffset).setUint32(at, value, true)
}

/** Writes a number of eight bytes. */
export function writeUint64(report: Uint8Array, at: number, value: bigint): void {
  new DataView(report.buffer, report.byteOffset).setBigUint64(at, value, true)
}

/** Sound evidence to change at every place, with the places that no signature covers. */
export function sweepCases(): readonly SweptEvidence[] {
  const cases: readonly (readonly [string, SnpOptions])[] = [
    ['sev-snp, version 2', { version: 2 }],
    ['sev-snp, version 5, Turin', { version: 5, product: 'turin' }],
    ['sev-snp, VLEK', { key: 'vlek', product: 'genoa' }],
    ['sev-snp, bytes after the report', { forge: (report) => concat(report, new Uint8Array(9)) }],
  ]
  return cases.map(([name, options]) => {
    const { item, input } = snpEvidence(options)
    return {
      ...{ name, bytes: item.content, unsigned: unsignedRegions() },
      toItem: (content) => ({ kind: 'sev-snp', content }),
      input: { ...input, memory: createMemory() },
    }
  })
}

/** One sound report as a whole evidence file has it, and its appraisal's input: to be timed. */
export function snpToTime(): { readonly evidence: UnverifiedEvidence; readonly input: AppraisalInput } {
  const { item, input } = snpEvidence()
  return { evidence: { profile: 'none', items: [item], nonce: new Uint8Array(0), beside: {} }, input }
}
