/** A clock that never goes back: small steps are clamped and noted, larger ones refuse. */
import { CountersignError } from '@countersign/verify'

/** Largest step back that is clamped, as a time server's correction may make. */
export const MAX_STEP_BACK_MS = 5000

export interface Reading {
  readonly timeMs: number
  /** Whether the machine's clock stood before the last reading. */
  readonly clamped: boolean
}

export interface Clock {
  /** For whatever begins. @throws {CountersignError} `clock/went-backwards` */
  read(): Reading
  /** For whatever has begun, and must get its record: a step back of any length is clamped. */
  readClamped(): Reading
}

/** A clock over `now` that starts no earlier than `lastMs`. */
export function createClock(now: () => number, lastMs: number): Clock {
  let last = lastMs
  const clamp = (time: number): Reading => {
    const clamped = time < last
    last = Math.max(last, time)
    return { timeMs: last, clamped }
  }
  return {
    read() {
      const time = now()
      if (time < last - MAX_STEP_BACK_MS) {
        const seconds = Math.round((last - time) / 1000)
        throw new CountersignError(
          'clock/went-backwards',
          `the machine's clock is ${seconds} s behind what this log has recorded; correct it, then restart`,
        )
      }
      return clamp(time)
    },
    readClamped: () => clamp(now()),
  }
}
