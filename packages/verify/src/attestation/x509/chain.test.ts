import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createMemory, type Memory } from '../../bytes/memory.ts'
import type { Crypto } from '../../crypto/crypto.ts'
import { createNobleCrypto } from '../../crypto/noble-provider.ts'
import { createNodeCrypto } from '../../crypto/node-provider.ts'
import { codeOf, type ErrorCode } from '../../errors.ts'
import { type Certificate, parseCertificate } from './certificate.ts'
import {
  type ChainRules,
  chainCurrentUntilMs,
  requireNotRevoked,
  verifyChain,
  verifyCrl,
  verifySignedBy,
} from './chain.ts'
import { parseCrl } from './crl.ts'
import { parseDer, sequenceOf } from './der.ts'
import { integer, sequence, unsigned } from './der-writer.testing.ts'
import {
  type ChainLink,
  type CrlOptions,
  createTestKey,
  issueChain,
  issueCrl,
  pinOf,
  TEST_AT_MS,
  TEST_NOT_AFTER_MS,
  TEST_NOT_BEFORE_MS,
  USAGE,
} from './pki.testing.ts'

const crypto = createNodeCrypto()
const keys = {
  root: createTestKey('p384', 'root'),
  middle: createTestKey('p384', 'middle'),
  leaf: createTestKey('p256', 'leaf'),
  stranger: createTestKey('p384', 'stranger'),
}

type Changes = { readonly [role in 'root' | 'middle' | 'leaf']?: Partial<ChainLink> }

/** Leaf, middle, root, with changes to each. */
function makeChain(changes: Changes = {}): readonly Certificate[] {
  return issueChain(
    ...(['root', 'middle', 'leaf'] as const).map((role) => ({ subject: role, key: keys[role], ...changes[role] })),
  ).map((each) => parseCertificate(each))
}

const pin = pinOf(makeChain()[2]?.bytes ?? new Uint8Array())

function check(chain: readonly Certificate[], rules: Partial<ChainRules> = {}, memory?: Memory): void {
  const roots = [pinOf(chain.at(-1)?.bytes ?? new Uint8Array())]
  verifyChain(crypto, chain, { roots, atMs: TEST_AT_MS, ...rules }, memory)
}

function refuses(prove: () => unknown, why: RegExp, code: ErrorCode = 'certificate/wrong-chain'): void {
  assert.throws(prove, (thrown) => codeOf(thrown) === code && why.test(String(thrown)), String(why))
}

test('a chain of every kind of key holds', () => {
  for (const kind of ['p256', 'p384', 'rsa2048', 'rsa4096'] as const) {
    const [root, middle] = [createTestKey(kind, 'root'), createTestKey(kind, 'other')]
    check(makeChain({ root: { key: root }, middle: { key: middle } }))
    // The same in another way of signing.
    if (kind.startsWith('rsa')) {
      for (const signature of ['rsa-pss-sha384', 'rsa-pkcs1-sha256', 'rsa-pkcs1-sha384', 'rsa-pkcs1-sha512'] as const) {
        check(makeChain({ root: { key: root }, middle: { key: middle, signature }, leaf: { signature } }))
      }
    }
  }
})

test('both providers decide chains alike', () => {
  for (const kind of ['p256', 'p384', 'rsa2048', 'rsa4096'] as const) {
    const key = createTestKey(kind, 'middle')
    const good = makeChain({ middle: { key } })
    const bad = makeChain({ middle: { key }, leaf: { signer: createTestKey(kind, 'other') } })
    for (const provider of [crypto, createNobleCrypto()] as readonly Crypto[]) {
      verifyChain(provider, good, { roots: [pin], atMs: TEST_AT_MS })
      refuses(() => verifyChain(provider, bad, { roots: [pin], atMs: TEST_AT_MS }), /signature/)
    }
  }
})

test('only a pinned root ends a chain, by its bytes', () => {
  check(makeChain(), { roots: ['00'.repeat(32), pin] })
  refuses(() => check(makeChain(), { roots: [] }), /no pinned root/)
  refuses(() => check(makeChain({ root: { key: keys.stranger } }), { roots: [pin] }), /no pinned root/)
  // The right key and name under another serial number are another root.
  refuses(() => check(makeChain({ root: { serial: '02' } }), { roots: [pin] }), /no pinned root/)
  const [leaf, middle] = makeChain() as [Certificate, Certificate, Certificate]
  refuses(() => check([leaf, middle], { roots: [pin] }), /no pinned root/)
})

test('a leaf that issued itself does not pass for one of the chain', () => {
  const forged = makeChain({ leaf: { issuer: 'leaf', signer: keys.leaf } })
  refuses(() => check(forged), /"leaf" was issued by "leaf", not by "middle"/)
  refuses(() => check(makeChain({ leaf: { signer: keys.leaf } })), /signature on "leaf" was not made by "middle"/)
})

test('names and order have to fit', () => {
  const [leaf, middle, root] = makeChain() as [Certificate, Certificate, Certificate]
  refuses(() => check([middle, leaf, root]), /was issued by/)
  refuses(() => check([leaf, root]), /"leaf" was issued by "middle", not by "root"/)
  refuses(() => check([root]), /1 certificates, expected 2 to 8/)
  refuses(() => check([]), /0 certificates/)
  refuses(() => check(Array.from({ length: 9 }, () => root)), /9 certificates/)
  refuses(() => check(makeChain({ leaf: { issuer: 'elsewhere' } })), /"leaf" was issued by "elsewhere"/)
  refuses(() => check(makeChain({ root: { issuer: 'above' } })), /"root" was issued by "above"/)
  const names = [['leaf', 'sprig'], undefined, ['root']] as const
  check(makeChain(), { names })
  refuses(
    () => check(makeChain({ leaf: { subject: 'twig' } }), { names }),
    /certificate 0 of the chain is "twig", expected leaf or sprig/,
  )
  refuses(() => check(makeChain(), { names: [...names, undefined] }), /3 certificates, expected 4/)
  refuses(
    () => check(makeChain({ leaf: { subject: sequence(new Uint8Array([0x31, 0])) } }), { names }),
    /a certificate without a name/,
  )
})

test('only a CA issues, and only with a key for it', () => {
  refuses(() => check(makeChain({ middle: { isCa: false, keyUsage: USAGE.certSign } })), /"middle" may not issue/)
  refuses(
    () => check(makeChain({ middle: { keyUsage: USAGE.crlSign } })),
    /key of "middle" is not for signing certificates/,
  )
  refuses(() => check(makeChain({ middle: { keyUsage: 'none' } })), /key of "middle" is not for signing certificates/)
  refuses(() => check(makeChain({ root: { keyUsage: USAGE.digitalSignature } })), /key of "root" is not/)
  // A genuine leaf that signs a certificate of its own.
  const [leaf, ...rest] = issueChain(
    ...(['root', 'middle', 'leaf'] as const).map((role) => ({ subject: role, key: keys[role] })),
    { subject: 'fake', key: keys.stranger },
  ).map((each) => parseCertificate(each))
  assert.ok(leaf !== undefined)
  check([leaf, ...rest])
  const honest = makeChain()
  const fake =
    issueChain({ subject: 'leaf', key: keys.leaf }, { subject: 'fake', key: keys.stranger })[0] ?? new Uint8Array()
  refuses(() => check([parseCertificate(fake), ...honest]), /"leaf" may not issue certificates/)
})

test('a leaf may not issue unless that is asked for, and signs with a key for that', () => {
  refuses(() => check(makeChain({ leaf: { isCa: true } })), /"leaf" ends the chain and may issue/)
  check(makeChain({ leaf: { isCa: true } }), { leafIsCa: true })
  refuses(() => check(makeChain(), { leafIsCa: true }), /"leaf" may not issue/)
  refuses(() => check(makeChain({ leaf: { keyUsage: 0x20 } })), /key of "leaf" is not for signatures/)
  check(makeChain({ leaf: { keyUsage: 'none' } }))
})

test('the length of the path is kept', () => {
  check(makeChain({ root: { pathLength: 1 }, middle: { pathLength: 0 } }))
  refuses(() => check(makeChain({ root: { pathLength: 0 } })), /"root" allows 0 issuers below it, and there are 1/)
})

test('critical extensions that nobody reads are refused', () => {
  const extension = { oid: '1.2.3.4', critical: true, value: Uint8Array.of(5, 0) }
  for (const role of ['root', 'middle', 'leaf'] as const) {
    const chain = makeChain({ [role]: { extensions: [extension] } })
    refuses(() => check(chain), new RegExp(`"${role}" has a critical extension 1\\.2\\.3\\.4`))
    check(chain, { allowedCritical: ['1.2.3.4'] })
    check(makeChain({ [role]: { extensions: [{ ...extension, critical: false }] } }))
  }
})

test('every certificate has to be valid at the time', () => {
  const [before, after] = [Date.UTC(2026, 0, 1), Date.UTC(2026, 11, 31)]
  for (const role of ['root', 'middle', 'leaf'] as const) {
    const chain = makeChain({ [role]: { notBeforeMs: before, notAfterMs: after } })
    check(chain, { atMs: before })
    check(chain, { atMs: after + 999 })
    for (const atMs of [before - 1, after + 1000]) {
      refuses(() => check(chain, { atMs }), new RegExp(`"${role}" is valid from 2026`), 'certificate/not-current')
    }
    assert.equal(chainCurrentUntilMs(chain), after)
  }
  for (const atMs of [Number.NaN, Number.POSITIVE_INFINITY]) {
    refuses(() => check(makeChain(), { atMs }), /and not at/, 'certificate/not-current')
  }
})

test('signatures of others are refused, at every place', () => {
  refuses(() => check(makeChain({ leaf: { signer: keys.stranger } })), /on "leaf" was not made by "middle"/)
  refuses(() => check(makeChain({ middle: { signer: keys.stranger } })), /on "middle" was not made by "root"/)
  // A way of signing that the key of the issuer is not for.
  const rsa = createTestKey('rsa2048')
  const shown = makeChain({ leaf: { signer: rsa, signature: 'rsa-pkcs1-sha256' } })
  refuses(() => check(shown), /on "leaf" was not made/)
  refuses(() => check(makeChain({ middle: { key: rsa }, leaf: { signer: keys.middle } })), /on "leaf" was not made/)
  // A good signature under the name of another way of signing.
  const p256 = createTestKey('p256', 'middle')
  refuses(() => check(makeChain({ middle: { key: p256 }, leaf: { signature: 'rsa-pkcs1-sha256' } })), /not made/)
  refuses(() => check(makeChain({ middle: { key: rsa }, leaf: { signature: 'ecdsa-sha256' } })), /not made/)
  const [leaf, middle, root] = makeChain() as [Certificate, Certificate, Certificate]
  const withSignature = (signature: Uint8Array) => [{ ...leaf, signature }, middle, root]
  refuses(() => check(withSignature(new Uint8Array())), /not made/)
  refuses(() => check(withSignature(Uint8Array.of(0x30, 3, 2, 1, 1))), /not made/)
  refuses(() => check(withSignature(Uint8Array.of(...leaf.signature, 0))), /not made/)
  const numbers = sequenceOf(parseDer(leaf.signature), 'signature').map(({ bytes }) => bytes)
  refuses(() => check(withSignature(sequence(...numbers, integer(1)))), /not made/)
  refuses(() => check(withSignature(sequence(unsigned(new Uint8Array(49).fill(1)), integer(1)))), /not made/)
})

/** Counts what a provider is asked for. */
function countingCrypto(): { readonly counted: Crypto; signatures: number } {
  const counter = {
    signatures: 0,
    counted: {
      ...crypto,
      p384Accepts: (...given: Parameters<Crypto['p384Accepts']>) => {
        counter.signatures++
        return crypto.p384Accepts(...given)
      },
    },
  }
  return counter
}

test('a memory spares signatures alone: dates, pins, names and refusals come anew', () => {
  const memory = createMemory()
  const counter = countingCrypto()
  const ders = makeChain().map(({ bytes }) => bytes)
  const again = () => ders.map((each) => parseCertificate(each, memory))
  const prove = (rules: Partial<ChainRules> = {}) =>
    verifyChain(counter.counted, again(), { roots: [pin], atMs: TEST_AT_MS, ...rules }, memory)
  prove()
  assert.equal(counter.signatures, 2)
  prove()
  assert.equal(counter.signatures, 2)
  refuses(() => prove({ atMs: TEST_NOT_AFTER_MS + 1000 }), /is valid/, 'certificate/not-current')
  refuses(() => prove({ roots: ['00'] }), /no pinned root/)
  refuses(() => prove({ names: [['other'], undefined, undefined] }), /expected other/)
  const forged = makeChain({ leaf: { signer: keys.stranger } }).map(({ bytes }) => parseCertificate(bytes, memory))
  for (const _ of [1, 2]) refuses(() => check(forged, {}, memory), /not made/)
})

const middleOf = () => makeChain()[1] as Certificate
const plainCrl: CrlOptions = { issuer: 'middle', signer: keys.middle }
const listed = (options: Partial<CrlOptions> = {}) => parseCrl(issueCrl({ ...plainCrl, ...options }))

test('a current list of the issuer counts, and names what is revoked', () => {
  const crl = listed({ revoked: [{ serial: 'abcd' }] })
  verifyCrl(crypto, crl, middleOf(), TEST_AT_MS)
  const [leaf] = makeChain() as [Certificate]
  requireNotRevoked(leaf, crl)
  const [revoked] = makeChain({ leaf: { serial: 'abcd' } }) as [Certificate]
  refuses(() => requireNotRevoked(revoked, crl), /serial number abcd, was revoked at 2020-01-01/, 'certificate/revoked')
  // Zero is a serial number like others: AMD gives it to every chip.
  const [zero] = makeChain({ leaf: { serial: '00' } }) as [Certificate]
  refuses(() => requireNotRevoked(zero, listed({ revoked: [{ serial: '00' }] })), /revoked/, 'certificate/revoked')
})

test('a list of another issuer says nothing', () => {
  const [leaf] = makeChain() as [Certificate]
  refuses(() => requireNotRevoked(leaf, listed({ issuer: 'root' })), /does not speak of "leaf"/)
  refuses(
    () => verifyCrl(crypto, listed({ issuer: 'root' }), middleOf(), TEST_AT_MS),
    /was issued by "root", not by "middle"/,
  )
  refuses(
    () => verifyCrl(crypto, listed({ signer: keys.stranger }), middleOf(), TEST_AT_MS),
    /list of "middle" was not made/,
  )
})

test('only who may sign lists does', () => {
  const [leaf, middle] = makeChain({ middle: { keyUsage: USAGE.certSign } }) as [Certificate, Certificate]
  refuses(() => verifyCrl(crypto, listed(), middle, TEST_AT_MS), /"middle" may not issue revocation lists/)
  const own = parseCrl(issueCrl({ issuer: 'leaf', signer: keys.leaf }))
  refuses(() => verifyCrl(crypto, own, leaf, TEST_AT_MS), /"leaf" may not issue revocation lists/)
})

test('a list has to be current, and to say until when', () => {
  const [thisUpdateMs, nextUpdateMs] = [Date.UTC(2026, 5, 1), Date.UTC(2026, 6, 1)]
  const crl = listed({ thisUpdateMs, nextUpdateMs })
  verifyCrl(crypto, crl, middleOf(), thisUpdateMs)
  verifyCrl(crypto, crl, middleOf(), nextUpdateMs)
  for (const atMs of [thisUpdateMs - 1, nextUpdateMs + 1000, Number.NaN]) {
    refuses(() => verifyCrl(crypto, crl, middleOf(), atMs), /not current/, 'certificate/not-current')
  }
  refuses(
    () => verifyCrl(crypto, listed({ nextUpdateMs: 'none' }), middleOf(), TEST_AT_MS),
    /until when/,
    'certificate/not-current',
  )
  // A memory does not keep a list fresh.
  const memory = createMemory()
  const middle = parseCertificate(middleOf().bytes, memory)
  const kept = parseCrl(crl.bytes, memory)
  verifyCrl(crypto, kept, middle, thisUpdateMs, memory)
  refuses(() => verifyCrl(crypto, kept, middle, nextUpdateMs + 1000, memory), /not current/, 'certificate/not-current')
})

test('who signed is proven, and not that he may', () => {
  const [leaf, middle] = makeChain({ middle: { isCa: false } }) as [Certificate, Certificate]
  verifySignedBy(crypto, leaf, middle)
  refuses(() => verifySignedBy(crypto, middle, leaf), /was issued by/)
  assert.equal(TEST_NOT_BEFORE_MS < TEST_AT_MS, true)
})
