/**
 * TDX quotes: a report on a trust domain, signed by the quoting enclave, whose own report is signed by the key of the
 * platform's certificate (PCK). Reading proves nothing.
 *
 * Signed are the header and the body (by the attestation key), the quoting enclave's report (by the PCK), and through that
 * report's data the attestation key and the authentication data. Not signed: what follows the signature data, and white
 * space and terminators around the certificates, see {@link unsignedRegions}.
 *
 * @spec Intel TDX DCAP Quoting Library API, "Quote Format" (version 4, version 5); Intel TDX Module Base Architecture
 *   Specification, TDREPORT; SDM Vol. 3D, SGX REPORT
 */
import { toHex } from '../../bytes/bytes.ts'
import { CountersignError } from '../../errors.ts'
import { ByteReader, littleEndian } from '../byte-reader.ts'

/** Real quotes have about 5 KB. */
export const MAX_QUOTE_BYTES = 128 * 1024

/** What a trust domain reports. Byte strings as in the report. */
export interface TdReport {
  /** SVNs of the TDX module (index 0 and 1) and the loader, when the domain was launched. 16 bytes. */
  readonly teeTcbSvn: Uint8Array
  readonly mrSeam: Uint8Array
  readonly mrSignerSeam: Uint8Array
  readonly seamAttributes: Uint8Array
  readonly tdAttributes: Uint8Array
  readonly xfam: Uint8Array
  readonly mrTd: Uint8Array
  readonly mrConfigId: Uint8Array
  readonly mrOwner: Uint8Array
  readonly mrOwnerConfig: Uint8Array
  /** RTMR0 to RTMR3, 48 bytes each. */
  readonly rtmrs: readonly [Uint8Array, Uint8Array, Uint8Array, Uint8Array]
  /** What the guest chose. 64 bytes. */
  readonly reportData: Uint8Array
  /** Of TD 1.5 alone: SVNs of the module that runs now, and the measurement of the bound service domains. */
  readonly td15: { readonly teeTcbSvn2: Uint8Array; readonly mrServiceTd: Uint8Array } | undefined
}

/** The quoting enclave's SGX report. */
export interface QeReport {
  /** All 384 bytes: what the PCK signs. */
  readonly bytes: Uint8Array
  readonly miscSelect: Uint8Array
  readonly attributes: Uint8Array
  readonly mrSigner: Uint8Array
  readonly isvProdId: number
  readonly isvSvn: number
  readonly reportData: Uint8Array
}

/** A quote, nothing of it checked but its layout. */
export interface UnverifiedTdxQuote {
  readonly version: 4 | 5
  /** Header and body: what the attestation key signs. */
  readonly signed: Uint8Array
  readonly report: TdReport
  /** By the attestation key over `signed`, r ‖ s. */
  readonly signature: Uint8Array
  /** P-256, x ‖ y. */
  readonly attestationKey: Uint8Array
  readonly qeReport: QeReport
  /** By the PCK over the quoting enclave's report, r ‖ s. */
  readonly qeReportSignature: Uint8Array
  readonly qeAuthData: Uint8Array
  /** PEM text of the PCK certificate and its issuers, terminators taken off. */
  readonly pckChain: Uint8Array
  /** Bytes after the signature data. Nobody signs them. */
  readonly trailing: Uint8Array
}

/** Bytes of evidence that no signature covers, from `from` up to before `to`. */
export interface UnsignedRegion {
  readonly from: number
  readonly to: number
  readonly why: string
}

const HEADER_BYTES = 48
const TD10_BYTES = 584
const TD15_BYTES = 648
const QE_REPORT_BYTES = 384
const SIGNATURE_BYTES = 64

const ECDSA_P256 = 2
const TEE_TDX = 0x81
const INTEL_QE = '939a7233f79c4ca9940a0db3957f0607'
const BODY_TD10 = 2
const BODY_TD15 = 3
const CERTIFIED_BY_QE_REPORT = 6
const CERTIFIED_BY_PCK_CHAIN = 5

/**
 * Reads a quote of version 4 or 5 about a trust domain, with ECDSA P-256 and the certificates inside.
 *
 * @throws {CountersignError} `evidence/malformed`, `evidence/unsupported`, `bytes/too-large`
 */
export function parseTdxQuote(bytes: Uint8Array): UnverifiedTdxQuote {
  return readQuote(bytes).quote
}

/**
 * Bytes of the quote that nothing signs, so that changing them changes no verdict. Empty for what is no quote.
 */
export function unsignedRegions(bytes: Uint8Array): readonly UnsignedRegion[] {
  const { quote, chainAt, chainEnd } = readQuote(bytes)
  const regions: UnsignedRegion[] = []
  const terminatorAt = chainAt + quote.pckChain.length
  for (let i = chainAt; i < terminatorAt; i++) {
    if (isWhiteSpace(bytes[i])) regions.push({ from: i, to: i + 1, why: 'white space between certificates' })
  }
  if (terminatorAt < chainEnd) {
    regions.push({ from: terminatorAt, to: chainEnd, why: 'terminator of the certificates' })
  }
  if (quote.trailing.length > 0) {
    regions.push({
      from: bytes.length - quote.trailing.length,
      to: bytes.length,
      why: 'bytes after the signature data',
    })
  }
  return regions
}

function isWhiteSpace(byte: number | undefined): boolean {
  return byte === 0x0a || byte === 0x0d || byte === 0x20 || byte === 0x09
}

function readQuote(bytes: Uint8Array) {
  if (bytes.length > MAX_QUOTE_BYTES) {
    throw new CountersignError('bytes/too-large', `a quote of ${bytes.length} bytes; at most ${MAX_QUOTE_BYTES}`)
  }
  const reader = new ByteReader(bytes, 'the quote')
  const version = readHeader(reader.take(HEADER_BYTES))
  const report = parseTdReport(reader.take(version === 4 ? TD10_BYTES : readBodySize(reader)))
  const signed = bytes.subarray(0, reader.offset)
  const signatureData = reader.take(reader.uint32())
  const signatureEnd = reader.offset
  const { chain, ...rest } = readSignatureData(signatureData)
  const pckChain = withoutTerminators(chain)
  const quote = { version, signed, report, ...rest, pckChain, trailing: reader.rest() }
  return { quote, chainAt: signatureEnd - chain.length, chainEnd: signatureEnd }
}

function readHeader(header: Uint8Array): 4 | 5 {
  const version = littleEndian(header.subarray(0, 2))
  if (version !== 4 && version !== 5) throw unsupported(`quotes of version ${version}`)
  if (littleEndian(header.subarray(2, 4)) !== ECDSA_P256) throw unsupported('attestation keys other than ECDSA P-256')
  if (littleEndian(header.subarray(4, 8)) !== TEE_TDX) throw unsupported('quotes of other kinds than TDX')
  if (toHex(header.subarray(12, 28)) !== INTEL_QE) throw unsupported("quoting enclaves of other makers than Intel's")
  return version
}

/** Version 5 says what body follows. */
function readBodySize(reader: ByteReader): number {
  const type = reader.uint16()
  const size = reader.uint32()
  if (type !== BODY_TD10 && type !== BODY_TD15) throw unsupported(`quote bodies of type ${type}`)
  if (size !== (type === BODY_TD10 ? TD10_BYTES : TD15_BYTES)) {
    throw new CountersignError('evidence/malformed', `a quote body of type ${type} does not have ${size} bytes`)
  }
  return size
}

function parseTdReport(body: Uint8Array): TdReport {
  const reader = new ByteReader(body, 'the report of the trust domain')
  const report = {
    teeTcbSvn: reader.take(16),
    mrSeam: reader.take(48),
    mrSignerSeam: reader.take(48),
    seamAttributes: reader.take(8),
    tdAttributes: reader.take(8),
    xfam: reader.take(8),
    mrTd: reader.take(48),
    mrConfigId: reader.take(48),
    mrOwner: reader.take(48),
    mrOwnerConfig: reader.take(48),
    rtmrs: [reader.take(48), reader.take(48), reader.take(48), reader.take(48)] as const,
    reportData: reader.take(64),
    td15: reader.left === 0 ? undefined : { teeTcbSvn2: reader.take(16), mrServiceTd: reader.take(48) },
  }
  reader.end()
  return report
}

function readSignatureData(data: Uint8Array) {
  const reader = new ByteReader(data, 'the signature data')
  const signature = reader.take(SIGNATURE_BYTES)
  const attestationKey = reader.take(64)
  const certification = readCertification(reader, CERTIFIED_BY_QE_REPORT)
  const inner = new ByteReader(certification, "the quoting enclave's certification data")
  const qeReport = parseQeReport(inner.take(QE_REPORT_BYTES))
  const qeReportSignature = inner.take(SIGNATURE_BYTES)
  const qeAuthData = inner.take(inner.uint16())
  const chain = readCertification(inner, CERTIFIED_BY_PCK_CHAIN)
  return { signature, attestationKey, qeReport, qeReportSignature, qeAuthData, chain }
}

/** Certification data of one type, which must fill what is left. */
function readCertification(reader: ByteReader, wanted: number): Uint8Array {
  const type = reader.uint16()
  if (type !== wanted) throw unsupported(`certification data of type ${type} where type ${wanted} stands`)
  const data = reader.take(reader.uint32())
  reader.end()
  return data
}

function parseQeReport(bytes: Uint8Array): QeReport {
  return {
    bytes,
    miscSelect: bytes.subarray(16, 20),
    attributes: bytes.subarray(48, 64),
    mrSigner: bytes.subarray(128, 160),
    isvProdId: littleEndian(bytes.subarray(256, 258)),
    isvSvn: littleEndian(bytes.subarray(258, 260)),
    reportData: bytes.subarray(320, 384),
  }
}

/** The text is handed out as a C string. */
function withoutTerminators(chain: Uint8Array): Uint8Array {
  let end = chain.length
  while (end > 0 && chain[end - 1] === 0) end--
  return chain.subarray(0, end)
}

function unsupported(what: string): CountersignError {
  return new CountersignError('evidence/unsupported', `${what} are not supported`)
}
