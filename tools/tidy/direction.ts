import type { Finding } from './finding.ts'
import { isRelative, packageNameOf, targetOf } from './imports.ts'
import { type Manifest, packagesOf } from './packages.ts'
import type { Source, Tree } from './tree.ts'

/** The drawing in the design: what each package may import. */
const MAY_IMPORT: Readonly<Record<string, readonly string[]>> = {
  verify: [],
  engines: ['verify'],
  watch: ['verify', 'engines'],
  gateway: ['verify', 'engines'],
  client: ['verify'],
  web: ['verify'],
  cli: ['verify', 'engines', 'watch', 'gateway'],
}

/** Packages import one another along the drawing, and only by public name. */
export function checkPackageDirection(tree: Tree): readonly Finding[] {
  const packages = packagesOf(tree)
  const folderByName = new Map([...packages].map(([folder, { name }]) => [name, folder]))
  const findings: Finding[] = []
  for (const source of tree.sources) {
    const from = source.packageFolder
    if (from === undefined) continue
    for (const { specifier, line, kind } of source.imports) {
      const report = (message: string) =>
        findings.push({ file: source.path, line, rule: 'package-direction', message: `'${specifier}' ${message}` })
      if (isRelative(specifier)) {
        const leaves = !targetOf(source.path, specifier).startsWith(`packages/${from}/`)
        if (leaves && kind !== 'worker') report('leaves the package; import by package name')
        continue
      }
      const to = folderByName.get(packageNameOf(specifier))
      if (to === undefined || to === from) continue
      const allowed = MAY_IMPORT[from]
      if (allowed === undefined) report(`is imported by ${from}, which the drawing lacks; add it in direction.ts`)
      else if (!allowed.includes(to)) report(`is against the drawing: ${from} may import ${listed(allowed)}`)
      if (!isPublic(packages.get(to), specifier)) report('is not among the exports of that package; use one that is')
    }
  }
  return findings
}

function isPublic(manifest: Manifest | undefined, specifier: string): boolean {
  return manifest?.exports.has(`.${specifier.slice(packageNameOf(specifier).length)}`) ?? false
}

/** Folders of verify, from the ground up. A folder imports itself and the rows above it in this list, not its own row. */
const VERIFY_TIERS: readonly (readonly string[])[] = [
  ['bytes'],
  ['crypto'],
  ['statement'],
  ['log'],
  ['attestation'],
  ['trust'],
  ['execution', 'independence', 'accountability'],
  ['dossier', 'misbehaviour', 'audit'],
  ['verdict'],
]

const VERIFY_FILE = /^packages\/verify\/src\/(?:([^/]+)\/)?(?:.*\/)?([^/]+)$/

/** Inside verify, folders import downwards only. Tests may import anything of their package. */
export function checkFolderDirection(tree: Tree): readonly Finding[] {
  const findings: Finding[] = []
  for (const source of tree.sources.filter(({ path, isProduct }) => isProduct && VERIFY_FILE.test(path))) {
    const report = (line: number, message: string) =>
      findings.push({ file: source.path, line, rule: 'folder-direction', message })
    const place = placeOf(source)
    if (place.tier === undefined) {
      report(1, `${place.name} has no place in the drawing; move the file, or add the folder in direction.ts`)
      continue
    }
    for (const imported of source.imports) {
      const target = tree.resolve(source, imported)
      if (target === undefined || target.packageFolder !== 'verify') continue
      const to = placeOf(target)
      if (to.name === place.name || (to.tier ?? 0) < place.tier) continue
      const below = VERIFY_TIERS.slice(0, Math.max(place.tier, 0)).flat()
      report(imported.line, `${place.name} may not import ${to.name}; it may import ${listed(below)}, errors.ts`)
    }
  }
  return findings
}

/** errors.ts is below all folders, index.ts above all. */
function placeOf({ path }: Source): { readonly name: string; readonly tier: number | undefined } {
  const [, folder, file = ''] = VERIFY_FILE.exec(path) ?? []
  if (folder === undefined) {
    const tier = file === 'errors.ts' ? -1 : file === 'index.ts' ? VERIFY_TIERS.length : undefined
    return { name: file, tier }
  }
  const tier = VERIFY_TIERS.findIndex((names) => names.includes(folder))
  return { name: folder, tier: tier < 0 ? undefined : tier }
}

function listed(names: readonly string[]): string {
  return names.length === 0 ? 'nothing' : names.join(', ')
}
