import assert from 'node:assert/strict'
import { test } from 'node:test'
import { toBase64 } from '../bytes/base64.ts'
import type { Json } from '../bytes/json.ts'
import { jsonBytes } from '../fixture.testing.ts'
import { assertRefusals, shapeRefusals } from '../refusals.testing.ts'
import { buildScene, sceneDossier } from '../scene.testing.ts'
import { parseDossier } from './dossier.ts'

const scene = buildScene()
const dossier = sceneDossier(scene)
const parse = (value: Json) => parseDossier(jsonBytes(value))

test('a dossier is read as it was written', () => {
  const parsed = parse(dossier)
  assert.equal(parsed.receiptId, scene.receiptId)
  assert.equal(parsed.receipt.index, scene.index)
  assert.equal(parsed.statements.length, 3)
  assert.deepEqual(parsed.openings, scene.openings)
  assert.equal(parsed.consistency[0]?.size, scene.index)
  assert.deepEqual(parsed.evidence, [])
})

test('a dossier has its shape, bounded lists, and salts of 32 bytes', () => {
  const optional = ['promise', 'bundle', 'statements']
  assertRefusals(dossier, parse, shapeRefusals({ ...(dossier as object), bundle: null, statements: [] }, optional))
  const opening = { subjects: ['parameters'], salt: toBase64(new Uint8Array(32)), content: '' }
  assertRefusals(dossier, parse, [
    [['format'], 'countersign-dossier/v2', 'shape/bad-value'],
    [['receipt'], 'AB'.repeat(16), 'shape/bad-value'],
    [['bundle'], undefined, 'shape/missing-field'],
    [['statements'], undefined, 'shape/missing-field'],
    [['promise'], null, 'shape/wrong-type'],
    [['promise'], 'no note', 'note/malformed'],
    [['openings', 0, 'salt'], toBase64(new Uint8Array(31)), 'shape/bad-value'],
    [['openings', 0, 'subjects'], ['everything'], 'shape/bad-value'],
    [['openings'], Array.from({ length: 257 }, () => opening), 'shape/bad-value'],
    [['consistency', 0, 'size'], -1, 'shape/bad-value'],
    [['consistency', 0, 'root'], 'AA==', 'proof/bad-hash'],
    [['evidence'], [{ mediaType: 'text/plain', content: 'A' }], 'bytes/bad-base64'],
    [['misbehaviour'], [], 'shape/unknown-field'],
  ])
})
