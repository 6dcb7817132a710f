/** X.509 certificates of version 3, as makers of hardware issue them. Parsed only: nothing here is proven. @spec RFC 5280 §4.1 */
import { parseBase64, toBase64 } from '../../bytes/base64.ts'
import { toHex } from '../../bytes/bytes.ts'
import type { Memory } from '../../bytes/memory.ts'
import { CountersignError } from '../../errors.ts'
import {
  bitString,
  type DerValue,
  integerOf,
  parseDer,
  requireTag,
  sequenceOf,
  TAG,
  timeOf,
  unsignedOf,
} from './der.ts'
import {
  basicConstraintsOf,
  commonNameOf,
  type Extensions,
  extensionsOf,
  type KeyUsage,
  keyUsageOf,
} from './extensions.ts'
import { type PublicKey, publicKeyOf, type SignatureAlgorithm, signatureAlgorithmOf } from './signature.ts'

/** Unverified. Names are compared as the bytes that they are. */
export interface Certificate {
  readonly bytes: Uint8Array
  /** The part that is signed. */
  readonly tbs: Uint8Array
  /** Hexadecimal, without leading zeros; `00` for zero. */
  readonly serial: string
  /** DER of the Name, hexadecimal. */
  readonly issuer: string
  readonly subject: string
  readonly commonName: string | undefined
  readonly issuerCommonName: string | undefined
  readonly notBeforeMs: number
  readonly notAfterMs: number
  /** SubjectPublicKeyInfo, DER. */
  readonly spki: Uint8Array
  readonly publicKey: PublicKey
  readonly signatureAlgorithm: SignatureAlgorithm
  readonly signature: Uint8Array
  readonly isCa: boolean
  /** How many certificates that issue may stand between this one and the last. */
  readonly pathLength?: number
  readonly keyUsage?: KeyUsage
  /** By object identifier. */
  readonly extensions: Extensions
}

const MAX_CERTIFICATE_BYTES = 64 * 1024
const MAX_SERIAL_BYTES = 20
const VERSION_3 = 2
const EXPLICIT_VERSION = 0xa0
const EXPLICIT_EXTENSIONS = 0xa3

/**
 * Reads a certificate. With a memory, the same bytes are read once; what comes back then is the same object, by which
 * {@link verifySignedBy} knows what it has proven.
 *
 * @throws {CountersignError} `der/malformed`, `certificate/malformed`, `bytes/bad-utf8`
 */
export function parseCertificate(der: Uint8Array, memory?: Memory): Certificate {
  if (der.length > MAX_CERTIFICATE_BYTES) {
    throw new CountersignError('certificate/malformed', `the certificate has more than ${MAX_CERTIFICATE_BYTES} bytes`)
  }
  // What is remembered must not change with the buffer that it was read from.
  return memory === undefined
    ? readCertificate(der)
    : memory.recall('x509/certificate', latin1(der), () => readCertificate(der.slice()))
}

function readCertificate(der: Uint8Array): Certificate {
  const { tbs, signatureAlgorithm, signature, algorithm } = signedParts(parseDer(der), 'certificate')
  const [version, serial, innerAlgorithm, issuer, validity, subject, spki, extensionsPart, ...more] = tbs.children()
  requireVersion(version)
  requireSameAlgorithm(innerAlgorithm, algorithm)
  if (more.length > 0 || issuer === undefined || subject === undefined || spki === undefined) {
    throw new CountersignError('certificate/malformed', 'the certificate is not of the parts of version 3')
  }
  const [notBefore, notAfter, ...moreTimes] = sequenceOf(validity, 'validity')
  const [notBeforeMs, notAfterMs] = [timeOf(notBefore), timeOf(notAfter)]
  if (moreTimes.length > 0 || notAfterMs < notBeforeMs) {
    throw new CountersignError('certificate/malformed', 'the certificate ends before it begins')
  }
  const extensions = explicitExtensions(extensionsPart, EXPLICIT_EXTENSIONS)
  const keyUsage = keyUsageOf(extensions)
  return {
    bytes: der,
    tbs: tbs.bytes,
    serial: serialOf(serial),
    issuer: toHex(issuer.bytes),
    subject: toHex(subject.bytes),
    commonName: commonNameOf(subject),
    issuerCommonName: commonNameOf(issuer),
    notBeforeMs,
    notAfterMs,
    spki: requireTag(spki, TAG.sequence, 'public key').bytes,
    publicKey: publicKeyOf(spki),
    signatureAlgorithm,
    signature,
    ...basicConstraintsOf(extensions),
    ...(keyUsage === undefined ? {} : { keyUsage }),
    extensions,
  }
}

function requireVersion(version: DerValue | undefined): void {
  const [number, ...more] = requireTag(version, EXPLICIT_VERSION, 'version').children()
  if (more.length > 0 || integerOf(number) !== VERSION_3) {
    throw new CountersignError('certificate/malformed', 'the certificate is not of version 3')
  }
}

/** The three parts of everything that is signed in X.509. @throws {CountersignError} `der/malformed`, `certificate/malformed` */
export function signedParts(
  whole: DerValue,
  what: string,
): { tbs: DerValue; algorithm: Uint8Array; signatureAlgorithm: SignatureAlgorithm; signature: Uint8Array } {
  const [tbs, algorithm, signature, ...more] = sequenceOf(whole, what)
  if (algorithm === undefined || more.length > 0) {
    throw new CountersignError('certificate/malformed', `the ${what} is not of three parts`)
  }
  return {
    tbs: requireTag(tbs, TAG.sequence, what),
    algorithm: algorithm.bytes,
    signatureAlgorithm: signatureAlgorithmOf(algorithm.bytes),
    signature: bitString(signature, 'signature'),
  }
}

/** The algorithm outside the signature has to be the one inside. @throws {CountersignError} `certificate/malformed` */
export function requireSameAlgorithm(inner: DerValue | undefined, outer: Uint8Array): void {
  if (inner !== undefined && toHex(inner.bytes) === toHex(outer)) return
  throw new CountersignError('certificate/malformed', 'the algorithm of the signature is not the one that is signed')
}

/** A serial number in hexadecimal. @throws {CountersignError} `der/malformed`, `certificate/malformed` */
export function serialOf(value: DerValue | undefined): string {
  const digits = unsignedOf(value)
  if (digits.length > MAX_SERIAL_BYTES)
    throw new CountersignError('certificate/malformed', 'a serial number is too long')
  return digits.length === 0 ? '00' : toHex(digits)
}

/** Extensions behind an explicit tag; none where the part is missing. @throws {CountersignError} `der/malformed`, `certificate/malformed` */
export function explicitExtensions(part: DerValue | undefined, tag: number): Extensions {
  if (part === undefined) return new Map()
  const [list, ...more] = requireTag(part, tag, 'extensions').children()
  if (more.length > 0) throw new CountersignError('certificate/malformed', 'there are two lists of extensions')
  return extensionsOf(list)
}

/** Bytes as a text of a character each: a key that costs less to make than hexadecimal. */
export function latin1(bytes: Uint8Array): string {
  let text = ''
  for (let i = 0; i < bytes.length; i += 4096) text += String.fromCharCode(...bytes.subarray(i, i + 4096))
  return text
}

const MAX_PEM_LENGTH = 256 * 1024
const PEM_BEGIN = '-----BEGIN CERTIFICATE-----'
const PEM_END = '-----END CERTIFICATE-----'

/**
 * Reads 1 to `max` certificates in PEM. Between and around the blocks there is white space or nothing, inside them base64 in
 * lines.
 *
 * @spec RFC 7468 §5, without explanatory text
 * @throws {CountersignError} `certificate/malformed`, `der/malformed`, `bytes/*`
 */
export function parsePemCertificates(text: string, max: number, memory?: Memory): readonly Certificate[] {
  if (text.length > MAX_PEM_LENGTH) {
    throw new CountersignError('certificate/malformed', `the PEM text has more than ${MAX_PEM_LENGTH} characters`)
  }
  return memory === undefined
    ? readPem(text, max, undefined)
    : memory.recall('x509/pem', `${max} ${text}`, () => readPem(text, max, memory))
}

function readPem(text: string, max: number, memory: Memory | undefined): readonly Certificate[] {
  const certificates: Certificate[] = []
  let at = skipWhiteSpace(text, 0)
  while (at < text.length) {
    const end = text.indexOf(PEM_END, at)
    if (!text.startsWith(PEM_BEGIN, at) || end < 0) {
      throw new CountersignError('certificate/malformed', `there is no certificate in PEM at character ${at}`)
    }
    if (certificates.length === max)
      throw new CountersignError('certificate/malformed', `more than ${max} certificates`)
    const base64 = text.slice(at + PEM_BEGIN.length, end).replace(/\r?\n/g, '')
    certificates.push(parseCertificate(parseBase64(base64), memory))
    at = skipWhiteSpace(text, end + PEM_END.length)
  }
  if (certificates.length === 0) throw new CountersignError('certificate/malformed', 'there is no certificate in PEM')
  return certificates
}

function skipWhiteSpace(text: string, from: number): number {
  let at = from
  while (at < text.length && ' \t\r\n'.includes(text.charAt(at))) at++
  return at
}

/** Certificates in PEM, in their order, in lines of 64 characters. @spec RFC 7468 §5 */
export function formatPem(certificates: readonly Uint8Array[]): string {
  const blocks = certificates.map((der) => [PEM_BEGIN, ...(toBase64(der).match(/.{1,64}/g) ?? []), PEM_END])
  return blocks.map((lines) => `${lines.join('\n')}\n`).join('')
}

/** What a certificate can be revoked by: the names of each, in the order of the chain. */
export function namesInChain(
  chain: readonly Certificate[],
): readonly { readonly issuer: string; readonly serial: string }[] {
  return chain.map(({ issuer, serial }) => ({ issuer, serial }))
}
