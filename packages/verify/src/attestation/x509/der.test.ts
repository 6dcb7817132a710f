import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { parseHex, toHex, utf8 } from '../../bytes/bytes.ts'
import { codeOf } from '../../errors.ts'
import { checkProperty, expectTyped } from '../../fuzzing.testing.ts'
import {
  bitString,
  booleanOf,
  type DerValue,
  integerOf,
  MAX_DER_BYTES,
  octetString,
  oidOf,
  parseDer,
  sequenceOf,
  TAG,
  timeOf,
  unsignedOf,
} from './der.ts'
import { der, integer, oid, sequence, time, unsigned } from './der-writer.testing.ts'

const hex = (text: string) => parseHex(text.replaceAll(' ', ''))

/** Asserts the message too: every refusal has one of its own. */
function refuses(read: () => unknown, why: RegExp): void {
  assert.throws(read, (thrown) => codeOf(thrown) === 'der/malformed' && why.test(String(thrown)), String(why))
}

test('lengths have one spelling', () => {
  assert.equal(parseDer(hex('0400')).contentLength, 0)
  assert.equal(parseDer(der(4, new Uint8Array(127))).contentLength, 127)
  assert.equal(parseDer(der(4, new Uint8Array(128))).contentLength, 128)
  assert.equal(parseDer(der(4, new Uint8Array(70_000))).contentLength, 70_000)
  refuses(() => parseDer(hex('3080 0000')), /indefinite/)
  refuses(() => parseDer(hex('04 81 01 00')), /not the shortest/)
  refuses(() => parseDer(hex('04 82 0001 00')), /not the shortest/)
  refuses(() => parseDer(hex('04 84 00000001 00')), /too large/)
  refuses(() => parseDer(hex('04 ff')), /too large/)
})

test('what is cut off, left over, too large or of a long tag is refused', () => {
  refuses(() => parseDer(new Uint8Array()), /ends too early/)
  refuses(() => parseDer(hex('04')), /ends too early/)
  refuses(() => parseDer(hex('0402 00')), /ends too early/)
  refuses(() => parseDer(hex('04 82 01')), /ends too early|shortest/)
  refuses(() => parseDer(hex('0400 00')), /left over/)
  refuses(() => parseDer(hex('1f01 00')), /more than one byte/)
  refuses(() => parseDer(new Uint8Array(MAX_DER_BYTES + 1)), /too many/)
  // A part may not reach past the whole that it is part of.
  refuses(() => parseDer(hex('3003 0402 00')).children(), /ends too early/)
  refuses(() => parseDer(hex('0401 00')).children(), /made of others/)
})

test('depth and number of parts are limited', () => {
  refuses(
    () =>
      parseDer(
        der(
          0x30,
          new Uint8Array(2 * 131_073).fill(5).map((byte, i) => byte * ((i + 1) % 2)),
        ),
      ).children(),
    /more than 131072 parts/,
  )
  let bytes: Uint8Array = new Uint8Array()
  for (let i = 0; i < 40; i++) bytes = sequence(bytes)
  const descend = () => {
    let value: DerValue | undefined = parseDer(bytes)
    while (value !== undefined) [value] = value.children()
  }
  refuses(descend, /nested too deeply/)
})

test('numbers have one spelling, and are not negative', () => {
  for (const value of [0, 1, 127, 128, 255, 256, 65_537, Number.MAX_SAFE_INTEGER]) {
    assert.equal(integerOf(parseDer(integer(value))), value)
  }
  assert.equal(toHex(unsignedOf(parseDer(unsigned(hex('ff00'))))), 'ff00')
  assert.equal(unsignedOf(parseDer(hex('0201 00'))).length, 0)
  refuses(() => unsignedOf(parseDer(hex('0200'))), /no digits/)
  refuses(() => unsignedOf(parseDer(hex('0202 0001'))), /shortest/)
  refuses(() => unsignedOf(parseDer(hex('0202 ff80'))), /negative/)
  refuses(() => integerOf(parseDer(integer(9)), 8), /above 8/)
  refuses(() => integerOf(parseDer(hex('0208 7fffffffffffffff'))), /above/)
  refuses(() => integerOf(undefined), /found nothing/)
})

test('object identifiers are read, in their shortest form alone', () => {
  for (const id of [
    '2.5.29.19',
    '1.3.6.1.4.1.3704.1.3.1',
    '1.2.840.10045.4.3.3',
    '0.9.2342',
    '2.999.3',
    '2.23.133.5.4.1.1',
  ]) {
    assert.equal(oidOf(parseDer(oid(id))), id)
  }
  refuses(() => oidOf(parseDer(hex('0600'))), /empty/)
  refuses(() => oidOf(parseDer(hex('0602 5580'))), /cut off/)
  refuses(() => oidOf(parseDer(hex('0603 558001'))), /shortest/)
  refuses(() => oidOf(parseDer(der(6, new Uint8Array(65)))), /too long/)
  refuses(() => oidOf(parseDer(hex('060a 55ffffffffffffffff7f'))), /too large/)
})

test('truth values, octets and bits are strict', () => {
  assert.equal(booleanOf(parseDer(hex('0101 ff'))), true)
  assert.equal(booleanOf(parseDer(hex('0101 00'))), false)
  refuses(() => booleanOf(parseDer(hex('0101 01'))), /neither/)
  refuses(() => booleanOf(parseDer(hex('0100'))), /neither/)
  refuses(() => booleanOf(parseDer(hex('0102 ffff'))), /neither/)
  assert.equal(toHex(octetString(parseDer(hex('0402 0102')))), '0102')
  refuses(() => octetString(parseDer(hex('0501 00'))), /expected tag 4/)
  assert.equal(toHex(bitString(parseDer(hex('0302 0001')))), '01')
  refuses(() => bitString(parseDer(hex('0302 0180'))), /whole bytes/)
  refuses(() => bitString(parseDer(hex('0300'))), /whole bytes/)
})

test('times are to the second, in UTC, and exist', () => {
  for (const at of [
    0,
    Date.UTC(1950, 0, 1),
    Date.UTC(2024, 1, 29, 23, 59, 59),
    Date.UTC(2049, 11, 31),
    Date.UTC(2050, 0, 1),
  ]) {
    assert.equal(timeOf(parseDer(time(at))), at)
  }
  assert.equal(timeOf(parseDer(der(TAG.generalizedTime, utf8('99991231235959Z')))), 253_402_300_799_000)
  for (const bad of ['2402291200Z', '240229120000', '240229120000+0000', '24022912000aZ', '24022912000.Z', '']) {
    refuses(() => timeOf(parseDer(der(TAG.utcTime, utf8(bad)))), /form/)
  }
  for (const bad of [
    '230229000000Z',
    '240001000000Z',
    '241301000000Z',
    '240100000000Z',
    '240101240000Z',
    '240101006000Z',
    '240101000060Z',
  ]) {
    refuses(() => timeOf(parseDer(der(TAG.utcTime, utf8(bad)))), /does not exist/)
  }
  refuses(() => timeOf(parseDer(der(TAG.generalizedTime, utf8('240101000000Z')))), /form/)
  refuses(() => timeOf(parseDer(der(TAG.generalizedTime, utf8('00240101000000Z')))), /does not exist/)
  refuses(() => timeOf(undefined), /found nothing/)
})

/** Walks everything that a value is made of. */
function walk(value: DerValue): number {
  if ((value.tag & 0x20) === 0) return 1
  return value.children().reduce((sum, child) => sum + walk(child), 1)
}

test('any bytes give a value or an error of ours, and a value covers its input', (t) => {
  const nested = fc.letrec<{ value: Uint8Array }>((tie) => ({
    value: fc.oneof(
      { maxDepth: 4 },
      fc.uint8Array({ maxLength: 20 }).map((content) => der(4, content)),
      fc.array(tie('value'), { maxLength: 4 }).map((parts) => sequence(...parts)),
    ),
  })).value
  checkProperty(t, [fc.oneof(fc.uint8Array({ maxLength: 200 }), nested)], 2000, (bytes) => {
    const value = expectTyped(() => {
      const parsed = parseDer(bytes)
      walk(parsed)
      return parsed
    })
    if (value !== undefined) assert.deepEqual(value.bytes, bytes)
  })
  checkProperty(t, [nested], 500, (bytes) => {
    assert.ok(walk(parseDer(bytes)) > 0)
  })
})

test('a sequence of the wrong tag is named', () => {
  refuses(() => sequenceOf(parseDer(hex('3100')), 'validity'), /validity: expected tag 48, found tag 49/)
})
