/** What a deployment's answers cost: by its own list, or by the catalogue that comes with the release. */
import { CountersignError, type ListedPrice, type PriceLine, type Usage } from '@countersign/verify'
import type { DeploymentConfig } from '../config/config.ts'
import { findPrice, type Price, type Prices, priceLines, sumMicros } from '../prices/prices.ts'

/** Prices of one deployment. */
export interface Pricing {
  /** As the manifest lists them. */
  readonly listed: readonly ListedPrice[]
  /** The price of a model, as it is sent; `undefined` where it is not known. */
  readonly priceOf: (model: string) => Price | undefined
  /** The price of an answer, line by line; `unknown` where the usage does not say. */
  readonly linesFor: (price: Price, usage: Usage) => readonly PriceLine[] | 'unknown'
  /** What each answer costs besides, however long it is. It is in `linesFor` as well. */
  readonly perRequest: readonly PriceLine[]
}

/** Where a model is looked up in the catalogue. */
export interface PricedTarget {
  /** Name of the provider, as the catalogue has it. */
  readonly provider: string
  /** `undefined`: whatever the client asks for. */
  readonly model: string | undefined
}

const PER_MILLION = 1_000_000n
const REQUEST = 'request'
const RATES = {
  'input-tokens': 'inputMicros',
  'output-tokens': 'outputMicros',
  'cached-input-tokens': 'cachedInputMicros',
} as const

/** @throws {CountersignError} `config/malformed` for prices that no answer's bill could be made of */
export function createPricing(
  config: Pick<DeploymentConfig, 'name' | 'prices'>,
  targets: readonly PricedTarget[],
  catalogue: Prices,
  payee: string,
): Pricing {
  if (config.prices === 'catalogue') return fromCatalogue(targets, catalogue, payee)
  const listed = config.prices
  const price = listed.length === 0 ? undefined : priceFromList(config.name, listed)
  const perRequest = listed
    .filter(({ item }) => item === REQUEST)
    .map(({ item, amountMicros, currency }) => ({ item, amountMicros, currency, payee }))
  return {
    listed,
    priceOf: () => price,
    linesFor: (known, usage) => {
      const priced = priceLines(known, usage, payee)
      if (priced === 'unknown') return 'unknown'
      const lines = [...perRequest, ...priced.filter(({ amountMicros }) => amountMicros > 0)]
      return Number.isSafeInteger(sumMicros(lines)) ? lines : 'unknown'
    },
    perRequest,
  }
}

function fromCatalogue(targets: readonly PricedTarget[], catalogue: Prices, payee: string): Pricing {
  const priceOf = (model: string) => {
    for (const { provider } of targets) {
      const price = findPrice(catalogue, provider, model)
      if (price !== undefined) return price
    }
    return undefined
  }
  const models = [...new Set(targets.flatMap(({ model }) => (model === undefined ? [] : [model])))]
  const listed = models.flatMap((model) => {
    const price = priceOf(model)
    return price === undefined ? [] : listOf(price, models.length === 1 ? '' : ` of ${model}`)
  })
  return { listed, priceOf, linesFor: (price, usage) => priceLines(price, usage, payee), perRequest: [] }
}

function listOf({ inputMicros, outputMicros, cachedInputMicros, currency }: Price, suffix: string): ListedPrice[] {
  const rates = { inputMicros, outputMicros, cachedInputMicros }
  return Object.entries(RATES).flatMap(([item, rate]) => {
    const amountMicros = rates[rate]
    const name = `${item}${suffix}`.slice(0, 64)
    return amountMicros === undefined ? [] : [{ item: name, amountMicros, currency, per: Number(PER_MILLION) }]
  })
}

/** A list by item as rates per million tokens. */
function priceFromList(deployment: string, listed: readonly ListedPrice[]): Price {
  const rates = { inputMicros: 0, outputMicros: 0 } as {
    inputMicros: number
    outputMicros: number
    cachedInputMicros?: number
  }
  const [first] = listed
  for (const { item, amountMicros, currency, per = 1 } of listed) {
    if (currency !== first?.currency) throw malformed(deployment, 'all prices must be in one currency')
    if (item === REQUEST && per === 1) continue
    if (!Object.hasOwn(RATES, item)) {
      throw malformed(deployment, `expected the items ${[...Object.keys(RATES), REQUEST].join(', ')}, not "${item}"`)
    }
    const micros = BigInt(amountMicros) * PER_MILLION
    if (micros % BigInt(per) !== 0n) throw malformed(deployment, `"${item}" is no whole number of micros per million`)
    rates[RATES[item as keyof typeof RATES]] = Number(micros / BigInt(per))
  }
  return { ...rates, currency: first?.currency ?? '', source: 'configuration', date: '' }
}

function malformed(deployment: string, why: string): CountersignError {
  return new CountersignError('config/malformed', `deployments.${deployment}.prices: ${why}`)
}
