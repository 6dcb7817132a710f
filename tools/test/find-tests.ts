import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'

/** Tests to run. Paths are from the repository root. */
export interface FoundTests {
  /** Compiled tests of packages, and TypeScript tests of everything else. */
  readonly files: readonly string[]
  /** Tests of packages whose compiled form is not there. */
  readonly unbuilt: readonly string[]
}

const UNCOMPILED_FOLDERS = ['tools', 'bench', 'models', 'examples']

/**
 * Finds the tests under `root` whose source path contains one of `filters`; all, when there are none.
 *
 * The sources say what there is: a compiled test whose source is gone is never run.
 */
export function findTests(root: string, filters: readonly string[]): FoundTests {
  const isWanted = (path: string) => filters.length === 0 || filters.some((filter) => path.includes(filter))
  const packages = foldersIn(root, 'packages').map((name) => `packages/${name}/src`)
  const compiled = packages
    .flatMap((folder) => testsUnder(root, folder))
    .filter(isWanted)
    .map((path) => path.replace(/^(packages\/[^/]+)\/src\/(.*)\.ts$/, '$1/dist/$2.js'))
  const uncompiled = UNCOMPILED_FOLDERS.flatMap((folder) => testsUnder(root, folder)).filter(isWanted)
  const isBuilt = (path: string) => existsSync(join(root, path))
  return { files: [...compiled.filter(isBuilt), ...uncompiled], unbuilt: compiled.filter((path) => !isBuilt(path)) }
}

function foldersIn(root: string, folder: string): readonly string[] {
  if (!existsSync(join(root, folder))) return []
  const entries = readdirSync(join(root, folder), { withFileTypes: true })
  return entries.filter((entry) => entry.isDirectory() && entry.name !== 'node_modules').map(({ name }) => name)
}

function testsUnder(root: string, folder: string): readonly string[] {
  if (!existsSync(join(root, folder))) return []
  const files = readdirSync(join(root, folder), { withFileTypes: true })
  const here = files.filter((entry) => entry.isFile() && entry.name.endsWith('.test.ts'))
  const below = foldersIn(root, folder).flatMap((name) => testsUnder(root, `${folder}/${name}`))
  return [...here.map(({ name }) => `${folder}/${name}`), ...below].sort()
}
