import type { Finding } from './finding.ts'
import type { Tree } from './tree.ts'

/** Written in pieces, so that this file passes its own rule. */
const MACHINE = new RegExp(['\\/wor', 'k\\/|\\/roo', 't\\/|registry\\.npm', 'js|resolved": "htt', 'p'].join(''))

/** What is committed does not depend on the machine or the mirror that it was made on. */
export function checkMachinePaths(tree: Tree): readonly Finding[] {
  return tree.paths.flatMap((file) =>
    tree
      .textOf(file)
      .split('\n')
      .flatMap((text, index) => {
        const found = MACHINE.exec(text)?.[0]
        const message = `${found} belongs to one machine; use a path from the repository root, or no host`
        return found === undefined ? [] : [{ file, line: index + 1, rule: 'machine-path', message }]
      }),
  )
}
