/** A virtual key: who may ask for what, how often and for how much. @spec spec/access.md */
import { CountersignError, Fields, type Json, quote, readText, ShapeError } from '@countersign/verify'

/** What a key may do, each named alone: no right includes another. */
export const RIGHTS = ['infer', 'receipts', 'usage', 'erase', 'audit'] as const
export type Right = (typeof RIGHTS)[number]

/** An amount of one currency. Amounts of two currencies never add up. */
export interface Money {
  /** Millionths of the currency's unit, a safe integer. */
  readonly amountMicros: number
  /** ISO 4217. */
  readonly currency: string
}

/** What was agreed when the key was made. It never changes: other terms are another key. */
export interface ApiKeyTerms {
  /** For people; need not be unique. */
  readonly name: string
  readonly deployments: 'all' | readonly string[]
  readonly rights: readonly Right[]
  readonly requestsPerMinute?: number
  readonly tokensPerMinute?: number
  /** For one calendar month (UTC). */
  readonly monthlyBudget?: Money
  readonly expiresAtMs?: number
}

export interface ApiKey extends ApiKeyTerms {
  /** `key_` and 16 hexadecimal digits. No secret: it stands in logs and usage. */
  readonly id: string
  readonly createdAtMs: number
  readonly revokedAtMs?: number
}

export const MAX_REQUESTS_PER_MINUTE = 1_000_000
export const MAX_TOKENS_PER_MINUTE = 1_000_000_000
const MAX_DEPLOYMENTS = 64
const MAX_TIME_MS = 8_640_000_000_000_000
const DEPLOYMENT_NAME = { maxLength: 128, pattern: /^[A-Za-z0-9][A-Za-z0-9._-]*$/ }

/**
 * Reads the terms of a key. Does not know which deployments there are: a name may come to be served later.
 *
 * @throws {CountersignError} `shape/*` with the place
 */
export function parseApiKeyTerms(value: Json): ApiKeyTerms {
  const fields = new Fields(value, 'key')
  const integer = (name: string, maximum: number) => fields.optional(name, () => fields.integer(name, 1, maximum))
  const terms: ApiKeyTerms = {
    name: fields.text('name', { maxLength: 128 }),
    deployments: readDeployments(fields),
    rights: readRights(fields),
    ...given('requestsPerMinute', integer('requestsPerMinute', MAX_REQUESTS_PER_MINUTE)),
    ...given('tokensPerMinute', integer('tokensPerMinute', MAX_TOKENS_PER_MINUTE)),
    ...given(
      'monthlyBudget',
      fields.optional('monthlyBudget', () => readMoney(fields.object('monthlyBudget'))),
    ),
    ...given('expiresAtMs', integer('expiresAtMs', MAX_TIME_MS)),
  }
  fields.end()
  return terms
}

function readDeployments(fields: Fields): ApiKeyTerms['deployments'] {
  if (fields.any('deployments') === 'all') return 'all'
  const names = fields.list('deployments', MAX_DEPLOYMENTS, (item, path) => readText(item, path, DEPLOYMENT_NAME))
  return requireDistinct(names, fields.at('deployments'))
}

function readRights(fields: Fields): readonly Right[] {
  const rights = fields.list('rights', RIGHTS.length, (item, path) => {
    const right = RIGHTS.find((known) => known === item)
    if (right === undefined) throw new ShapeError('shape/bad-value', path, `expected one of ${RIGHTS.join(', ')}`)
    return right
  })
  return requireDistinct(rights, fields.at('rights'))
}

/** An empty list reads like "all" to one and like "none" to another. */
function requireDistinct<T>(items: readonly T[], path: string): readonly T[] {
  if (items.length === 0) throw new ShapeError('shape/bad-value', path, 'expected at least one')
  if (new Set(items).size !== items.length) throw new ShapeError('shape/bad-value', path, 'one stands there twice')
  return items
}

function readMoney(fields: Fields): Money {
  const money = {
    amountMicros: fields.integer('amountMicros'),
    currency: fields.text('currency', { maxLength: 3, pattern: /^[A-Z]{3}$/ }),
  }
  fields.end()
  return money
}

/** `{ [name]: value }`, or nothing where there is no value. */
export function given<K extends string, T>(name: K, value: T | undefined): { readonly [key in K]?: T } {
  return value === undefined ? {} : ({ [name]: value } as { readonly [key in K]?: T })
}

/**
 * Lets the key do that, at that deployment where it is about one. Does not look whether the key is still valid: that is
 * {@link ApiKeyStore.authenticate}'s word.
 *
 * @throws {CountersignError} `auth/not-allowed`
 */
export function requireRight(key: ApiKey, right: Right, deployment?: string): void {
  if (!key.rights.includes(right)) {
    throw new CountersignError('auth/not-allowed', `this key has not the right ${quote(right)}`)
  }
  if (deployment !== undefined && key.deployments !== 'all' && !key.deployments.includes(deployment)) {
    throw new CountersignError('auth/not-allowed', `this key is not for deployment ${quote(deployment)}`)
  }
}
