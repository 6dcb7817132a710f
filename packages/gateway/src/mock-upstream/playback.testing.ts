/** Plays an answer's steps on a socket. */
import { once } from 'node:events'
import type { OutgoingHttpHeaders, ServerResponse } from 'node:http'
import type { Step } from './delivery.testing.ts'
import type { AnswerRecording, Outcome } from './recorder.testing.ts'

/** What a test lets go on. */
export interface Gate {
  /** Resolves when the test says so. */
  opened(): Promise<void>
}

/** Plays until the end, or until the client leaves: no step waits longer than that. */
export async function play(
  response: ServerResponse,
  steps: readonly Step[],
  gate: Gate,
  recording: AnswerRecording | undefined,
): Promise<void> {
  const left = new AbortController()
  // Also emitted after an answer that was sent in full; then nothing waits for it any more.
  response.once('close', () => left.abort())
  response.on('error', () => left.abort())
  let outcome: Outcome | undefined
  for (const step of steps) {
    if (left.signal.aborted) break
    outcome = await playStep(response, step, gate, left.signal, recording)
  }
  recording?.end(outcome ?? 'client-left')
}

/** How the answer ended, when this step ended it. */
async function playStep(
  response: ServerResponse,
  step: Step,
  gate: Gate,
  left: AbortSignal,
  recording: AnswerRecording | undefined,
): Promise<Outcome | undefined> {
  switch (step.do) {
    case 'wait':
      await untilLeft(left, new Promise((resolve) => setTimeout(resolve, step.ms, undefined).unref()))
      return undefined
    case 'head':
      recording?.head(step.status, step.headers)
      response.writeHead(step.status, step.headers as OutgoingHttpHeaders)
      return undefined
    case 'write':
      recording?.write(step.bytes)
      await untilLeft(left, new Promise((resolve) => response.write(step.bytes, resolve)))
      return undefined
    case 'write-raw':
      response.socket?.write(step.bytes)
      return undefined
    case 'hold':
      await untilLeft(left, gate.opened())
      return undefined
    case 'hang':
      await untilLeft(left, new Promise(() => undefined))
      return undefined
    case 'reset':
      response.socket?.resetAndDestroy()
      return 'reset'
    case 'cut':
      response.socket?.end()
      return 'cut'
    case 'end':
      response.addTrailers(step.trailers)
      response.end()
      // Sent is what the socket took.
      await untilLeft(left, once(response, 'finish'))
      return response.writableFinished ? 'ended' : undefined
  }
}

/** Waits for the work, however it goes, but no longer than the client does. */
function untilLeft(left: AbortSignal, work: Promise<unknown>): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      left.removeEventListener('abort', done)
      resolve()
    }
    if (left.aborted) return done()
    left.addEventListener('abort', done)
    work.then(done, done)
  })
}
