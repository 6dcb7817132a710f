/** Outcomes as they come: those under way, those that may be asked for, and who is told. */
import type { ReceiptId } from '@countersign/verify'
import type { Outcome } from './outcome.ts'

/** Outcomes that are kept for {@link OutcomeLedger.outcomeOf}; the oldest go first. */
export const MAX_REMEMBERED_OUTCOMES = 256

export class OutcomeLedger {
  readonly #maxPending: number
  readonly #onVerdict: ((outcome: Outcome) => void) | undefined
  readonly #remembered = new Map<ReceiptId, Promise<Outcome>>()
  readonly #pending = new Set<Promise<Outcome>>()

  constructor(maxPending: number, onVerdict: ((outcome: Outcome) => void) | undefined) {
    this.#maxPending = maxPending
    this.#onVerdict = onVerdict
  }

  /** Makes a place for the outcome of an answer that has begun; gives what fills it. */
  begin(receipt: ReceiptId): (outcome: Promise<Outcome>) => void {
    let fill: (outcome: Promise<Outcome>) => void = () => {}
    const place = new Promise<Outcome>((resolve) => {
      fill = resolve
    })
    this.#remembered.set(receipt, place)
    const [oldest] = this.#remembered.keys()
    if (this.#remembered.size > MAX_REMEMBERED_OUTCOMES && oldest !== undefined) this.#remembered.delete(oldest)
    return fill
  }

  /** The outcome of a remembered answer, as soon as its body has ended and was checked. */
  outcomeOf(receipt: ReceiptId): Promise<Outcome> | undefined {
    return this.#remembered.get(receipt)
  }

  /** Runs a check, and tells its outcome. `mayAsk` is false when too many are under way. */
  async run(check: (mayAsk: boolean) => Promise<Outcome>): Promise<Outcome> {
    const checking = check(this.#pending.size < this.#maxPending)
    this.#pending.add(checking)
    try {
      const outcome = await checking
      this.#onVerdict?.(outcome)
      return outcome
    } finally {
      this.#pending.delete(checking)
    }
  }

  /** Resolves when no check is under way. */
  async idle(): Promise<void> {
    while (this.#pending.size > 0) await Promise.allSettled(this.#pending)
  }
}
