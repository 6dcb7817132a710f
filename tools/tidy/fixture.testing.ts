import type { Rule } from './finding.ts'
import { Tree } from './tree.ts'

/** What a rule finds in a tree of these files, as `file:line rule`. */
export function findingsOf(rule: Rule, files: Readonly<Record<string, string>>): readonly string[] {
  return rule(new Tree(new Map(Object.entries(files)))).map(({ file, line, rule: name }) => `${file}:${line} ${name}`)
}

/** A package.json with a public face at `src/index.ts`, and whatever else is given. */
export function manifestOf(folder: string, fields: Readonly<Record<string, unknown>> = {}): string {
  return JSON.stringify({ name: `@countersign/${folder}`, exports: { '.': './dist/index.js' }, ...fields })
}
