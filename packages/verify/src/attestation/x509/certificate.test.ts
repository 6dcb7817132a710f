import assert from 'node:assert/strict'
import { test } from 'node:test'
import { equalBytes, parseHex, utf8 } from '../../bytes/bytes.ts'
import { createMemory } from '../../bytes/memory.ts'
import { codeOf, type ErrorCode } from '../../errors.ts'
import { type Certificate, parseCertificate, parsePemCertificates } from './certificate.ts'
import { parseDer, sequenceOf } from './der.ts'
import { bits, boolean, der, integer, octets, oid, sequence, set, text, time } from './der-writer.testing.ts'
import { createTestKey, type IssueOptions, issue, pemOf, TEST_NOT_AFTER_MS, TEST_NOT_BEFORE_MS } from './pki.testing.ts'

const key = createTestKey('p384', 'subject')
const signer = createTestKey('p384', 'issuer')
const plain: IssueOptions = { subject: 'leaf', issuer: 'root', key, signer }
const made = (options: Partial<IssueOptions> = {}): Certificate => parseCertificate(issue({ ...plain, ...options }))

function refuses(read: () => unknown, code: ErrorCode, why: RegExp): void {
  assert.throws(read, (thrown) => codeOf(thrown) === code && why.test(String(thrown)), String(why))
}

test('the fields of a certificate are read', () => {
  const read = made({ serial: '00ff01', isCa: true, pathLength: 3 })
  assert.equal(read.serial, 'ff01')
  assert.equal(read.commonName, 'leaf')
  assert.equal(read.issuerCommonName, 'root')
  assert.deepEqual([read.notBeforeMs, read.notAfterMs], [TEST_NOT_BEFORE_MS, TEST_NOT_AFTER_MS])
  assert.deepEqual([read.isCa, read.pathLength], [true, 3])
  assert.deepEqual(read.keyUsage, { digitalSignature: false, certSign: true, crlSign: true })
  assert.equal(read.signatureAlgorithm, 'ecdsa-sha384')
  assert.deepEqual(read.publicKey, key.publicKey)
  assert.ok(equalBytes(read.spki, key.spki))
  assert.deepEqual([...read.extensions.keys()], ['2.5.29.19', '2.5.29.15'])
})

test('without constraints nothing may be issued; without usage there is none', () => {
  const read = made({ keyUsage: 'none' })
  assert.equal(read.isCa, false)
  assert.equal(read.keyUsage, undefined)
  assert.equal(read.extensions.size, 0)
  assert.equal(made({ serial: '00' }).serial, '00')
})

test('names of other shapes have no common name', () => {
  const attribute = (id: string, value: Uint8Array) => set(sequence(oid(id), value))
  const twice = sequence(attribute('2.5.4.3', text('a')), attribute('2.5.4.3', text('a')))
  assert.equal(made({ subject: twice }).commonName, undefined)
  assert.equal(made({ subject: sequence(attribute('2.5.4.10', text('a'))) }).commonName, undefined)
  // BMPString: not read as if it were UTF-8.
  assert.equal(made({ subject: sequence(attribute('2.5.4.3', der(0x1e, utf8('ab')))) }).commonName, undefined)
  assert.equal(made({ subject: sequence(attribute('2.5.4.3', der(0x13, utf8('ab')))) }).commonName, 'ab')
  refuses(() => made({ subject: sequence() }), 'certificate/malformed', /no parts/)
  refuses(() => made({ subject: sequence(set(sequence(oid('2.5.4.3')))) }), 'certificate/malformed', /type and a value/)
  refuses(
    () => made({ subject: sequence(attribute('2.5.4.3', der(0x0c, Uint8Array.of(0xff)))) }),
    'bytes/bad-utf8',
    /UTF-8/,
  )
})

test('an extension that is there twice is refused, whatever it says', () => {
  const extension = { oid: '1.2.3', value: Uint8Array.of(5, 0) }
  refuses(() => made({ extensions: [extension, extension] }), 'certificate/malformed', /1\.2\.3 is there twice/)
  const constraints = { oid: '2.5.29.19', critical: true, value: sequence(boolean(true)) }
  refuses(() => made({ isCa: false, extensions: [constraints] }), 'certificate/malformed', /there twice/)
})

test('constraints and usage of other shapes are refused', () => {
  const constraints = (value: Uint8Array) => () => made({ extensions: [{ oid: '2.5.29.19', critical: true, value }] })
  refuses(constraints(sequence(integer(1))), 'certificate/malformed', /constraints have parts too many/)
  refuses(constraints(sequence(boolean(true), integer(1), integer(1))), 'certificate/malformed', /too many/)
  refuses(constraints(sequence(boolean(true), integer(256))), 'der/malformed', /above 255/)
  const usage = (value: Uint8Array) => () =>
    made({ keyUsage: 'none', extensions: [{ oid: '2.5.29.15', critical: true, value }] })
  refuses(usage(bits(new Uint8Array())), 'der/malformed', /few bits/)
  refuses(usage(bits(Uint8Array.of(1), 1)), 'der/malformed', /few bits/)
  refuses(usage(bits(Uint8Array.of(1, 2, 3))), 'der/malformed', /few bits/)
  assert.equal(usage(bits(Uint8Array.of(0x80, 0x80), 7))().keyUsage?.digitalSignature, true)
})

/** The parts of a certificate, to be put together otherwise. */
function parts() {
  const identifier = parseHex('300a06082a8648ce3d040303')
  const name = sequence(set(sequence(oid('2.5.4.3'), text('x'))))
  const validity = sequence(time(TEST_NOT_BEFORE_MS), time(TEST_NOT_AFTER_MS))
  return { version: der(0xa0, integer(2)), serial: integer(7), identifier, name, validity }
}

function assemble(change: Partial<ReturnType<typeof parts>>, ...more: readonly Uint8Array[]): () => Certificate {
  const { version, serial, identifier, name, validity } = { ...parts(), ...change }
  const inner = sequence(version, serial, parts().identifier, name, validity, name, key.spki, ...more)
  return () => parseCertificate(sequence(inner, identifier, bits(Uint8Array.of(1))))
}

test('certificates of other shapes are refused, each with its reason', () => {
  assert.equal(assemble({})().serial, '07')
  refuses(assemble({ version: der(0xa0, integer(1)) }), 'certificate/malformed', /version 3/)
  refuses(assemble({ version: new Uint8Array() }), 'der/malformed', /version/)
  refuses(assemble({ serial: der(2, Uint8Array.of(0x80)) }), 'der/malformed', /negative/)
  refuses(assemble({ serial: der(2, new Uint8Array(22).fill(1)) }), 'certificate/malformed', /serial/)
  const other = parseHex('300a06082a8648ce3d040302')
  refuses(assemble({ identifier: other }), 'certificate/malformed', /not the one that is signed/)
  refuses(assemble({ identifier: parseHex('300506032b6570') }), 'certificate/malformed', /none that is read/)
  const backwards = sequence(time(TEST_NOT_AFTER_MS), time(TEST_NOT_BEFORE_MS))
  refuses(assemble({ validity: backwards }), 'certificate/malformed', /ends before it begins/)
  // Unique identifiers of version 2, and whatever else may come.
  refuses(assemble({}, der(0x81, Uint8Array.of(0, 1))), 'der/malformed', /extensions: expected tag 163/)
  refuses(assemble({}, der(0xa3, sequence()), der(0xa3, sequence())), 'certificate/malformed', /parts of version 3/)
  refuses(assemble({}, der(0xa3, sequence(), sequence())), 'certificate/malformed', /two lists/)
  const surplus = sequence(oid('1.2.3'), octets(new Uint8Array()), octets(new Uint8Array()))
  refuses(assemble({}, der(0xa3, sequence(surplus))), 'certificate/malformed', /parts too many/)
  const unmarked = sequence(oid('1.2.3'), der(1, Uint8Array.of(1)), octets(new Uint8Array()))
  refuses(assemble({}, der(0xa3, sequence(unmarked))), 'der/malformed', /truth value/)
  const outer = sequenceOf(parseDer(issue(plain)), 'certificate').map(({ bytes }) => bytes)
  refuses(() => parseCertificate(sequence(...outer, integer(1))), 'certificate/malformed', /not of three parts/)
  const many = Array.from({ length: 65 }, (_, i) => ({ oid: `1.2.${i}`, value: new Uint8Array(0) }))
  refuses(() => made({ extensions: many }), 'certificate/malformed', /too many extensions/)
  refuses(() => parseCertificate(new Uint8Array(70_000)), 'certificate/malformed', /more than 65536 bytes/)
  refuses(() => parseCertificate(concatOne(issue(plain))), 'der/malformed', /left over/)
})

function concatOne(bytes: Uint8Array): Uint8Array {
  return Uint8Array.of(...bytes, 0)
}

test('keys of other kinds and shapes are refused', () => {
  const withKey = (spki: Uint8Array) => () => made({ key: { ...key, spki } })
  const p384 = parseHex('301006072a8648ce3d020106052b81040022')
  const rsa = parseHex('300d06092a864886f70d0101010500')
  refuses(withKey(sequence(p384, bits(new Uint8Array(97).fill(2)))), 'certificate/malformed', /uncompressed point/)
  refuses(
    withKey(sequence(p384, bits(Uint8Array.of(4, ...new Uint8Array(64))))),
    'certificate/malformed',
    /uncompressed point/,
  )
  refuses(withKey(sequence(p384)), 'der/malformed', /public key/)
  refuses(withKey(sequence(p384, bits(new Uint8Array(97)), p384)), 'certificate/malformed', /two parts/)
  refuses(withKey(sequence(parseHex('300506032b6570'), bits(new Uint8Array(32)))), 'certificate/malformed', /no kind/)
  const number = (length: number) => der(2, new Uint8Array(length).fill(1))
  refuses(withKey(sequence(rsa, bits(sequence(number(513), number(3))))), 'certificate/malformed', /too large/)
  refuses(withKey(sequence(rsa, bits(sequence(number(256), number(5))))), 'certificate/malformed', /too large/)
  refuses(
    withKey(sequence(rsa, bits(sequence(number(256), number(3), number(1))))),
    'certificate/malformed',
    /two parts/,
  )
})

test('PEM is read strictly', () => {
  const [one, two] = [issue(plain), issue({ ...plain, serial: '02' })]
  assert.deepEqual(
    parsePemCertificates(pemOf(one, two), 2).map(({ serial }) => serial),
    ['01', '02'],
  )
  assert.equal(parsePemCertificates(`\n\n${pemOf(one).replaceAll('\n', '\r\n')}\t \n`, 1).length, 1)
  const refusesPem = (pem: string, why: RegExp, code: ErrorCode = 'certificate/malformed') =>
    refuses(() => parsePemCertificates(pem, 2), code, why)
  refusesPem('', /no certificate in PEM/)
  refusesPem(' \n', /no certificate in PEM/)
  refusesPem(pemOf(one, two, one), /more than 2/)
  refusesPem(`subject=x\n${pemOf(one)}`, /at character 0/)
  refusesPem(`${pemOf(one)}\0`, /at character/)
  refusesPem(pemOf(one).replace('-----END', '----END'), /at character 0/)
  refusesPem(pemOf(one).replaceAll('CERTIFICATE', 'PRIVATE KEY'), /at character 0/)
  refusesPem(pemOf(one).replace('\nM', '\n M'), /base64/, 'bytes/bad-base64')
  refusesPem(pemOf(one).replace('\nM', '\nX-Header: 1\n\nM'), /base64/, 'bytes/bad-base64')
  refusesPem(' '.repeat(300_000), /more than 262144/)
})

test('a memory reads the same bytes once, and keeps no buffer of the caller', () => {
  const memory = createMemory()
  const bytes = issue(plain)
  const first = parseCertificate(bytes, memory)
  assert.equal(parseCertificate(bytes.slice(), memory), first)
  bytes.fill(0)
  assert.ok(equalBytes(first.bytes, issue(plain)))
  assert.equal(parseCertificate(issue(plain), memory), first)
  const pem = pemOf(issue(plain), issue({ ...plain, serial: '02' }))
  assert.equal(parsePemCertificates(pem, 2, memory)[0], first)
  assert.equal(parsePemCertificates(pem, 2, memory), parsePemCertificates(pem, 2, memory))
  refuses(() => parsePemCertificates(pem, 1, memory), 'certificate/malformed', /more than 1/)
})
