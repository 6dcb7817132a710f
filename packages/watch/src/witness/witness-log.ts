/** What a witness says of itself: one JSON object per line. Keys, bodies and addresses never get into one. */

/** From most to least. */
export const WITNESS_LOG_LEVELS = ['info', 'warn', 'error'] as const
export type WitnessLogLevel = (typeof WITNESS_LOG_LEVELS)[number]

/** Longest text of a line's field, in UTF-16 units. */
const MAX_TEXT_LENGTH = 512

type Line = { readonly [name: string]: string | number | undefined }

export interface WitnessLog {
  line(level: WitnessLogLevel, event: string, fields: Line): void
}

export interface WitnessLogOptions {
  readonly level: WitnessLogLevel
  /** Takes one line with its line feed. */
  readonly write: (line: string) => void
  readonly now: () => number
}

/** A log that never throws: a line that cannot be written is lost. */
export function createWitnessLog({ level, write, now }: WitnessLogOptions): WitnessLog {
  const least = WITNESS_LOG_LEVELS.indexOf(level)
  return {
    line(at, event, fields) {
      if (WITNESS_LOG_LEVELS.indexOf(at) < least) return
      try {
        write(`${JSON.stringify({ time: new Date(now()).toISOString(), level: at, event, ...fields }, bounded)}\n`)
      } catch {
        // Whoever reads the log is gone. No cosignature fails for that.
      }
    },
  }
}

function bounded(_: string, value: unknown): unknown {
  return typeof value === 'string' && value.length > MAX_TEXT_LENGTH ? `${value.slice(0, MAX_TEXT_LENGTH)}…` : value
}
