/** The part of a chat request that OpenGradient signs, as it builds it from the request. */
import { utf8 } from '../../bytes/bytes.ts'
import type { JsonLimits } from '../../bytes/json.ts'
import { CountersignError } from '../../errors.ts'
import { isJsonList, isJsonNumber, isJsonObject, type JsonObject, type JsonTree, parseJsonTree } from './json-tree.ts'
import { pythonFloat, pythonJson } from './python-json.ts'

/** Limits of a request or an answer: 64 MiB, 64 deep. */
export const CHAT_LIMITS: JsonLimits = { maxBytes: 64 * 1024 * 1024, maxDepth: 64 }

/** Members that are signed where they say anything. */
const OPTIONAL = ['stop', 'tools', 'response_format'] as const
const SIGNED: readonly string[] = ['model', 'messages', 'temperature', 'max_tokens', 'web_search', ...OPTIONAL]

/**
 * Members that are common and not signed, which are named where they are there. Others are not named: what a client calls them
 * might be about a person.
 */
const COMMON_UNSIGNED: readonly string[] = [
  ...['top_p', 'n', 'seed', 'stream', 'tool_choice', 'user', 'frequency_penalty', 'presence_penalty', 'logit_bias'],
  ...['max_completion_tokens', 'stream_options', 'parallel_tool_calls', 'reasoning_effort', 'metadata'],
]

/** Members of a message that are signed, by its role. */
const MESSAGE_MEMBERS: { readonly [role: string]: readonly string[] } = {
  system: ['content'],
  user: ['content'],
  assistant: ['content', 'tool_calls'],
  tool: ['content', 'tool_call_id'],
  function: ['content', 'name'],
}

export interface SignedRequest {
  /** The bytes whose hash is signed. */
  readonly text: Uint8Array
  /** What of the request is not signed, in words. */
  readonly unsigned: readonly string[]
}

/**
 * The text that stands for a request in what is signed, and what of the request is not in it.
 *
 * Attachments are signed by kind and name alone, never by their bytes: a request with any is refused.
 *
 * @throws {CountersignError} `evidence/unsupported`, `json/*`, `bytes/*`
 */
export function signedRequest(request: Uint8Array): SignedRequest {
  const root = parseJsonTree(request, CHAT_LIMITS)
  if (!isJsonObject(root)) throw unsupported('the request is no object')
  const unsigned = new Set([...root.keys()].filter((name) => !SIGNED.includes(name)).map(describeUnsigned))
  const signed = new Map<string, JsonTree>([
    ['model', requireText(root, 'model')],
    ['messages', readMessages(root.get('messages'), unsigned)],
    ['temperature', readTemperature(root.get('temperature'))],
  ])
  const maxTokens = root.get('max_tokens')
  if (maxTokens !== undefined && maxTokens !== null) signed.set('max_tokens', maxTokens)
  for (const name of OPTIONAL) {
    const value = root.get(name)
    if (value !== undefined && saysAnything(value)) signed.set(name, value)
  }
  if (saysAnything(root.get('web_search') ?? null)) signed.set('web_search', true)
  return { text: utf8(pythonJson(signed)), unsigned: [...unsigned] }
}

function describeUnsigned(name: string): string {
  return COMMON_UNSIGNED.includes(name) ? `the request’s ${name}` : 'other members of the request'
}

/** Python's truth: what is zero or empty counts as absent. */
function saysAnything(value: JsonTree): boolean {
  if (isJsonNumber(value)) return Number(value.lexeme) !== 0
  if (isJsonList(value)) return value.length > 0
  if (isJsonObject(value)) return value.size > 0
  return value !== null && value !== false && value !== ''
}

function readTemperature(value: JsonTree | undefined): JsonTree {
  if (value === undefined || value === null) return { lexeme: '0.0' }
  if (isJsonNumber(value)) return { lexeme: pythonFloat(value.lexeme) }
  throw unsupported('the temperature is no number')
}

function readMessages(value: JsonTree | undefined, unsigned: Set<string>): readonly JsonTree[] {
  if (!isJsonList(value)) throw unsupported('the request has no messages')
  return value.map((message) => {
    if (!isJsonObject(message)) throw unsupported('a message is no object')
    const role = requireText(message, 'role')
    const members = Object.hasOwn(MESSAGE_MEMBERS, role) ? MESSAGE_MEMBERS[role] : undefined
    if (members === undefined) throw unsupported('a message has a role that is not known here')
    const isWhole = [...message.keys()].every((name) => name === 'role' || members.includes(name))
    if (!isWhole) unsigned.add('members of messages beyond role, content and tools')
    return readMessage(message, role, members)
  })
}

function readMessage(message: JsonObject, role: string, members: readonly string[]): JsonTree {
  const signed = new Map<string, JsonTree>([
    ['role', role],
    ['content', readContent(message.get('content'), role)],
  ])
  for (const name of ['tool_call_id', 'name']) if (members.includes(name)) signed.set(name, requireText(message, name))
  const calls = message.get('tool_calls')
  if (members.includes('tool_calls') && calls !== undefined && saysAnything(calls))
    signed.set('tool_calls', readCalls(calls))
  return signed
}

function readContent(content: JsonTree | undefined, role: string): JsonTree {
  if (typeof content === 'string') return content
  if (role === 'assistant' && (content === null || content === undefined)) return ''
  if (role !== 'user' || !isJsonList(content))
    throw unsupported(`the content of a message of the role ${role} is no text`)
  return content.map((part) => {
    const isText = isJsonObject(part) && part.get('type') === 'text' && typeof part.get('text') === 'string'
    if (!isText) throw unsupported('a message has an attachment, whose bytes are not signed')
    return new Map<string, JsonTree>([
      ['type', 'text'],
      ['text', requireText(part, 'text')],
    ])
  })
}

function readCalls(calls: JsonTree): readonly JsonTree[] {
  if (!isJsonList(calls)) throw unsupported('the tool calls of a message are no list')
  return calls.map((call) => {
    const made = isJsonObject(call) ? call.get('function') : undefined
    if (!isJsonObject(call) || !isJsonObject(made))
      throw unsupported('a tool call of a message is no call of a function')
    const described = new Map<string, JsonTree>([
      ['name', requireText(made, 'name')],
      ['arguments', requireText(made, 'arguments')],
    ])
    return new Map<string, JsonTree>([
      ['id', requireText(call, 'id')],
      ['type', requireText(call, 'type')],
      ['function', described],
    ])
  })
}

function requireText(object: JsonObject, name: string): string {
  const value = object.get(name)
  if (typeof value === 'string') return value
  throw unsupported(`the request has no text where ${name} should be`)
}

/** Made where something is of a form whose hash is not documented: the signature may be good, and cannot be checked. */
export function unsupported(why: string): CountersignError {
  return new CountersignError('evidence/unsupported', `${why}; how such an answer is signed is not known here`)
}
