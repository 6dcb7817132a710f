/** Those who wait until a signed head covers their entry. */
import { CountersignError } from '@countersign/verify'

/** Most requests that wait for a head at once. */
export const MAX_WAITERS = 1024

interface Waiter {
  readonly index: number
  readonly resolve: (covered: boolean) => void
  readonly timer: NodeJS.Timeout
}

export class HeadWaiters {
  readonly #waiters = new Set<Waiter>()

  /**
   * Resolves to true once {@link cover} reached `index`, and to false when the time is up.
   *
   * @throws {CountersignError} `queue/full` when too many wait
   */
  wait(index: number, timeoutMs: number): Promise<boolean> {
    if (this.#waiters.size >= MAX_WAITERS) {
      throw new CountersignError('queue/full', 'too many requests are waiting for a head; ask again without waiting')
    }
    return new Promise((resolve) => {
      const timer = setTimeout(() => this.#settle(waiter, false), timeoutMs)
      const waiter: Waiter = { index, resolve, timer }
      this.#waiters.add(waiter)
    })
  }

  /** A head of that size is signed. */
  cover(size: number): void {
    for (const waiter of [...this.#waiters]) if (waiter.index < size) this.#settle(waiter, true)
  }

  /** No head comes any more. */
  close(): void {
    for (const waiter of [...this.#waiters]) this.#settle(waiter, false)
  }

  #settle(waiter: Waiter, covered: boolean): void {
    clearTimeout(waiter.timer)
    this.#waiters.delete(waiter)
    waiter.resolve(covered)
  }
}
