/** Bytes that one request keeps in memory: they count among all that are. */

export interface Holding {
  /** Counts some more. @throws {CountersignError} `queue/full` */
  add(count: number): void
  /** Counts so many in place of all before. @throws {CountersignError} `queue/full`: then it counts what it did */
  set(count: number): void
  release(): void
}

/** @param takeBytes Counts bytes until what it returns is called; throws when there are too many. */
export function createHolding({ takeBytes }: { takeBytes(count: number): () => void }): Holding {
  let held = 0
  let giveBack = () => {}
  const set = (count: number) => {
    if (count === held) return
    // One entry, however often something is added. What was counted before fits again where more does not.
    giveBack()
    try {
      giveBack = takeBytes(count)
      held = count
    } catch (thrown) {
      giveBack = takeBytes(held)
      throw thrown
    }
  }
  return { add: (count) => set(held + count), set, release: () => set(0) }
}
