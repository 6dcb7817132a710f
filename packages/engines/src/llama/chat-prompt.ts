/** A chat as the one text that a language model continues. */
import { CountersignError, quote } from '@countersign/verify'
import type { ChatTemplate, LlamaEngine, RuntimeModel } from './library.ts'

export interface ChatMessage {
  readonly role: string
  readonly content: string
}

/** Most messages of a chat, and most characters of a role. */
export const MAX_MESSAGES = 1024
const MAX_ROLE_LENGTH = 64

export type ChatPrompt = (messages: readonly ChatMessage[]) => string

/**
 * How a model of this chat template, or of none, is shown a chat.
 *
 * With a template: as the template says, with the opening of the answer. The text of a special token, such as the one that
 * ends a turn, is refused in messages, since it would speak for somebody else.
 *
 * Without one: the contents, in order, a line feed between any two. A base model knows no roles; it goes on where the
 * last message ends.
 *
 * @throws {CountersignError} `execution/unsupported` when the template cannot be read. The prompt throws
 *   `request/malformed` for messages that are none, or that the template refuses
 */
export async function createChatPrompt(
  engine: LlamaEngine,
  model: RuntimeModel,
  source: string | undefined,
): Promise<ChatPrompt> {
  if (source === undefined)
    return (messages) =>
      checked(messages)
        .map(({ content }) => content)
        .join('\n')
  const template = await engine.compileTemplate(source).catch((thrown: unknown) => {
    if (thrown instanceof CountersignError) throw thrown
    throw new CountersignError('execution/unsupported', 'the model’s chat template cannot be read', { cause: thrown })
  })
  const special = specialTexts(model)
  return (messages) => {
    for (const { content, role } of checked(messages)) {
      const found = special.find((text) => content.includes(text) || role.includes(text))
      if (found !== undefined) throw malformed(`messages: ${quote(found)} has a meaning of its own to this model`)
    }
    return render(template, model, messages)
  }
}

function render(template: ChatTemplate, { tokens }: RuntimeModel, messages: readonly ChatMessage[]): string {
  try {
    return template.render({
      messages: messages.map(({ role, content }) => ({ role, content })),
      add_generation_prompt: true,
      bos_token: tokens.bosString ?? '',
      eos_token: tokens.eosString ?? '',
    })
  } catch (thrown) {
    throw malformed('messages: the model’s chat template does not take them', thrown)
  }
}

/** Texts that the tokenizer would take for special tokens. */
function specialTexts(model: RuntimeModel): readonly string[] {
  const texts = new Set<string>()
  for (const token of model.iterateAllTokens()) {
    if (model.isSpecialToken(token)) texts.add(model.detokenize([token], true))
  }
  texts.delete('')
  return [...texts]
}

function checked(messages: readonly ChatMessage[]): readonly ChatMessage[] {
  if (messages.length === 0 || messages.length > MAX_MESSAGES) {
    throw malformed(`messages: ${messages.length} of them; 1 to ${MAX_MESSAGES} are possible`)
  }
  const long = messages.find(({ role }) => role.length > MAX_ROLE_LENGTH)
  if (long !== undefined) throw malformed(`messages: ${quote(long.role)} is no role`)
  return messages
}

function malformed(message: string, cause?: unknown): CountersignError {
  return new CountersignError('request/malformed', message, { cause })
}
