/** Keys with rates and budgets, and an upstream that says whatever a test wants of its usage. */
import type { TestContext } from 'node:test'
import type { ApiKey, ApiKeyTerms } from '../access/api-key.ts'
import { apiKeysPath } from '../access/api-key-file.ts'
import { ApiKeyStore } from '../access/api-keys.ts'
import { type RelayChanges, type RelayStage, startRelay } from './relay.testing.ts'
import { type ScriptedUpstream, startScripted } from './scripted-upstream.testing.ts'

/** One micro for a token of input, two for one of output. */
export const PRICES = [
  { item: 'input-tokens', amountMicros: 1_000_000, currency: 'EUR', per: 1_000_000 },
  { item: 'output-tokens', amountMicros: 2_000_000, currency: 'EUR', per: 1_000_000 },
]

export interface Holder {
  readonly key: ApiKey
  readonly headers: { readonly authorization: string }
}

/** A new key of a running gateway. */
export function makeKey({ gateway }: Pick<RelayStage, 'gateway'>, terms: Partial<ApiKeyTerms> = {}): Holder {
  const store = new ApiKeyStore(apiKeysPath(gateway.dataRoot))
  try {
    const { key, token } = store.create({ name: 'test', deployments: 'all', rights: ['infer'], ...terms }, Date.now())
    return { key, headers: { authorization: `Bearer ${token}` } }
  } finally {
    store.close()
  }
}

/** A budget so large that it is never in the way. */
export const RICH = { monthlyBudget: { amountMicros: 1_000_000_000_000, currency: 'EUR' } }

export async function startPriced(
  context: TestContext,
  changes: RelayChanges = {},
): Promise<{ readonly stage: RelayStage; readonly upstream: ScriptedUpstream }> {
  const upstream = await startScripted(context)
  const deployment = { prices: PRICES, ...changes.deployment }
  const stage = await startRelay(context, { url: upstream.url, config: { access: 'keys' }, ...changes, deployment })
  return { stage, upstream }
}

/** What a key has spent and set aside this month, in micros. */
export function balanceOf({ gateway }: Pick<RelayStage, 'gateway'>, key: ApiKey) {
  return gateway.access.budgets.balance(key, Date.now())
}

/** A whole answer of chat completions. */
export function answer(usage: object | undefined, more: object = {}) {
  const choices = [{ index: 0, finish_reason: 'stop', message: { role: 'assistant', content: 'Yes.' } }]
  const body = { id: 'x', model: 'm', choices, ...(usage && { usage }), ...more }
  return { status: 200, contentType: 'application/json', pieces: [Buffer.from(JSON.stringify(body))] }
}

/** A stream of chat completions that says no usage. */
export const SILENT_STREAM = {
  status: 200,
  contentType: 'text/event-stream',
  pieces: [
    Buffer.from(
      'data: {"id":"x","model":"m","choices":[{"index":0,"delta":{"content":"a"},"finish_reason":"stop"}]}\n\n',
    ),
    Buffer.from('data: [DONE]\n\n'),
  ],
}
