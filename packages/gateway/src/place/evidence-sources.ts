/** How each kind of provider is asked for evidence, and how its answer becomes an evidence file. A table; nothing is checked. */
import { gunzipSync } from 'node:zlib'
import {
  CountersignError,
  type EvidenceItem,
  FILE_LIMITS,
  Fields,
  type Json,
  type ProfileName,
  parseBase64,
  parseEvidence,
  parseHex,
  parseJson,
  parseUtf8,
  ShapeError,
  toBase64,
  type UnverifiedEvidence,
  utf8,
} from '@countersign/verify'
import { keyOf, type ShownCertificate } from '../upstreams/shown-certificate.ts'

/** What a provider answered, and on which connection. */
export interface ProviderAnswer {
  readonly body: Uint8Array
  readonly shown: ShownCertificate | undefined
}

export interface EvidenceSource {
  /** Below the upstream's origin, with `{nonce}` and `{model}`; `undefined` where no address is usual. */
  readonly path: string | undefined
  /** Whether what it gives has room for a challenge. */
  readonly answersNonce: boolean
  /** @throws {CountersignError} `json/*`, `shape/*`, `bytes/*`, `evidence/*` */
  read(answer: ProviderAnswer): Pick<UnverifiedEvidence, 'items' | 'beside'>
}

/** Length of every challenge. */
export const NONCE_BYTES = 32
/** Most bytes of a provider's answer, and of what is packed in it. */
export const MAX_ANSWER_BYTES = 4 * 1024 * 1024
const MAX_TEXT = 4 * 1024 * 1024
const MAX_GPUS = 16
const MAX_MACHINES = 64

/** None was tried on the real provider: that needs an account, and hardware. */
export const EVIDENCE_SOURCES: { readonly [name in ProfileName]: EvidenceSource } = {
  none: { path: undefined, answersNonce: false, read: readFile },
  countersign: { path: '/attestation?nonce={nonce}', answersNonce: true, read: readFile },
  'near-ai': {
    path: '/v1/attestation/report?model={model}&nonce={nonce}&signing_algo=ecdsa&include_tls_fingerprint=true',
    answersNonce: true,
    read: readNearAi,
  },
  dstack: { path: undefined, answersNonce: true, read: readDstack },
  tinfoil: { path: '/.well-known/tinfoil-attestation', answersNonce: false, read: readTinfoil },
  opengradient: { path: undefined, answersNonce: false, read: readOpenGradient },
  aci: { path: '/v1/aci/attestation?nonce={nonce}', answersNonce: true, read: readAci },
  'confidential-space': { path: '/attestation/token?nonce={nonce}', answersNonce: true, read: readConfidentialSpace },
}

/** A file in our own format, whoever it is from. The challenge in it does not count: it is the one that was sent. */
function readFile({ body }: ProviderAnswer) {
  const { items, beside } = parseEvidence(body)
  return { items, beside }
}

/** One machine: the gateway that connections end in, or else the first that runs the model. A key is bound by one. */
function readNearAi({ body }: ProviderAnswer) {
  const report = fieldsOf(body, 'report')
  const gateway = report.optional('gateway_attestation', () => report.object('gateway_attestation'))
  const [model] =
    report.optional('model_attestations', () =>
      report.list('model_attestations', MAX_MACHINES, (item, path) => new Fields(item, path)),
    ) ?? []
  const member = gateway ?? model
  if (member === undefined) throw new ShapeError('shape/missing-field', 'report', 'it has evidence of no machine')
  const quote: EvidenceItem = { kind: 'tdx', content: hexIn(member, 'intel_quote'), ...eventLogIn(member) }
  const gpus = member.optional('nvidia_payload', () => gpusIn(member.text('nvidia_payload', MULTILINE))) ?? []
  return {
    items: [quote, ...gpus],
    beside: besideIn(member, ['signing_address', 'signing_algo', 'tls_cert_fingerprint']),
  }
}

/** `{quote, event_log}` of a guest agent, the quote in hexadecimal. */
function readDstack({ body }: ProviderAnswer) {
  const fields = fieldsOf(body, 'answer')
  const item: EvidenceItem = { kind: 'tdx', content: hexIn(fields, 'quote'), ...eventLogIn(fields) }
  return { items: [item], beside: besideIn(fields, ['tlsKey', 'appData']) }
}

/** `{format, body}`: the body is a report, compressed with gzip, in base64. */
function readTinfoil({ body }: ProviderAnswer) {
  const fields = fieldsOf(body, 'answer')
  const format = fields.text('format', { maxLength: 256 })
  const content = unpacked(fields.base64('body', MAX_TEXT))
  if (/\/tdx-guest\//.test(format)) return { items: [{ kind: 'tdx', content } as const], beside: {} }
  if (/\/sev-snp-guest\//.test(format)) return { items: [{ kind: 'sev-snp', content } as const], beside: {} }
  throw new CountersignError('evidence/unsupported', 'the answer is of a format that is not known here')
}

/** A Nitro document in base64, as a member or as the whole of the answer. */
function readOpenGradient({ body }: ProviderAnswer) {
  const text = parseUtf8(body).trim()
  if (!text.startsWith('{')) return { items: [{ kind: 'nitro', content: parseBase64(text) } as const], beside: {} }
  const fields = fieldsOf(body, 'answer')
  const name =
    ['attestation_document', 'attestation', 'document'].find((each) => fields.has(each)) ?? 'attestation_document'
  const item: EvidenceItem = { kind: 'nitro', content: fields.base64(name, MAX_TEXT) }
  return { items: [item], beside: besideIn(fields, ['publicKey', 'teeId', 'pcrHash']) }
}

/** A quote or report with the key set that it binds. @spec ACI (draft) aci/1 */
function readAci({ body }: ProviderAnswer) {
  const attestation = fieldsOf(body, 'answer').object('attestation')
  const evidence = attestation.object('evidence')
  const isSnp = attestation.oneOf('tee_type', ['tdx', 'sev_snp'] as const) === 'sev_snp'
  const item: EvidenceItem = {
    kind: isSnp ? 'sev-snp' : 'tdx',
    content: hexIn(evidence, 'quote'),
    ...(isSnp ? {} : eventLogIn(evidence)),
  }
  return { items: [item], beside: besideIn(attestation, ['workload_keyset', 'keyset_endorsement']) }
}

/** A token alone. The key that it has to bind is the one of the connection that it came over. */
function readConfidentialSpace({ body, shown }: ProviderAnswer) {
  const content = utf8(parseUtf8(body).trim())
  const beside = shown === undefined ? {} : { servingKey: toBase64(keyOf(shown)) }
  return { items: [{ kind: 'confidential-space', content } as const], beside }
}

const MULTILINE = { maxLength: MAX_TEXT, isMultiline: true }

function fieldsOf(body: Uint8Array, path: string): Fields {
  return new Fields(parseJson(body, FILE_LIMITS), path)
}

function hexIn(fields: Fields, name: string): Uint8Array {
  return parseHex(fields.text(name, { maxLength: MAX_TEXT }).replace(/^0x/, '').toLowerCase())
}

/** An event log as a list, or as the text of one. */
function eventLogIn(fields: Fields): Pick<EvidenceItem, 'eventLog'> {
  const value = fields.any('event_log')
  if (value === undefined || value === null) return {}
  const content = utf8(typeof value === 'string' ? value : JSON.stringify(value))
  return { eventLog: { format: 'dstack', content } }
}

/** The reports of all GPUs are one item, as NVIDIA's tools hand them over. */
function gpusIn(text: string): readonly EvidenceItem[] {
  const payload = fieldsOf(utf8(text), 'nvidia_payload')
  const usual = payload.optional('arch', () => payload.text('arch'))
  const reports = payload.list('evidence_list', MAX_GPUS, (item, path) => {
    const fields = new Fields(item, path)
    const arch = fields.optional('arch', () => fields.text('arch')) ?? usual ?? ''
    return { arch, certificate: fields.text('certificate', MULTILINE), evidence: fields.text('evidence', MULTILINE) }
  })
  return reports.length === 0 ? [] : [{ kind: 'nvidia-spdm', content: utf8(JSON.stringify(reports)) }]
}

/** Members that a profile reads, and no others: they are kept for years. */
function besideIn(fields: Fields, names: readonly string[]): { readonly [name: string]: Json } {
  return Object.fromEntries(
    names.flatMap((name) => {
      const value = fields.any(name)
      return value === undefined || value === null ? [] : [[name, value]]
    }),
  )
}

function unpacked(bytes: Uint8Array): Uint8Array {
  try {
    return new Uint8Array(gunzipSync(bytes, { maxOutputLength: MAX_ANSWER_BYTES }))
  } catch {
    throw new ShapeError('shape/bad-value', 'answer.body', 'it is not compressed with gzip, or too large')
  }
}
