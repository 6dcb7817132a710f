/** OpenAI's older completions. */
import type { Completion, CompletionChoice, CompletionCreateParams } from 'openai/resources/completions'
import { type Answer, type Call, CREATED_SECONDS, frame, jsonAnswer, streamAnswer, toJson } from './answer.testing.ts'
import { usageOf } from './openai-chat.testing.ts'
import { OPENAI, openaiError } from './provider.testing.ts'
import { type Utterance, utter } from './utterance.testing.ts'

const FINISHES = { complete: 'stop', length: 'length', failed: 'content_filter' } as const

export function answerCompletion(call: Call): Answer {
  const request = call.json as CompletionCreateParams
  const utterance = utter(call.scenario, {
    lastUserText: typeof request.prompt === 'string' ? request.prompt : JSON.stringify(request.prompt),
    tools: [],
    hasToolResult: false,
    schema: undefined,
    maxTokens: request.max_tokens ?? undefined,
  })
  const finish = FINISHES[utterance.kind === 'refusal' ? 'failed' : utterance.finish]
  return request.stream === true ? streamed(call, request, utterance, finish) : whole(call, utterance, finish)
}

function whole(call: Call, utterance: Utterance, finish: CompletionChoice['finish_reason']): Answer {
  const choice: CompletionChoice = { text: utterance.pieces.join(''), index: 0, logprobs: null, finish_reason: finish }
  const completion: Completion = { ...skeleton(call), choices: [choice], usage: usageOf(call, utterance) }
  return jsonAnswer(200, OPENAI.headers(call.digest), toJson(completion, call.scenario))
}

function streamed(
  call: Call,
  { stream_options }: CompletionCreateParams,
  utterance: Utterance,
  finish: CompletionChoice['finish_reason'],
): Answer {
  // While a stream goes on its finish reason is null, which the client's type does not say.
  const say = (text: string, finishReason: CompletionChoice['finish_reason'] | null) =>
    frame(
      toJson(
        { ...skeleton(call), choices: [{ text, index: 0, logprobs: null, finish_reason: finishReason }] },
        call.scenario,
      ),
    )
  const frames = [...utterance.pieces.map((text) => say(text, null)), say('', finish)]
  if (stream_options?.include_usage === true && call.scenario.hasUsage) {
    frames.push(frame(JSON.stringify({ ...skeleton(call), choices: [], usage: usageOf(call, utterance) })))
  }
  const failure = frame(JSON.stringify({ error: openaiError(500, 'The server had an error while answering.') }))
  return streamAnswer(OPENAI.headers(call.digest), { frames, terminal: frame('[DONE]'), failure })
}

function skeleton({ digest, scenario }: Call) {
  const id = `cmpl-${digest.slice(0, 29)}`
  return { id, object: 'text_completion', created: CREATED_SECONDS, model: scenario.servedModel } as const
}
