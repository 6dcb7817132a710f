/** Official clients, with their answers checked. */
import type { Fetch } from './gateway-reader.ts'
import type { Platform } from './platform.ts'
import { createReceiptsFetch, type ReceiptsOptions } from './receipts-fetch.ts'

/** What the clients of OpenAI and Anthropic have in common: a copy of them takes another `fetch`. */
export interface SdkClient {
  withOptions(options: { readonly fetch: Fetch }): unknown
}

/**
 * A copy of an official client that checks every answer. Same class, same types: streams, parsing and helpers work as
 * before. The client's own `fetch` goes on sending the requests, unless `options.fetch` is given.
 *
 * @throws {CountersignError} `trust/malformed`, `key/malformed`
 */
export function attachReceipts<C extends SdkClient>(platform: Platform, client: C, options: ReceiptsOptions): C {
  const own = 'fetch' in client && typeof client.fetch === 'function' ? { fetch: client.fetch as Fetch } : {}
  return client.withOptions({ fetch: createReceiptsFetch(platform, { ...own, ...options }) }) as C
}
