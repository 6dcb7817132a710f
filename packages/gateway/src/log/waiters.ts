/** Requests that wait until something is so, each for a time of its own. */
import { CountersignError } from '@countersign/verify'

/** Most that wait for one thing at once. */
export const MAX_WAITERS = 1024

interface Waiter {
  readonly isThere: () => boolean
  readonly resolve: (isThere: boolean) => void
  readonly timer: NodeJS.Timeout
}

export class Waiters {
  readonly #waiting = new Set<Waiter>()

  /**
   * Resolves with true when it is so, with false when the time is up.
   *
   * @throws {CountersignError} `queue/full` when too many wait
   */
  wait(isThere: () => boolean, timeoutMs: number): Promise<boolean> {
    if (isThere()) return Promise.resolve(true)
    if (timeoutMs <= 0) return Promise.resolve(false)
    if (this.#waiting.size >= MAX_WAITERS) {
      throw new CountersignError('queue/full', 'too many requests are waiting for a head; ask again without waiting')
    }
    return new Promise((resolve) => {
      const timer = setTimeout(() => this.#settle(waiter, false), timeoutMs)
      const waiter: Waiter = { isThere, resolve, timer }
      this.#waiting.add(waiter)
    })
  }

  /** Something has changed. */
  look(): void {
    for (const waiter of [...this.#waiting]) if (waiter.isThere()) this.#settle(waiter, true)
  }

  /** Nothing more is to be waited for. */
  end(): void {
    for (const waiter of [...this.#waiting]) this.#settle(waiter, false)
  }

  #settle(waiter: Waiter, isThere: boolean): void {
    clearTimeout(waiter.timer)
    this.#waiting.delete(waiter)
    waiter.resolve(isThere)
  }
}
