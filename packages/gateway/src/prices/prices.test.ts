import assert from 'node:assert/strict'
import { test } from 'node:test'
import { CountersignError, utf8 } from '@countersign/verify'
import fc from 'fast-check'
import {
  DEFAULT_OUTPUT_TOKENS,
  estimateMicros,
  findPrice,
  type Price,
  parsePrices,
  priceLines,
  readBundledPrices,
  sumMicros,
  TEMPLATE_TOKENS,
} from './prices.ts'

const SOURCE = { source: 'https://example.org/prices', date: '2026-11-01' }
const PRICE: Price = {
  currency: 'USD',
  inputMicros: 2_500_000,
  cachedInputMicros: 1_250_000,
  outputMicros: 10_000_000,
  ...SOURCE,
}

function file(models: object, rest: object = {}): Uint8Array {
  return utf8(JSON.stringify({ format: 'countersign-prices/v1', currency: 'EUR', providers: { p: models }, ...rest }))
}

test('a price file is read as it was written', () => {
  const long = { aboveInputTokens: 100, inputMicros: 2, cachedInputMicros: 1, outputMicros: 4 }
  const prices = parsePrices(file({ m: { inputMicros: 1, outputMicros: 2, longPrompt: long, ...SOURCE } }))
  const expected = { currency: 'EUR', inputMicros: 1, outputMicros: 2, longPrompt: long, ...SOURCE }
  assert.deepEqual(findPrice(prices, 'p', 'm'), expected)
})

const GOOD = { inputMicros: 1, outputMicros: 2, ...SOURCE }
for (const [what, bytes, code] of [
  ['another format', file({}, { format: 'countersign-prices/v2' }), 'shape/bad-value'],
  ['no currency', file({}, { currency: '' }), 'shape/bad-value'],
  ['a fraction of a micro', file({ m: { ...GOOD, inputMicros: 0.5 } }), 'shape/wrong-type'],
  ['less than nothing', file({ m: { ...GOOD, outputMicros: -1 } }), 'shape/bad-value'],
  ['more than a million a million', file({ m: { ...GOOD, outputMicros: 1e12 + 1 } }), 'shape/bad-value'],
  ['no source', file({ m: { ...GOOD, source: undefined } }), 'shape/missing-field'],
  ['a source that is no address', file({ m: { ...GOOD, source: 'somewhere' } }), 'shape/bad-value'],
  ['a date that is none', file({ m: { ...GOOD, date: 'today' } }), 'shape/bad-value'],
  ['an unknown field', file({ m: { ...GOOD, discount: 1 } }), 'shape/unknown-field'],
  ['a model without a name', file({ '': GOOD }), 'shape/bad-value'],
  ['a name with blanks', file({ 'a b': GOOD }), 'shape/bad-value'],
  [
    'a long prompt without a length',
    file({ m: { ...GOOD, longPrompt: { inputMicros: 1, outputMicros: 1 } } }),
    'shape/missing-field',
  ],
  [
    'too many models',
    file(Object.fromEntries(Array.from({ length: 4097 }, (_, i) => [`m${i}`, GOOD]))),
    'shape/bad-value',
  ],
  [
    'a model twice',
    utf8('{"format":"countersign-prices/v1","currency":"EUR","providers":{"p":{},"p":{}}}'),
    'json/duplicate-key',
  ],
] as const) {
  test(`a price file with ${what} is refused`, () => {
    assert.throws(() => parsePrices(bytes), { code })
  })
}

test('any bytes are prices or a typed error', () => {
  fc.assert(
    fc.property(
      fc.oneof(
        fc.uint8Array(),
        fc.json().map(utf8),
        fc.object().map((o) => file(o)),
      ),
      (bytes) => {
        try {
          parsePrices(bytes)
        } catch (thrown) {
          assert.ok(thrown instanceof CountersignError, String(thrown))
        }
      },
    ),
  )
})

test('the bundled prices are read, each with its source', () => {
  const { providers } = readBundledPrices()
  assert.deepEqual([...providers.keys()].sort(), ['anthropic', 'groq', 'mistral', 'openai', 'together'])
  const all = [...providers.values()].flatMap((models) => [...models.values()])
  assert.ok(all.length >= 50)
  for (const { currency, date, inputMicros, cachedInputMicros = 0 } of all) {
    assert.equal(currency, 'USD')
    assert.ok(date >= '2025' && date < '2027')
    assert.ok(inputMicros > 0 && cachedInputMicros < inputMicros)
  }
  const price = findPrice(readBundledPrices(), 'openai', 'gpt-4o-mini')
  assert.deepEqual([price?.inputMicros, price?.cachedInputMicros, price?.outputMicros], [150_000, 75_000, 600_000])
})

test('an exact name comes first, then the name without the day of its snapshot, and nothing else', () => {
  const named = (inputMicros: number) => ({ ...GOOD, inputMicros })
  const prices = parsePrices(
    file({ 'gpt-4o': named(1), 'gpt-4o-2024-05-13': named(2), 'gpt-4o-mini': named(3), 'claude-haiku-4-5': named(4) }),
  )
  const found = (model: string, provider = 'p') => findPrice(prices, provider, model)?.inputMicros
  assert.equal(found('gpt-4o'), 1)
  assert.equal(found('gpt-4o-2024-05-13'), 2)
  assert.equal(found('gpt-4o-2024-08-06'), 1)
  assert.equal(found('gpt-4o-mini-2024-07-18'), 3)
  assert.equal(found('claude-haiku-4-5-20251001'), 4)
  for (const model of [
    'gpt-4',
    'gpt-4o-',
    'gpt-4o-audio-preview',
    'gpt-4o-2024-08',
    'gpt-4o-202408060',
    'GPT-4o',
    '2024-08-06',
  ]) {
    assert.equal(found(model), undefined, model)
  }
  assert.equal(found('gpt-4o', 'other'), undefined)
  for (const name of ['__proto__', 'constructor', 'toString']) {
    assert.equal(found(name), undefined)
    assert.equal(found('gpt-4o', name), undefined)
  }
})

test('an answer is priced line by line, and cached input is not paid twice', () => {
  const lines = priceLines(PRICE, { inputTokens: 1000, cachedInputTokens: 400, outputTokens: 10 }, 'Provider')
  const paid = { currency: 'USD', payee: 'Provider' }
  assert.deepEqual(lines, [
    { item: 'input-tokens', amountMicros: 1500, ...paid },
    { item: 'cached-input-tokens', amountMicros: 500, ...paid },
    { item: 'output-tokens', amountMicros: 100, ...paid },
  ])
  const { cachedInputMicros: _, ...uncached } = PRICE
  assert.deepEqual(
    priceLines(uncached, { inputTokens: 1000, cachedInputTokens: 400, outputTokens: 10 }, 'Provider'),
    priceLines(uncached, { inputTokens: 1000, outputTokens: 10 }, 'Provider'),
  )
})

test('half a micro is rounded up, less is dropped', () => {
  const amount = (inputMicros: number) => {
    const lines = priceLines({ ...PRICE, inputMicros }, { inputTokens: 1, outputTokens: 0 }, 'P')
    return lines === 'unknown' ? lines : lines[0]?.amountMicros
  }
  assert.deepEqual([499_999, 500_000, 1_499_999, 1_500_000].map(amount), [0, 1, 1, 2])
})

test('a prompt beyond the limit has other rates for all of it', () => {
  const price: Price = {
    ...PRICE,
    longPrompt: { aboveInputTokens: 1000, inputMicros: 5_000_000, outputMicros: 20_000_000 },
  }
  const sum = (inputTokens: number) => {
    const lines = priceLines(price, { inputTokens, outputTokens: 100 }, 'P')
    return lines === 'unknown' ? lines : sumMicros(lines)
  }
  assert.equal(sum(1000), 2500 + 1000)
  assert.equal(sum(1001), 5005 + 2000)
})

test('usage that is unknown, lacks what is priced or cannot be true has no price', () => {
  assert.equal(priceLines(PRICE, 'unknown', 'P'), 'unknown')
  assert.equal(priceLines(PRICE, { inputTokens: 1 }, 'P'), 'unknown')
  assert.equal(priceLines(PRICE, { outputTokens: 1 }, 'P'), 'unknown')
  assert.equal(priceLines(PRICE, {}, 'P'), 'unknown')
  for (const outputTokens of [Number.MAX_SAFE_INTEGER, 2 ** 60, -1, 0.5, Number.NaN]) {
    assert.equal(priceLines(PRICE, { inputTokens: 1, outputTokens }, 'P'), 'unknown')
  }
  const embedding = priceLines({ ...PRICE, outputMicros: 0 }, { inputTokens: 4 }, 'P')
  assert.equal(embedding === 'unknown' ? embedding : sumMicros(embedding), 10)
})

const rate = fc.integer({ min: 0, max: 1_000_000_000 })
const anyPrice = fc.record({ inputMicros: rate, cachedInputMicros: rate, outputMicros: rate }).chain((rates) =>
  fc.record({
    currency: fc.constant('USD'),
    inputMicros: fc.constant(rates.inputMicros),
    cachedInputMicros: fc.constant(rates.cachedInputMicros),
    outputMicros: fc.constant(rates.outputMicros),
    longPrompt: fc.record({
      aboveInputTokens: fc.nat(5000),
      inputMicros: rate,
      cachedInputMicros: rate,
      outputMicros: rate,
    }),
    source: fc.constant(SOURCE.source),
    date: fc.constant(SOURCE.date),
  }),
)

test('lines are exact: the same as fractions of whole numbers, rounded half up', () => {
  const exact = (tokens: number, micros: number) => (2n * BigInt(tokens) * BigInt(micros) + 1_000_000n) / 2_000_000n
  fc.assert(
    fc.property(anyPrice, fc.nat(10_000), fc.nat(10_000), fc.nat(1_000_000), (price, fresh, cached, outputTokens) => {
      const inputTokens = fresh + cached
      const lines = priceLines(price, { inputTokens, cachedInputTokens: cached, outputTokens }, 'P')
      const rates = inputTokens > price.longPrompt.aboveInputTokens ? price.longPrompt : price
      assert.ok(lines !== 'unknown')
      const amount = (item: string) => BigInt(lines.find((line) => line.item === item)?.amountMicros ?? 0)
      assert.equal(amount('input-tokens'), exact(fresh, rates.inputMicros))
      assert.equal(amount('cached-input-tokens'), exact(cached, rates.cachedInputMicros))
      assert.equal(amount('output-tokens'), exact(outputTokens, rates.outputMicros))
    }),
  )
})

test('an answer within its limits never costs more than what was set aside', () => {
  const share = fc.integer({ min: 0, max: 100 })
  fc.assert(
    fc.property(
      anyPrice,
      fc.nat(20_000),
      fc.option(fc.nat(20_000), { nil: undefined }),
      share,
      share,
      share,
      (price, requestBytes, maxOutputTokens, i, c, o) => {
        const inputTokens = Math.floor(((requestBytes + TEMPLATE_TOKENS) * i) / 100)
        const cachedInputTokens = Math.floor((inputTokens * c) / 100)
        const outputTokens = Math.floor(((maxOutputTokens ?? DEFAULT_OUTPUT_TOKENS) * o) / 100)
        const lines = priceLines(price, { inputTokens, cachedInputTokens, outputTokens }, 'P')
        assert.ok(lines !== 'unknown')
        assert.ok(sumMicros(lines) <= estimateMicros(price, requestBytes, maxOutputTokens))
      },
    ),
  )
})

test('an estimate is what it says', () => {
  assert.equal(estimateMicros(PRICE, 1_000_000 - TEMPLATE_TOKENS, 1_000_000), 12_500_001)
  assert.equal(estimateMicros(PRICE, 0, undefined), 2560 + 1 + 40_960)
  for (const tokens of [Number.MAX_SAFE_INTEGER, 2 ** 60, -1, 1.5, Number.NaN]) {
    assert.throws(() => estimateMicros(PRICE, 10, tokens), { code: 'request/malformed' })
  }
})
