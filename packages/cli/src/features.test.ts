import assert from 'node:assert/strict'
import { join } from 'node:path'
import { test } from 'node:test'
import { codeOf, type Json, parseInferenceRequest } from '@countersign/verify'
import { readApplicationLines } from './commands/infer.ts'
import { encodeApplication, readFeatureSchema } from './features.ts'
import { bundledExamples, bundledModels } from './files.ts'

const schema = readFeatureSchema(join(bundledModels(), 'credit'))

/** An application that the schema accepts: the first code, the least number. */
function application(changes: { readonly [name: string]: Json } = {}): Json {
  const features = schema.features.map((each) => [each.name, each.kind === 'category' ? each.codes[0] : each.minimum])
  return { ...Object.fromEntries(features), ...changes }
}

test('an application becomes one row of raw values, categories by their place', () => {
  const { inputs } = parseInferenceRequest(encodeApplication(schema, application()))
  assert.equal(inputs.length, 1)
  assert.deepEqual(inputs[0]?.shape, [1, schema.features.length])
  const [first] = schema.features
  assert.equal(first?.kind, 'category')
  assert.equal(inputs[0]?.data[0], 0)
})

for (const [what, changes, code, names] of [
  ['an unknown code', { checking_status: 'A99' }, 'shape/bad-value', /checking_status/],
  ['a number for a category', { checking_status: 1 }, 'shape/bad-value', /checking_status/],
  ['a text for a number', { duration_months: '12' }, 'shape/wrong-type', /duration_months/],
  ['a number out of its range', { duration_months: 1e9 }, 'shape/bad-value', /duration_months/],
  ['an unknown feature', { shoe_size: 42 }, 'shape/unknown-field', /shoe_size/],
] as const) {
  test(`${what} is refused, and named`, () => {
    assert.throws(
      () => encodeApplication(schema, application(changes)),
      (thrown: Error) => codeOf(thrown) === code && names.test(thrown.message),
    )
  })
}

test('sex, personal status and nationality are not inputs', () => {
  const names = schema.features.map((feature) => feature.name)
  assert.deepEqual(
    names.filter((name) => /sex|personal_status|foreign/.test(name)),
    [],
  )
})

test('every bundled application is accepted', () => {
  const path = join(bundledExamples(), 'applications.jsonl')
  assert.ok(readApplicationLines(path, join(bundledModels(), 'credit')).length >= 24)
})
