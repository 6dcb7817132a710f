/** The content of an item of Azure evidence: JSON of ours around what the virtual TPM gives. @spec spec/evidence.md, "azure-vtpm" */
import { parseBase64Url, toBase64 } from '../../bytes/base64.ts'
import { parseHex, toHex, utf8 } from '../../bytes/bytes.ts'
import { type Json, PAYLOAD_LIMITS, parseJson } from '../../bytes/json.ts'
import { Fields, readHex, ShapeError } from '../../bytes/shape.ts'
import type { CollateralBundle } from '../collateral.ts'
import { bytesOfNumbers } from '../json-bytes.ts'
import type { UnsignedRegion } from '../tdx/quote.ts'
import { unsignedRegions as unsignedQuoteRegions } from '../tdx/quote.ts'
import { parsePemCertificates } from '../x509/certificate.ts'
import { HEADER_BYTES, parseHclReport } from './hcl-report.ts'
import { unsignedReportRegions } from './td-report.ts'
import { TPM_REGISTERS } from './tpm-quote.ts'

/** Nothing in it is looked into. */
export interface AzureEvidence {
  readonly hclReport: Uint8Array
  readonly quote: {
    readonly message: Uint8Array
    readonly signature: Uint8Array
    /** Values by number of the register, 32 bytes each. */
    readonly registers: ReadonlyMap<number, Uint8Array>
  }
  /** The quote about the trust domain, where the hardware is TDX: its report in the TPM is for the machine itself alone. */
  readonly hardwareQuote: Uint8Array | undefined
}

const MAX_REPORT_TEXT = 128 * 1024
const MAX_QUOTE_TEXT = 256 * 1024
const MAX_TPM_TEXT = 4096
const MAX_CHAIN = 3
const DIGEST_BYTES = 32
const REGISTER_NAME = /^(0|[1-9][0-9]?)$/

/**
 * Reads the content of an item.
 *
 * @throws {CountersignError} `json/*`, `shape/*`, `bytes/*`
 */
export function parseAzureEvidence(content: Uint8Array): AzureEvidence {
  const fields = new Fields(parseJson(content, PAYLOAD_LIMITS), 'content')
  const quote = fields.object('quote')
  quote.literal('bank', 'sha256')
  const hardware = fields.optional('hardware', () => fields.object('hardware'))
  const evidence = {
    hclReport: fields.base64('hclReport', MAX_REPORT_TEXT),
    quote: {
      message: quote.base64('message', MAX_TPM_TEXT),
      signature: quote.base64('signature', MAX_TPM_TEXT),
      registers: readRegisters(quote.object('pcrs')),
    },
    hardwareQuote: hardware?.base64('quote', MAX_QUOTE_TEXT),
  }
  hardware?.end()
  quote.end()
  fields.end()
  return evidence
}

function readRegisters(fields: Fields): ReadonlyMap<number, Uint8Array> {
  const registers = new Map<number, Uint8Array>()
  for (const name of fields.names(TPM_REGISTERS)) {
    if (!REGISTER_NAME.test(name) || Number(name) >= TPM_REGISTERS) {
      throw new ShapeError('shape/unknown-field', fields.path, 'a register is named by its number, 0 to 23')
    }
    registers.set(Number(name), parseHex(fields.hex(name, DIGEST_BYTES)))
  }
  return registers
}

/** The content of an item. */
export function formatAzureEvidence({ hclReport, quote, hardwareQuote }: AzureEvidence): Uint8Array {
  const registers = [...quote.registers].sort(([a], [b]) => a - b).map(([i, value]) => [i, toHex(value)] as const)
  const content: Json = {
    hclReport: toBase64(hclReport),
    quote: {
      message: toBase64(quote.message),
      signature: toBase64(quote.signature),
      bank: 'sha256',
      pcrs: Object.fromEntries(registers),
    },
    ...(hardwareQuote === undefined ? {} : { hardware: { quote: toBase64(hardwareQuote) } }),
  }
  return utf8(JSON.stringify(content))
}

/**
 * Takes over the JSON of guests on Azure: of attestation-rs (`platform` `az-snp` or `az-tdx`, and `evidence`), or what stands in
 * `evidence` alone, as Confidential Containers write it. Gives our content, and what was collateral in it. Checks nothing, and
 * passes over members that it does not know.
 *
 * @throws {CountersignError} `json/*`, `shape/*`, `bytes/*`, `certificate/malformed`
 */
export function importAzureEvidence(json: Uint8Array): {
  readonly content: Uint8Array
  readonly collateral: CollateralBundle
} {
  const outer = new Fields(parseJson(json, PAYLOAD_LIMITS), 'file')
  const platform = outer.optional('platform', () => outer.oneOf('platform', ['az-snp', 'az-tdx']))
  const fields = platform === undefined ? outer : outer.object('evidence')
  fields.optional('version', () => fields.integer('version', 1, 2))
  const quote = fields.object(fields.has('tpm_quote') ? 'tpm_quote' : 'quote')
  const values = quote.list('pcrs', TPM_REGISTERS, readRegister)
  const hasQuote = platform === undefined ? fields.has('td_quote') : platform === 'az-tdx'
  const evidence: AzureEvidence = {
    hclReport: readForeign(
      fields,
      fields.has('hcl_report') ? 'hcl_report' : 'report',
      MAX_REPORT_TEXT,
      parsePaddedBase64Url,
    ),
    quote: {
      message: readForeign(quote, 'message', MAX_TPM_TEXT, parseHex),
      signature: readForeign(quote, 'signature', MAX_TPM_TEXT, parseHex),
      registers: new Map(values.entries()),
    },
    hardwareQuote: hasQuote ? readForeign(fields, 'td_quote', MAX_QUOTE_TEXT, parsePaddedBase64Url) : undefined,
  }
  const certificates = fields.optional('vcek', () => readVcek(fields)) ?? []
  const items = certificates.map((content) => ({ kind: 'certificate' as const, content }))
  return { content: formatAzureEvidence(evidence), collateral: { items } }
}

/** Text, or the list of numbers that some tools write bytes as. */
function readForeign(fields: Fields, name: string, maxLength: number, parse: (text: string) => Uint8Array): Uint8Array {
  const bytes = bytesOfNumbers(fields.required(name))
  if (bytes === undefined) return parse(fields.text(name, { maxLength }))
  if (bytes.length <= maxLength) return bytes
  throw new ShapeError('shape/bad-value', fields.at(name), `expected at most ${maxLength} bytes`)
}

function readRegister(item: Json, path: string): Uint8Array {
  const bytes = bytesOfNumbers(item) ?? parseHex(readHex(item, path, DIGEST_BYTES))
  if (bytes.length === DIGEST_BYTES) return bytes
  throw new ShapeError('shape/bad-value', path, `expected ${DIGEST_BYTES} bytes`)
}

/** One certificate, in PEM or as DER in base64url. */
function readVcek(fields: Fields): readonly Uint8Array[] {
  const text = fields.text('vcek', { maxLength: MAX_REPORT_TEXT, isMultiline: true })
  if (!text.startsWith('-----BEGIN')) return [parsePaddedBase64Url(text)]
  return parsePemCertificates(text, MAX_CHAIN).map(({ bytes }) => bytes)
}

/** With padding or without: those tools write both. */
function parsePaddedBase64Url(text: string): Uint8Array {
  return parseBase64Url(text.replace(/={1,2}$/, ''))
}

/**
 * Places in the content that no signature covers, on TDX alone: in the machine's own report, and in the quote. To whole
 * groups of base64. Elsewhere a change of the text is a change of what is signed, or no JSON of this form.
 */
export function unsignedRegions(content: Uint8Array): readonly UnsignedRegion[] {
  const { hclReport, hardwareQuote } = parseAzureEvidence(content)
  if (hardwareQuote === undefined || parseHclReport(hclReport).hardware !== 'tdx') return []
  return [
    ...inBase64(content, hclReport, unsignedReportRegions(HEADER_BYTES)),
    ...inBase64(content, hardwareQuote, unsignedQuoteRegions(hardwareQuote)),
  ]
}

/** Regions of bytes as regions of the text in which they stand. */
function inBase64(
  content: Uint8Array,
  bytes: Uint8Array,
  regions: readonly UnsignedRegion[],
): readonly UnsignedRegion[] {
  const at = indexOf(content, utf8(toBase64(bytes)))
  return regions.map(({ from, to, why }) => ({
    from: at + Math.floor(from / 3) * 4,
    to: at + Math.ceil(to / 3) * 4,
    why,
  }))
}

function indexOf(content: Uint8Array, part: Uint8Array): number {
  for (let at = 0; at + part.length <= content.length; at++) {
    let length = 0
    while (length < part.length && content[at + length] === part[length]) length++
    if (length === part.length) return at
  }
  return content.length
}
