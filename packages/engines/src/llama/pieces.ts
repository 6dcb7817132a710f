/** An answer's tokens as pieces of text: whole characters, up to a limit or a stop text. */
import { createStopTexts } from './stop-texts.ts'
import { createTokenText } from './token-text.ts'

export interface GeneratedPiece {
  readonly text: string
  /** Tokens since the piece before. */
  readonly tokens: number
}

export interface PiecesEnd {
  /** `length` when the limit of the request or of the context ended it. */
  readonly finish: 'stop' | 'length'
  readonly completionTokens: number
}

/**
 * Takes at most `limit` tokens, and none after a stop text. A text that the limit cuts off and that may have become a stop
 * text is given; so is a character that the limit cuts, as U+FFFD.
 */
export async function* cutPieces(
  tokens: AsyncIterable<number>,
  detokenize: (tokens: readonly number[], before: readonly number[]) => string,
  limit: number,
  stop: readonly string[],
): AsyncGenerator<GeneratedPiece, PiecesEnd, void> {
  const text = createTokenText(detokenize)
  const stops = createStopTexts(stop)
  let completionTokens = 0
  let given = 0
  const piece = (of: string): GeneratedPiece => {
    const counted = completionTokens - given
    given = completionTokens
    return { text: of, tokens: counted }
  }
  let finish: PiecesEnd['finish'] = 'stop'
  for await (const token of tokens) {
    completionTokens += 1
    const found = stops.push(text.push(token))
    if (found.text !== '') yield piece(found.text)
    if (found.isStopped) return { finish: 'stop', completionTokens }
    if (completionTokens < limit) continue
    finish = 'length'
    break
  }
  const last = stops.push(text.end())
  const rest = last.isStopped ? last.text : last.text + stops.end()
  if (rest !== '') yield piece(rest)
  return { finish: last.isStopped ? 'stop' : finish, completionTokens }
}
