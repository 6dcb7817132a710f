/** Prices of models as data: per million tokens, in whole micros. @spec spec/access.md */
import { readFileSync } from 'node:fs'
import {
  CountersignError,
  Fields,
  type InferencePredicate,
  type PriceLine,
  parseJson,
  ShapeError,
} from '@countersign/verify'

export const PRICES_FORMAT = 'countersign-prices/v1'

/** Most bytes of a price file, and how deep it is nested. */
export const PRICES_LIMITS = { maxBytes: 4 * 1024 * 1024, maxDepth: 8 }
const MAX_PROVIDERS = 256
const MAX_MODELS = 4096

/** Highest price of a million tokens: a million of the currency's units. */
const MAX_RATE_MICROS = 1_000_000_000_000
const PER_MILLION = 1_000_000n

/** Output tokens that are reckoned with where a request names no limit. */
export const DEFAULT_OUTPUT_TOKENS = 4096

/** Input tokens that providers may put around a request: its template. */
export const TEMPLATE_TOKENS = 1024

/** Micros for a million tokens. */
export interface Rates {
  readonly inputMicros: number
  readonly outputMicros: number
  /** For input that the provider had in its cache; as other input where it is missing. */
  readonly cachedInputMicros?: number
}

export interface Price extends Rates {
  /** ISO 4217. */
  readonly currency: string
  /** Other rates for the whole request when its input has more tokens than this. */
  readonly longPrompt?: Rates & { readonly aboveInputTokens: number }
  /** Where the price was read, and the day or month of which that says it. */
  readonly source: string
  readonly date: string
}

export interface Prices {
  readonly providers: ReadonlyMap<string, ReadonlyMap<string, Price>>
}

/**
 * Reads a price file. Says nothing of whether the prices are right.
 *
 * @throws {CountersignError} `shape/*`, `json/*`, `bytes/*`
 */
export function parsePrices(bytes: Uint8Array): Prices {
  const fields = new Fields(parseJson(bytes, PRICES_LIMITS), 'prices')
  fields.literal('format', PRICES_FORMAT)
  const currency = fields.text('currency', { maxLength: 3, pattern: /^[A-Z]{3}$/ })
  const providers = readEntries(fields.object('providers'), MAX_PROVIDERS, (models) =>
    readEntries(models, MAX_MODELS, (price) => readPrice(price, currency)),
  )
  fields.end()
  return { providers }
}

/** The prices that come with this release. Providers change theirs: operators bring a file of their own. */
export function readBundledPrices(): Prices {
  return parsePrices(readFileSync(new URL('../../prices.json', import.meta.url)))
}

/** An object whose keys are names. */
function readEntries<T>(fields: Fields, maxNames: number, read: (entry: Fields) => T): ReadonlyMap<string, T> {
  const entries = new Map<string, T>()
  for (const name of fields.names(maxNames)) {
    if (!/^[!-~]{1,256}$/.test(name)) {
      throw new ShapeError('shape/bad-value', fields.path, 'a name has 1 to 256 visible ASCII characters')
    }
    entries.set(name, read(fields.object(name)))
  }
  return entries
}

function readPrice(fields: Fields, currency: string): Price {
  const longPrompt = fields.optional('longPrompt', () => readLongPrompt(fields.object('longPrompt')))
  const price: Price = {
    currency,
    ...readRates(fields),
    ...(longPrompt === undefined ? {} : { longPrompt }),
    source: fields.text('source', { maxLength: 512, pattern: /^https:\/\/[!-~]+$/ }),
    date: fields.text('date', { maxLength: 10, pattern: /^\d{4}-\d{2}(-\d{2})?$/ }),
  }
  fields.end()
  return price
}

function readLongPrompt(fields: Fields): NonNullable<Price['longPrompt']> {
  const longPrompt = { aboveInputTokens: fields.integer('aboveInputTokens'), ...readRates(fields) }
  fields.end()
  return longPrompt
}

function readRates(fields: Fields): Rates {
  const rate = (name: string) => fields.integer(name, 0, MAX_RATE_MICROS)
  const cachedInputMicros = fields.optional('cachedInputMicros', () => rate('cachedInputMicros'))
  return {
    inputMicros: rate('inputMicros'),
    outputMicros: rate('outputMicros'),
    ...(cachedInputMicros === undefined ? {} : { cachedInputMicros }),
  }
}

/** A model's name with the day of a snapshot: `gpt-4o-2024-08-06`, `claude-haiku-4-5-20251001`. */
const DATED = /^(.+?)-(\d{4}-\d{2}-\d{2}|\d{8})$/

/**
 * The price of a model: that of its exact name, else that of its name without the day of a snapshot at its end. Nothing
 * else is guessed: a model whose name merely begins like a listed one has no price here.
 */
export function findPrice({ providers }: Prices, provider: string, model: string): Price | undefined {
  const models = providers.get(provider)
  const [, undated] = DATED.exec(model) ?? []
  return models?.get(model) ?? (undated === undefined ? undefined : models?.get(undated))
}

type Usage = InferencePredicate['usage']

/**
 * What an answer costs, line by line, each rounded half up to whole micros. `inputTokens` counts all input; what was cached
 * of it is priced apart, and not again. A provider that counts cached tokens apart is added up before this.
 *
 * `unknown` when usage is, or lacks a number that is priced, or when the sum is more than a statement can say: such
 * usage is not true.
 */
export function priceLines(price: Price, usage: Usage, payee: string): readonly PriceLine[] | 'unknown' {
  if (usage === 'unknown') return 'unknown'
  const { inputTokens, outputTokens, cachedInputTokens = 0 } = usage
  if (![inputTokens ?? 0, outputTokens ?? 0, cachedInputTokens].every(isCount)) return 'unknown'
  const rates = ratesFor(price, inputTokens ?? 0)
  if (inputTokens === undefined && rates.inputMicros > 0) return 'unknown'
  if (outputTokens === undefined && rates.outputMicros > 0) return 'unknown'
  const cached = rates.cachedInputMicros === undefined ? 0 : cachedInputTokens
  const parts = [
    { item: 'input-tokens', tokens: Math.max(0, (inputTokens ?? 0) - cached), rateMicros: rates.inputMicros },
    ...(cached > 0 ? [{ item: 'cached-input-tokens', tokens: cached, rateMicros: rates.cachedInputMicros ?? 0 }] : []),
    { item: 'output-tokens', tokens: outputTokens ?? 0, rateMicros: rates.outputMicros },
  ]
  const lines = parts.map(({ item, tokens, rateMicros }) => ({
    item,
    amountMicros: Number((BigInt(tokens) * BigInt(rateMicros) + PER_MILLION / 2n) / PER_MILLION),
    currency: price.currency,
    payee,
  }))
  return Number.isSafeInteger(sumMicros(lines)) ? lines : 'unknown'
}

/** ISO 4217 for "no currency is involved". */
export const NO_CURRENCY = 'XXX'

/** The sum of price lines of one currency. */
export function sumMicros(lines: readonly Pick<PriceLine, 'amountMicros'>[]): number {
  return lines.reduce((sum, { amountMicros }) => sum + amountMicros, 0)
}

/**
 * The most that a request of text costs, for setting money aside: as if each of its bytes were a token, with
 * {@link TEMPLATE_TOKENS} around it, nothing cached, and all output that it allows, or {@link DEFAULT_OUTPUT_TOKENS}.
 * `maxOutputTokens` is for all the answers that it asks for together.
 *
 * Not a bound for what the bytes merely point to (images by address, files, searches), nor for a model that answers
 * longer than the default when no limit was sent.
 *
 * @throws {CountersignError} `request/malformed` when no statement can say such a price
 */
export function estimateMicros(price: Price, requestBytes: number, maxOutputTokens: number | undefined): number {
  const outputTokens = maxOutputTokens ?? DEFAULT_OUTPUT_TOKENS
  if (!isCount(outputTokens) || !isCount(requestBytes)) throw tooMuch()
  const inputTokens = requestBytes + TEMPLATE_TOKENS
  const rates = [price, ratesFor(price, inputTokens)]
  const inputMicros = Math.max(...rates.flatMap((each) => [each.inputMicros, each.cachedInputMicros ?? 0]))
  const outputMicros = Math.max(...rates.map((each) => each.outputMicros))
  // One micro more where input costs anything: cached and other input are rounded each.
  const micros = roundUp(inputTokens, inputMicros) + (inputMicros > 0 ? 1n : 0n) + roundUp(outputTokens, outputMicros)
  if (micros > BigInt(Number.MAX_SAFE_INTEGER)) throw tooMuch()
  return Number(micros)
}

function ratesFor(price: Price, inputTokens: number): Rates {
  return price.longPrompt !== undefined && inputTokens > price.longPrompt.aboveInputTokens ? price.longPrompt : price
}

function roundUp(tokens: number, rateMicros: number): bigint {
  return (BigInt(tokens) * BigInt(rateMicros) + PER_MILLION - 1n) / PER_MILLION
}

function isCount(tokens: number): boolean {
  return Number.isSafeInteger(tokens) && tokens >= 0
}

function tooMuch(): CountersignError {
  return new CountersignError('request/malformed', 'the price of such a request is more than a statement can say')
}
