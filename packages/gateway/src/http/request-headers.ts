/** What clients say in headers of ours, or in place of a provider's key. */
import type { IncomingMessage } from 'node:http'
import { CountersignError, quote } from '@countersign/verify'

/** Every key of a gateway begins so; what does not is a provider's, and none of our business. */
const KEY_PREFIX = 'csk_'

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

/** The gateway's key that a request presents, where OpenAI's or Anthropic's libraries put theirs. */
export function presentedKey({ headers }: IncomingMessage): string | undefined {
  const bearer = /^Bearer +(\S+)$/i.exec(headers.authorization ?? '')?.[1]
  const apiKey = headers['x-api-key']
  for (const key of [bearer, apiKey]) if (typeof key === 'string' && key.startsWith(KEY_PREFIX)) return key
  return undefined
}
