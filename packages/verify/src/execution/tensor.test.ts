import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { utf8 } from '../bytes/bytes.ts'
import type { Json } from '../bytes/json.ts'
import { checkProperty } from '../fuzzing.testing.ts'
import { REQUEST, RESPONSE } from '../scene.testing.ts'
import { firstDifference } from './comparison.ts'
import { formatInferenceResponse, parseInferenceRequest, parseInferenceResponse } from './open-inference.ts'
import { formatTensor, parseTensor, type Tensor } from './tensor.ts'

const tensor = (datatype: string, data: Json, shape: Json = [Array.isArray(data) ? data.length : 1]) =>
  parseTensor({ name: 'x', datatype, shape, data }, 'x')

test('every finite value survives JSON bit for bit', (t) => {
  const floats = fc.float({ noNaN: true, noDefaultInfinity: true })
  const doubles = fc.double({ noNaN: true, noDefaultInfinity: true })
  checkProperty(t, [fc.array(floats, { minLength: 1 }), fc.array(doubles, { minLength: 1 })], 300, (singles, wides) => {
    for (const [datatype, data] of [
      ['FP32', Float32Array.from(singles)],
      ['FP64', Float64Array.from(wides)],
      ['INT64', BigInt64Array.from(wides.map((value) => BigInt(Math.trunc(value % 2 ** 53))))],
    ] as const) {
      const original: Tensor = { name: 'x', datatype, shape: [data.length], data }
      const read = parseTensor(JSON.parse(JSON.stringify(formatTensor(original))) as Json, 'x')
      // JSON writers drop the sign of zero; the comparison that matters looks away from it.
      assert.equal(firstDifference([original], [read]), undefined)
    }
  })
})

test('the sign of zero is kept where JSON has it', () => {
  assert.ok(Object.is(tensor('FP32', JSON.parse('[-0.0]')).data[0], -0))
  const [plus, minus] = [tensor('FP32', [0]), tensor('FP32', JSON.parse('[-0]'))]
  assert.equal(firstDifference([plus], [minus]), undefined)
})

test('integers are whole, and within their type', () => {
  for (const [datatype, least, most] of [
    ['UINT8', 0, 255],
    ['INT8', -128, 127],
    ['INT32', -(2 ** 31), 2 ** 31 - 1],
    ['INT64', Number.MIN_SAFE_INTEGER, Number.MAX_SAFE_INTEGER],
  ] as const) {
    assert.deepEqual(Array.from(tensor(datatype, [least, most]).data, Number), [least, most])
    for (const value of [least - 1, most + 1, 0.5, '1', true, null]) {
      assert.throws(() => tensor(datatype, [value]), { code: 'tensor/malformed' }, `${datatype} ${value}`)
    }
  }
})

test('numbers that the type cannot hold are refused', () => {
  assert.throws(() => tensor('FP32', [3.5e38]), { code: 'tensor/malformed' })
  assert.throws(() => tensor('FP64', JSON.parse('[1e400]')), { code: 'tensor/malformed' })
  assert.throws(() => tensor('FP32', ['NaN']), { code: 'tensor/malformed' })
  assert.deepEqual(tensor('BOOL', [true, false]).data, Uint8Array.of(1, 0))
  assert.throws(() => tensor('BOOL', [1]), { code: 'tensor/malformed' })
  for (const datatype of ['FP16', 'BYTES', 'fp32', '']) {
    assert.throws(() => tensor(datatype, [1]), { code: datatype === '' ? 'shape/bad-value' : 'tensor/wrong-datatype' })
  }
  for (const data of [
    Float32Array.of(Number.NaN),
    Float32Array.of(Number.POSITIVE_INFINITY),
    BigInt64Array.of(2n ** 60n),
  ]) {
    const datatype = data instanceof BigInt64Array ? 'INT64' : 'FP32'
    assert.throws(() => formatTensor({ name: 'x', datatype, shape: [1], data }), { code: 'tensor/malformed' })
  }
})

test('data may be flat or nested, and has as many values as its shape says', () => {
  const shape = [2, 2]
  assert.deepEqual(
    tensor(
      'FP32',
      [
        [1, 2],
        [3, 4],
      ],
      shape,
    ).data,
    tensor('FP32', [1, 2, 3, 4], shape).data,
  )
  assert.equal(tensor('FP32', [1], []).data.length, 1)
  assert.equal(tensor('FP32', [], [0, 5]).data.length, 0)
  for (const data of [[1, 2, 3], [1, 2, 3, 4, 5], [[1, 2], [3]], []]) {
    assert.throws(() => tensor('FP32', data, shape), { code: 'tensor/wrong-shape' })
  }
  for (const bad of [[-1], [1.5], ['1'], [2 ** 20 + 1], [2 ** 20, 2], [2 ** 20, 2 ** 20, 2 ** 20, 2 ** 20]]) {
    assert.throws(() => tensor('FP32', [1], bad), { code: 'tensor/wrong-shape' }, JSON.stringify(bad))
  }
  assert.throws(() => tensor('FP32', [1], [1, 1, 1, 1, 1, 1, 1, 1, 1]), { code: 'shape/bad-value' })
  assert.throws(() => tensor('FP32', 1), { code: 'tensor/malformed' })
  assert.throws(() => tensor('FP32', [[[[[[[[[[1]]]]]]]]]], [1]), { code: 'tensor/malformed' })
})

test('requests and responses have their shapes', () => {
  assert.deepEqual(parseInferenceRequest(REQUEST).inputs[0]?.shape, [1, 2])
  const response = parseInferenceResponse(RESPONSE)
  assert.deepEqual(formatInferenceResponse(response), RESPONSE)
  const request = (text: string) => parseInferenceRequest(utf8(text))
  assert.deepEqual(request('{"id":"5","inputs":[],"outputs":[{"name":"y"}]}').outputs, ['y'])
  assert.throws(() => request('{"inputs":[],"parameters":{"a":{}}}'), { code: 'execution/unsupported' })
  assert.throws(() => parseInferenceResponse(utf8('{"model_name":"m","outputs":[],"parameters":{"approved":true}}')), {
    code: 'execution/unsupported',
  })
  assert.throws(() => request('{"inputs":[],"more":1}'), { code: 'shape/unknown-field' })
  assert.throws(() => request('{}'), { code: 'shape/missing-field' })
  assert.throws(() => request('{"inputs":[],"inputs":[]}'), { code: 'json/duplicate-key' })
  assert.throws(() => request('{"inputs":[],"outputs":["y"]}'), { code: 'shape/wrong-type' })
  assert.throws(() => request(`{"inputs":[],"parameters":${'['.repeat(20)}${']'.repeat(20)}}`), {
    code: 'json/too-deep',
  })
  assert.throws(() => parseInferenceResponse(utf8('{"outputs":[]}')), { code: 'shape/missing-field' })
})

test('the first difference is named: value, shape, type, name, number of tensors', () => {
  const x: Tensor = { name: 'x', datatype: 'FP32', shape: [3], data: Float32Array.of(1, 2, 3) }
  const other = (changes: Partial<Tensor>): Tensor => ({ ...x, ...changes })
  assert.equal(firstDifference([x], [other({})]), undefined)
  assert.deepEqual(firstDifference([x], [other({ data: Float32Array.of(1, 2.5, 4) })]), {
    ...{ tensor: 'x', position: 1 },
    ...{ claimed: '2', computed: '2.5' },
  })
  for (const changed of [other({ shape: [1, 3] }), other({ datatype: 'FP64' }), other({ name: 'z' })]) {
    assert.equal(firstDifference([x], [changed])?.position, undefined)
    assert.notEqual(firstDifference([x], [changed]), undefined)
  }
  assert.deepEqual(firstDifference([x], [])?.computed, 'no tensor')
  assert.deepEqual(firstDifference([], [x])?.claimed, 'no tensor')
  assert.equal(firstDifference([x], [other({ data: Float32Array.of(1, Number.NaN, 3) })])?.computed, 'NaN')
  assert.equal(firstDifference([x], [other({ data: Float32Array.of(1, 2) })])?.position, 2)
})
