/** OpenAI's completions: a prompt, without messages. */
import type { Dialect } from './dialect.ts'
import { isTerminalChoicesFrame, readChoicesAnswer, readChoicesFrame } from './openai-choices.ts'

export const OPENAI_COMPLETIONS: Dialect = {
  name: 'openai-completions',
  path: '/v1/completions',
  family: 'openai',
  canStream: true,
  streamError: 'data',
  parameters: { temperature: ['temperature'], topP: ['top_p'], seed: ['seed'], maxTokens: ['max_tokens'] },
  readAnswer: readChoicesAnswer,
  readFrameFacts: readChoicesFrame,
  isTerminalFrame: isTerminalChoicesFrame,
}
