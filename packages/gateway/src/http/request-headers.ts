/** What clients say in headers of ours, or in place of a provider's key. */
import type { IncomingHttpHeaders, IncomingMessage } from 'node:http'
import { CountersignError, quote } from '@countersign/verify'

/** Every key of a gateway begins so; what does not is a provider's, and none of our business. */
const KEY_PREFIX = 'csk_'

/** A header's one value, however often it stands there. */
export function headerOf({ headers }: { readonly headers: IncomingHttpHeaders }, name: string): string | undefined {
  const value = headers[name]
  return Array.isArray(value) ? value.join(', ') : value
}

/**
 * What the body is. All that a client sends of it goes on to the upstream, and servers differ in which of several they take.
 *
 * @throws {CountersignError} `request/malformed` for several
 */
export function readContentType({ headers, rawHeaders }: IncomingMessage): string | undefined {
  const isOne = rawHeaders.filter((name, i) => i % 2 === 0 && name.toLowerCase() === 'content-type').length < 2
  if (isOne) return headers['content-type']
  throw new CountersignError('request/malformed', 'Content-Type: expected once')
}

/** The client's nonce. @throws {CountersignError} `request/malformed` */
export function readNonce(request: IncomingMessage): string | undefined {
  const nonce = request.headers['countersign-nonce']
  if (nonce === undefined) return undefined
  if (typeof nonce !== 'string' || !/^[!-~]{1,128}$/.test(nonce)) {
    throw new CountersignError(
      'request/malformed',
      `Countersign-Nonce: ${quote(String(nonce))} is not 1 to 128 visible characters`,
    )
  }
  return nonce
}

/** The same, of a request in the web's shape. */
export function keyFromHeaders(headers: Headers): string | undefined {
  return keyIn(headers.get('authorization') ?? '', headers.get('x-api-key'), headers.get('api-key'))
}

/** The gateway's key that a request presents, where OpenAI's, Anthropic's or Azure's libraries put theirs. */
export function presentedKey({ headers }: IncomingMessage): string | undefined {
  return keyIn(headers.authorization ?? '', headers['x-api-key'], headers['api-key'])
}

function keyIn(authorization: string, ...apiKeys: readonly unknown[]): string | undefined {
  const bearer = /^Bearer +(\S+)$/i.exec(authorization)?.[1]
  for (const key of [bearer, ...apiKeys]) if (typeof key === 'string' && key.startsWith(KEY_PREFIX)) return key
  return undefined
}
