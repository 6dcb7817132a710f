/** A configuration with one mistake at a time, and what must be said of each. */
import assert from 'node:assert/strict'
import { CountersignError, type ErrorCode } from '@countersign/verify'
import { parseConfig } from './config-file.ts'

/** Lines by number from 1, each with what stands there instead; `undefined` for nothing. */
export type LineChanges = { readonly [line: number]: string | undefined }

export interface Mistake {
  readonly what: string
  readonly changes: LineChanges
  /** The line that is named, and what is said. */
  readonly line: number
  readonly says: RegExp
}

/** Stands for a secret in mistakes; no message may repeat it. */
export const SECRET = 'ab'.repeat(32)

export function changedText(lines: readonly string[], changes: LineChanges = {}): string {
  return lines.flatMap((line, i) => (i + 1 in changes ? (changes[i + 1] ?? []) : line)).join('\n')
}

/** Asserts that the changed lines are refused, with the line and what to write. */
export function assertMistake(
  lines: readonly string[],
  { changes, line, says }: Mistake,
  code: ErrorCode = 'config/malformed',
): void {
  assert.throws(
    () => parseConfig(changedText(lines, changes), '/etc'),
    (thrown: unknown) => {
      assert.ok(thrown instanceof CountersignError)
      assert.equal(thrown.code, code)
      assert.match(thrown.message, says)
      assert.match(thrown.message, new RegExp(`^line ${line}: `), thrown.message)
      assert.doesNotMatch(thrown.message, /abababab/, 'a secret is not repeated')
      return true
    },
  )
}
