/** Upstreams and requests for tests. */
import assert from 'node:assert/strict'
import { buffer } from 'node:stream/consumers'
import { DEFAULT_BREAKER, DEFAULT_CONCURRENCY, DEFAULT_TIMEOUTS } from '../config/config.ts'
import { createHttpUpstream, type HttpUpstreamConfig } from './http-upstream.ts'
import type { Headers, Upstream, UpstreamAnswer, UpstreamRequest } from './upstream.ts'

export const PLANTED_KEY = 'sk-planted-0123456789abcdef'

/** An OpenAI upstream at that origin, with the planted key. */
export function configFor(origin: string, changes: Partial<HttpUpstreamConfig> = {}): HttpUpstreamConfig {
  return {
    name: 'tested',
    kind: 'openai',
    baseUrl: `${origin}/v1`,
    credential: { secret: PLANTED_KEY },
    credentialHeader: undefined,
    query: [],
    headers: [],
    timeouts: DEFAULT_TIMEOUTS,
    concurrency: DEFAULT_CONCURRENCY,
    breaker: DEFAULT_BREAKER,
    place: undefined,
    ...changes,
  }
}

export interface Asked extends Partial<Omit<UpstreamRequest, 'body'>> {
  readonly model?: string
  readonly body?: object
}

/** A request for a chat completion, unless it says otherwise. */
export function requestFor({ model = 'mock-small', body, ...changes }: Asked = {}): UpstreamRequest {
  const json = body ?? { model, messages: [{ role: 'user', content: 'hello' }] }
  return {
    method: 'POST',
    path: '/v1/chat/completions',
    headers: [['content-type', 'application/json']],
    dialect: undefined,
    facts: undefined,
    signal: new AbortController().signal,
    ...changes,
    body: changes.method === 'GET' ? undefined : Buffer.from(JSON.stringify(json)),
  }
}

export async function textOf({ body }: UpstreamAnswer): Promise<string> {
  return (await buffer(body)).toString()
}

export function headerOf(headers: Headers, name: string): string | undefined {
  return headers.find(([each]) => each === name)?.[1]
}

/** Runs with an upstream, which is closed in any case. */
export async function withUpstream<T>(
  config: HttpUpstreamConfig,
  run: (upstream: Upstream) => Promise<T>,
  nowMs?: () => number,
): Promise<T> {
  const upstream = createHttpUpstream(config, nowMs)
  try {
    return await run(upstream)
  } finally {
    await upstream.close()
  }
}

/** Expects that it fails with that code, with a message that matches and has nothing secret in it. */
export async function assertFails(failing: Promise<unknown>, code: string, message = /./): Promise<void> {
  await assert.rejects(failing, (error: Error & { readonly code?: string }) => {
    assert.equal(error.code, code, error.message)
    assert.match(error.message, message)
    assert.equal(`${error.message}${error.stack}`.includes(PLANTED_KEY), false)
    return true
  })
}
