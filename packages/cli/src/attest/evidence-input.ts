/** Evidence as files come: an evidence file of ours, or what the hardware or a service hands out. */
import {
  type CollateralBundle,
  CountersignError,
  EVIDENCE_FORMAT,
  type EvidenceItem,
  type EvidenceKind,
  importAzureEvidence,
  type Json,
  parseEvidence,
  parseHex,
  type UnverifiedEvidence,
  utf8,
} from '@countersign/verify'

/** What was read, and what a foreign file carried beside its evidence. */
export interface EvidenceInput {
  readonly evidence: UnverifiedEvidence
  readonly collateral: CollateralBundle
}

const SNP_REPORT_BYTES = 1184
const TDX_TYPE = 0x81
const NO_COLLATERAL: CollateralBundle = { items: [] }

/**
 * Tells by its bytes what a file is, unless `kind` says. Hexadecimal text is read as what it stands for.
 *
 * @throws {CountersignError} `evidence/unsupported` when nothing is recognised, and what reading the file throws
 */
export function readEvidence(file: Uint8Array, kind: EvidenceKind | undefined): EvidenceInput {
  const json = parseJsonText(file)
  if (isRecord(json) && json.format === EVIDENCE_FORMAT) {
    return { evidence: parseEvidence(file), collateral: NO_COLLATERAL }
  }
  if (isRecord(json) && isRecord(json.evidence) && (kind === undefined || kind === 'azure-vtpm')) {
    const { content, collateral } = importAzureEvidence(file)
    return { evidence: alone({ kind: 'azure-vtpm', content }), collateral }
  }
  const content = json === undefined ? (parseHexText(file) ?? file) : file
  const found = kind ?? recognise(content, json)
  if (found === undefined) {
    throw new CountersignError(
      'evidence/unsupported',
      'what kind of evidence this is, its bytes do not tell; say so with --kind',
    )
  }
  return { evidence: alone({ kind: found, content }), collateral: NO_COLLATERAL }
}

function alone(item: EvidenceItem): UnverifiedEvidence {
  return { profile: 'none', items: [item], nonce: new Uint8Array(0), beside: {} }
}

function recognise(content: Uint8Array, json: Json | undefined): EvidenceKind | undefined {
  if (Array.isArray(json)) return Array.isArray(json[0]) ? 'nvidia-nras' : 'nvidia-spdm'
  if (isRecord(json)) return json.hclReport === undefined ? undefined : 'azure-vtpm'
  if (isTdxQuote(content)) return 'tdx'
  if (content.length === SNP_REPORT_BYTES && content[1] === 0 && content[2] === 0 && content[3] === 0) return 'sev-snp'
  // An array of four, alone or with the tag of COSE_Sign1 before it.
  if (content[0] === 0x84 || (content[0] === 0xd2 && content[1] === 0x84)) return 'nitro'
  return recogniseToken(content)
}

/** Version 4 or 5, and the type of trust domains. */
function isTdxQuote(content: Uint8Array): boolean {
  const isVersion = (content[0] === 4 || content[0] === 5) && content[1] === 0
  return isVersion && content[4] === TDX_TYPE && content[5] === 0 && content[6] === 0 && content[7] === 0
}

/** A token says who issued it; whether that is so is checked later. */
function recogniseToken(content: Uint8Array): EvidenceKind | undefined {
  const [, payload, signature] = textOf(content).trim().split('.')
  if (payload === undefined || signature === undefined) return undefined
  const claims = parseJsonText(utf8(Buffer.from(payload, 'base64url').toString('utf8')))
  if (!isRecord(claims) || typeof claims.iss !== 'string') return undefined
  if (claims.iss === 'https://confidentialcomputing.googleapis.com') return 'confidential-space'
  return /\.attest\.azure\.net$/.test(claims.iss) ? 'maa' : undefined
}

/** Bytes of a text of hexadecimal digits alone, in any case and with white space around. */
export function parseHexText(file: Uint8Array): Uint8Array | undefined {
  const text = textOf(file).trim().toLowerCase()
  // A pattern that repeats a group would need a stack as deep as the text is long.
  if (text.length < 64 || text.length % 2 !== 0 || /[^0-9a-f]/.test(text)) return undefined
  return parseHex(text)
}

/** The value of a JSON text; `undefined` where it is none. Parsers that matter read the bytes again, strictly. */
export function parseJsonText(file: Uint8Array): Json | undefined {
  const first = textOf(file.subarray(0, 64)).trimStart()[0]
  if (first !== '{' && first !== '[') return undefined
  try {
    return JSON.parse(textOf(file)) as Json
  } catch {
    return undefined
  }
}

export function isRecord(value: Json | undefined): value is { readonly [key: string]: Json } {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

export function textOf(bytes: Uint8Array): string {
  return new TextDecoder().decode(bytes)
}
