/** What a monitor can find. What is proven stands in a proof file, and is of the kinds of spec/misbehaviour.md. */

/** Something that an honest log would show and this one does not. It proves nothing, and it counts. @spec spec/monitor.md */
export const MISSING_KINDS = [
  'log-silent',
  'checkpoint-invalid',
  'head-went-back',
  'head-withheld',
  'head-unexplained',
  'consistency-missing',
  'entries-withheld',
  'entry-differs',
  'tile-withheld',
  'tile-differs',
  'promise-uncovered',
  'promise-unchecked',
  'stale',
  'sequence-gap',
  'sequence-disorder',
  'statement-withheld',
  'statement-differs',
] as const
export type MissingKind = (typeof MISSING_KINDS)[number]

/** Something that someone should look at, and that says nothing against the log. */
export const WARNING_KINDS = [
  'witness-silent',
  'witness-invalid',
  'evidence-unreadable',
  'cosignature-ahead',
  'leaf-malformed',
  'limit-reached',
  'proof-failed',
] as const
export type WarningKind = (typeof WARNING_KINDS)[number]

/** A finding is open until what was missing is there. */
export interface Finding {
  readonly kind: MissingKind | WarningKind
  /** What it is about: a path, a size, a source. One finding of a kind for each. */
  readonly subject: string
  readonly summary: string
  readonly sinceMs: number
  /** Whether it is older than the grace, and so was told to whoever gets alerts. */
  readonly isDue: boolean
  /** SHA-256 of what should be served instead, in hexadecimal: for looking again. */
  readonly expected?: string
}

/** Kinds that are about the past, and so stay whatever is served from now on. */
const LASTING: ReadonlySet<string> = new Set([
  'sequence-gap',
  'sequence-disorder',
  'statement-differs',
  'cosignature-ahead',
  'leaf-malformed',
])

export function isMissing({ kind }: Pick<Finding, 'kind'>): boolean {
  return (MISSING_KINDS as readonly string[]).includes(kind)
}

/** Whether waiting could change anything about it. */
export function isLasting({ kind }: Pick<Finding, 'kind'>): boolean {
  return LASTING.has(kind)
}
