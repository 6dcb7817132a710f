/** Keys in an address, where they must not be: it stands in the logs of every server on the way, the upstream's among them. */
import { CountersignError } from '@countersign/verify'
import { hasOurKey } from '../upstreams/headers.ts'

/** Parameters that some server or other takes a key from, in small letters and without punctuation. */
const KEY_NAMES: ReadonlySet<string> = /* @__PURE__ */ new Set(['key', 'apikey', 'xapikey', 'accesstoken'])

/** How often what was encoded again and again is decoded. No server on the way decodes as often. */
const MAX_DECODINGS = 4

/**
 * Refuses an address that has a key of this gateway anywhere in it, or a parameter that is for keys. Whatever else is in
 * it is not looked at. The error does not repeat it.
 *
 * @throws {CountersignError} `request/malformed`
 */
export function requireNoKeyInAddress(url: string): void {
  let decoded = url
  for (let i = 0; i <= MAX_DECODINGS; i++) {
    if (hasOurKey(decoded) || hasKeyParameter(decoded)) {
      const message = 'a key does not belong in the address; send it as "Authorization: Bearer csk_…"'
      throw new CountersignError('request/malformed', message)
    }
    const next = decodeOnce(decoded)
    if (next === decoded) return
    decoded = next
  }
}

/** Some servers take a semicolon for the end of a parameter, too. */
function hasKeyParameter(url: string): boolean {
  const [, ...parameters] = url.split(/[?&;]/)
  return parameters.some((parameter) => KEY_NAMES.has(nameOf(parameter).replace(/[^a-z]/g, '')))
}

function nameOf(parameter: string): string {
  return parameter.split('=', 1)[0]?.toLowerCase() ?? ''
}

/** Never fails: what is not encoded as it should be stays. Keys are ASCII, so that bytes do for characters. */
function decodeOnce(text: string): string {
  return text.replace(/%([0-9a-f]{2})/gi, (_, digits: string) => String.fromCharCode(Number.parseInt(digits, 16)))
}
