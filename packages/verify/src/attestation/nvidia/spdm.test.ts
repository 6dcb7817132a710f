import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { concat, equalBytes } from '../../bytes/bytes.ts'
import { codeOf, type ErrorCode } from '../../errors.ts'
import { checkProperty, expectTyped } from '../../fuzzing.testing.ts'
import { changedBytes } from '../../mutation.testing.ts'
import { GPU_NONCE, makeGpu, OPAQUE_FIELDS, spdmMessages } from './nvidia-evidence.testing.ts'
import { OPAQUE, parseSpdmReport, unsignedRegions } from './spdm.ts'

function refuses(bytes: Uint8Array, why: RegExp, code: ErrorCode = 'evidence/malformed'): void {
  assert.throws(
    () => parseSpdmReport(bytes),
    (thrown) => codeOf(thrown) === code && why.test(String(thrown)),
    String(why),
  )
}

const { evidence } = makeGpu()
const SIGNED = spdmMessages()

/** The report with some bytes set otherwise. */
function withBytes(at: number, ...values: readonly number[]): Uint8Array {
  const changed = evidence.slice()
  changed.set(values, at)
  return changed
}

test('request, measurements, fields and signature are read', () => {
  const report = parseSpdmReport(evidence)
  assert.ok(equalBytes(report.nonce, GPU_NONCE))
  assert.deepEqual([...report.measurements.keys()], [1, 2, 3])
  assert.ok(report.measurements.get(2)?.every((byte) => byte === 2))
  assert.equal(report.opaque.size, OPAQUE_FIELDS.length)
  assert.equal(report.opaque.get(OPAQUE.firmwareId)?.length, 48)
  assert.ok(equalBytes(report.signedBytes, SIGNED))
  assert.equal(report.signature.length, 96)
  assert.deepEqual(unsignedRegions(evidence), [])
})

test('other versions, messages and requests are refused', () => {
  refuses(withBytes(0, 0x12), /SPDM 1.1/, 'evidence/unsupported')
  refuses(withBytes(37, 0x12), /SPDM 1.1/, 'evidence/unsupported')
  refuses(withBytes(1, 0xe1), /not a request/)
  refuses(withBytes(38, 0x7f), /not a request/)
  refuses(withBytes(2, 0), /all measurements, signed/, 'evidence/unsupported')
  refuses(withBytes(3, 1), /all measurements, signed/, 'evidence/unsupported')
  refuses(withBytes(36, 8), /no slot/)
})

test('lengths that do not fit are refused', () => {
  refuses(new Uint8Array(0), /too early/)
  for (const length of [36, 44, 100, 300, evidence.length - 97, evidence.length - 1]) {
    refuses(evidence.subarray(0, length), /too early/)
  }
  refuses(concat(evidence, Uint8Array.of(0)), /1 bytes too many/)
  refuses(new Uint8Array(70_000), /65536/)
  refuses(withBytes(41, 2), /measurements has 55 bytes too many/)
  refuses(withBytes(41, 4), /too early/)
  refuses(withBytes(42, 0xff, 0xff, 0xff), /too early/)
})

test('measurements of other forms are refused', () => {
  refuses(withBytes(46, 2), /measurement 1 is not of the form/)
  refuses(withBytes(47, 52), /not of the form/)
  refuses(withBytes(50, 47), /not of the form/)
  refuses(withBytes(50, 0xff), /too early/)
  refuses(withBytes(45 + 55, 1), /measurement 1 is there twice/)
})

test('fields that come twice or are cut off are refused', () => {
  const twice = makeGpu({
    opaque: [
      [3, Uint8Array.of(1)],
      [3, Uint8Array.of(2)],
    ],
  })
  refuses(twice.evidence, /field 3 is there twice/)
  const many = makeGpu({ opaque: Array.from({ length: 65 }, (_, i) => [i, new Uint8Array(0)] as const) })
  refuses(many.evidence, /too many/)
  const cut = makeGpu({
    opaque: [[3, new Uint8Array(2)]],
    signed: (good) => good.map((byte, i) => (i === good.length - 4 ? byte + 1 : byte)),
  })
  refuses(cut.evidence, /too early/)
})

test('any bytes, and changes to good ones, give a report or an error of ours', (t) => {
  checkProperty(t, [fc.oneof(fc.uint8Array({ maxLength: 300 }), changedBytes([evidence]))], 3000, (input) => {
    expectTyped(() => parseSpdmReport(input))
  })
})
