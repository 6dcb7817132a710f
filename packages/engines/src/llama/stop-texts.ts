/** Texts at which an answer ends, found although they come in pieces. */

export interface StopTexts {
  /** What of the text so far is certain to be part of the answer; `isStopped` once a stop text was seen. */
  push(text: string): { readonly text: string; readonly isStopped: boolean }
  /** What is still held back, when no more text comes. */
  end(): string
}

/** Holds text back as long as it may be the beginning of a stop text. The stop text itself is not given. */
export function createStopTexts(stops: readonly string[]): StopTexts {
  let held = ''
  return {
    push(text) {
      held += text
      const found = firstStop(held, stops)
      if (found !== undefined) {
        const kept = held.slice(0, found)
        held = ''
        return { text: kept, isStopped: true }
      }
      const kept = held.slice(0, held.length - possibleStop(held, stops))
      held = held.slice(kept.length)
      return { text: kept, isStopped: false }
    },
    end() {
      const rest = held
      held = ''
      return rest
    },
  }
}

/**
 * Where the stop text begins that is complete first, and of several that end there, the longest. So the answer does not
 * depend on how the text was cut into pieces.
 */
function firstStop(text: string, stops: readonly string[]): number | undefined {
  const found = stops
    .map((stop) => ({ start: text.indexOf(stop), length: stop.length }))
    .filter(({ start }) => start >= 0)
    .sort((a, b) => a.start + a.length - (b.start + b.length) || a.start - b.start)
  return found[0]?.start
}

/** Length of the longest end of the text that a stop text begins with. */
function possibleStop(text: string, stops: readonly string[]): number {
  const longest = Math.max(0, ...stops.map((stop) => stop.length - 1))
  for (let length = Math.min(longest, text.length); length > 0; length--) {
    const end = text.slice(-length)
    if (stops.some((stop) => stop.startsWith(end))) return length
  }
  return 0
}
