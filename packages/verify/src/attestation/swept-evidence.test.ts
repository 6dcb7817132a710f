import assert from 'node:assert/strict'
import { test } from 'node:test'
import { APPRAISERS } from './appraisers.ts'
import { EVIDENCE_KINDS } from './evidence-kind.ts'
import { sweepEvidence } from './sweep.testing.ts'
import { allSweptEvidence } from './swept-evidence.testing.ts'

test('the sweep has evidence of every kind, and every kind has its appraiser', () => {
  const swept = new Set(allSweptEvidence().map(({ bytes, toItem }) => toItem(bytes).kind))
  assert.deepEqual([...swept].sort(), [...EVIDENCE_KINDS].sort())
  assert.deepEqual(Object.keys(APPRAISERS).sort(), [...EVIDENCE_KINDS].sort())
})

test('a sweep that finds nothing to find says so, and one that would miss everything is refused', () => {
  const [first] = allSweptEvidence()
  assert.ok(first)
  // What is called unsigned and is not would hide a hole: here a hole is called signed, and shows.
  const holed = { ...first, toItem: () => first.toItem(first.bytes) }
  assert.ok(sweepEvidence(holed, { step: 1009 }).problems.length > 0)
  const broken = { ...first, bytes: first.bytes.slice(1) }
  assert.throws(() => sweepEvidence(broken, { step: 1009 }), /is not genuine as it stands/)
})
