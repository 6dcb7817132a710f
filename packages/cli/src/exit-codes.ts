/** Exit codes, the same for every command. @spec spec/verdict.md */
import { CountersignError, type Satisfaction } from '@countersign/verify'

export const EXIT = { ok: 0, refuted: 1, usage: 2, unproven: 3 } as const
export type ExitCode = (typeof EXIT)[keyof typeof EXIT]

/** What one verdict exits with. */
export function exitCodeOf(satisfaction: Satisfaction): ExitCode {
  return satisfaction === 'satisfied' ? EXIT.ok : satisfaction === 'refuted' ? EXIT.refuted : EXIT.unproven
}

/** The gravest of several: refuted, then unreadable, then unproven. */
export function gravest(codes: readonly ExitCode[]): ExitCode {
  const order = [EXIT.refuted, EXIT.usage, EXIT.unproven] as const
  return order.find((code) => codes.includes(code)) ?? EXIT.ok
}

/** An error of ours as JSON, for programs. */
export function errorJson(thrown: unknown): { readonly code: string; readonly message: string } {
  if (thrown instanceof CountersignError) return { code: thrown.code, message: thrown.message }
  return { code: 'internal', message: thrown instanceof Error ? thrown.message : String(thrown) }
}
