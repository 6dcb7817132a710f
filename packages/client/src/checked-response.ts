/** Follows the body of a response on its way to the caller. */
import type { Ending } from './seen-answer.ts'

/** Most bytes that are held back until it is decided how the body ends. */
export const MAX_HELD_BYTES = 1024 * 1024

/** Looks on as a body passes. */
export interface BodyFollower {
  /** Takes the next bytes; whether they may be held back until the end is decided. */
  push(chunk: Uint8Array): boolean
  /** The body is over. What it resolves to, the body ends in, where the caller's response waits for it. */
  end(ending: Ending): Promise<Error | undefined>
}

/**
 * The same response, with `follower` looking on: every chunk passes when the caller asks for it, unchanged.
 *
 * With `waits` the body ends when the follower has decided, in its error if there is one. Chunks that may be held back
 * are, up to 1 MiB, so that a caller does not take them for a whole answer; those beyond pass at once.
 */
export function followResponse(response: Response, follower: BodyFollower, waits: boolean): Promise<Response> {
  return response.body === null
    ? endAtOnce(response, follower, waits)
    : Promise.resolve(rebuilt(response, followBody(response.body, follower, waits)))
}

async function endAtOnce(response: Response, follower: BodyFollower, waits: boolean): Promise<Response> {
  const decided = follower.end('complete')
  const error = waits ? await decided : undefined
  if (error !== undefined) throw error
  return response
}

function rebuilt(response: Response, body: ReadableStream<Uint8Array>): Response {
  const { status, statusText, headers, url } = response
  const followed = new Response(body, { status, statusText, headers })
  // A response that a program makes has no address of its own.
  Object.defineProperty(followed, 'url', { value: url })
  return followed
}

function followBody(
  body: ReadableStream<Uint8Array>,
  follower: BodyFollower,
  waits: boolean,
): ReadableStream<Uint8Array> {
  const reader = body.getReader()
  let held: Uint8Array[] = []
  let heldBytes = 0
  let isOver = false

  function over(ending: Ending): Promise<Error | undefined> {
    if (isOver) return Promise.resolve(undefined)
    isOver = true
    return follower.end(ending)
  }

  function release(controller: ReadableStreamDefaultController<Uint8Array>): void {
    for (const chunk of held) controller.enqueue(chunk)
    held = []
    heldBytes = 0
  }

  async function finish(controller: ReadableStreamDefaultController<Uint8Array>): Promise<void> {
    const decided = over('complete')
    const error = waits ? await decided : undefined
    if (error !== undefined) return controller.error(error)
    release(controller)
    controller.close()
  }

  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        for (;;) {
          const { done, value } = await reader.read().catch((thrown: unknown) => {
            over('broken')
            throw thrown
          })
          if (done) return finish(controller)
          const mayHold = follower.push(value) && waits
          if (mayHold && heldBytes + value.length <= MAX_HELD_BYTES) {
            held.push(value)
            heldBytes += value.length
            continue
          }
          release(controller)
          controller.enqueue(value)
          return
        }
      },
      async cancel(reason) {
        over('cancelled')
        await reader.cancel(reason)
      },
    },
    // Nothing is read that the caller did not ask for.
    { highWaterMark: 0 },
  )
}
