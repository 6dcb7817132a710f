/** Which API answers which path, and what a scenario decides before any API is asked. */

import { type Answer, type Call, digestOf } from './answer.testing.ts'
import { answerMessage, answerTokenCount } from './anthropic-messages.testing.ts'
import { answerInference, answerModelMetadata, answerModelReady } from './open-inference.testing.ts'
import { answerChat } from './openai-chat.testing.ts'
import { answerCompletion } from './openai-completions.testing.ts'
import { answerEmbeddings } from './openai-embeddings.testing.ts'
import { answerModel, answerModels } from './openai-models.testing.ts'
import {
  answerDeletedResponse,
  answerInputItems,
  answerResponse,
  answerStoredResponse,
  type ResponseStore,
} from './openai-responses.testing.ts'
import { answerFile, answerTranscription } from './openai-uploads.testing.ts'
import { ANTHROPIC, OPEN_INFERENCE, OPENAI, type Provider } from './provider.testing.ts'
import { findScenario, type Scenario } from './scenario.testing.ts'

/** A request as it came. */
export interface Received {
  readonly method: string
  readonly path: string
  readonly contentType: string
  /** The key that the client gave, without its scheme. */
  readonly key: string | undefined
  readonly body: Buffer
}

/** What a mock upstream remembers between requests. */
export interface Memory {
  readonly responses: ResponseStore
  /** Failures so far, by name of the model. */
  readonly failures: Map<string, number>
}

interface Route {
  readonly method: string
  /** An asterisk stands for one segment. */
  readonly path: string
  readonly provider: Provider
  /** Where the model's name stands. */
  readonly model: 'json' | 'multipart' | 'path' | 'none'
  /** A field of the body that must be there. */
  readonly required?: string
  answer(call: Call, memory: Memory): Answer | Promise<Answer>
}

const openai = { provider: OPENAI, model: 'json' } as const
const unnamed = { provider: OPENAI, model: 'none' } as const
const anthropic = { provider: ANTHROPIC, model: 'json', required: 'messages' } as const
const inference = { provider: OPEN_INFERENCE, model: 'path' } as const

const ROUTES: readonly Route[] = [
  { method: 'POST', path: '/v1/chat/completions', ...openai, required: 'messages', answer: answerChat },
  { method: 'POST', path: '/v1/completions', ...openai, required: 'prompt', answer: answerCompletion },
  { method: 'POST', path: '/v1/embeddings', ...openai, required: 'input', answer: answerEmbeddings },
  {
    method: 'POST',
    path: '/v1/responses',
    ...openai,
    required: 'input',
    answer: (call, { responses }) => answerResponse(call, responses),
  },
  {
    method: 'GET',
    path: '/v1/responses/*',
    ...unnamed,
    answer: (call, { responses }) => answerStoredResponse(call, responses),
  },
  {
    method: 'DELETE',
    path: '/v1/responses/*',
    ...unnamed,
    answer: (call, { responses }) => answerDeletedResponse(call, responses),
  },
  {
    method: 'GET',
    path: '/v1/responses/*/input_items',
    ...unnamed,
    answer: (call, { responses }) => answerInputItems(call, responses),
  },
  { method: 'GET', path: '/v1/models', ...unnamed, answer: answerModels },
  { method: 'GET', path: '/v1/models/*', ...unnamed, answer: answerModel },
  { method: 'POST', path: '/v1/files', ...unnamed, answer: answerFile },
  {
    method: 'POST',
    path: '/v1/audio/transcriptions',
    provider: OPENAI,
    model: 'multipart',
    answer: answerTranscription,
  },
  { method: 'POST', path: '/v1/messages', ...anthropic, answer: answerMessage },
  { method: 'POST', path: '/v1/messages/count_tokens', ...anthropic, answer: answerTokenCount },
  { method: 'POST', path: '/v2/models/*/infer', ...inference, answer: answerInference },
  { method: 'GET', path: '/v2/models/*', ...inference, answer: answerModelMetadata },
  { method: 'GET', path: '/v2/models/*/ready', ...inference, answer: answerModelReady },
]

const PLAIN = 'mock-small'
const MULTIPART_MODEL = /name="model"\r\n\r\n([^\r\n]{1,200})\r\n/
/** Fields that are lists wherever they stand. */
const LISTS = new Set(['messages'])

export interface Answered {
  readonly answer: Answer
  readonly scenario: Scenario
}

/** The answer, and the scenario in which it is to be sent. */
export async function answerTo(received: Received, memory: Memory, apiKey: string | undefined): Promise<Answered> {
  const { method, path, body } = received
  const digest = digestOf(method, path, body)
  const plain = findScenario(PLAIN)
  if (plain === undefined) throw new Error('there is no plain scenario')
  const found = findRoute(method, path)
  if (found === undefined)
    return { answer: OPENAI.error(404, `Unknown request URL: ${method} ${path}.`, digest), scenario: plain }
  const { route, parameters } = found
  const refuse = (status: number, message: string) => ({
    answer: route.provider.error(status, message, digest),
    scenario: plain,
  })
  if (apiKey !== undefined && received.key !== apiKey) return refuse(401, 'Incorrect API key provided.')
  const json = route.model === 'json' ? parse(body) : {}
  if (json === undefined) return refuse(400, 'We could not parse the JSON body of your request.')
  const model = modelIn(route, parameters, json, body)
  const scenario = findScenario(model)
  if (scenario === undefined)
    return refuse(404, `The model \`${model}\` does not exist or you do not have access to it.`)
  const { required } = route
  if (required !== undefined && (LISTS.has(required) ? !Array.isArray(json[required]) : json[required] === undefined)) {
    return refuse(400, `Missing required parameter: '${required}'.`)
  }
  const failed = failureOf(scenario, route.provider, memory, digest)
  if (failed !== undefined) return { answer: failed, scenario }
  const call = { parameters, contentType: received.contentType, body, json, scenario, digest }
  return { answer: await route.answer(call, memory), scenario }
}

function findRoute(method: string, path: string) {
  const [pathname = ''] = path.split('?')
  const segments = pathname.split('/')
  for (const route of ROUTES) {
    const wanted = route.path.split('/')
    if (route.method !== method || wanted.length !== segments.length) continue
    if (!wanted.every((each, i) => each === '*' || each === segments[i])) continue
    const parameters = segments.filter((_, i) => wanted[i] === '*').map(decodeURIComponent)
    return { route, parameters }
  }
  return undefined
}

function parse(body: Buffer): { readonly [name: string]: unknown } | undefined {
  try {
    const value: unknown = JSON.parse(body.toString('utf8'))
    return typeof value === 'object' && value !== null ? { ...value } : undefined
  } catch {
    return undefined
  }
}

function modelIn(
  route: Route,
  parameters: readonly string[],
  json: { readonly model?: unknown },
  body: Buffer,
): string {
  switch (route.model) {
    case 'json':
      return String(json.model ?? '')
    case 'path':
      return parameters[0] ?? ''
    case 'multipart':
      return MULTIPART_MODEL.exec(body.toString('latin1'))?.[1] ?? ''
    case 'none':
      return PLAIN
  }
}

function failureOf(scenario: Scenario, provider: Provider, memory: Memory, digest: string): Answer | undefined {
  const { model, status, failures, isErrorInside } = scenario
  if (status !== 200) return provider.error(status, `The model ${model} answers ${status}.`, digest)
  if (isErrorInside) return { ...provider.error(500, `The model ${model} fails inside.`, digest), status: 200 }
  const before = memory.failures.get(model) ?? 0
  if (before >= failures) return undefined
  memory.failures.set(model, before + 1)
  return provider.error(503, `The model ${model} is overloaded: failure ${before + 1} of ${failures}.`, digest)
}
