import type { Finding } from './finding.ts'
import { packagesOf } from './packages.ts'
import type { Source, Tree } from './tree.ts'

/** No file imports itself by way of others; types count too. One finding for each cycle that a walk closes. */
export function checkCycles(tree: Tree): readonly Finding[] {
  const findings: Finding[] = []
  const done = new Set<Source>()
  const trail: Source[] = []

  function visit(source: Source): void {
    trail.push(source)
    for (const imported of source.imports) {
      const target = imported.kind === 'worker' ? undefined : tree.resolve(source, imported)
      if (target === undefined || done.has(target)) continue
      const start = trail.indexOf(target)
      if (start < 0) {
        visit(target)
        continue
      }
      const names = [...trail.slice(start), target].map(({ path }) => path.replace(/^packages\/[^/]+\/src\//, ''))
      const message = `${names.join(' → ')} is a cycle; move what both need to a file of its own`
      findings.push({ file: source.path, line: imported.line, rule: 'import-cycle', message })
    }
    trail.pop()
    done.add(source)
  }

  for (const source of tree.sources) if (!done.has(source)) visit(source)
  return findings
}

/** Inside a package the file is imported, not the package's own face. Tests may look at the face. */
export function checkOwnIndex(tree: Tree): readonly Finding[] {
  const packages = packagesOf(tree)
  const findings: Finding[] = []
  for (const source of tree.sources) {
    if (!source.isProduct) continue
    const { packageFolder = '' } = source
    const own = packages.get(packageFolder)?.name
    for (const imported of source.imports) {
      const { specifier, line } = imported
      const isFace = tree.resolve(source, imported)?.path === `packages/${packageFolder}/src/index.ts`
      if (!isFace && specifier !== own && !specifier.startsWith(`${own}/`)) continue
      const message = `'${specifier}' is this package's own face; import the file that declares the name`
      findings.push({ file: source.path, line, rule: 'own-index', message })
    }
  }
  return findings
}
