/**
 * RSA signatures that are well formed in all but one respect, made by raising encodings of our own to the private exponent.
 * Each names what is wrong with it; after the kinds of flaw that Project Wycheproof looks for.
 */
import { sha256, sha384, sha512 } from '@noble/hashes/sha2.js'
import { concat, parseHex, utf8 } from '../bytes/bytes.ts'
import type { HashName, RsaKey, RsaScheme } from './crypto.ts'
import { bigEndian, evenRsaKey, type TestRsaBits, type TestRsaKey, testRsaKey, toInteger } from './rsa-keys.testing.ts'

export interface RsaCase {
  readonly name: string
  readonly key: RsaKey
  readonly scheme: RsaScheme
  readonly message: Uint8Array
  readonly signature: Uint8Array
  readonly accepted: boolean
}

const MESSAGE = utf8('an edge of RSA')
const DIGEST = sha256(MESSAGE)
const PKCS1 = { padding: 'pkcs1-v1_5', hash: 'sha256' } as const
const PSS = { padding: 'pss', hash: 'sha256', saltBytes: 32 } as const
const HASHES = { sha256, sha384, sha512 } as const

/** DigestInfo of each hash up to the digest. */
const INFO: { readonly [name in HashName]: string } = {
  sha256: '3031300d060960864801650304020105000420',
  sha384: '3041300d060960864801650304020205000430',
  sha512: '3051300d060960864801650304020305000440',
}
const INFO_SHA512_256 = '3031300d060960864801650304020605000420'
const INFO_SHA3_256 = '3031300d060960864801650304020805000420'

export function rsaCases(): readonly RsaCase[] {
  const honest = testRsaKey(2048)
  return [
    ...pkcs1Cases(honest),
    ...pssCases(honest, 2047),
    ...pssCases(testRsaKey(2049), 2048),
    ...pssLengthCases(honest),
    ...modulusCases(),
    ...exponentCases(),
    ...numberCases(honest),
  ]
}

/** 00 01 FF… 00 and what follows. */
function pkcs1Block(length: number, info: Uint8Array): Uint8Array {
  return concat(Uint8Array.of(0, 1), new Uint8Array(length - 3 - info.length).fill(0xff), Uint8Array.of(0), info)
}

function pkcs1Cases(signer: TestRsaKey): readonly RsaCase[] {
  const length = signer.key.modulus.length
  const info = concat(parseHex(INFO.sha256), DIGEST)
  const good = pkcs1Block(length, info)
  const of = (name: string, block: Uint8Array, accepted = false, scheme: RsaScheme = PKCS1): RsaCase => ({
    ...{ name: `PKCS#1, ${name}`, key: signer.key, scheme, message: MESSAGE, accepted },
    signature: signer.signRaw(block),
  })
  const ofInfo = (name: string, hex: string, digest = DIGEST) =>
    of(name, pkcs1Block(length, concat(parseHex(hex), digest)))
  const short = (ffs: number, rest: number) =>
    concat(Uint8Array.of(0, 1), new Uint8Array(ffs).fill(0xff), Uint8Array.of(0), info, new Uint8Array(rest))
  const surplus = length - 3 - info.length
  return [
    of('honest', good, true),
    ...(['sha384', 'sha512'] as const).map((hash) =>
      of(`honest, ${hash}`, pkcs1Block(length, concat(parseHex(INFO[hash]), HASHES[hash](MESSAGE))), true, {
        padding: 'pkcs1-v1_5',
        hash,
      }),
    ),
    of('checked as another hash', good, false, { padding: 'pkcs1-v1_5', hash: 'sha512' }),
    of('checked as PSS', good, false, PSS),
    ofInfo('the OID of SHA-384 before a digest of SHA-256', '3031300d060960864801650304020205000420'),
    ofInfo('the OID of SHA-512/256', INFO_SHA512_256),
    ofInfo('the OID of SHA3-256', INFO_SHA3_256),
    ofInfo('NULL missing', '302f300b06096086480165030402010420'),
    ofInfo('NULL missing, lengths as if it were there', '3031300d06096086480165030402010420'),
    ofInfo('NULL with content', '3032300e06096086480165030402010501000420'),
    ofInfo('a long length of the sequence', '308131300d060960864801650304020105000420'),
    ofInfo('an indefinite length of the sequence', '3080300d060960864801650304020105000420'),
    ofInfo('a long length of the digest', '3032300d06096086480165030402010500048120'),
    ofInfo('no DigestInfo', ''),
    ofInfo('a digest cut short', '3030300d06096086480165030402010500041f', DIGEST.slice(1)),
    ofInfo('an empty digest', '3011300d060960864801650304020105000400', new Uint8Array(0)),
    of(
      'a byte in the sequence after the digest',
      pkcs1Block(length, concat(parseHex('3033300d060960864801650304020105000420'), DIGEST, Uint8Array.of(5, 0))),
    ),
    of('garbage after the sequence', pkcs1Block(length, concat(info, Uint8Array.of(5, 0)))),
    of('eight bytes of padding, then garbage', short(8, surplus - 8)),
    of('no padding, then garbage', short(0, surplus)),
    of('padding of one byte less, with one zero after it', short(surplus - 1, 1)),
    of('no zero between padding and DigestInfo', good.with(length - info.length - 1, 0xff)),
    of('block type 0', good.with(1, 0)),
    of('block type 2', good.with(1, 2)),
    of('a first byte of 1', good.with(0, 1)),
    of('a padding byte of FE', good.with(40, 0xfe)),
    of('a padding byte of 0', good.with(40, 0)),
    of('a changed digest', good.with(length - 1, (good[length - 1] ?? 0) ^ 1)),
    of('all zero', new Uint8Array(length)),
    of('the digest alone, right-aligned', concat(new Uint8Array(length - 32), DIGEST)),
  ]
}

interface PssFlaws {
  readonly salt?: Uint8Array
  readonly hash?: HashName
  readonly maskHash?: HashName
  readonly trailer?: number
  /** Where there is padding before the one, its last byte. */
  readonly padding?: number
  readonly separator?: number
  /** Set in the bits above those of the encoding. */
  readonly topBits?: number
  readonly prefix?: Uint8Array
}

/** EMSA-PSS with a flaw, in as many bytes as the modulus has. */
function pssBlock(length: number, bits: number, flaws: PssFlaws = {}): Uint8Array {
  const hash = HASHES[flaws.hash ?? 'sha256']
  const salt = flaws.salt ?? parseHex('5a'.repeat(32))
  const encodedLength = Math.ceil(bits / 8)
  const digest = hash(concat(flaws.prefix ?? new Uint8Array(8), hash(MESSAGE), salt))
  const block = new Uint8Array(encodedLength - digest.length - 1)
  block.set(salt, block.length - salt.length)
  const oneAt = block.length - salt.length - 1
  block[oneAt] = flaws.separator ?? 1
  if (oneAt > 0) block[oneAt - 1] = flaws.padding ?? 0
  const masked = mask(HASHES[flaws.maskHash ?? flaws.hash ?? 'sha256'], digest, block)
  const unused = 8 * encodedLength - bits
  masked[0] = (masked[0] ?? 0) & (0xff >> unused)
  const encoded = concat(new Uint8Array(length - encodedLength), masked, digest, Uint8Array.of(flaws.trailer ?? 0xbc))
  encoded[0] = (encoded[0] ?? 0) | (flaws.topBits ?? 0)
  return encoded
}

function mask(hash: (bytes: Uint8Array) => Uint8Array, seed: Uint8Array, block: Uint8Array): Uint8Array {
  const parts = Array.from({ length: 16 }, (_, i) => hash(concat(seed, Uint8Array.of(0, 0, 0, i))))
  const stream = concat(...parts)
  return block.map((byte, i) => byte ^ (stream[i] ?? 0))
}

function pssCases(signer: TestRsaKey, bits: number): readonly RsaCase[] {
  const length = signer.key.modulus.length
  const of = (name: string, flaws: PssFlaws, accepted = false, scheme: RsaScheme = PSS): RsaCase => ({
    ...{ name: `PSS of ${bits} bits, ${name}`, key: signer.key, scheme, message: MESSAGE, accepted },
    signature: signer.signRaw(pssBlock(length, bits, flaws)),
  })
  return [
    of('honest', {}, true),
    of('honest, another salt', { salt: parseHex('00'.repeat(32)) }, true),
    of('honest, SHA-384', { hash: 'sha384', salt: new Uint8Array(48) }, true, {
      ...{ padding: 'pss', hash: 'sha384', saltBytes: 48 },
    }),
    of('honest, SHA-512', { hash: 'sha512', salt: new Uint8Array(64) }, true, {
      ...{ padding: 'pss', hash: 'sha512', saltBytes: 64 },
    }),
    of('checked as PKCS#1', {}, false, PKCS1),
    of('checked as another hash', {}, false, { padding: 'pss', hash: 'sha384', saltBytes: 32 }),
    of('the mask by another hash', { maskHash: 'sha512' }),
    of('a salt of 31 bytes where 32 are asked for', { salt: new Uint8Array(31) }),
    of('a salt of 33 bytes where 32 are asked for', { salt: new Uint8Array(33) }),
    of('no salt where 32 bytes are asked for', { salt: new Uint8Array(0) }),
    of('a salt of 32 bytes where 20 are asked for', {}, false, { padding: 'pss', hash: 'sha256', saltBytes: 20 }),
    of('a salt that begins with the separator, read as longer', { salt: parseHex(`01${'5a'.repeat(32)}`) }),
    of('trailer BD', { trailer: 0xbd }),
    of('trailer CC', { trailer: 0xcc }),
    of('a padding byte of 1', { padding: 1 }),
    of('no separator', { separator: 0 }),
    of('separator 2', { separator: 2 }),
    of('the top bit set', { topBits: bits % 8 === 0 ? 1 : 0x80 }),
    of('eight bytes before the digest that are not zero', { prefix: new Uint8Array(8).fill(1) }),
    of('seven zero bytes before the digest', { prefix: new Uint8Array(7) }),
  ]
}

/** Salts at both ends of what fits. */
function pssLengthCases(signer: TestRsaKey): readonly RsaCase[] {
  const most = 256 - 32 - 2
  const of = (saltBytes: number, asked: number, accepted: boolean): RsaCase => ({
    name: `PSS, a salt of ${saltBytes} bytes where ${asked} are asked for`,
    key: signer.key,
    scheme: { padding: 'pss', hash: 'sha256', saltBytes: asked },
    message: MESSAGE,
    signature: signer.signRaw(pssBlock(256, 2047, { salt: new Uint8Array(saltBytes).fill(7) })),
    accepted,
  })
  return [
    of(0, 0, true),
    of(1, 1, true),
    of(most, most, true),
    of(most, most + 1, false),
    of(32, -1, false),
    of(32, -2, false),
    of(32, 32.5, false),
    of(32, Number.NaN, false),
    of(32, 2 ** 32 + 32, false),
  ]
}

function signed(signer: TestRsaKey, name: string, accepted: boolean, key = signer.key): RsaCase {
  const block = pkcs1Block(signer.key.modulus.length, concat(parseHex(INFO.sha256), DIGEST))
  return { name, key, scheme: PKCS1, message: MESSAGE, signature: signer.signRaw(block), accepted }
}

function modulusCases(): readonly RsaCase[] {
  const of = (bits: TestRsaBits, accepted: boolean) => signed(testRsaKey(bits), `modulus of ${bits} bits`, accepted)
  const honest = testRsaKey(2048)
  const { modulus, exponent } = honest.key
  const changed = (name: string, other: Uint8Array) => signed(honest, name, false, { modulus: other, exponent })
  const padded = (name: string) => {
    const leading = changed(name, concat(Uint8Array.of(0), modulus))
    return { ...leading, signature: concat(Uint8Array.of(0), leading.signature) }
  }
  return [
    of(2047, false),
    of(2048, true),
    of(2049, true),
    of(4096, true),
    of(4097, false),
    changed('empty modulus', new Uint8Array(0)),
    changed('modulus of zeros', new Uint8Array(256)),
    changed('modulus with a leading zero', concat(Uint8Array.of(0), modulus)),
    padded('modulus and signature with a leading zero'),
    changed('even modulus', bigEndian(honest.modulus - 1n)),
    signed(evenRsaKey(), 'even modulus, with a signature that fits it', false),
    changed('another modulus', bigEndian(honest.modulus + 2n)),
  ]
}

/** Signatures that are right for each exponent: only the bounds refuse them. */
function exponentCases(): readonly RsaCase[] {
  const of = (exponent: bigint, accepted: boolean) =>
    signed(testRsaKey(2048, exponent), `exponent ${exponent}`, accepted)
  const honest = testRsaKey(2048)
  const { modulus } = honest.key
  const changed = (name: string, exponent: Uint8Array) => signed(honest, name, false, { modulus, exponent })
  const block = pkcs1Block(256, concat(parseHex(INFO.sha256), DIGEST))
  return [
    of(3n, false),
    of(17n, false),
    of(65_537n, true),
    of(2n ** 32n - 1n, true),
    of(2n ** 32n + 1n, false),
    { ...changed('exponent 1: the encoding itself', Uint8Array.of(1)), signature: block },
    changed('empty exponent', new Uint8Array(0)),
    changed('exponent 0', Uint8Array.of(0)),
    changed('exponent 2', Uint8Array.of(2)),
    changed('exponent 65536', Uint8Array.of(1, 0, 0)),
    changed('exponent with a leading zero', Uint8Array.of(0, 1, 0, 1)),
    changed('exponent as long as the modulus', modulus),
  ]
}

function numberCases(signer: TestRsaKey): readonly RsaCase[] {
  const honest = signed(signer, 'honest', true)
  const s = toInteger(honest.signature)
  const of = (name: string, signature: Uint8Array): RsaCase => ({ ...honest, name, signature, accepted: false })
  const wide = testRsaKey(2049)
  const wideHonest = signed(wide, 'honest', true)
  return [
    // A modulus of 2,049 bits leaves room for s + n in as many bytes.
    { ...of('s + n', bigEndian(toInteger(wideHonest.signature) + wide.modulus, 257)), key: wide.key },
    of('n - s', bigEndian(signer.modulus - s, 256)),
    of('s with a leading zero', concat(Uint8Array.of(0), honest.signature)),
    of('s without its last byte', honest.signature.slice(0, 255)),
    of('s with a byte after it', concat(honest.signature, Uint8Array.of(0))),
    of('s = 0', new Uint8Array(256)),
    of('s = 1', bigEndian(1n, 256)),
    of('s = n', signer.key.modulus),
    of('s = n - 1', bigEndian(signer.modulus - 1n, 256)),
    of('s = n + 1', bigEndian(signer.modulus + 1n, 256)),
    of('s of all bits', new Uint8Array(256).fill(0xff)),
    of('empty signature', new Uint8Array(0)),
    { ...of('another message', honest.signature), message: utf8('another') },
  ]
}
