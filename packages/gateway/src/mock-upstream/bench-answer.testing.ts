/** Answers for benchmarks: chat completions from bytes that were built beforehand. */
import type { ServerResponse } from 'node:http'
import type { ChatCompletion, ChatCompletionChunk } from 'openai/resources/chat/completions'
import { CREATED_SECONDS, frame } from './answer.testing.ts'

/** What a request for `mock-bench` or `mock-bench-paced-Nms` wants. */
export interface BenchRequest {
  readonly isStream: boolean
  readonly paceMs: number
}

export interface BenchAnswers {
  readonly whole: Buffer
  readonly wholeHead: readonly string[]
  readonly chunks: readonly Uint8Array[]
  readonly streamHead: readonly string[]
}

export const BENCH_PATH = '/v1/chat/completions'
/** Size of the answer that is not streamed, and number of deltas of the one that is. */
const WHOLE_BYTES = 1024
const STREAM_CHUNKS = 100

const NEEDLE = '"mock-bench'
const LONGEST_NAME = 32
const MODEL_KEY = /"model"\s*:\s*$/
const NAME = /^"mock-bench(?:-paced-(\d{1,5})ms)?"/
const STREAM = [Buffer.from('"stream":true'), Buffer.from('"stream": true')]

/** Looks without parsing; `undefined` for every other model. */
export function findBenchRequest(body: Buffer): BenchRequest | undefined {
  const at = body.indexOf(NEEDLE)
  if (at < 0 || !MODEL_KEY.test(body.toString('latin1', Math.max(0, at - LONGEST_NAME), at))) return undefined
  const name = NAME.exec(body.toString('latin1', at, at + LONGEST_NAME))
  if (name === null) return undefined
  return { isStream: STREAM.some((mark) => body.includes(mark)), paceMs: Number(name[1] ?? 0) }
}

export function benchAnswers(): BenchAnswers {
  const headers = ['openai-processing-ms', '12', 'x-request-id', 'req_bench']
  const whole = wholeAnswer()
  return {
    whole,
    wholeHead: ['content-type', 'application/json', 'content-length', String(whole.length), ...headers],
    chunks: [...Array.from({ length: STREAM_CHUNKS }, (_, i) => chunk(i)), frame('[DONE]')],
    streamHead: ['content-type', 'text/event-stream; charset=utf-8', 'cache-control', 'no-cache', ...headers],
  }
}

export function sendBench(response: ServerResponse, { isStream, paceMs }: BenchRequest, answers: BenchAnswers): void {
  if (!isStream) {
    response.writeHead(200, [...answers.wholeHead])
    response.end(answers.whole)
    return
  }
  response.writeHead(200, [...answers.streamHead])
  if (paceMs > 0) sendPaced(response, paceMs, answers.chunks)
  else {
    for (const bytes of answers.chunks) response.write(bytes)
    response.end()
  }
}

/** Each chunk has its time, counted from the start, so that late timers do not add up. */
function sendPaced(response: ServerResponse, paceMs: number, chunks: readonly Uint8Array[]): void {
  const startMs = performance.now()
  let sent = 0
  const tick = () => {
    const due = Math.min(chunks.length, Math.floor((performance.now() - startMs) / paceMs) + 1)
    for (; sent < due; sent++) response.write(chunks[sent])
    if (sent === chunks.length) response.end()
    else if (!response.destroyed) setTimeout(tick, startMs + sent * paceMs - performance.now())
  }
  tick()
}

function wholeAnswer(): Buffer {
  const withText = (content: string) => {
    const completion: ChatCompletion = {
      id: 'chatcmpl-bench',
      object: 'chat.completion',
      created: CREATED_SECONDS,
      model: 'mock-bench',
      choices: [
        { index: 0, message: { role: 'assistant', content, refusal: null }, logprobs: null, finish_reason: 'stop' },
      ],
      usage: { prompt_tokens: 20, completion_tokens: 100, total_tokens: 120 },
    }
    return Buffer.from(JSON.stringify(completion))
  }
  return withText('w'.repeat(WHOLE_BYTES - withText('').length))
}

function chunk(index: number): Uint8Array {
  const isLast = index === STREAM_CHUNKS - 1
  const value: ChatCompletionChunk = {
    id: 'chatcmpl-bench',
    object: 'chat.completion.chunk',
    created: CREATED_SECONDS,
    model: 'mock-bench',
    choices: [{ index: 0, delta: isLast ? {} : { content: `word${index} ` }, finish_reason: isLast ? 'stop' : null }],
  }
  return frame(JSON.stringify(value))
}
