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
  let releases: (() => void)[] = []
  let held = 0
  const add = (count: number) => {
    releases.push(takeBytes(count))
    held += count
  }
  const release = () => {
    for (const each of releases) each()
    releases = []
    held = 0
  }
  return {
    add,
    set(count) {
      if (count > held) return add(count - held)
      if (count === held) return
      release()
      if (count > 0) add(count)
    },
    release,
  }
}
