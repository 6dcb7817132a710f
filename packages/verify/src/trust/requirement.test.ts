import assert from 'node:assert/strict'
import { test } from 'node:test'
import { CLAIMS, GRADES, parseRequirements, reachesGrade } from './requirement.ts'

test('requirements are claims, with a grade or without', () => {
  assert.deepEqual(parseRequirements('record:witnessed,output,model:any'), [
    { claim: 'record', grade: 'witnessed' },
    { claim: 'output', grade: undefined },
    { claim: 'model', grade: undefined },
  ])
  assert.deepEqual(parseRequirements(''), [])
})

test('unknown claims, grades of other claims, and claims twice are refused', () => {
  for (const text of [
    'taste',
    'record:re-executed',
    'record:',
    'record:any:any',
    'record,record:any',
    'Record',
    ':any',
  ]) {
    assert.throws(() => parseRequirements(text), { code: 'require/malformed' }, text)
  }
})

test('a grade reaches itself and those after it in its claim, and no other', () => {
  for (const claim of CLAIMS) {
    GRADES[claim].forEach((grade, i) => {
      assert.ok(reachesGrade(claim, grade, undefined))
      GRADES[claim].forEach((least, j) => {
        assert.equal(reachesGrade(claim, grade, least), i <= j, `${claim} ${grade} ${least}`)
      })
    })
  }
  assert.ok(!reachesGrade('record', 're-executed', 'operator-asserted'))
})
