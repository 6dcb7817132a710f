import { sourceOf, targetOf } from './imports.ts'
import type { Source, Tree } from './tree.ts'

/** What the rules want to know of a package.json. */
export interface Manifest {
  readonly path: string
  readonly name: string
  readonly dependencies: ReadonlySet<string>
  readonly developmentDependencies: ReadonlySet<string>
  /** Public subpaths (`.`, `./crypto/node`) with the files that they lead to. */
  readonly exports: ReadonlyMap<string, readonly string[]>
  readonly programs: readonly string[]
}

type Fields = Readonly<Record<string, unknown>>

const fieldsOf = (value: unknown): Fields => (typeof value === 'object' && value !== null ? { ...value } : {})

/** Every string in a nest of objects: a condition map of `exports`, or `bin`. */
function stringsIn(value: unknown): readonly string[] {
  return typeof value === 'string' ? [value] : Object.values(fieldsOf(value)).flatMap(stringsIn)
}

export function readManifest(tree: Tree, path: string): Manifest | undefined {
  if (!tree.has(path)) return undefined
  const fields = fieldsOf(JSON.parse(tree.textOf(path)))
  const keys = (...names: string[]) => new Set(names.flatMap((name) => Object.keys(fieldsOf(fields[name]))))
  const isMap = Object.keys(fieldsOf(fields.exports)).some((key) => key.startsWith('.'))
  const exports = isMap ? fieldsOf(fields.exports) : { '.': fields.exports }
  return {
    path,
    name: String(fields.name ?? ''),
    dependencies: keys('dependencies', 'peerDependencies', 'optionalDependencies'),
    developmentDependencies: keys('devDependencies'),
    exports: new Map(Object.entries(exports).map(([subpath, value]) => [subpath, stringsIn(value)])),
    programs: stringsIn(fields.bin),
  }
}

/** The packages of the workspace, by folder name. */
export function packagesOf(tree: Tree): ReadonlyMap<string, Manifest> {
  const found = new Map<string, Manifest>()
  for (const path of tree.paths) {
    const folder = /^packages\/([^/]+)\/package\.json$/.exec(path)?.[1]
    const manifest = folder === undefined ? undefined : readManifest(tree, path)
    if (folder !== undefined && manifest !== undefined) found.set(folder, manifest)
  }
  return found
}

/** Where a package is entered from outside. Paths are of sources; `missing` are files that no source compiles to. */
export interface Entries {
  readonly faces: ReadonlySet<string>
  /** Commands and workers: they are run, not imported. */
  readonly programs: ReadonlySet<string>
  readonly missing: readonly string[]
}

export function entriesOf(tree: Tree, folder: string, manifest: Manifest): Entries {
  const faces = new Set<string>()
  const programs = new Set<string>()
  const missing: string[] = []
  const enter = (entries: Set<string>, path: string) => {
    const source = sourceOf(path, tree.has)
    if (source === undefined) missing.push(path)
    else entries.add(source)
  }
  const faceFiles = [...manifest.exports.values()].flat().filter((target) => !target.endsWith('.d.ts'))
  for (const target of faceFiles) enter(faces, targetOf(manifest.path, target))
  for (const target of manifest.programs) {
    const path = targetOf(manifest.path, target)
    enter(programs, path)
    for (const { specifier } of tree.sourceAt(path)?.imports ?? []) enter(programs, targetOf(path, specifier))
  }
  for (const source of tree.sources) {
    if (source.packageFolder !== folder) continue
    for (const target of workersOf(tree, source)) programs.add(target.path)
  }
  return { faces, programs, missing: [...new Set(missing)] }
}

function workersOf(tree: Tree, source: Source): readonly Source[] {
  const workers = source.imports.filter(({ kind }) => kind === 'worker')
  return workers.map((worker) => tree.resolve(source, worker)).filter((target) => target !== undefined)
}
