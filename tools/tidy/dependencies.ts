import { isBuiltin } from 'node:module'
import { posix } from 'node:path'
import type { Finding } from './finding.ts'
import { isRelative, packageNameOf } from './imports.ts'
import { type Manifest, packagesOf, readManifest } from './packages.ts'
import type { Source, Tree } from './tree.ts'

/** What a file imports, its package.json declares. Tests, tools and benchmarks may use the root's development tools. */
export function checkDependencies(tree: Tree): readonly Finding[] {
  const findings: Finding[] = []
  const root = readManifest(tree, 'package.json')
  const workspace = [...packagesOf(tree).values()].map(({ name }) => name)
  for (const source of tree.sources) {
    const manifest = nearestManifest(tree, source)
    const declared = new Set(manifest?.dependencies)
    if (manifest !== undefined) declared.add(manifest.name)
    if (!source.isProduct) {
      for (const name of manifest?.developmentDependencies ?? []) declared.add(name)
      for (const name of root?.developmentDependencies ?? []) declared.add(name)
    }
    if (manifest?.path === 'package.json') for (const name of workspace) declared.add(name)
    for (const { specifier, line } of source.imports) {
      if (isRelative(specifier) || isBuiltin(specifier) || specifier.startsWith('#')) continue
      const name = packageNameOf(specifier)
      if (declared.has(name)) continue
      const message = `'${name}' is not declared; add it to ${manifest?.path ?? 'package.json'}, or do without`
      findings.push({ file: source.path, line, rule: 'undeclared-dependency', message })
    }
  }
  return findings
}

function nearestManifest(tree: Tree, { path }: Source): Manifest | undefined {
  let folder = posix.dirname(path)
  while (folder !== '.') {
    const manifest = readManifest(tree, `${folder}/package.json`)
    if (manifest !== undefined) return manifest
    folder = posix.dirname(folder)
  }
  return readManifest(tree, 'package.json')
}
