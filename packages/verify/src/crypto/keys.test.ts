import assert from 'node:assert/strict'
import { test } from 'node:test'
import { p256 } from '@noble/curves/nist.js'
import fc from 'fast-check'
import { CountersignError } from '../errors.ts'
import { statementSigner } from '../fixture.testing.ts'
import { checkProperty } from '../fuzzing.testing.ts'
import { changedBytes } from '../mutation.testing.ts'
import { parseP256Signature, parseP256Spki } from './keys.ts'

test('DER that others write is read as r and s', (t) => {
  const scalar = fc.bigInt({ min: 1n, max: p256.Point.Fn.ORDER - 1n })
  const small = fc.bigInt({ min: 1n, max: 70_000n })
  checkProperty(t, [fc.oneof(scalar, small), fc.oneof(scalar, small)], 300, (r, s) => {
    const signature = new p256.Signature(r, s)
    assert.deepEqual(parseP256Signature(signature.toBytes('der')), signature.toBytes('compact'))
  })
})

test('no other bytes are read as the same signature or key', (t) => {
  const signer = statementSigner('operator')
  const signature = signer.sign(new Uint8Array(0))
  checkProperty(t, [changedBytes([signature])], 2000, (changed) => {
    if (Buffer.from(changed).equals(signature)) return
    try {
      assert.notDeepEqual(parseP256Signature(changed), parseP256Signature(signature))
    } catch (thrown) {
      if (!(thrown instanceof CountersignError)) throw thrown
    }
  })
  checkProperty(t, [changedBytes([signer.spki])], 1000, (changed) => {
    if (Buffer.from(changed).equals(signer.spki)) return
    try {
      assert.notDeepEqual(parseP256Spki(changed), parseP256Spki(signer.spki))
    } catch (thrown) {
      if (!(thrown instanceof CountersignError)) throw thrown
    }
  })
})
