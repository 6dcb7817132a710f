/** Finds in a trace when each answer began, was promised and ended: what was received must have been sent. */
import { type Answer, TERMINAL_FRAME } from './received.testing.ts'
import type { Operation } from './trace.testing.ts'

/** An answer with numbers of operations: those before its first byte, its promise and its last byte left. */
export interface RecordedAnswer {
  readonly answer: Answer
  readonly begunAt: number
  /** `undefined` when it did not come. */
  readonly promisedAt: number | undefined
  readonly endedAt: number | undefined
}

/** Ends a body of unknown length. @spec RFC 9112 §7.1 */
const LAST_CHUNK = '\r\n0\r\n\r\n'

/** What left at once: over which connection, and after how many operations. */
export interface Sent {
  readonly at: number
  readonly socket: string
  readonly text: string
}

export function sentIn(operations: readonly Operation[]): readonly Sent[] {
  return operations.flatMap((operation, at) => {
    if (operation.kind !== 'sent') return []
    return [{ at, socket: operation.handle, text: Buffer.from(operation.bytes).toString('utf8') }]
  })
}

/** Finds the moments of each answer. @throws {Error} when one was received that no gateway sent */
export function placeAnswers(answers: readonly Answer[], sent: readonly Sent[]): readonly RecordedAnswer[] {
  const heads = new Map<string, number>()
  for (const [i, { text }] of sent.entries()) {
    for (const [, receipt = ''] of text.matchAll(/countersign-receipt: ([0-9a-f]{32})/gi)) heads.set(receipt, i)
  }
  const placed = answers.map((answer): RecordedAnswer => {
    const first = found(heads.get(answer.receipt), 'an answer')
    const { at: begunAt, socket } = sent[first] as Sent
    const placeOf = (wanted: string | undefined) => {
      if (wanted === undefined) return undefined
      return found(
        sent.find((each, i) => i >= first && each.socket === socket && each.text.includes(wanted))?.at,
        wanted,
      )
    }
    const end = answer.form === 'stream' ? TERMINAL_FRAME : answer.form === 'large' ? LAST_CHUNK : answer.receipt
    return { answer, begunAt, promisedAt: placeOf(answer.promise), endedAt: placeOf(answer.isWhole ? end : undefined) }
  })
  return placed.sort((a, b) => a.begunAt - b.begunAt)
}

export function found(at: number | undefined, what: string): number {
  if (at === undefined) throw new Error(`the recorder missed ${what}`)
  return at
}
