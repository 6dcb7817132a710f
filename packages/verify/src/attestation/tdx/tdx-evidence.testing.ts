/**
 * TDX evidence with all its collateral, from a PKI of its own. Every value is in a plan that a test can change before anything
 * is signed, so that exactly one thing is wrong.
 */
import { sha256 } from '@noble/hashes/sha2.js'
import { concat, parseHex, toHex, utf8 } from '../../bytes/bytes.ts'
import type { Json } from '../../bytes/json.ts'
import { createMemory } from '../../bytes/memory.ts'
import { createNodeCrypto } from '../../crypto/node-provider.ts'
import type { AppraisalInput, TrustedRoots } from '../appraised.ts'
import type { CollateralItem } from '../collateral.ts'
import type { EvidenceItem, UnverifiedEvidence } from '../evidence-file.ts'
import { readPlacePolicy } from '../place-policy.ts'
import type { SweptEvidence } from '../sweep.testing.ts'
import { der, integer, octets, oid, sequence } from '../x509/der-writer.testing.ts'
import {
  type CrlOptions,
  createTestKey,
  type IssueOptions,
  issue,
  issueCrl,
  pemOf,
  pinOf,
  TEST_AT_MS,
  type TestKey,
} from '../x509/pki.testing.ts'
import { unsignedRegions } from './quote.ts'

const SGX = '1.2.840.113741.1.13.1'
const QE_SIGNER = 'dc9e2a7c6f948f17474e34a7fc43ed030f7c1563f1babddf6340c82e0e54a8c5'

type CertificateName = 'root' | 'pckCa' | 'pck' | 'tcbSigning'
type Mutable<T> = { -readonly [K in keyof T]: T[K] }

type Members = { readonly [name: string]: Json }

export interface TdxPlan {
  version: number
  isTd15: boolean
  header: { attestationKeyType: number; teeType: number; vendor: string }
  report: { [field: string]: Uint8Array }
  qeReport: { miscSelect: Uint8Array; attributes: Uint8Array; mrSigner: Uint8Array; prodId: number; svn: number }
  /** In place of what binds the attestation key. */
  qeReportData: Uint8Array | undefined
  /** What binds the attestation key. */
  boundDigest: () => Uint8Array
  qeAuthData: Uint8Array
  pckExtension: {
    ppid: Uint8Array
    pceId: Uint8Array
    fmspc: Uint8Array
    components: number[]
    pceSvn: number
    sgxType: number
    platformInstanceId: Uint8Array | undefined
  }
  keys: { [name in CertificateName | 'attestation' | 'qeReportSigner' | 'quoteSigner' | 'listSigner']: TestKey }
  certificates: { [name in CertificateName]: Partial<Mutable<IssueOptions>> }
  /** Names of the certificates in the quote, from the leaf up. */
  chain: CertificateName[]
  crls: { root: Partial<Mutable<CrlOptions>>; pck: Partial<Mutable<CrlOptions>> }
  tcbInfo: Json
  qeIdentity: Json
  /** Changes of the text before it is signed. */
  editTcbInfo: (text: string) => string
  editQeIdentity: (text: string) => string
  /** Changes of the bundle after everything is signed. */
  editCollateral: (items: readonly CollateralItem[]) => readonly CollateralItem[]
  editQuote: (quote: Uint8Array) => Uint8Array
  terminator: Uint8Array
  trailing: Uint8Array
  eventLog: EvidenceItem['eventLog']
  policy: Json | undefined
}

const svns = (...first: number[]) => [...first, ...Array.from({ length: 16 - first.length }, () => 0)]
const filled = (length: number, value: number) => new Uint8Array(length).fill(value)

/** Levels as Intel writes them. */
export function platformLevel(sgx: number, tdx: readonly number[], pcesvn: number, more: Members = {}): Members {
  const component = (svn: number) => ({ svn })
  return {
    tcb: {
      sgxtcbcomponents: svns(sgx, sgx, 2, 2, 3, 1, 0, 3).map((svn, i) =>
        i < 2 ? { svn, category: 'BIOS', type: 'Early Microcode Update' } : { svn },
      ),
      pcesvn,
      tdxtcbcomponents: svns(...tdx).map(component),
    },
    tcbDate: '2026-02-11T00:00:00Z',
    tcbStatus: 'UpToDate',
    ...more,
  }
}

export function componentLevel(isvsvn: number, more: Members = {}): Members {
  return { tcb: { isvsvn }, tcbDate: '2026-02-11T00:00:00Z', tcbStatus: 'UpToDate', ...more }
}

const MODULE = { mrsigner: '00'.repeat(48), attributes: '00'.repeat(8), attributesMask: 'FF'.repeat(8) }
const DATES = { issueDate: '2026-06-01T00:00:00Z', nextUpdate: '2026-07-01T00:00:00Z', tcbEvaluationDataNumber: 20 }
const OLD = { tcbStatus: 'OutOfDate', tcbDate: '2025-02-11T00:00:00Z', advisoryIDs: ['INTEL-SA-01036'] }

function defaultReport(isTd15: boolean): { [field: string]: Uint8Array } {
  return {
    teeTcbSvn: Uint8Array.from(svns(6, 1, 8)),
    mrSeam: filled(48, 0x21),
    mrSignerSeam: filled(48, 0),
    seamAttributes: filled(8, 0),
    tdAttributes: parseHex('0000001000000000'),
    xfam: parseHex('e702060000000000'),
    mrTd: filled(48, 0x31),
    mrConfigId: filled(48, 0),
    mrOwner: filled(48, 0),
    mrOwnerConfig: filled(48, 0),
    rtmr0: filled(48, 0x40),
    rtmr1: filled(48, 0x41),
    rtmr2: filled(48, 0x42),
    rtmr3: filled(48, 0x43),
    reportData: concat(filled(32, 0x51), filled(32, 0x52)),
    ...(isTd15 ? { teeTcbSvn2: Uint8Array.from(svns(6, 1, 8)), mrServiceTd: filled(48, 0) } : {}),
  }
}

/** A policy that the evidence meets as it is planned. */
export const TDX_TEST_POLICY = {
  tee: 'tdx',
  measurements: { mrtd: ['31'.repeat(48)], rtmr1: ['41'.repeat(48)], rtmr2: ['42'.repeat(48)] },
  minimum: { tcbEvaluationDataNumber: 20 },
}

const KEYS = {
  root: createTestKey('p256', 'intel root'),
  pckCa: createTestKey('p256', 'pck ca'),
  pck: createTestKey('p256', 'pck'),
  tcbSigning: createTestKey('p256', 'tcb signing'),
  attestation: createTestKey('p256', 'attestation'),
}

/** Sound evidence of the newest form, with a policy that it meets. */
export function planTdx(version: 4 | 5 = 5): TdxPlan {
  const isTd15 = version === 5
  const plan: TdxPlan = {
    version,
    isTd15,
    header: { attestationKeyType: 2, teeType: 0x81, vendor: '939a7233f79c4ca9940a0db3957f0607' },
    report: defaultReport(isTd15),
    qeReport: {
      miscSelect: filled(4, 0),
      attributes: parseHex('15000000000000000700000000000000'),
      ...{ mrSigner: parseHex(QE_SIGNER), prodId: 2, svn: 6 },
    },
    qeReportData: undefined,
    boundDigest: () => sha256(concat(plan.keys.attestation.spki.subarray(-64), plan.qeAuthData)),
    qeAuthData: filled(32, 0x61),
    pckExtension: {
      ...{ ppid: filled(16, 0x71), pceId: filled(2, 0), fmspc: parseHex('50806f000000') },
      components: svns(8, 8, 2, 2, 4, 1, 0, 6),
      ...{ pceSvn: 13, sgxType: 1, platformInstanceId: filled(16, 0x72) },
    },
    keys: { ...KEYS, qeReportSigner: KEYS.pck, quoteSigner: KEYS.attestation, listSigner: KEYS.tcbSigning },
    certificates: { root: {}, pckCa: {}, pck: {}, tcbSigning: {} },
    chain: ['pck', 'pckCa', 'root'],
    crls: { root: {}, pck: {} },
    tcbInfo: {
      ...{ id: 'TDX', version: 3, ...DATES, fmspc: '50806F000000', pceId: '0000', tcbType: 0 },
      tdxModule: MODULE,
      tdxModuleIdentities: [
        { id: 'TDX_03', ...MODULE, tcbLevels: [componentLevel(3)] },
        { id: 'TDX_01', ...MODULE, tcbLevels: [componentLevel(6), componentLevel(4, OLD)] },
      ],
      tcbLevels: [platformLevel(8, [5, 0, 8], 11), platformLevel(7, [5, 0, 7], 11, OLD)],
    },
    qeIdentity: {
      ...{ id: 'TD_QE', version: 2, ...DATES, miscselect: '00000000', miscselectMask: 'FFFFFFFF' },
      ...{ attributes: '11000000000000000000000000000000', attributesMask: 'FBFFFFFFFFFFFFFF0000000000000000' },
      ...{ mrsigner: QE_SIGNER.toUpperCase(), isvprodid: 2 },
      tcbLevels: [componentLevel(4), componentLevel(2, OLD)],
    },
    editTcbInfo: (text) => text,
    editQeIdentity: (text) => text,
    editCollateral: (items) => items,
    editQuote: (quote) => quote,
    terminator: Uint8Array.of(0),
    trailing: new Uint8Array(0),
    eventLog: undefined,
    policy: TDX_TEST_POLICY,
  }
  return plan
}

export interface TdxEvidence {
  readonly quote: Uint8Array
  readonly item: EvidenceItem
  readonly input: AppraisalInput
  readonly roots: TrustedRoots
  /** By name, DER. */
  readonly certificates: { readonly [name in CertificateName]: Uint8Array }
}

/** Signs everything as planned. */
export function buildTdx(plan: TdxPlan): TdxEvidence {
  const certificates = issueAll(plan)
  const quote = plan.editQuote(quoteOf(plan, certificates))
  const items = plan.editCollateral(collateralOf(plan, certificates))
  const none: readonly string[] = []
  const roots: TrustedRoots = {
    intel: [pinOf(certificates.root)],
    amd: { milan: none, genoa: none, turin: none },
    ...{ nitro: none, nvidia: none },
  }
  return {
    quote,
    item: { kind: 'tdx', content: quote, ...(plan.eventLog === undefined ? {} : { eventLog: plan.eventLog }) },
    input: {
      ...{ crypto: createNodeCrypto(), atMs: TEST_AT_MS, collateral: { items }, roots },
      policy: plan.policy === undefined ? undefined : readPlacePolicy(plan.policy, 'place'),
      ...{ nonce: undefined, memory: createMemory() },
    },
    ...{ roots, certificates },
  }
}

const NAMES: { readonly [name in CertificateName]: string } = {
  root: 'Intel SGX Root CA',
  pckCa: 'Intel SGX PCK Platform CA',
  pck: 'Intel SGX PCK Certificate',
  tcbSigning: 'Intel SGX TCB Signing',
}
const SERIALS: { readonly [name in CertificateName]: string } = { root: '0a', pckCa: '0b', pck: '0c', tcbSigning: '0d' }

function issueAll(plan: TdxPlan): TdxEvidence['certificates'] {
  const { keys, certificates } = plan
  const make = (name: CertificateName, issuer: CertificateName, more: Partial<IssueOptions>) =>
    issue({
      ...{ subject: NAMES[name], issuer: NAMES[issuer], key: keys[name], signer: keys[issuer], serial: SERIALS[name] },
      ...more,
      ...certificates[name],
    })
  return {
    root: make('root', 'root', { isCa: true, pathLength: 1 }),
    pckCa: make('pckCa', 'root', { isCa: true, ...(certificates.pckCa.isCa === false ? {} : { pathLength: 0 }) }),
    pck: make('pck', 'pckCa', { isCa: false, extensions: [{ oid: SGX, value: pckExtension(plan) }] }),
    tcbSigning: make('tcbSigning', 'root', { isCa: false }),
  }
}

/** The SGX extension of a planned PCK certificate, DER. */
export function pckExtension({ pckExtension: planned }: TdxPlan): Uint8Array {
  const part = (id: string, value: Uint8Array) => sequence(oid(id), value)
  const { components, pceSvn, platformInstanceId } = planned
  const tcb = sequence(
    ...components.map((svn, i) => part(`${SGX}.2.${i + 1}`, integer(svn))),
    part(`${SGX}.2.17`, integer(pceSvn)),
    part(`${SGX}.2.18`, octets(Uint8Array.from(components))),
  )
  return sequence(
    part(`${SGX}.1`, octets(planned.ppid)),
    part(`${SGX}.2`, tcb),
    part(`${SGX}.3`, octets(planned.pceId)),
    part(`${SGX}.4`, octets(planned.fmspc)),
    part(`${SGX}.5`, der(0x0a, Uint8Array.of(planned.sgxType))),
    ...(platformInstanceId === undefined ? [] : [part(`${SGX}.6`, octets(platformInstanceId))]),
  )
}

function collateralOf(plan: TdxPlan, certificates: TdxEvidence['certificates']): readonly CollateralItem[] {
  const { keys, crls } = plan
  const crl = (name: 'root' | 'pckCa', options: Partial<CrlOptions>): CollateralItem => ({
    kind: 'crl',
    content: issueCrl({ issuer: NAMES[name], signer: keys[name], ...options }),
  })
  const answer = (member: string, value: Json, edit: (text: string) => string) => {
    const text = edit(JSON.stringify(value))
    return utf8(`{"${member}":${text},"signature":"${toHex(keys.listSigner.signRaw(utf8(text)))}"}`)
  }
  return [
    { kind: 'certificate', content: certificates.tcbSigning },
    { kind: 'certificate', content: certificates.root },
    crl('root', crls.root),
    crl('pckCa', crls.pck),
    { kind: 'intel-tcb-info', content: answer('tcbInfo', plan.tcbInfo, plan.editTcbInfo) },
    { kind: 'intel-qe-identity', content: answer('enclaveIdentity', plan.qeIdentity, plan.editQeIdentity) },
  ]
}

function quoteOf(plan: TdxPlan, certificates: TdxEvidence['certificates']): Uint8Array {
  const { keys, version, isTd15, header, report } = plan
  const body = concat(...Object.values(report))
  const signed = concat(
    ...[u16(version), u16(header.attestationKeyType), u32(header.teeType), filled(4, 0), parseHex(header.vendor)],
    filled(20, 0x11),
    ...(version === 5 ? [u16(isTd15 ? 3 : 2), u32(body.length)] : []),
    body,
  )
  const attestationKey = keys.attestation.spki.subarray(-64)
  const qeReport = qeReportOf(plan)
  const pem = concat(utf8(pemOf(...plan.chain.map((name) => certificates[name]))), plan.terminator)
  const certification = concat(
    ...[qeReport, keys.qeReportSigner.signRaw(qeReport), u16(plan.qeAuthData.length), plan.qeAuthData],
    ...[u16(5), u32(pem.length), pem],
  )
  const signatureData = concat(
    ...[keys.quoteSigner.signRaw(signed), attestationKey, u16(6), u32(certification.length), certification],
  )
  return concat(signed, u32(signatureData.length), signatureData, plan.trailing)
}

function qeReportOf({ qeReport, qeReportData, boundDigest }: TdxPlan): Uint8Array {
  const bytes = new Uint8Array(384)
  bytes.set(qeReport.miscSelect, 16)
  bytes.set(qeReport.attributes, 48)
  bytes.set(qeReport.mrSigner, 128)
  bytes.set(u16(qeReport.prodId), 256)
  bytes.set(u16(qeReport.svn), 258)
  bytes.set(qeReportData ?? boundDigest(), 320)
  return bytes
}

export function u16(value: number): Uint8Array {
  return Uint8Array.of(value & 0xff, value >>> 8)
}

export function u32(value: number): Uint8Array {
  return Uint8Array.of(value & 0xff, (value >>> 8) & 0xff, (value >>> 16) & 0xff, value >>> 24)
}

/** Sound evidence to change at every place, with the places that no signature covers. */
export function sweepCases(): readonly SweptEvidence[] {
  return ([4, 5] as const).map((version) => sweptOf(`tdx, version ${version}`, buildTdx(planTdx(version))))
}

/** A sound quote to change at every place. Whatever is added behind it is unsigned as well. */
export function sweptOf(name: string, { quote, input }: Pick<TdxEvidence, 'quote' | 'input'>): SweptEvidence {
  const behind = { from: quote.length, to: Number.MAX_SAFE_INTEGER, why: 'bytes after the signature data' }
  return {
    ...{ name, bytes: quote, unsigned: [...unsignedRegions(quote), behind] },
    toItem: (content) => ({ kind: 'tdx', content }),
    input: { ...input, memory: createMemory() },
  }
}

/** One sound quote as a whole evidence file has it, and its appraisal's input: to be timed. */
export function tdxToTime(): TdxEvidence & { readonly evidence: UnverifiedEvidence } {
  const built = buildTdx(planTdx())
  return { ...built, evidence: { profile: 'none', items: [built.item], nonce: new Uint8Array(0), beside: {} } }
}
