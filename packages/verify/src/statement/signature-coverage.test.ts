import assert from 'node:assert/strict'
import { test } from 'node:test'
import { SIGNATURE_COVERAGE } from '../attestation/answer-signature/coverage.ts'
import { SIGNATURE_SCHEMES } from '../attestation/answer-signature/provider-signature.ts'
import { SIGNED_PARTS } from './signature-coverage.ts'

test('no scheme covers a part and leaves it out, and what none says anything of is no part', () => {
  const named = SIGNATURE_SCHEMES.flatMap((scheme) => {
    const { covers, doesNotCover } = SIGNATURE_COVERAGE[scheme]
    assert.deepEqual(
      covers.filter((part) => doesNotCover.includes(part)),
      [],
    )
    assert.equal(SIGNATURE_COVERAGE[scheme].scheme, scheme)
    return [...covers, ...doesNotCover]
  })
  assert.deepEqual([...new Set(named)].sort(), [...SIGNED_PARTS].sort())
})
