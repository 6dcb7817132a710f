import type { Finding } from './finding.ts'
import { entriesOf, packagesOf } from './packages.ts'
import type { Source, Tree } from './tree.ts'

const RULE = 'dead-file'

/** Every source of a package is reached from an entry; what only tests use (`x.testing.ts`), from a test. */
export function checkDeadFiles(tree: Tree): readonly Finding[] {
  const findings: Finding[] = []
  for (const [folder, manifest] of packagesOf(tree)) {
    const entries = entriesOf(tree, folder, manifest)
    for (const path of entries.missing) {
      const message = `leads to ${path}, which no source compiles to; add the source, or take the entry out`
      findings.push({ file: manifest.path, line: 1, rule: 'missing-entry', message })
    }
    // Without its entries everything would look dead.
    if (entries.missing.length > 0) continue
    const own = tree.sources.filter(({ path }) => path.startsWith(`packages/${folder}/src/`))
    const live = reachable(tree, [...entries.faces, ...entries.programs])
    const tested = reachable(
      tree,
      own.filter(({ path }) => /\.test\.[a-z]+$/.test(path)).map(({ path }) => path),
    )
    for (const source of own) {
      if (live.has(source) || (source.isTest && tested.has(source))) continue
      const from = source.isTest ? 'no test' : 'no entry of the package'
      const message = `${from} leads here by imports; import it, or delete it`
      findings.push({ file: source.path, line: 1, rule: RULE, message })
    }
  }
  return findings
}

function reachable(tree: Tree, paths: readonly string[]): ReadonlySet<Source> {
  const seen = new Set<Source>()
  const waiting = paths.map((path) => tree.sourceAt(path))
  while (waiting.length > 0) {
    const source = waiting.pop()
    if (source === undefined || seen.has(source)) continue
    seen.add(source)
    for (const imported of source.imports) waiting.push(tree.resolve(source, imported))
  }
  return seen
}
