import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { readExposition, sampleValue } from './exposition.testing.ts'
import { createCounter, createHistogram, createReading } from './exposition.ts'

const FAMILY = { name: 'a_total', help: 'A.', labels: ['x', 'y'] }

test('label values come back as they went in, whatever stands in them', () => {
  const text = fc.oneof(fc.string(), fc.stringMatching(/^[\\"\n{},=a ]*$/)).filter((each) => !each.includes('\u0000'))
  fc.assert(
    fc.property(fc.uniqueArray(fc.tuple(text, text), { selector: (pair) => pair.join('\u0000') }), (pairs) => {
      const counter = createCounter(FAMILY)
      for (const [i, [x, y]] of pairs.entries()) counter.add(i + 1, x, y)
      if (pairs.length === 0) {
        assert.equal(counter.render(), '')
        return
      }
      const samples = readExposition(counter.render()).get('a_total')?.samples
      assert.deepEqual(
        samples?.map(({ labels, value }) => [labels.x, labels.y, value]),
        pairs.map(([x, y], i) => [x, y, i + 1]),
      )
    }),
  )
})

test('counters only grow', () => {
  const counter = createCounter({ ...FAMILY, labels: [] })
  assert.equal(sampleValue(readExposition(counter.render()), 'a_total'), 0)
  for (const amount of [1, 0.5, 0, -3, Number.NaN]) counter.add(amount)
  assert.equal(sampleValue(readExposition(counter.render()), 'a_total'), 1.5)
})

test('a histogram counts each value in the first bucket that holds it, and in all above', () => {
  const histogram = createHistogram({ name: 'h', help: 'H.', labels: ['x'] }, [1, 2, 5])
  for (const value of [0, 1, 1.5, 5, 6, 1e300]) histogram.observe(value, 'a')
  for (const value of [-1, Number.NaN, Number.POSITIVE_INFINITY]) histogram.observe(value, 'a')
  histogram.observe(2, 'b')
  const families = readExposition(histogram.render())
  const counts = ['1', '2', '5', '+Inf'].map((le) => sampleValue(families, 'h_bucket', { x: 'a', le }))
  assert.deepEqual(counts, [2, 3, 4, 6])
  assert.equal(sampleValue(families, 'h_sum', { x: 'b' }), 2)
})

test('a reading is asked each time, and says every number', () => {
  let value = 0
  const reading = createReading({ name: 'g', help: 'G.', labels: [] }, 'gauge', () => [{ labels: [], value }])
  for (value of [7, 0.5, 1e21, 1e-7, -2, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]) {
    assert.equal(sampleValue(readExposition(reading.render()), 'g'), value)
  }
})

test('the reader refuses what is not of the format', () => {
  const head = '# HELP a A.\n# TYPE a counter\n'
  readExposition(`${head}a{x="1"} 1\n`)
  for (const text of [
    `${head}a 1`,
    `a 1\n`,
    `# TYPE a counter\na 1\n`,
    `${head}b 1\n`,
    `${head}a one\n`,
    `${head}a{x="1} 1\n`,
    `${head}a{x="1"y="2"} 1\n`,
    `${head}a{x="1"} 1\na{x="1"} 2\n`,
    `${head}a 1\n${head}a 1\n`,
    `${head}a{x="a\nb"} 1\n`,
    '# HELP h H.\n# TYPE h histogram\nh_bucket{le="1"} 2\nh_bucket{le="+Inf"} 1\nh_sum 1\nh_count 1\n',
  ]) {
    assert.throws(() => readExposition(text), assert.AssertionError, text)
  }
})
