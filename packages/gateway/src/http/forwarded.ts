/** Reads the headers in which proxies say whom they forward for. @spec RFC 7239 §4 */

/** Most hops of one header; in a longer one, the nearest count. */
export const MAX_HOPS = 32

const TOKEN = "[!#$%&'*+.^_`|~0-9A-Za-z-]+"
const QUOTED = '"(?:[^"\\\\\\x00-\\x08\\x0a-\\x1f\\x7f]|\\\\[\\t\\x20-\\x7e])*"'

/**
 * The hops of `X-Forwarded-For`, the nearest last, as they are written. It has no grammar: each proxy adds one at the end.
 */
export function forwardedForHops(header: string): readonly string[] {
  const nearest: string[] = []
  let end = header.length
  while (end >= 0 && nearest.length < MAX_HOPS) {
    const comma = end === 0 ? -1 : header.lastIndexOf(',', end - 1)
    nearest.push(header.slice(comma + 1, end).trim())
    end = comma
  }
  return nearest.reverse()
}

/**
 * The `for` of each hop of `Forwarded`, the nearest last, without quotes; `undefined` where a hop has none. The whole
 * header is `undefined` when it is not of the form: a quote that a client left open would swallow what a proxy adds.
 */
export function forwardedHops(header: string): readonly (string | undefined)[] | undefined {
  // Each is anchored at where the last one ended, so that nothing is read twice.
  const pair = new RegExp(`[ \\t]*(?:(${TOKEN})=(${TOKEN}|${QUOTED}))?[ \\t]*(;|,|$)`, 'y')
  const hops: (string | undefined)[] = []
  let hop: string | undefined
  for (;;) {
    const match = pair.exec(header)
    if (match === null) return undefined
    const [, name, value = '', separator] = match
    if (name?.toLowerCase() === 'for') {
      // A hop that names two has nothing to say.
      if (hop !== undefined) return undefined
      hop = unquoted(value)
    }
    if (separator === ';') continue
    hops.push(hop)
    hop = undefined
    if (separator === '') return hops.slice(-MAX_HOPS)
  }
}

function unquoted(value: string): string {
  return value.startsWith('"') ? value.slice(1, -1).replace(/\\(.)/g, '$1') : value
}
