/** Every dialect there is. */
import { ANTHROPIC_COUNT_TOKENS } from './anthropic-count-tokens.ts'
import { ANTHROPIC_MESSAGES } from './anthropic-messages.ts'
import type { Dialect } from './dialect.ts'
import { OPENAI_TRANSCRIPTIONS, OPENAI_TRANSLATIONS } from './openai-audio.ts'
import { OPENAI_CHAT } from './openai-chat.ts'
import { OPENAI_COMPLETIONS } from './openai-completions.ts'
import { OPENAI_EMBEDDINGS } from './openai-embeddings.ts'
import { OPENAI_RESPONSES } from './openai-responses.ts'

export const DIALECTS: readonly Dialect[] = [
  OPENAI_CHAT,
  OPENAI_RESPONSES,
  OPENAI_COMPLETIONS,
  OPENAI_EMBEDDINGS,
  OPENAI_TRANSCRIPTIONS,
  OPENAI_TRANSLATIONS,
  ANTHROPIC_MESSAGES,
  ANTHROPIC_COUNT_TOKENS,
]

/** The dialect of requests to `path`, without query. */
export function dialectAt(path: string): Dialect | undefined {
  return DIALECTS.find((dialect) => dialect.path === path)
}
