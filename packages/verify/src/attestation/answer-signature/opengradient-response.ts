/** The part of an answer that OpenGradient signs: its text, or its tool calls. */
import { parseUtf8, utf8 } from '../../bytes/bytes.ts'
import { isJsonList, isJsonObject, type JsonObject, type JsonTree, parseJsonTree } from './json-tree.ts'
import { CHAT_LIMITS, unsupported } from './opengradient-request.ts'
import { pythonJson } from './python-json.ts'

export interface SignedResponse {
  /** The bytes whose hash is signed. */
  readonly text: Uint8Array
  readonly isToolCalls: boolean
}

const HALF_PAIR = /\p{Cs}/u
const DATA = 'data: '
const DONE = 'data: [DONE]'
const COMMENT = ':'

/**
 * The text that stands for an answer in what is signed. Of a stream, the text of its pieces; a stream with tool calls is refused,
 * since its pieces do not say how the signer put them together.
 *
 * @throws {CountersignError} `evidence/unsupported`, `json/*`, `bytes/*`
 */
export function signedResponse(response: Uint8Array): SignedResponse {
  const text = parseUtf8(response)
  return text.startsWith(DATA) || text.startsWith(COMMENT) ? readStream(text) : readWhole(response)
}

function readWhole(response: Uint8Array): SignedResponse {
  const choice = onlyChoice(parseJsonTree(response, CHAT_LIMITS))
  const message = choice.get('message')
  if (!isJsonObject(message)) throw unsupported('the answer has no message')
  const calls = message.get('tool_calls')
  if (choice.get('finish_reason') === 'tool_calls' && isJsonList(calls) && calls.length > 0) {
    return { text: utf8(pythonJson(calls)), isToolCalls: true }
  }
  const content = message.get('content') ?? ''
  if (typeof content !== 'string') throw unsupported('the content of the answer is no text')
  return { text: encode(content), isToolCalls: false }
}

function readStream(text: string): SignedResponse {
  const lines = text.split(/\r?\n/).filter((line) => line !== '' && !line.startsWith(COMMENT))
  if (lines.pop() !== DONE) throw unsupported('the stream has no end')
  let content = ''
  for (const line of lines) {
    if (!line.startsWith(DATA) || line === DONE)
      throw unsupported('the stream has a line that is no piece of an answer')
    content += readPiece(line.slice(DATA.length))
  }
  return { text: encode(content), isToolCalls: false }
}

function readPiece(json: string): string {
  const delta = onlyChoice(parseJsonTree(utf8(json), CHAT_LIMITS)).get('delta')
  if (!isJsonObject(delta)) throw unsupported('a piece of the answer has no delta')
  if (delta.get('tool_calls') !== undefined) throw unsupported('the answer streams tool calls')
  const piece = delta.get('content') ?? ''
  if (typeof piece === 'string') return piece
  throw unsupported('the content of a piece is no text')
}

function onlyChoice(root: JsonTree): JsonObject {
  const choices = isJsonObject(root) ? root.get('choices') : undefined
  const [choice] = isJsonList(choices) ? choices : []
  if (isJsonList(choices) && choices.length === 1 && isJsonObject(choice)) return choice
  throw unsupported('the answer has not exactly one choice')
}

/** Python encodes no half of a surrogate pair: an answer with one was never signed. */
function encode(text: string): Uint8Array {
  if (HALF_PAIR.test(text)) throw unsupported('the answer has half a surrogate pair')
  return utf8(text)
}
