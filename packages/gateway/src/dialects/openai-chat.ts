/** OpenAI's chat completions. */
import type { Dialect } from './dialect.ts'
import { isTerminalChoicesFrame, readChoicesAnswer, readChoicesFrame } from './openai-choices.ts'

export const OPENAI_CHAT: Dialect = {
  name: 'openai-chat',
  path: '/v1/chat/completions',
  family: 'openai',
  canStream: true,
  streamError: 'data',
  parameters: {
    temperature: ['temperature'],
    topP: ['top_p'],
    seed: ['seed'],
    maxTokens: ['max_completion_tokens', 'max_tokens'],
  },
  readAnswer: readChoicesAnswer,
  readFrameFacts: readChoicesFrame,
  isTerminalFrame: isTerminalChoicesFrame,
}
