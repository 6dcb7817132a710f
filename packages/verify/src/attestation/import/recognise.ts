/** What kind of evidence bytes are, told by marks that each format has in fixed places. Nothing is read further, or proven. */
import { parseBase64Url } from '../../bytes/base64.ts'
import { parseUtf8, toHex } from '../../bytes/bytes.ts'
import { parseJson } from '../../bytes/json.ts'
import { Fields } from '../../bytes/shape.ts'
import { quote } from '../../errors.ts'
import { littleEndian } from '../byte-reader.ts'
import type { EvidenceKind } from '../evidence-kind.ts'
import { CONFIDENTIAL_SPACE_ISSUER, NRAS_ISSUER } from '../issuers.ts'
import { readable } from '../readable.ts'
import { REPORT_BYTES } from '../sev-snp/report.ts'
import { MAX_TOKEN_LENGTH } from '../token/jws.ts'

/** A kind; or why bytes that are known are nothing that can be appraised, as the end of a sentence. */
export type Recognised = { readonly kind: EvidenceKind } | { readonly refusal: string }

const HEADER_BYTES = 48
const ECDSA_P256 = 2
const TEE_TDX = 0x81
const TDREPORT_BYTES = 1024
const ECDSA_P384_SHA384 = 1
const DER_SEQUENCE = 0x30
const DER_LONG_LENGTH = 0x82
const ONLY_COLLATERAL = 'certificates, or a list of revoked ones, and no evidence: give them as collateral'

/** In the order in which they are asked. */
const MARKS: readonly (readonly [Recognised, (bytes: Uint8Array) => boolean])[] = [
  [{ kind: 'tdx' }, (bytes) => isQuote(bytes) && littleEndian(bytes.subarray(4, 8)) === TEE_TDX],
  [{ refusal: 'a quote of SGX: of Intel’s, those of trust domains (TDX) are appraised' }, isSgxQuote],
  [{ kind: 'sev-snp' }, isSnpReport],
  [{ kind: 'nitro' }, isCoseSign1],
  [{ kind: 'nvidia-spdm' }, isGpuReport],
  [
    {
      refusal: 'a report of Azure’s paravisor alone: the quote of the TPM and its registers belong to it, in one JSON',
    },
    (bytes) => toHex(bytes.subarray(0, 4)) === '48434c41',
  ],
  [
    { refusal: 'a quote of a TPM alone: what vouches for its key belongs to it, in one JSON' },
    (bytes) => toHex(bytes.subarray(0, 6)) === 'ff5443478018',
  ],
  [
    { refusal: 'a bundle of dstack in MessagePack: of its answers, those with quote and event log in JSON are read' },
    (bytes) => toHex(bytes.subarray(0, 9)) === '83a776657273696f6e',
  ],
  [
    { refusal: 'a report of a trust domain for its own machine: what others can check is a quote' },
    (bytes) => bytes.length === TDREPORT_BYTES && bytes[0] === TEE_TDX && bytes[1] === 0,
  ],
  [{ refusal: ONLY_COLLATERAL }, (bytes) => bytes[0] === DER_SEQUENCE && bytes[1] === DER_LONG_LENGTH],
  [{ refusal: ONLY_COLLATERAL }, (bytes) => startsWith(bytes, '-----BEGIN ')],
]

/** The kind that the bytes have the marks of; `undefined` where they have those of none. */
export function recognise(bytes: Uint8Array): Recognised | undefined {
  return MARKS.find(([, hasMarks]) => hasMarks(bytes))?.[0] ?? recogniseToken(bytes)
}

/** Versions that have the kind of hardware in the same place. */
function isQuote(bytes: Uint8Array): boolean {
  const version = littleEndian(bytes.subarray(0, 2))
  return bytes.length >= HEADER_BYTES && (version === 4 || version === 5)
}

/** The kind of hardware is 0; in version 3 these bytes are reserved. */
function isSgxQuote(bytes: Uint8Array): boolean {
  const isOld = bytes.length >= HEADER_BYTES && littleEndian(bytes.subarray(0, 4)) === 0x0002_0003
  return isOld || (isQuote(bytes) && littleEndian(bytes.subarray(2, 8)) === ECDSA_P256)
}

/** Versions up to 15, by the one algorithm, for a privilege level or the host: other versions have to say so themselves. */
function isSnpReport(bytes: Uint8Array): boolean {
  if (bytes.length < REPORT_BYTES) return false
  const version = littleEndian(bytes.subarray(0, 4))
  const isVersion = version > 0 && version < 16
  const level = littleEndian(bytes.subarray(0x30, 0x34))
  const isLevel = level <= 3 || level === 0xffff_ffff
  return isVersion && isLevel && littleEndian(bytes.subarray(0x34, 0x38)) === ECDSA_P384_SHA384
}

/** A list of four, alone or behind the tag of COSE_Sign1, that begins with short bytes for the header. */
function isCoseSign1(bytes: Uint8Array): boolean {
  const at = bytes[0] === 0xd2 ? 1 : 0
  const header = bytes[at + 1] ?? 0
  return bytes[at] === 0x84 && header > 0x40 && header < 0x58
}

/** A request for measurements of SPDM 1.x, and the answer behind it. */
function isGpuReport(bytes: Uint8Array): boolean {
  const [version = 0, request] = bytes
  return version >> 4 === 1 && request === 0xe0 && bytes[37] === version && bytes[38] === 0x60
}

/** A token says who issued it; whether that is so is checked later. */
function recogniseToken(bytes: Uint8Array): Recognised | undefined {
  if (bytes.length > MAX_TOKEN_LENGTH || !startsWith(bytes, 'eyJ')) return undefined
  const issuer = issuerOf(bytes)
  if (issuer === undefined) return undefined
  if (issuer === CONFIDENTIAL_SPACE_ISSUER) return { kind: 'confidential-space' }
  if (/^https:\/\/[^/]+\.attest\.azure\.(net|us|cn)$/.test(issuer)) return { kind: 'maa' }
  if (issuer === NRAS_ISSUER) return { refusal: 'one token of NVIDIA’s service: its whole answer is appraised' }
  return { refusal: `a token of ${quote(issuer)}, which is no service whose tokens are appraised here` }
}

function issuerOf(token: Uint8Array): string | undefined {
  return readable(() => {
    const [, payload, signature, ...more] = parseUtf8(token).split('.')
    if (payload === undefined || signature === undefined || more.length > 0) return undefined
    const limits = { maxBytes: MAX_TOKEN_LENGTH, maxDepth: 16 }
    return new Fields(parseJson(parseBase64Url(payload), limits), 'token').text('iss')
  })
}

function startsWith(bytes: Uint8Array, text: string): boolean {
  for (let i = 0; i < text.length; i++) if (bytes[i] !== text.charCodeAt(i)) return false
  return true
}
