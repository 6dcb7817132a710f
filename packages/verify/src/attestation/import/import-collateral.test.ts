import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { toBase64 } from '../../bytes/base64.ts'
import { concat, toHex, utf8 } from '../../bytes/bytes.ts'
import { checkProperty, expectTyped } from '../../fuzzing.testing.ts'
import { changedBytes } from '../../mutation.testing.ts'
import { formatCollateral } from '../collateral.ts'
import { snpEvidence } from '../sev-snp/sev-snp-evidence.testing.ts'
import { pemOf } from '../x509/pki.testing.ts'
import { importCollateral } from './import-collateral.ts'

const { items } = snpEvidence().input.collateral
const certificates = items.filter(({ kind }) => kind === 'certificate').map(({ content }) => content)
const [list] = items.filter(({ kind }) => kind === 'crl')
const [first = new Uint8Array(), second = new Uint8Array()] = certificates

const asKind = (kind: 'certificate' | 'crl', ...contents: readonly Uint8Array[]) =>
  contents.map((content) => ({ kind, content }))

test('certificates are read one and several, in PEM and DER, and as text of those', () => {
  for (const [file, expected] of [
    [first, [first]],
    [concat(first, second), [first, second]],
    [utf8(pemOf(first, second)), [first, second]],
    [utf8(`subject: somebody\n${pemOf(first)}`), [first]],
    [utf8(`${encodeURIComponent(pemOf(first, second))}\n`), [first, second]],
    [utf8(toHex(first)), [first]],
    [utf8(toBase64(first)), [first]],
    [utf8(toBase64(utf8(pemOf(first, second)))), [first, second]],
  ] as const) {
    assert.deepEqual(importCollateral(file), asKind('certificate', ...expected))
  }
})

test('lists of revoked certificates are told from certificates', () => {
  assert.ok(list !== undefined)
  const pem = `-----BEGIN X509 CRL-----\n${toBase64(list.content)}\n-----END X509 CRL-----\n`
  for (const file of [list.content, utf8(pem), utf8(toHex(list.content))]) {
    assert.deepEqual(importCollateral(file), [list])
  }
})

test('JSON is told by its members, and taken byte for byte', () => {
  assert.deepEqual(importCollateral(utf8(JSON.stringify(formatCollateral({ items })))), items)
  for (const [text, kind] of [
    ['{"tcbInfo": {}, "signature": ""}', 'intel-tcb-info'],
    ['{"enclaveIdentity": {}}', 'intel-qe-identity'],
    ['{"keys": []}', 'jwks'],
  ] as const) {
    assert.deepEqual(importCollateral(utf8(text)), [{ kind, content: utf8(text) }])
  }
})

test('anything else is refused, and DER that is cut off or has something behind it', () => {
  for (const file of [
    ...['-----BEGIN%20CERTIFICATE-----%', '', 'certificates', '{}', '[]', 'ab'.repeat(64)].map(utf8),
    ...[first.subarray(0, 100), concat(first, Uint8Array.of(0)), Uint8Array.of(0x30, 0x89, 1, 2, 3, 0xff)],
  ]) {
    assert.throws(() => importCollateral(file), { code: 'collateral/malformed' })
  }
})

test('any bytes give collateral or an error of ours', (t) => {
  const files = [first, utf8(pemOf(first)), utf8(toHex(first))]
  checkProperty(t, [fc.oneof(fc.uint8Array({ maxLength: 300 }), changedBytes(files))], 300, (file) => {
    expectTyped(() => importCollateral(file))
  })
})
