/** Reports of GPUs in the forms in which NVIDIA's tools write them, made to the one list that is appraised. */
import { equalBytes, parseUtf8 } from '../../bytes/bytes.ts'
import type { Json } from '../../bytes/json.ts'
import { Fields, ShapeError } from '../../bytes/shape.ts'
import { CountersignError } from '../../errors.ts'
import { type CollateralBundle, itemsOf } from '../collateral.ts'
import type { EvidenceItem } from '../evidence-file.ts'
import { parseGpuIdentity, SUBJECT_ALTERNATIVE_NAME } from '../nvidia/gpu-certificate.ts'
import { type GpuReportParts, nvidiaItem, parseNvidiaItem } from '../nvidia/nvidia-item.ts'
import { readable } from '../readable.ts'
import { type Certificate, formatPem, parseCertificate, parsePemCertificates } from '../x509/certificate.ts'
import { isRecord, type JsonRecord } from './json-in.ts'
import { parseAnyBase64 } from './text-forms.ts'

const MAX_REPORTS = 64
const CHAIN_LENGTH = 5
const MAX_TEXT = 256 * 1024
const MULTILINE = { maxLength: MAX_TEXT, isMultiline: true }

const TRANSCRIPT = 'application/vnd.nvidia.spdm-measurement-transcript'
const PEM_CHAIN = 'application/vnd.nvidia.pem-cert-chain'

/**
 * One bare report, with its certificates out of the collateral. Which architecture it is of, the first certificate says.
 *
 * @throws {CountersignError} `collateral/missing` without a chain, `evidence/unsupported` where there are several or the device is
 *   not known
 */
export function ofBareReport(evidence: Uint8Array, collateral: CollateralBundle): EvidenceItem {
  const certificates = itemsOf(collateral, 'certificate').flatMap((der) => readable(() => parseCertificate(der)) ?? [])
  const leaves = certificates.filter(namesDevice)
  const [leaf, ...others] = leaves.filter(
    (each, i) => leaves.findIndex(({ spki }) => equalBytes(spki, each.spki)) === i,
  )
  if (leaf === undefined) {
    throw new CountersignError(
      'collateral/missing',
      'the report of a GPU does not bring its certificates: give its chain as collateral',
    )
  }
  if (others.length > 0) {
    throw new CountersignError(
      'evidence/unsupported',
      `the collateral has certificates of ${others.length + 1} devices: give those of this one alone`,
    )
  }
  const chain = [leaf]
  for (let last = leaf; last.issuer !== last.subject && chain.length < CHAIN_LENGTH; ) {
    const { issuer } = last
    const next = certificates.find(({ subject }) => subject === issuer)
    if (next === undefined) break
    chain.push(next)
    last = next
  }
  return itemOf([{ evidence, chainPem: formatPem(chain.map(({ bytes }) => bytes)), arch: archOf(leaf) }])
}

/** Members under which lists of reports stand: of NVIDIA's service, of its command line, and of Confidential Containers. */
export const REPORT_LISTS = ['evidence_list', 'evidences', 'device_evidence_list'] as const

/** `{arch, nonce, evidence_list}` as NVIDIA's service is asked, or one report as its old interface took it. */
export function ofServiceRequest(request: JsonRecord): EvidenceItem {
  const fields = new Fields(request, 'file')
  const usual = fields.optional('arch', () => fields.text('arch'))
  const nonce = fields.optional('nonce', () => fields.text('nonce').toLowerCase())
  const read = (item: Json, path: string) => readReport(new Fields(item, path), usual, nonce)
  const name = REPORT_LISTS.find((each) => fields.has(each))
  if (name === undefined) return itemOf([read(request, 'file')])
  const reports = fields.list(name, MAX_REPORTS, read)
  if (reports.length > 0) return itemOf(reports)
  throw new CountersignError('evidence/malformed', 'there is no report in the list')
}

/** A list of reports: as it is where NVIDIA's own kit wrote it, else without what other tools write beside each. */
export function ofReportList(list: readonly Json[], file: Uint8Array): EvidenceItem {
  try {
    parseNvidiaItem(file)
  } catch (thrown) {
    const isOther = thrown instanceof ShapeError && thrown.code === 'shape/unknown-field'
    if (isOther) return ofServiceRequest({ evidence_list: list })
    if (!(thrown instanceof CountersignError)) throw thrown
  }
  return { kind: 'nvidia-spdm', content: file }
}

/** Evidence as a collection of messages, each with its media type. @spec draft-ietf-rats-msg-wrap (CMW) */
export function ofMessageCollection(collection: JsonRecord): EvidenceItem {
  const reports = Object.entries(collection).flatMap(([name, member]) => {
    if (!isRecord(member) || !Array.isArray(member.evidence)) return []
    const message = (what: string, type: string) => {
      const [given, value] = new Fields(member, name).list(what, 2, (each) => each)
      if (given === type && typeof value === 'string') return parseAnyBase64(value)
      throw new CountersignError('evidence/unsupported', `${name}.${what} is of a media type that is not known here`)
    }
    const evidence = message('evidence', TRANSCRIPT)
    const chainPem = parseUtf8(message('certificate', PEM_CHAIN))
    return [{ evidence, chainPem, arch: architectureIn(chainPem) }]
  })
  if (reports.length > 0 && reports.length <= MAX_REPORTS) return itemOf(reports)
  throw new CountersignError('evidence/unsupported', 'the collection has no report of a GPU that is known here')
}

function readReport(fields: Fields, usual: string | undefined, nonce: string | undefined): GpuReportParts {
  const own = fields.optional('nonce', () => fields.text('nonce').toLowerCase())
  if (own !== undefined && nonce !== undefined && own !== nonce) {
    throw new CountersignError('evidence/mismatch', `${fields.path}: its nonce is not the one of the whole`)
  }
  const chainPem = parseUtf8(parseAnyBase64(fields.text('certificate', MULTILINE)))
  const arch = fields.optional('arch', () => fields.text('arch')) ?? usual ?? architectureIn(chainPem)
  const evidence = parseAnyBase64(fields.text('evidence', MULTILINE))
  return { evidence, chainPem, arch: arch.toUpperCase(), nonce: own ?? nonce }
}

function itemOf(reports: readonly GpuReportParts[]): EvidenceItem {
  return { kind: 'nvidia-spdm', content: nvidiaItem(reports) }
}

function architectureIn(chainPem: string): string {
  const [leaf] = parsePemCertificates(chainPem, CHAIN_LENGTH)
  return leaf === undefined ? '' : archOf(leaf)
}

function archOf(leaf: Certificate): string {
  const { chip, isSwitch } = parseGpuIdentity(leaf)
  if (isSwitch) return 'LS10'
  return chip.startsWith('GH') ? 'HOPPER' : 'BLACKWELL'
}

/** The certificate of the key that signs reports says which device it is of; those above it do not. */
function namesDevice({ extensions, isCa }: Certificate): boolean {
  return !isCa && extensions.has(SUBJECT_ALTERNATIVE_NAME)
}
