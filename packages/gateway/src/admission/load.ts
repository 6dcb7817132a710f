/** How much is under way: requests, and bytes that are kept in memory for them. */
import { CountersignError } from '@countersign/verify'

export interface LoadLimits {
  readonly inFlight: number
  readonly bytesInFlight: number
}

export interface Load {
  readonly requests: number
  readonly bytes: number
  /** Lets one more request in; call what it returns once it is over. @throws {CountersignError} `queue/full` */
  admit(): () => void
  /** Resolves when nothing is under way any more, or the time is up. */
  untilIdle(timeoutMs: number): Promise<void>
  /** Counts bytes until what it returns is called. @throws {CountersignError} `queue/full` */
  take(bytes: number): () => void
}

export function createLoad({ inFlight, bytesInFlight }: LoadLimits): Load {
  let requests = 0
  let bytes = 0
  const waiting: (() => void)[] = []
  return {
    get requests() {
      return requests
    },
    get bytes() {
      return bytes
    },
    admit() {
      if (requests >= inFlight) throw full('too many requests are under way; try again later')
      requests++
      return once(() => {
        requests--
        if (requests === 0) for (const resolve of waiting.splice(0)) resolve()
      })
    },
    untilIdle(timeoutMs) {
      if (requests === 0) return Promise.resolve()
      return new Promise((resolve) => {
        const timer = setTimeout(resolve, timeoutMs)
        waiting.push(() => {
          clearTimeout(timer)
          resolve()
        })
      })
    },
    take(count) {
      if (bytes + count > bytesInFlight) throw full('the requests under way are too large together; try again later')
      bytes += count
      return once(() => {
        bytes -= count
      })
    },
  }
}

function once(release: () => void): () => void {
  let isOver = false
  return () => {
    if (!isOver) release()
    isOver = true
  }
}

function full(message: string): CountersignError {
  return new CountersignError('queue/full', message)
}
