/** Kinds of upstreams, one row each: what they can answer, under which paths, and which header opens them. */
import { CountersignError } from '@countersign/verify'
import type { DialectName } from '../dialects/dialect.ts'
import type { UpstreamKind } from './upstream.ts'

/** Kinds that are reached over HTTP. */
export type HttpKind = Exclude<UpstreamKind, 'llama'>

/** The dialects that an upstream of a kind can answer. */
export const KIND_DIALECTS: { readonly [kind in UpstreamKind]: readonly DialectName[] } = {
  openai: [
    'openai-chat',
    'openai-responses',
    'openai-completions',
    'openai-embeddings',
    'openai-transcriptions',
    'openai-translations',
  ],
  anthropic: ['anthropic-messages', 'anthropic-count-tokens'],
  kserve: ['open-inference'],
  llama: ['openai-chat', 'openai-completions', 'openai-embeddings'],
}

export interface HttpKindRow {
  /** How clients' paths begin; others are not for this kind. */
  readonly clientPath: string
  /** What of that start the base URL has already, as providers document it. */
  readonly inBase: string
  /** Usual header of its credential. */
  readonly credentialHeader: string
}

export const HTTP_KINDS: { readonly [kind in HttpKind]: HttpKindRow } = {
  openai: { clientPath: '/v1/', inBase: '/v1', credentialHeader: 'authorization' },
  anthropic: { clientPath: '/v1/', inBase: '', credentialHeader: 'x-api-key' },
  kserve: { clientPath: '/v2/', inBase: '', credentialHeader: 'authorization' },
}

/** The one header in which a credential has its scheme before it. */
export const BEARER_HEADER = 'authorization'

/** Segments that some server may take for a way up, out of the base path, however they are spelled. */
const DOT_SEGMENT = /(?:\/|\\|%2f|%5c)(?:\.|%2e){1,2}(?=$|\/|\\|%2f|%5c|;)/i

/** Where a base URL leads. */
export interface UpstreamPlace {
  /** Its path, without a slash at the end. */
  readonly basePath: string
  /** Added to each request, in this order. */
  readonly query: readonly (readonly [name: string, value: string])[]
}

/**
 * The path and query to ask an upstream for, given what the client asked the gateway for. A client's parameter gives way
 * to the place's of the same name.
 *
 * @throws {CountersignError} `request/not-found` when the path is not of this kind, or may lead out of the base path
 */
export function upstreamPath(kind: HttpKind, { basePath, query }: UpstreamPlace, clientPath: string): string {
  const { clientPath: start, inBase } = HTTP_KINDS[kind]
  const queryAt = clientPath.indexOf('?')
  const path = queryAt < 0 ? clientPath : clientPath.slice(0, queryAt)
  // No request names a fragment; servers differ in what they make of one.
  if (!path.startsWith(start) || DOT_SEGMENT.test(path) || clientPath.includes('#')) {
    throw new CountersignError('request/not-found', `an upstream of kind ${kind} has nothing at this path`)
  }
  const target = basePath + path.slice(inBase.length)
  if (query.length === 0) return queryAt < 0 ? target : target + clientPath.slice(queryAt)
  const fixed = query.map(([name, value]) => `${encodeURIComponent(name)}=${encodeURIComponent(value)}`)
  return `${target}?${[...otherParameters(queryAt < 0 ? '' : clientPath.slice(queryAt + 1), query), ...fixed].join('&')}`
}

/** The client's parameters but for those that the place gives itself, spelled as they came. */
function otherParameters(clientQuery: string, query: UpstreamPlace['query']): readonly string[] {
  const names = new Set(query.map(([name]) => name))
  return clientQuery.split('&').filter((parameter) => {
    const [name = ''] = new URLSearchParams(parameter).keys()
    return parameter !== '' && !names.has(name)
  })
}
