/**
 * Evidence inside JSON, as guests, tools and providers write it. Members that hold evidence go by a fixed list of names, and what
 * they hold is told by its bytes; whatever else stands there is nobody's word and is passed over.
 */
import { utf8 } from '../../bytes/bytes.ts'
import { FILE_LIMITS, type Json, parseJson } from '../../bytes/json.ts'
import { importAzureEvidence } from '../azure-vtpm/azure-evidence.ts'
import { COLLATERAL_FORMAT, type CollateralItem } from '../collateral.ts'
import { EVIDENCE_FORMAT, type EvidenceItem, parseEvidence } from '../evidence-file.ts'
import { bytesOfNumbers } from '../json-bytes.ts'
import { ofBytes, ofText } from './bare-forms.ts'
import { bare, type Found, type ImportOptions, theOnly } from './found-evidence.ts'
import { ofMessageCollection, ofReportList, ofServiceRequest, REPORT_LISTS } from './gpu-forms.ts'
import { importCertificates } from './import-collateral.ts'
import { isRecord, type JsonRecord } from './json-in.ts'
import { parseAnyBase64 } from './text-forms.ts'

/** Members that can hold evidence: of dstack, NEAR AI, Confidential Containers, attestation-rs, OpenGradient, cloud services. */
const EVIDENCE_MEMBERS = [
  ...['quote', 'intel_quote', 'tdx_quote', 'td_quote', 'tdx', 'snp', 'snp_report', 'attestation_report', 'report'],
  ...['attestation_document', 'attestation', 'document', 'evidence', 'detached_eat', 'token', 'jwt'],
  ...['data', 'result', 'response'],
]
const CERTIFICATE_MEMBERS = ['cert_chain', 'certificates', 'certs', 'auxblob', 'vcek', 'vlek', 'ask', 'asvk', 'ark']
const COLLATERAL_MEMBERS = ['tcb_info', 'tcbInfo', 'enclaveIdentity', 'keys']
const MAX_DEPTH = 4
const MAX_CERTIFICATES = 16

/** What a JSON value is, or has inside. `file` is its text. @throws {CountersignError} what reading a form that is known throws */
export function ofJson(value: Json, file: Uint8Array, options: ImportOptions, depth = 0): readonly Found[] {
  if (depth > MAX_DEPTH) return []
  if (typeof value === 'string') return ofText(value, options)
  if (Array.isArray(value)) return ofList(value as readonly Json[], file, options)
  return isRecord(value) ? ofRecord(value, file, options, depth) : []
}

function ofList(list: readonly Json[], file: Uint8Array, options: ImportOptions): readonly Found[] {
  const bytes = bytesOfNumbers(list)
  if (bytes !== undefined) return ofBytes(bytes, options)
  const [first] = list
  if (Array.isArray(first)) return wanted(options, { kind: 'nvidia-nras', content: file })
  if (!isRecord(first)) return []
  if (first.certificate !== undefined) return wanted(options, ofReportList(list, file))
  if (first.imr !== undefined)
    return [{ refusal: 'an event log, which belongs beside a quote and is no evidence by itself' }]
  return []
}

function ofRecord(record: JsonRecord, file: Uint8Array, options: ImportOptions, depth: number): readonly Found[] {
  if (record.format === EVIDENCE_FORMAT) {
    return [{ evidence: parseEvidence(file), collateral: { items: [] } }]
  }
  const isCollateral =
    record.format === COLLATERAL_FORMAT || COLLATERAL_MEMBERS.some((name) => Object.hasOwn(record, name))
  if (isCollateral) return [{ refusal: 'collateral, which belongs beside evidence and is none' }]
  if (record.hclReport !== undefined) return wanted(options, { kind: 'azure-vtpm', content: file })
  if (isOfAzure(record) || (isRecord(record.evidence) && isOfAzure(record.evidence))) {
    const { content, collateral } = importAzureEvidence(file)
    return wanted(options, { kind: 'azure-vtpm', content }, collateral.items)
  }
  if (record.__cmwc_t !== undefined) return wanted(options, ofMessageCollection(record))
  const isReport = typeof record.certificate === 'string' && typeof record.evidence === 'string'
  const isReports = REPORT_LISTS.some((name) => record[name] !== undefined)
  if (isReport || isReports) return wanted(options, ofServiceRequest(record))
  return ofMembers(record, options, depth)
}

/** What Azure's guests write has a quote of the TPM beside the paravisor's report. */
function isOfAzure(record: JsonRecord): boolean {
  return record.hcl_report !== undefined || (isRecord(record.quote) && record.quote.pcrs !== undefined)
}

function ofMembers(record: JsonRecord, options: ImportOptions, depth: number): readonly Found[] {
  const found = EVIDENCE_MEMBERS.filter((name) => Object.hasOwn(record, name)).flatMap((name) => {
    const value = record[name] ?? null
    return ofJson(value, utf8(JSON.stringify(value)), options, depth + 1)
  })
  if (!found.some((each) => 'evidence' in each)) return found
  const one = theOnly(found)
  if (one === undefined) return []
  const { evidence, collateral } = one
  const items = [...evidence.items.map((item) => withLog(item, record)), ...gpusIn(record)]
  const along = CERTIFICATE_MEMBERS.flatMap((name) => certificatesIn(record[name]))
  return [{ evidence: { ...evidence, items }, collateral: { items: [...collateral.items, ...along] } }]
}

/** The log beside a quote, where there is one: dstack's as a list or its text, or the table of ACPI in base64. */
function withLog(item: EvidenceItem, { event_log: log, cc_eventlog: table }: JsonRecord): EvidenceItem {
  if (item.kind !== 'tdx' || item.eventLog !== undefined) return item
  const text = typeof log === 'string' ? log.trim() : Array.isArray(log) ? JSON.stringify(log) : ''
  if (text.startsWith('[')) return { ...item, eventLog: { format: 'dstack', content: utf8(text) } }
  const acpi = typeof table === 'string' && table !== '' ? table : text
  return acpi === '' ? item : { ...item, eventLog: { format: 'ccel', content: parseAnyBase64(acpi) } }
}

/** Reports of the GPUs beside a processor, as providers hand on what NVIDIA's service is asked with. */
function gpusIn({ nvidia_payload: payload }: JsonRecord): readonly EvidenceItem[] {
  const value = typeof payload === 'string' && payload !== '' ? parseJson(utf8(payload), FILE_LIMITS) : payload
  return isRecord(value) ? [ofServiceRequest(value)] : []
}

/** Certificates as text, as numbers, by name, or as a list of those. */
function certificatesIn(value: Json | undefined, depth = 0): readonly CollateralItem[] {
  const bytes = bytesOfNumbers(value)
  if (bytes !== undefined) return importCertificates(bytes) ?? []
  if (typeof value === 'string') return importCertificates(value) ?? []
  if (value === null || typeof value !== 'object' || depth > 2) return []
  return Object.values(value)
    .slice(0, MAX_CERTIFICATES)
    .flatMap((each: Json) => certificatesIn(each, depth + 1))
}

function wanted(
  { kind }: ImportOptions,
  item: EvidenceItem,
  collateral: readonly CollateralItem[] = [],
): readonly Found[] {
  return kind === undefined || kind === item.kind ? [bare([item], collateral)] : []
}
