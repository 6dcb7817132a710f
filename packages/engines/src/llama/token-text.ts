/** Text from tokens, in whole characters. */

/** Tokens held back at most; with more than these, what they hold is no beginning of a character. */
export const MAX_HELD_TOKENS = 16
/** Tokens before the held ones that the tokenizer is shown, for those that treat a first token differently. */
const TOKENS_BEFORE = 4

export interface TokenText {
  /** The text that became certain with this token. Empty while a character is not whole. */
  push(token: number): string
  /** What is still held; a character that was never finished is U+FFFD. */
  end(): string
}

/**
 * A tokenizer that cuts bytes may cut inside a character, and what is cut reads as U+FFFD. So the tokens since the last
 * whole character are read together, and one U+FFFD at their end is held back: it may yet become a character.
 */
export function createTokenText(
  detokenize: (tokens: readonly number[], before: readonly number[]) => string,
): TokenText {
  let before: readonly number[] = []
  let held: readonly number[] = []
  let sentLength = 0

  function settle(text: string): string {
    const added = text.slice(sentLength)
    before = [...before, ...held].slice(-TOKENS_BEFORE)
    held = []
    sentLength = 0
    return added
  }

  return {
    push(token) {
      held = [...held, token]
      const text = detokenize(held, before)
      if (!text.endsWith('\ufffd') || held.length >= MAX_HELD_TOKENS) return settle(text)
      const added = text.slice(sentLength, -1)
      sentLength = text.length - 1
      return added
    },
    end: () => (held.length === 0 ? '' : settle(detokenize(held, before))),
  }
}
