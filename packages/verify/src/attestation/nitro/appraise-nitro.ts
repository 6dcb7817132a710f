/**
 * Appraises attestation documents of AWS Nitro Enclaves. Everything in the payload and the protected header is signed; the
 * unprotected header has to be empty, and what follows the envelope is ignored, and noted. @spec spec/attestation.md, "nitro"
 */
import { toBase64Url } from '../../bytes/base64.ts'
import { concat, equalBytes, toHex, utf8 } from '../../bytes/bytes.ts'
import type { Json } from '../../bytes/json.ts'
import { CountersignError } from '../../errors.ts'
import type { AppraisalInput, Appraised } from '../appraised.ts'
import { EvidenceChecks } from '../checks.ts'
import type { EvidenceItem } from '../evidence-file.ts'
import { VENDOR_ROOTS } from '../roots.ts'
import { type Certificate, namesInChain, parseCertificate } from '../x509/certificate.ts'
import { chainCurrentUntilMs, verifyChain, verifyMessage } from '../x509/chain.ts'
import { type NitroDocument, parseNitroDocument } from './document.ts'

/** Every check of the kind, in the order in which they are listed. */
export const NITRO_CHECKS = [
  'format',
  'algorithm',
  'unprotected-header',
  'chain',
  'signature',
  'timestamp',
  'debug',
  'nonce',
  'measurements',
] as const
export type NitroCheck = (typeof NITRO_CHECKS)[number]

const SIGNED = [
  'format',
  'algorithm',
  'unprotected-header',
  'chain',
  'signature',
] as const satisfies readonly NitroCheck[]
const GENUINE = [...SIGNED, 'timestamp', 'debug'] as const satisfies readonly NitroCheck[]

type Checks = EvidenceChecks<NitroCheck>

/** {1: -35}: ES384, and nothing else. */
const PROTECTED_HEADER = /* @__PURE__ */ Uint8Array.of(0xa1, 0x01, 0x38, 0x22)
/** ["Signature1", protected header, h'', payload], up to the payload. @spec RFC 9052 §4.4 */
const SIGNED_PREFIX = /* @__PURE__ */ concat(
  Uint8Array.of(0x84, 0x6a),
  /* @__PURE__ */ utf8('Signature1'),
  Uint8Array.of(0x44, 0xa1, 0x01, 0x38, 0x22, 0x40),
)

/** How far a clock in the enclave may be ahead. */
const MAX_SKEW_MS = 60_000
/** PCRs that measure the image: image file, kernel and boot, application. */
const CODE_PCRS = [0, 1, 2]

/** Appraises one document. Needs no collateral: the chain comes along. */
export function appraiseNitro(item: EvidenceItem, input: AppraisalInput): Appraised {
  const list: Checks = new EvidenceChecks('nitro', NITRO_CHECKS)
  const document = list.attempt('format', () => parseNitroDocument(item.content))
  const chain = document && checkSigned(list, document, input)
  const signed = list.passed(...SIGNED) ? document : undefined
  if (signed !== undefined) {
    list.attempt('timestamp', () => requireTime(signed.timestampMs, chain?.[0], input.atMs))
    list.attempt('debug', () => requireNoDebug(signed.pcrs))
    checkNonce(list, signed.nonce, input.nonce)
    checkMeasurements(list, signed.pcrs, input.policy)
  }
  const checks = list.list()
  const isGenuine = list.passed(...GENUINE)
  const isKnownCode = isGenuine && list.passed('measurements')
  const isFailed = checks.some(({ result }) => result === 'fail')
  return {
    kind: 'nitro',
    checks,
    isGenuine,
    isKnownCode,
    measurements: signed ? measurementsOf(signed.pcrs) : {},
    boundData: signed?.userData,
    ...(signed?.publicKey === undefined ? {} : { boundKey: signed.publicKey }),
    deviceIds: [],
    certificates: signed && chain ? namesInChain(chain) : [],
    madeAtMs: signed?.timestampMs,
    currentUntilMs: signed && chain && chainCurrentUntilMs(chain),
    answersNonce: list.passed('nonce'),
    tier: isFailed ? 'contraindicated' : isKnownCode ? 'affirming' : 'none',
    claims: signed ? claimsOf(signed, list.passed('debug')) : {},
    notes: notesOf(document, chain),
  }
}

/** Header, chain and signature; the chain, leaf first, when its certificates could be read. */
function checkSigned(
  list: Checks,
  document: NitroDocument,
  { crypto, roots = VENDOR_ROOTS, atMs, memory }: AppraisalInput,
): readonly Certificate[] | undefined {
  list.attempt('algorithm', () => {
    if (equalBytes(document.protectedHeader, PROTECTED_HEADER)) return
    throw new CountersignError('evidence/unsupported', 'the protected header is not the one of ES384 alone')
  })
  list.attempt('unprotected-header', () => {
    if (document.unprotectedHeader.size === 0) return
    throw new CountersignError('evidence/malformed', 'the unprotected header is not empty, and nothing signs it')
  })
  const ders = [document.certificate, ...document.cabundle.toReversed()]
  let chain: readonly Certificate[] | undefined
  list.attempt('chain', () => {
    chain = ders.map((der) => parseCertificate(der, memory))
    verifyChain(crypto, chain, { roots: roots.nitro, atMs }, memory)
  })
  const leaf = chain?.[0]
  if (leaf !== undefined && list.passed('algorithm')) {
    list.attempt('signature', () => {
      const message = concat(SIGNED_PREFIX, byteStringHead(document.payload.length), document.payload)
      verifyMessage(crypto, leaf.publicKey, 'sha384', message, document.signature)
    })
  }
  return chain
}

/** Head of a CBOR byte string, in its shortest form. @spec RFC 8949 §3 */
function byteStringHead(length: number): Uint8Array {
  if (length < 24) return Uint8Array.of(0x40 | length)
  return length < 256 ? Uint8Array.of(0x58, length) : Uint8Array.of(0x59, length >> 8, length & 0xff)
}

function requireTime(timestampMs: number, leaf: Certificate | undefined, atMs: number): void {
  if (timestampMs > atMs + MAX_SKEW_MS) {
    throw new CountersignError(
      'evidence/mismatch',
      'the document says that it was made after the time of the appraisal',
    )
  }
  if (leaf !== undefined && timestampMs >= leaf.notBeforeMs && timestampMs < leaf.notAfterMs + 1000) return
  throw new CountersignError(
    'evidence/mismatch',
    'the document says that it was made when its certificate was not valid',
  )
}

function requireNoDebug(pcrs: ReadonlyMap<number, Uint8Array>): void {
  for (const index of CODE_PCRS) {
    const value = pcrs.get(index)
    if (value === undefined) throw new CountersignError('evidence/malformed', `PCR${index} is not in the document`)
    if (value.some((byte) => byte !== 0)) continue
    throw new CountersignError('evidence/refused', `PCR${index} is zero: the enclave runs in debug mode`)
  }
}

function checkNonce(list: Checks, found: Uint8Array | undefined, wanted: Uint8Array | undefined): void {
  if (wanted === undefined || wanted.length === 0) {
    list.notChecked('nonce', 'no freshness: no challenge was given')
    return
  }
  list.attempt('nonce', () => {
    if (found !== undefined && equalBytes(found, wanted)) return
    const what = found === undefined ? 'no challenge' : 'another challenge'
    throw new CountersignError('evidence/mismatch', `the document answers ${what}`)
  })
}

function checkMeasurements(
  list: Checks,
  pcrs: ReadonlyMap<number, Uint8Array>,
  policy: AppraisalInput['policy'],
): void {
  if (policy === undefined || policy.tee !== 'nitro') {
    list.notChecked('measurements', policy === undefined ? 'no policy was given' : 'the policy is for other hardware')
    return
  }
  list.attempt('measurements', () => {
    const measured = measurementsOf(pcrs)
    if (Object.keys(policy.measurements).length === 0) {
      throw new CountersignError('place-policy/empty', 'the policy names no PCR, so that any program would pass')
    }
    for (const [register, allowed] of Object.entries(policy.measurements)) {
      const value = measured[register]
      if (value !== undefined && allowed.includes(value)) continue
      const found = value === undefined ? 'is not in the document' : `is ${value}, which the policy does not name`
      throw new CountersignError('evidence/refused', `${register} ${found}`)
    }
  })
}

/** What a document says was measured. */
export function measurementsOf(pcrs: ReadonlyMap<number, Uint8Array>): { readonly [register: string]: string } {
  return Object.fromEntries([...pcrs].map(([index, value]) => [`pcr${index}`, toHex(value)]))
}

/** @spec RFC 9711 */
function claimsOf(document: NitroDocument, isProduction: boolean): { readonly [name: string]: Json } {
  const { moduleId, timestampMs, nonce } = document
  return {
    iat: Math.floor(timestampMs / 1000),
    ...(nonce === undefined ? {} : { eat_nonce: toBase64Url(nonce) }),
    dbgstat: isProduction ? 'disabled-since-boot' : 'enabled',
    module_id: moduleId,
  }
}

function notesOf(document: NitroDocument | undefined, chain: readonly Certificate[] | undefined): readonly string[] {
  const notes: string[] = []
  if (document !== undefined && document.trailingBytes > 0) {
    notes.push(`${document.trailingBytes} unsigned bytes after the document were ignored.`)
  }
  if (chain !== undefined) {
    notes.push(
      'Certificates of enclaves hold for three hours: kept evidence is judged at its own time, and shows something only when a log or a timestamp proves that time.',
    )
  }
  return notes
}
