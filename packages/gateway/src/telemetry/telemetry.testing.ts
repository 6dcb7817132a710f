/** An answer to report, secrets to look for, and a collector on loopback that keeps what it gets. */
import { createServer, type IncomingHttpHeaders } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { TestContext } from 'node:test'
import type { AnswerEvent } from './answer-event.ts'

/** A streamed chat answer, with what a test changes of it. */
export function answerEvent(changes: Partial<AnswerEvent> = {}): AnswerEvent {
  return {
    operation: 'chat',
    deployment: 'assistant',
    requestedModel: 'gpt-example',
    servedModel: 'gpt-example-2026-01-01',
    upstream: { name: 'main', kind: 'openai', origin: 'https://api.example.test:8443' },
    attempts: 2,
    status: 200,
    finish: 'stop',
    isStream: true,
    parameters: { temperature: '0.25', topP: '1', seed: '9223372036854775807', maxTokens: 64 },
    usage: { inputTokens: 12, outputTokens: 34, cachedInputTokens: 5 },
    startedAtMs: 1_800_000_000_123,
    firstByteMs: 250,
    durationMs: 1500.5,
    commitWaitMs: 1.5,
    receipt: '0123456789abcdef0123456789abcdef',
    logIndex: 42,
    responseId: 'chatcmpl-1',
    ...changes,
  }
}

/** What must never leave by way of telemetry. */
export const SECRETS = {
  body: 'the patient has a rare illness',
  authorization: 'Bearer csk_planted-token',
  secret: 'planted-receipt-secret',
  nonce: 'planted-nonce',
  subject: 'planted-subject@example.test',
  address: '203.0.113.77',
  query: '?api-version=planted-query',
  message: 'planted message of an upstream',
}

/** An answer with everything beside it that the route knows and telemetry must not tell. */
export function overfullEvent(changes: Partial<AnswerEvent> = {}): AnswerEvent {
  return {
    ...answerEvent(changes),
    ...SECRETS,
    request: { headers: SECRETS },
    response: { body: SECRETS.body },
  } as AnswerEvent
}

export interface ReceivedExport {
  readonly url: string | undefined
  readonly headers: IncomingHttpHeaders
  readonly body: string
}

export interface Reply {
  readonly status: number
  readonly headers?: { readonly [name: string]: string }
  readonly body?: string
}

export interface Collector {
  readonly url: string
  readonly received: readonly ReceivedExport[]
  /** Resolves when so many requests have come. */
  arrival(count: number): Promise<void>
}

/** A collector that gives the replies one after another, and then takes everything. `hang` never answers. */
export async function startCollector(
  context: TestContext,
  replies: readonly (Reply | 'hang')[] = [],
): Promise<Collector> {
  const received: ReceivedExport[] = []
  const waiting: { readonly count: number; readonly resolve: () => void }[] = []
  const left = [...replies]
  const server = createServer((request, response) => {
    let body = ''
    request.setEncoding('utf8').on('data', (chunk: string) => {
      body += chunk
    })
    request.on('end', () => {
      received.push({ url: request.url, headers: request.headers, body })
      for (const { count, resolve } of waiting) if (received.length >= count) resolve()
      const reply = left.shift() ?? { status: 200 }
      if (reply === 'hang') return
      response.writeHead(reply.status, { 'content-type': 'application/json', ...reply.headers })
      response.end(reply.body ?? '{}')
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  context.after(() => {
    server.closeAllConnections()
    server.close()
  })
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    received,
    arrival: (count) =>
      new Promise((resolve) => {
        if (received.length >= count) resolve()
        else waiting.push({ count, resolve })
      }),
  }
}

/** Notices that are kept. */
export function keptNotices() {
  const infos: string[] = []
  const errors: string[] = []
  return {
    infos,
    errors,
    info: (message: string) => void infos.push(message),
    error: (message: string) => void errors.push(message),
  }
}
