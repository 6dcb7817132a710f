/**
 * A PKI for tests: keys from seeds, certificates and lists of every shape that is read, and of shapes that must not be. Signatures
 * are the same on every machine.
 */
import { constants, createPrivateKey, createPublicKey, privateEncrypt, sign } from 'node:crypto'
import { p256, p384 } from '@noble/curves/nist.js'
import { sha256, sha384 } from '@noble/hashes/sha2.js'
import { concat, parseHex, toHex, utf8 } from '../../bytes/bytes.ts'
import type { HashName } from '../../crypto/crypto.ts'
import { bits, boolean, der, integer, octets, oid, sequence, set, text, time, unsigned } from './der-writer.testing.ts'
import { rsaTestKey } from './rsa-keys.testing.ts'
import { type PublicKey, parsePublicKey, type SignatureAlgorithm } from './signature.ts'

export type TestKeyKind = 'p256' | 'p384' | 'rsa2048' | 'rsa4096'

export interface TestKey {
  readonly kind: TestKeyKind
  readonly spki: Uint8Array
  readonly publicKey: PublicKey
  /** A signature as certificates carry it: DER for ECDSA. */
  sign(algorithm: SignatureAlgorithm, message: Uint8Array): Uint8Array
  /** ECDSA as r ‖ s, with the hash of the curve's size. */
  signRaw(message: Uint8Array): Uint8Array
}

/** The key of a seed. There are two RSA keys of each size: that of the seed `other`, and that of all others. */
export function createTestKey(kind: TestKeyKind, seed = 'test'): TestKey {
  if (kind === 'p256' || kind === 'p384') return ecdsaKey(kind, seed)
  const privateKey = createPrivateKey({ key: rsaTestKey(kind, seed === 'other' ? 1 : 0), format: 'der', type: 'pkcs8' })
  const spki = new Uint8Array(createPublicKey(privateKey).export({ format: 'der', type: 'spki' }))
  return {
    ...{ kind, spki, publicKey: parsePublicKey(spki) },
    sign(algorithm, message) {
      const padding = constants.RSA_NO_PADDING
      if (algorithm !== 'rsa-pss-sha384') {
        return new Uint8Array(sign(algorithm.slice(-6) as HashName, message, privateKey))
      }
      const encoded = encodePss(message, kind === 'rsa4096' ? 512 : 256)
      return new Uint8Array(privateEncrypt({ key: privateKey, padding }, encoded))
    },
    signRaw() {
      throw new Error('only ECDSA has r and s')
    },
  }
}

function ecdsaKey(kind: 'p256' | 'p384', seed: string): TestKey {
  const curve = kind === 'p256' ? p256 : p384
  const secret =
    kind === 'p256' ? sha256(utf8(`test ${seed}`)) : concat(new Uint8Array(1), sha384(utf8(`test ${seed}`)).subarray(1))
  const header =
    kind === 'p256'
      ? '3059301306072a8648ce3d020106082a8648ce3d030107034200'
      : '3076301006072a8648ce3d020106052b81040022036200'
  const spki = concat(parseHex(header), curve.getPublicKey(secret, false))
  const options = { prehash: true, lowS: false } as const
  return {
    ...{ kind, spki, publicKey: parsePublicKey(spki) },
    sign: (_, message) => curve.sign(message, secret, { ...options, format: 'der' }),
    signRaw: (message) => curve.sign(message, secret, options),
  }
}

/** EMSA-PSS with SHA-384 and a salt that is always the same. @spec RFC 8017 §9.1.1 */
function encodePss(message: Uint8Array, length: number): Uint8Array {
  const salt = sha384(utf8('salt'))
  const hash = sha384(concat(new Uint8Array(8), sha384(message), salt))
  const block = concat(new Uint8Array(length - 98), Uint8Array.of(1), salt)
  for (let i = 0, counter = 0; i < block.length; counter++) {
    for (const byte of sha384(concat(hash, Uint8Array.of(0, 0, 0, counter)))) {
      if (i < block.length) block[i] = (block[i] ?? 0) ^ byte
      i++
    }
  }
  block[0] = (block[0] ?? 0) & 0x7f
  return concat(block, hash, Uint8Array.of(0xbc))
}

const IDENTIFIERS: { readonly [algorithm in SignatureAlgorithm]: string } = {
  'ecdsa-sha256': '300a06082a8648ce3d040302',
  'ecdsa-sha384': '300a06082a8648ce3d040303',
  'rsa-pkcs1-sha256': '300d06092a864886f70d01010b0500',
  'rsa-pkcs1-sha384': '300d06092a864886f70d01010c0500',
  'rsa-pkcs1-sha512': '300d06092a864886f70d01010d0500',
  'rsa-pss-sha384':
    '304106092a864886f70d01010a3034a00f300d06096086480165030402020500a11c301a06092a864886f70d010108300d06096086480165030402020500a203020130',
}

const DEFAULT_ALGORITHMS: { readonly [kind in TestKeyKind]: SignatureAlgorithm } = {
  p256: 'ecdsa-sha256',
  p384: 'ecdsa-sha384',
  rsa2048: 'rsa-pkcs1-sha256',
  rsa4096: 'rsa-pss-sha384',
}

export interface TestExtension {
  readonly oid: string
  readonly critical?: boolean
  readonly value: Uint8Array
}

export interface IssueOptions {
  /** A common name, or the DER of a Name. */
  readonly subject: string | Uint8Array
  readonly issuer: string | Uint8Array
  readonly key: TestKey
  readonly signer: TestKey
  /** Without it there are no basic constraints at all. */
  readonly isCa?: boolean
  readonly pathLength?: number
  /** First bits of the key usage; by default those that fit `isCa`, `none` to leave it out. */
  readonly keyUsage?: number | 'none'
  readonly notBeforeMs?: number
  readonly notAfterMs?: number
  /** Hexadecimal. */
  readonly serial?: string
  /** Besides basic constraints and key usage; the same one twice where a test wants that. */
  readonly extensions?: readonly TestExtension[]
  readonly signature?: SignatureAlgorithm
}

export const TEST_NOT_BEFORE_MS = Date.UTC(2020, 0, 1)
export const TEST_NOT_AFTER_MS = Date.UTC(2049, 11, 31, 23, 59, 59)
/** A time at which everything of the test PKI is current, unless told otherwise. */
export const TEST_AT_MS = Date.UTC(2026, 5, 15, 12)

/** A Name of one common name. */
export function testName(commonName: string): Uint8Array {
  return sequence(set(sequence(oid('2.5.4.3'), text(commonName))))
}

/** Key usage bits. */
export const USAGE = { digitalSignature: 0x80, certSign: 0x04, crlSign: 0x02 } as const

/** A certificate, DER. */
export function issue(options: IssueOptions): Uint8Array {
  const { isCa, pathLength, signer, serial = '01', extensions = [] } = options
  const algorithm = options.signature ?? DEFAULT_ALGORITHMS[signer.kind]
  const identifier = parseHex(IDENTIFIERS[algorithm])
  const usage = options.keyUsage ?? (isCa === true ? USAGE.certSign | USAGE.crlSign : USAGE.digitalSignature)
  const limit = pathLength === undefined ? [] : [integer(pathLength)]
  const all: TestExtension[] = []
  if (isCa !== undefined) {
    all.push({ oid: '2.5.29.19', critical: true, value: sequence(...(isCa ? [boolean(true)] : []), ...limit) })
  }
  if (usage !== 'none') {
    const unused = Math.clz32(usage & -usage) === 32 ? 0 : 31 - Math.clz32(usage & -usage)
    all.push({ oid: '2.5.29.15', critical: true, value: bits(Uint8Array.of(usage), unused) })
  }
  all.push(...extensions)
  const tbs = sequence(
    der(0xa0, integer(2)),
    unsigned(parseHex(serial)),
    identifier,
    nameBytes(options.issuer),
    sequence(time(options.notBeforeMs ?? TEST_NOT_BEFORE_MS), time(options.notAfterMs ?? TEST_NOT_AFTER_MS)),
    nameBytes(options.subject),
    options.key.spki,
    ...(all.length === 0 ? [] : [der(0xa3, sequence(...all.map(extension)))]),
  )
  return sequence(tbs, identifier, bits(signer.sign(algorithm, tbs)))
}

function nameBytes(name: string | Uint8Array): Uint8Array {
  return typeof name === 'string' ? testName(name) : name
}

function extension({ oid: id, critical, value }: TestExtension): Uint8Array {
  return sequence(oid(id), ...(critical === true ? [boolean(true)] : []), octets(value))
}

export interface CrlOptions {
  readonly issuer: string | Uint8Array
  readonly signer: TestKey
  readonly thisUpdateMs?: number
  /** `none` leaves it out. */
  readonly nextUpdateMs?: number | 'none'
  readonly revoked?: readonly {
    readonly serial: string
    readonly revokedAtMs?: number
    readonly extensions?: readonly TestExtension[]
  }[]
  readonly extensions?: readonly TestExtension[]
  readonly signature?: SignatureAlgorithm
}

/** A list of revoked certificates, DER. */
export function issueCrl(options: CrlOptions): Uint8Array {
  const { signer, revoked = [], extensions = [] } = options
  const algorithm = options.signature ?? DEFAULT_ALGORITHMS[signer.kind]
  const identifier = parseHex(IDENTIFIERS[algorithm])
  const entries = revoked.map(({ serial, revokedAtMs = TEST_NOT_BEFORE_MS, extensions: more = [] }) =>
    sequence(
      unsigned(parseHex(serial)),
      time(revokedAtMs),
      ...(more.length === 0 ? [] : [sequence(...more.map(extension))]),
    ),
  )
  const next = options.nextUpdateMs ?? TEST_NOT_AFTER_MS
  const tbs = sequence(
    integer(1),
    identifier,
    nameBytes(options.issuer),
    time(options.thisUpdateMs ?? TEST_NOT_BEFORE_MS),
    ...(next === 'none' ? [] : [time(next)]),
    ...(entries.length === 0 ? [] : [sequence(...entries)]),
    ...(extensions.length === 0 ? [] : [der(0xa0, sequence(...extensions.map(extension)))]),
  )
  return sequence(tbs, identifier, bits(signer.sign(algorithm, tbs)))
}

/** One certificate of a chain: what is left out follows from where it stands. */
export type ChainLink = Pick<IssueOptions, 'subject' | 'key'> & Partial<IssueOptions>

/**
 * A chain, given from the root down, as DER from the leaf up. The root issues itself, each other is issued by the one before it,
 * and all but the last are CAs; each link may say otherwise.
 */
export function issueChain(...links: readonly ChainLink[]): readonly Uint8Array[] {
  return links
    .map((link, i) => {
      const above = links[i - 1] ?? link
      const role = i === links.length - 1 ? {} : { isCa: true }
      return issue({ issuer: above.subject, signer: above.key, ...role, ...link })
    })
    .reverse()
}

/** SHA-256 of a DER certificate, as roots are pinned. */
export function pinOf(certificate: Uint8Array): string {
  return toHex(sha256(certificate))
}

/** Certificates as PEM, in their order. */
export function pemOf(...certificates: readonly Uint8Array[]): string {
  return certificates
    .map((certificate) => {
      const lines =
        Buffer.from(certificate)
          .toString('base64')
          .match(/.{1,64}/g) ?? []
      return `-----BEGIN CERTIFICATE-----\n${lines.join('\n')}\n-----END CERTIFICATE-----\n`
    })
    .join('')
}
