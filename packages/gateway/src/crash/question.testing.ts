/** What the load asks: a tensor model, and an upstream for answers of every form in which they are delivered. */

/**
 * How an answer leaves. `held`: whole, behind its durable statement, with the promise in a header. `stream`: as it comes,
 * with the promise before its last frame. `large`: as it comes, and without a promise.
 */
export type AnswerForm = 'held' | 'stream' | 'large'

export interface Question {
  readonly path: string
  readonly body: Uint8Array
  readonly form: AnswerForm
  /** The client leaves once it got so many bytes of the answer. */
  readonly leaveAfterBytes?: number
}

/** Columns of the credit model's one input. */
const FEATURES = 17

/** Asks the credit model; `salt` makes the request different from others. */
export function creditQuestion(salt: number): Question {
  const features = Array.from({ length: FEATURES }, (_, i) => (salt * (i + 3)) % 5)
  const input = { name: 'application', datatype: 'FP32', shape: [1, FEATURES], data: features }
  const body = Buffer.from(JSON.stringify({ id: `crash-${salt}`, inputs: [input] }))
  return { path: '/v2/models/credit/infer', body, form: 'held' }
}

/** Asks a model of the mock upstream for a chat completion. */
export function chatQuestion(model: string, form: AnswerForm, salt: number): Question {
  const messages = [{ role: 'user', content: `crash-${salt}` }]
  const body = Buffer.from(JSON.stringify({ model, messages, ...(form === 'stream' ? { stream: true } : {}) }))
  return { path: '/v1/chat/completions', body, form }
}

/** One after the other. Streams take from a millisecond to a third of a second. */
const MIX: readonly ((salt: number) => Question)[] = [
  creditQuestion,
  (salt) => chatQuestion('mock-stream-6+paced-10ms', 'stream', salt),
  (salt) => chatQuestion('mock-small', 'held', salt),
  (salt) => chatQuestion('mock-small', 'stream', salt),
  creditQuestion,
  (salt) => chatQuestion('mock-stream-5000', 'large', salt),
  (salt) => ({ ...chatQuestion('mock-stream-30+paced-5ms', 'stream', salt), leaveAfterBytes: 1500 }),
  (salt) => chatQuestion('mock-stream-30+paced-10ms', 'stream', salt),
]

/** Questions in the mix: a burst of so many has each once. */
export const MIXED = MIX.length

export function mixedQuestion(salt: number): Question {
  return (MIX[salt % MIX.length] as (typeof MIX)[number])(salt)
}
