import { execFileSync } from 'node:child_process'
import { lstatSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { type Import, importsOf, isRelative, sourceOf, targetOf } from './imports.ts'
import { parseFiles, type SourceFile } from './syntax.ts'

/** A parsed program text. `path` is from the repository root, with `/`. */
export interface Source {
  readonly path: string
  readonly ast: SourceFile
  readonly imports: readonly Import[]
  /** The folder's name under `packages/`, when the file is in one. */
  readonly packageFolder: string | undefined
  /** In a package's `src`, and not a test nor what only tests use. */
  readonly isProduct: boolean
  readonly isTest: boolean
}

const SOURCE_NAME = /\.(m|c)?(ts|js)x?$/
const MAX_LISTING_BYTES = 64 * 1024 * 1024

/** The files that are committed or would be. Everything that a rule looks at comes from here. */
export class Tree {
  readonly paths: readonly string[]
  readonly sources: readonly Source[]
  readonly #texts: ReadonlyMap<string, string>
  readonly #sourcesByPath: ReadonlyMap<string, Source>
  readonly #folders = new Set<string>()

  constructor(texts: ReadonlyMap<string, string>) {
    this.#texts = texts
    this.paths = [...texts.keys()].sort()
    const programs = new Map([...texts].filter(([path]) => SOURCE_NAME.test(path)))
    this.sources = [...parseFiles(programs)].map(([path, ast]) => describeSource(path, ast))
    this.#sourcesByPath = new Map(this.sources.map((source) => [source.path, source]))
    for (const path of this.paths) {
      const parts = path.split('/')
      for (let count = 1; count < parts.length; count++) this.#folders.add(parts.slice(0, count).join('/'))
    }
  }

  /** Arrow functions, so that they can be handed on. */
  readonly has = (path: string): boolean => this.#texts.has(path)
  readonly hasFolder = (path: string): boolean => this.#folders.has(path)

  /** A file's text; empty for one that is missing or binary. */
  textOf(path: string): string {
    return this.#texts.get(path) ?? ''
  }

  sourceAt(path: string): Source | undefined {
    return this.#sourcesByPath.get(path)
  }

  /** The source that an import of this repository's own files leads to, if there is one. */
  resolve(from: Source, { specifier }: Import): Source | undefined {
    if (!isRelative(specifier)) return undefined
    const path = sourceOf(targetOf(from.path, specifier), this.has)
    return path === undefined ? undefined : this.sourceAt(path)
  }
}

function describeSource(path: string, ast: SourceFile): Source {
  const isTest = /\.(test|testing)\.[a-z]+$/.test(path)
  return {
    path,
    ast,
    imports: importsOf(ast),
    packageFolder: /^packages\/([^/]+)\//.exec(path)?.[1],
    isProduct: /^packages\/[^/]+\/src\//.test(path) && !isTest,
    isTest,
  }
}

/** Reads what git tracks, and what it would track if it were added now. */
export function readTree(root: string): Tree {
  const listing = execFileSync('git', ['ls-files', '-coz', '--exclude-standard'], {
    cwd: root,
    encoding: 'utf8',
    maxBuffer: MAX_LISTING_BYTES,
  })
  const texts = new Map<string, string>()
  for (const path of listing.split('\0').filter((name) => name !== '')) {
    const file = join(root, path)
    // Tracked files may have been deleted since; links and submodules are not text.
    if (!lstatSync(file, { throwIfNoEntry: false })?.isFile()) continue
    const bytes = readFileSync(file)
    texts.set(path, bytes.includes(0) ? '' : bytes.toString('utf8'))
  }
  return new Tree(texts)
}
