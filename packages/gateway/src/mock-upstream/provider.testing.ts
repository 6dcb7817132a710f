/** What all answers of one provider share: headers, and the shape of errors. */
import type { ErrorResponse } from '@anthropic-ai/sdk/resources/shared'
import { type HeaderMap, jsonAnswer, type Whole } from './answer.testing.ts'

export interface Provider {
  headers(digest: string): HeaderMap
  error(status: number, message: string, digest: string): Whole
}

/** The fields of an error's object in OpenAI's API. */
export interface OpenaiError {
  readonly message: string
  readonly type: string
  readonly param: string | null
  readonly code: string | null
}

interface Kind {
  readonly type: string
  readonly code: string | null
}

const OPENAI_KINDS: { readonly [status: number]: Kind } = {
  401: { type: 'invalid_request_error', code: 'invalid_api_key' },
  404: { type: 'invalid_request_error', code: 'model_not_found' },
  429: { type: 'requests', code: 'rate_limit_exceeded' },
}

type AnthropicKind = ErrorResponse['error']['type'] | 'request_too_large'

const ANTHROPIC_KINDS: { readonly [status: number]: AnthropicKind } = {
  401: 'authentication_error',
  403: 'permission_error',
  404: 'not_found_error',
  413: 'request_too_large',
  429: 'rate_limit_error',
  504: 'timeout_error',
  529: 'overloaded_error',
}

/** Seconds that a client is asked to wait. */
const RETRY_AFTER: { readonly [status: number]: string } = { 429: '1', 503: '1', 529: '1' }

export const OPENAI: Provider = {
  headers: (digest) => ({
    'openai-organization': 'mock-organization',
    'openai-processing-ms': '12',
    'openai-version': '2020-10-01',
    'x-request-id': `req_${digest.slice(0, 32)}`,
    'x-ratelimit-limit-requests': '10000',
    'x-ratelimit-remaining-requests': '9999',
    'x-ratelimit-reset-requests': '6ms',
    'x-ratelimit-limit-tokens': '2000000',
    'x-ratelimit-remaining-tokens': '1999900',
    'x-ratelimit-reset-tokens': '3ms',
    'set-cookie': [`__cf_bm=${digest.slice(0, 16)}; path=/; HttpOnly; Secure`, '_cfuvid=mock; path=/; HttpOnly'],
  }),
  error(status, message, digest) {
    const text = JSON.stringify({ error: openaiError(status, message) }, undefined, 2)
    return jsonAnswer(status, { ...OPENAI.headers(digest), ...retryHeaders(status) }, text)
  },
}

export const ANTHROPIC: Provider = {
  headers: (digest) => ({
    'request-id': `req_01${digest.slice(0, 22)}`,
    'anthropic-organization-id': '00000000-0000-4000-8000-000000000000',
    'anthropic-ratelimit-requests-limit': '4000',
    'anthropic-ratelimit-requests-remaining': '3999',
    'anthropic-ratelimit-requests-reset': '2026-01-01T00:00:01Z',
    'anthropic-ratelimit-input-tokens-limit': '400000',
    'anthropic-ratelimit-input-tokens-remaining': '400000',
    'anthropic-ratelimit-input-tokens-reset': '2026-01-01T00:00:00Z',
    'anthropic-ratelimit-output-tokens-limit': '80000',
    'anthropic-ratelimit-output-tokens-remaining': '80000',
    'anthropic-ratelimit-output-tokens-reset': '2026-01-01T00:00:00Z',
  }),
  error(status, message, digest) {
    const text = JSON.stringify({ ...anthropicError(status, message), request_id: `req_01${digest.slice(0, 22)}` })
    return jsonAnswer(status, { ...ANTHROPIC.headers(digest), ...retryHeaders(status) }, text)
  },
}

export const OPEN_INFERENCE: Provider = {
  headers: () => ({}),
  error: (status, message) => jsonAnswer(status, retryHeaders(status), JSON.stringify({ error: message })),
}

export function openaiError(status: number, message: string): OpenaiError {
  const other = { type: status >= 500 ? 'server_error' : 'invalid_request_error', code: null }
  return { message, param: null, ...(OPENAI_KINDS[status] ?? other) }
}

export function anthropicError(status: number, message: string) {
  const other: AnthropicKind = status >= 500 ? 'api_error' : 'invalid_request_error'
  return { type: 'error', error: { type: ANTHROPIC_KINDS[status] ?? other, message } } as const
}

function retryHeaders(status: number): HeaderMap {
  const seconds = RETRY_AFTER[status]
  return seconds === undefined ? {} : { 'retry-after': seconds }
}
