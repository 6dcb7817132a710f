import assert from 'node:assert/strict'
import { test } from 'node:test'
import { encode } from 'cborg'
import fc from 'fast-check'
import { parseHex } from '../../bytes/bytes.ts'
import { codeOf } from '../../errors.ts'
import { checkProperty, expectTyped } from '../../fuzzing.testing.ts'
import { changedBytes } from '../../mutation.testing.ts'
import { type CborLimits, parseCbor, parseFirstCbor } from './cbor.ts'

const LIMITS: CborLimits = { maxBytes: 4096, maxContainers: 8, maxValues: 64, allowIndefinite: true }
const read = (hex: string, limits: Partial<CborLimits> = {}) =>
  parseCbor(parseHex(hex.replaceAll(' ', '')), { ...LIMITS, ...limits })

function refuses(hex: string, why: RegExp, limits: Partial<CborLimits> = {}): void {
  assert.throws(
    () => read(hex, limits),
    (thrown) => codeOf(thrown) === 'cbor/malformed' && why.test(String(thrown)),
    `${hex} ${why}`,
  )
}

test('what documents are made of is read', () => {
  assert.deepEqual(
    read('a2 01 3822 6161 43010203'),
    new Map<string | number, unknown>([
      [1, -35],
      ['a', Uint8Array.of(1, 2, 3)],
    ]),
  )
  assert.deepEqual(read('bf 6161 01 ff'), new Map([['a', 1]]))
  assert.deepEqual(read('9f 01 f6 f5 ff'), [1, null, true])
  assert.equal(read('1b 0000019b55a68bd2'), 0x19b55a68bd2)
  assert.deepEqual(parseFirstCbor(parseHex('010203'), LIMITS), { value: 1, length: 1 })
})

test('every value has one spelling', () => {
  refuses('1801', /more bytes than necessary/)
  refuses('5801aa', /more bytes than necessary/)
  refuses('980101', /more bytes than necessary/)
  refuses('b9000101', /more bytes than necessary/)
  refuses('0102', /left over/)
  refuses('bf 6161 01 ff', /indefinite/, { allowIndefinite: false })
  refuses('9f 01 ff', /indefinite/, { allowIndefinite: false })
  refuses('5f 4101 ff', /indefinite/)
  refuses('7f 6161 ff', /indefinite/)
})

test('keys that are there twice, or cannot be compared, are refused', () => {
  refuses('a2 01 01 01 02', /repeat map key/)
  refuses('bf 6161 01 6161 02 ff', /repeat map key/)
  refuses('a2 4101 01 4101 02', /neither a text nor a number/)
  refuses('a1 80 01', /neither a text nor a number/)
  refuses('a1 f6 01', /neither a text nor a number/)
})

test('an end mark is no value', () => {
  refuses('ff', /break/)
  refuses('81 ff', /break/)
  refuses('bf 6161 ff ff', /ends inside an entry/)
  refuses('a1 6161 ff', /ends inside an entry/)
  refuses('bf 6161 ff', /not enough/)
})

test('floats, tags, undefined and large numbers are refused', () => {
  refuses('f9 3c00', /type float/)
  refuses('fb 3ff0000000000000', /type float/)
  refuses('a1 f93c00 01', /type float/)
  refuses('f7', /undefined/)
  refuses('c1 01', /type tag/)
  refuses('d9d9f7 01', /type tag/)
  refuses('1b ffffffffffffffff', /safe integer/)
  refuses('3b ffffffffffffffff', /safe integer/)
  refuses('e0', /simple values/)
  refuses('1c', /invalid minor/)
})

test('texts are UTF-8, with nothing lost', () => {
  assert.equal(read('62 c3a9'), 'é')
  refuses('62 ffff', /UTF-8/)
  // A byte order mark would vanish, and two texts become one.
  refuses('63 efbbbf', /UTF-8/)
  refuses('a1 61ff 01', /UTF-8/)
})

test('size, number and depth are limited', () => {
  refuses('00'.repeat(4097), /more than 4096 bytes/)
  refuses('81'.repeat(4000), /more than 8 lists and maps/)
  refuses(`98 41 ${'00'.repeat(65)}`, /more than 64 values/)
  refuses('9b 0000000100000000 00', /not enough/)
  refuses('5a 7fffffff 00', /not enough data/)
  refuses('', /did not find any content/)
})

test('any bytes give a value or an error of ours', (t) => {
  const sample = new Uint8Array(
    encode(
      new Map<unknown, unknown>([
        ['a', [1, null, 'text']],
        [2, new Map([[1, Uint8Array.of(1)]])],
      ]),
    ),
  )
  checkProperty(t, [fc.oneof(fc.uint8Array({ maxLength: 60 }), changedBytes([sample]))], 4000, (bytes) => {
    expectTyped(() => parseCbor(bytes, LIMITS))
  })
})
