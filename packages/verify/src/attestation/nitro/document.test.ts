import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { concat } from '../../bytes/bytes.ts'
import { codeOf, type ErrorCode } from '../../errors.ts'
import { checkProperty, expectTyped } from '../../fuzzing.testing.ts'
import { changedBytes } from '../../mutation.testing.ts'
import { parseNitroDocument, unsignedRegions } from './document.ts'
import { makeNitroDocument, type NitroChanges, TEST_NONCE, TEST_PCRS, withEndMark } from './nitro-evidence.testing.ts'

const bytes = (length: number) => new Uint8Array(length).fill(7)
const parsed = (changes: NitroChanges = {}) => parseNitroDocument(makeNitroDocument(changes))
const withFields = (fields: NitroChanges['fields'] & object) => () => parsed({ fields })

function refuses(read: () => unknown, why: RegExp, code: ErrorCode = 'evidence/malformed'): void {
  assert.throws(read, (thrown) => codeOf(thrown) === code && why.test(String(thrown)), String(why))
}

test('the fields of a document are read', () => {
  const document = parsed()
  assert.equal(document.moduleId, 'i-0-enc1')
  assert.deepEqual(document.pcrs, TEST_PCRS)
  assert.deepEqual(document.nonce, TEST_NONCE)
  assert.equal(document.cabundle.length, 3)
  assert.equal(document.trailingBytes, 0)
  assert.deepEqual(parsed({ payload: withEndMark }).pcrs, TEST_PCRS)
})

test('optional fields may be missing or null, and long', () => {
  const none = parsed({ fields: { nonce: null, user_data: undefined, public_key: null } })
  assert.deepEqual([none.nonce, none.userData, none.publicKey], [undefined, undefined, undefined])
  const long = parsed({ fields: { nonce: bytes(512), user_data: bytes(512), public_key: bytes(1024) } })
  assert.deepEqual([long.nonce?.length, long.userData?.length, long.publicKey?.length], [512, 512, 1024])
  assert.equal(parsed({ fields: { user_data: bytes(0) } }).userData?.length, 0)
})

test('fields of other shapes are refused', () => {
  refuses(withFields({ nonce: bytes(513) }), /nonce: more than 512/)
  refuses(withFields({ user_data: bytes(513) }), /user_data: more than 512/)
  refuses(withFields({ public_key: bytes(1025) }), /public_key: more than 1024/)
  refuses(withFields({ nonce: 'text' }), /nonce: expected bytes/)
  refuses(withFields({ nonce: false }), /nonce: expected bytes/)
  refuses(withFields({ module_id: '' }), /no name/)
  refuses(withFields({ module_id: 'x'.repeat(257) }), /no name/)
  refuses(withFields({ module_id: undefined }), /no name/)
  refuses(withFields({ timestamp: 0 }), /no time/)
  refuses(withFields({ timestamp: '1' }), /no time/)
  refuses(withFields({ digest: 'SHA256' }), /not SHA384/, 'evidence/unsupported')
  refuses(withFields({ digest: undefined }), /not SHA384/, 'evidence/unsupported')
  refuses(withFields({ nitrotpm_pcrs: TEST_PCRS }), /field "nitrotpm_pcrs"/, 'evidence/unsupported')
  refuses(withFields({ pcrs: new Map() }), /no PCRs/)
  refuses(withFields({ pcrs: [bytes(48)] }), /no PCRs/)
  refuses(withFields({ pcrs: new Map([[32, bytes(48)]]) }), /not of 0 to 31/)
  refuses(withFields({ pcrs: new Map([[-1, bytes(48)]]) }), /not of 0 to 31/)
  refuses(withFields({ pcrs: new Map([['0', bytes(48)]]) }), /not of 0 to 31/)
  refuses(withFields({ pcrs: new Map([[0, bytes(32)]]) }), /not of 48 bytes/)
  refuses(withFields({ pcrs: new Map([[0, bytes(64)]]) }), /more than 48/)
  refuses(withFields({ certificate: bytes(0) }), /empty/)
  refuses(withFields({ certificate: bytes(1025) }), /more than 1024/)
  refuses(withFields({ certificate: undefined }), /expected bytes/)
  refuses(withFields({ cabundle: [] }), /not 1 to 7/)
  refuses(withFields({ cabundle: Array.from({ length: 8 }, () => bytes(3)) }), /not 1 to 7/)
  refuses(withFields({ cabundle: bytes(3) }), /not 1 to 7/)
})

test('envelopes of other shapes are refused', () => {
  refuses(() => parsed({ envelope: (parts) => parts.slice(0, 3) }), /list of four/)
  refuses(() => parsed({ envelope: (parts) => [...parts, 1] }), /list of four/)
  refuses(() => parsed({ envelope: () => new Map() }), /list of four/)
  refuses(() => parsed({ unprotectedHeader: [] }), /no map/)
  refuses(() => parsed({ signature: (good) => good.subarray(1) }), /not of 96 bytes/)
  refuses(() => parsed({ signature: (good) => concat(good, bytes(1)) }), /more than 96/)
  refuses(() => parsed({ protectedHeader: bytes(65) }), /more than 64/)
  refuses(() => parsed({ payload: () => Uint8Array.of(0x80) }), /payload is no map/)
  refuses(() => parsed({ payload: (good) => concat(good, bytes(1)) }), /left over/, 'cbor/malformed')
  refuses(() => parseNitroDocument(new Uint8Array(70_000)), /65536/, 'cbor/malformed')
  const good = makeNitroDocument()
  // The envelope itself has a length: one with an end mark would be another spelling of the same.
  refuses(
    () => parseNitroDocument(concat(Uint8Array.of(0x9f), good.subarray(1), Uint8Array.of(0xff))),
    /indefinite/,
    'cbor/malformed',
  )
})

test('the tag of COSE_Sign1 may stand before the envelope, no other', () => {
  const good = makeNitroDocument()
  assert.equal(parseNitroDocument(concat(Uint8Array.of(0xd2), good)).trailingBytes, 0)
  refuses(() => parseNitroDocument(concat(Uint8Array.of(0xd1), good)), /type tag/, 'cbor/malformed')
  refuses(() => parseNitroDocument(concat(Uint8Array.of(0xd2, 0xd2), good)), /type tag/, 'cbor/malformed')
})

test('bytes after the envelope are counted, and named as unsigned', () => {
  const good = makeNitroDocument()
  const longer = concat(good, bytes(5))
  assert.equal(parseNitroDocument(longer).trailingBytes, 5)
  assert.equal(parseNitroDocument(concat(Uint8Array.of(0xd2), longer)).trailingBytes, 5)
  assert.deepEqual(
    unsignedRegions(longer).map(({ from }) => from),
    [good.length],
  )
  assert.deepEqual(unsignedRegions(bytes(4)), [])
})

test('any bytes, and changes to good ones, give a document or an error of ours', (t) => {
  const samples = [makeNitroDocument(), makeNitroDocument({ payload: withEndMark })]
  checkProperty(t, [fc.oneof(fc.uint8Array({ maxLength: 200 }), changedBytes(samples))], 2000, (input) => {
    expectTyped(() => parseNitroDocument(input))
  })
})
