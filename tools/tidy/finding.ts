import type { Tree } from './tree.ts'

/** One place that breaks a rule. `message` says what is wrong and how to mend it. */
export interface Finding {
  readonly file: string
  /** Counted from 1. */
  readonly line: number
  readonly rule: string
  readonly message: string
}

/** A rule looks at the whole tree and reports; it changes nothing and prints nothing. */
export type Rule = (tree: Tree) => readonly Finding[]
