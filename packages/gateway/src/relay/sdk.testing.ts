/** What a provider's own library makes of answers, straight from the mock upstream and through the gateway. */
import assert from 'node:assert/strict'
import { type RelayChanges, withoutPromise } from './relay.testing.ts'

/** Nothing is tried again: so the gateway gives each answer that the mock gives, errors too. */
export const AS_DIRECT: RelayChanges = { deployment: { retries: { attempts: 1, totalMs: 1000 } } }

/** Notes the receipts of all answers that pass. */
export function notingFetch(receipts: string[]): typeof fetch {
  return async (input, init) => {
    const response = await fetch(input, init)
    const receipt = response.headers.get('countersign-receipt')
    if (receipt !== null) receipts.push(receipt)
    return response
  }
}

/** What a caller got: a value, or what it was told of an error. */
export type Outcome = { readonly value: unknown } | { readonly error: object }

const TOLD = ['status', 'message', 'code', 'type', 'param', 'error', 'requestID', 'request_id'] as const

export async function outcomeOf(ask: () => PromiseLike<unknown>): Promise<Outcome> {
  try {
    return { value: await ask() }
  } catch (thrown) {
    return { error: told(thrown) }
  }
}

/** Everything that a stream gives, and how it ends when it ends badly. */
export async function collect<T>(
  opening: PromiseLike<AsyncIterable<T>>,
): Promise<{ readonly items: readonly T[]; readonly error?: object }> {
  const items: T[] = []
  const stream = await opening
  try {
    for await (const item of stream) items.push(item)
    return { items }
  } catch (thrown) {
    return { items, error: told(thrown) }
  }
}

function told(thrown: unknown): object {
  assert.ok(thrown instanceof Error)
  const fields = thrown as unknown as { readonly [name: string]: unknown }
  return { name: thrown.constructor.name, ...Object.fromEntries(TOLD.map((name) => [name, fields[name]])) }
}

/** Headers by which a client gets at the record of its answer. */
export function receiptOf({ headers }: Response): { readonly receipt: string; readonly secret: string } {
  const [receipt, secret, salts] = ['receipt', 'secret', 'salts'].map(
    (name) => headers.get(`countersign-${name}`) ?? '',
  )
  assert.match(receipt ?? '', /^[0-9a-f]{32}$/)
  assert.match(secret ?? '', /^\S{20,}$/)
  assert.match(salts ?? '', /^[\w-]{43}$/)
  return { receipt: receipt ?? '', secret: secret ?? '' }
}

/** A streamed answer as it came off the wire has one promise, and is the upstream's but for that. */
export async function assertRawStream(response: Response, sent: Uint8Array): Promise<void> {
  const { bytes, promises } = withoutPromise(Buffer.from(await response.arrayBuffer()))
  assert.equal(promises.length, 1)
  assert.deepEqual(bytes, Buffer.from(sent))
}
