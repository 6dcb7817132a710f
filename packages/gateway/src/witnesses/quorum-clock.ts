/** Since when a log has had entries that a quorum has not confirmed. Pure; times are of any clock that never goes back. */

/** Most observations of the log's size that are kept; then every second one is forgotten. */
export const MAX_OBSERVATIONS = 128

/** `pending`: no head has met it yet. `overdue`: for too long none that is new has. */
export type QuorumStatus = 'met' | 'pending' | 'overdue'

export interface QuorumClock {
  /** Size of the newest head that meets the quorum. */
  readonly metSize: number
  /** Sizes above it, and when each was seen first. Ascending. */
  readonly beyond: readonly { readonly size: number; readonly seenMs: number }[]
}

export const NEW_QUORUM_CLOCK: QuorumClock = { metSize: 0, beyond: [] }

/** The log's newest head has that size. */
export function observeSize(clock: QuorumClock, size: number, nowMs: number): QuorumClock {
  const newest = clock.beyond.at(-1)?.size ?? clock.metSize
  if (size <= newest) return clock
  const beyond = [...clock.beyond, { size, seenMs: nowMs }]
  // The oldest stays: it says how long.
  return { ...clock, beyond: beyond.length > MAX_OBSERVATIONS ? beyond.filter((_, i) => i % 2 === 0) : beyond }
}

/** A head of that size meets the quorum. */
export function observeMet(clock: QuorumClock, size: number): QuorumClock {
  if (size <= clock.metSize) return clock
  return { metSize: size, beyond: clock.beyond.filter((each) => each.size > size) }
}

/** How long the oldest entry that the quorum has not confirmed has been waiting; 0 when it has confirmed all. */
export function unmetForMs({ beyond: [oldest] }: QuorumClock, nowMs: number): number {
  return oldest === undefined ? 0 : nowMs - oldest.seenMs
}
