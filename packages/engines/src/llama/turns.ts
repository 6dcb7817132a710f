/** Turns on something that one user has at a time. */
import { CountersignError } from '@countersign/verify'

export interface Turns {
  /**
   * Waits for a turn, first come, first served. What is given ends it; calling that again does nothing.
   *
   * @throws {CountersignError} `queue/full`, `execution/failed` when closed. Throws the signal's reason when it aborts
   */
  take(signal?: AbortSignal): Promise<() => void>
  /** Refuses whoever waits or comes later. A turn that was given stays. */
  close(): void
}

interface Waiting {
  readonly go: () => void
  readonly refuse: (reason: unknown) => void
}

/** @param maxWaiting Most that wait at a time; the one whose turn it is does not count. */
export function createTurns(maxWaiting: number): Turns {
  const waiting: Waiting[] = []
  let isTaken = false
  let isClosed = false

  /** Ends a turn once, and gives the next. */
  function turn(): () => void {
    let isOver = false
    return () => {
      if (isOver) return
      isOver = true
      const next = waiting.shift()
      if (next === undefined) isTaken = false
      else next.go()
    }
  }

  function wait(signal: AbortSignal | undefined): Promise<void> {
    return new Promise((resolve, reject) => {
      const entry: Waiting = {
        go() {
          signal?.removeEventListener('abort', leave)
          resolve()
        },
        refuse(reason) {
          signal?.removeEventListener('abort', leave)
          reject(reason)
        },
      }
      const leave = () => {
        waiting.splice(waiting.indexOf(entry), 1)
        reject(signal?.reason)
      }
      signal?.addEventListener('abort', leave, { once: true })
      waiting.push(entry)
    })
  }

  return {
    async take(signal) {
      signal?.throwIfAborted()
      if (isClosed) throw closed()
      if (isTaken) {
        if (waiting.length >= maxWaiting) {
          throw new CountersignError('queue/full', `${maxWaiting} requests wait for the model; try again later`)
        }
        await wait(signal)
      }
      isTaken = true
      return turn()
    },
    close() {
      isClosed = true
      for (const { refuse } of waiting.splice(0)) refuse(closed())
    },
  }
}

function closed(): CountersignError {
  return new CountersignError('execution/failed', 'the model has been closed')
}
