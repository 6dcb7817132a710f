import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseHex } from '../../bytes/bytes.ts'
import { createMemory } from '../../bytes/memory.ts'
import { codeOf, type ErrorCode } from '../../errors.ts'
import { parseCrl } from './crl.ts'
import { bits, der, integer, sequence, time } from './der-writer.testing.ts'
import { type CrlOptions, createTestKey, issueCrl, TEST_NOT_BEFORE_MS, testName } from './pki.testing.ts'

const plain: CrlOptions = { issuer: 'root', signer: createTestKey('p256', 'root') }
const made = (options: Partial<CrlOptions> = {}) => parseCrl(issueCrl({ ...plain, ...options }))

function refuses(read: () => unknown, code: ErrorCode, why: RegExp): void {
  assert.throws(read, (thrown) => codeOf(thrown) === code && why.test(String(thrown)), String(why))
}

test('the fields of a list are read', () => {
  const [revokedAtMs, thisUpdateMs, nextUpdateMs] = [1, 2, 3].map((day) => Date.UTC(2026, 0, day)) as [
    number,
    number,
    number,
  ]
  const reason = { oid: '2.5.29.21', value: der(0x0a, Uint8Array.of(1)) }
  const read = made({
    ...{ thisUpdateMs, nextUpdateMs },
    revoked: [{ serial: '00ab', revokedAtMs, extensions: [reason] }, { serial: '00' }],
    extensions: [{ oid: '2.5.29.20', value: integer(1) }],
  })
  assert.deepEqual(
    [...read.revoked],
    [
      ['ab', { revokedAtMs }],
      ['00', { revokedAtMs: TEST_NOT_BEFORE_MS }],
    ],
  )
  assert.deepEqual([read.thisUpdateMs, read.nextUpdateMs], [thisUpdateMs, nextUpdateMs])
  assert.equal(read.issuerCommonName, 'root')
  assert.equal(read.signatureAlgorithm, 'ecdsa-sha256')
  assert.equal(made().revoked.size, 0)
  assert.equal(made({ nextUpdateMs: 'none' }).nextUpdateMs, undefined)
})

test('critical extensions of list and entry are refused', () => {
  const critical = { oid: '2.5.29.28', critical: true, value: sequence() }
  refuses(() => made({ extensions: [critical] }), 'certificate/malformed', /critical extension 2\.5\.29\.28/)
  refuses(
    () => made({ revoked: [{ serial: '01', extensions: [critical] }] }),
    'certificate/malformed',
    /critical extension/,
  )
  const number = { oid: '2.5.29.20', value: integer(1) }
  refuses(() => made({ extensions: [number, number] }), 'certificate/malformed', /there twice/)
})

test('lists of other shapes are refused', () => {
  refuses(() => made({ revoked: [{ serial: '01' }, { serial: '0001' }] }), 'certificate/malformed', /01 is there twice/)
  const identifier = parseHex('300a06082a8648ce3d040302')
  const assemble =
    (...inner: readonly Uint8Array[]) =>
    () =>
      parseCrl(sequence(sequence(...inner), identifier, bits(Uint8Array.of(1))))
  const head = [integer(1), identifier, testName('x'), time(TEST_NOT_BEFORE_MS)]
  assert.equal(assemble(...head)().revoked.size, 0)
  refuses(assemble(integer(0), ...head.slice(1)), 'certificate/malformed', /version 2/)
  refuses(assemble(...head.slice(1)), 'der/malformed', /number/)
  refuses(
    assemble(integer(1), parseHex('300a06082a8648ce3d040303'), ...head.slice(2)),
    'certificate/malformed',
    /not the one that is signed/,
  )
  refuses(assemble(integer(1), identifier), 'certificate/malformed', /no issuer/)
  refuses(assemble(...head.slice(0, 3)), 'der/malformed', /time/)
  refuses(assemble(...head, sequence(sequence(integer(1)))), 'der/malformed', /time/)
  refuses(assemble(...head, sequence(), sequence()), 'der/malformed', /extensions/)
  refuses(assemble(...head, der(0xa0, sequence()), der(0xa0, sequence())), 'certificate/malformed', /parts too many/)
  refuses(() => parseCrl(new Uint8Array(40)), 'der/malformed', /./)
})

test('a memory reads the same list once', () => {
  const memory = createMemory()
  const bytes = issueCrl(plain)
  const first = parseCrl(bytes, memory)
  assert.equal(parseCrl(bytes.slice(), memory), first)
})
