/** A client that keeps whatever it gets of an answer, however that ends. */
import { type IncomingMessage, request } from 'node:http'
import type { AnswerForm, Question } from './question.testing.ts'

/** An answer of which at least the head was received. */
export interface Answer {
  readonly form: AnswerForm
  readonly request: Uint8Array
  /** As far as it came; without the comment that carries the promise. */
  readonly response: Uint8Array
  /** Whether its end was received. */
  readonly isWhole: boolean
  readonly receipt: string
  readonly secret: string
  /** One line, of the header or the comment; `undefined` when none came. */
  readonly promise: string | undefined
  /** The header: seed of the salts, base64url. */
  readonly salts: string
}

/** The frame that ends a stream of chat completions. */
export const TERMINAL_FRAME = 'data: [DONE]\n\n'
const PROMISE = /(?<=^|\n\n): countersign-promise ([A-Za-z0-9+/=]+)\n\n/

/** Asks, and gives what came of the answer; `undefined` when not even its head did, or the gateway refused. */
export async function receiveAnswer(url: string, question: Question): Promise<Answer | undefined> {
  const reply = await receive(url, question)
  if (reply?.message.statusCode !== 200) return undefined
  const { headers, complete } = reply.message
  const header = (name: string) => String(headers[name] ?? '')
  const known = {
    form: question.form,
    request: question.body,
    receipt: header('countersign-receipt'),
    secret: header('countersign-secret'),
    salts: header('countersign-salts'),
  }
  if (question.form === 'stream') return { ...known, ...readStream(reply.bytes.toString('latin1')) }
  const promise = headers['countersign-promise'] === undefined ? undefined : header('countersign-promise')
  return { ...known, response: new Uint8Array(reply.bytes), isWhole: complete, promise }
}

/**
 * What a reader of the stream knows: it ends with its terminal frame, whatever comes behind it, and the promise is the
 * comment before. A comment that was cut off is no content either.
 */
export function readStream(text: string): Pick<Answer, 'response' | 'isWhole' | 'promise'> {
  const end = text.indexOf(TERMINAL_FRAME)
  const seen = end < 0 ? text : text.slice(0, end + TERMINAL_FRAME.length)
  const promise = PROMISE.exec(seen)?.[1]
  const content = seen.replace(PROMISE, '')
  const comment = content.lastIndexOf('\n\n:')
  const kept = comment < 0 ? content : content.slice(0, comment + 2)
  return { response: new Uint8Array(Buffer.from(kept, 'latin1')), isWhole: end >= 0, promise }
}

function receive(url: string, { path, body, leaveAfterBytes = Number.POSITIVE_INFINITY }: Question) {
  return new Promise<{ readonly message: IncomingMessage; readonly bytes: Buffer } | undefined>((resolve) => {
    const headers = { 'content-type': 'application/json', 'content-length': body.length }
    const sent = request(`${url}${path}`, { method: 'POST', headers })
    sent.on('error', () => resolve(undefined))
    sent.once('response', (message) => {
      const chunks: Buffer[] = []
      let length = 0
      message.on('data', (chunk: Buffer) => {
        chunks.push(chunk)
        length += chunk.length
        if (length >= leaveAfterBytes) message.destroy()
      })
      message.on('error', () => undefined)
      message.once('close', () => resolve({ message, bytes: Buffer.concat(chunks) }))
    })
    sent.end(body)
  })
}
