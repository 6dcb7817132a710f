import { posix } from 'node:path'
import {
  isCallExpression,
  isExportDeclaration,
  isImportDeclaration,
  isImportTypeNode,
  isLiteralTypeNode,
  isNewExpression,
  isStringLiteral,
} from 'typescript/unstable/ast'
import { lineOf, type Node, type SourceFile, SyntaxKind, walk } from './syntax.ts'

/** A module that a file names: `import`, `export … from`, `import()`, a type's `import()`, or a worker's URL. */
export interface Import {
  readonly specifier: string
  readonly line: number
  /** `effect` is an import without names; `worker` is `new URL('./x.js', import.meta.url)`. */
  readonly kind: 'names' | 'effect' | 'worker'
}

export function importsOf(file: SourceFile): readonly Import[] {
  const found: Import[] = []
  walk(file, (node) => {
    const named = namedModule(node)
    if (named === undefined || !isStringLiteral(named.literal)) return
    found.push({ specifier: named.literal.text, line: lineOf(file, named.literal), kind: named.kind })
  })
  return found
}

function namedModule(node: Node): { literal: Node; kind: Import['kind'] } | undefined {
  if (isImportDeclaration(node)) {
    return { literal: node.moduleSpecifier, kind: node.importClause === undefined ? 'effect' : 'names' }
  }
  if (isExportDeclaration(node) && node.moduleSpecifier) return { literal: node.moduleSpecifier, kind: 'names' }
  if (isImportTypeNode(node) && isLiteralTypeNode(node.argument)) {
    return { literal: node.argument.literal, kind: 'names' }
  }
  if (isCallExpression(node) && node.expression.kind === SyntaxKind.ImportKeyword) {
    const [argument] = node.arguments
    return argument && { literal: argument, kind: 'names' }
  }
  if (isNewExpression(node) && node.expression.getText() === 'URL') {
    const [path, base] = node.arguments ?? []
    if (path && base?.getText() === 'import.meta.url') return { literal: path, kind: 'worker' }
  }
  return undefined
}

/** Where a relative specifier leads: the path from the repository root. The file need not exist. */
export function targetOf(fromPath: string, specifier: string): string {
  return posix.join(posix.dirname(fromPath), specifier)
}

/** Compiled names stand for their sources: `x.js` and `x.bundle.js` are `x.ts`, `packages/a/dist/x.js` is `packages/a/src/x.ts`. */
export function sourceOf(path: string, exists: (path: string) => boolean): string | undefined {
  const source = path.replace(/^(packages\/[^/]+)\/dist\//, '$1/src/').replace(/\.bundle\.js$/, '.js')
  const spellings = [
    source,
    source.replace(/\.d\.ts$/, '.ts'),
    source.replace(/\.(m?)js$/, '.$1ts'),
    source.replace(/\.js$/, '.tsx'),
  ]
  return spellings.find(exists)
}

export const isRelative = (specifier: string) => /^\.\.?(\/|$)/.test(specifier)

/** `@scope/name/sub/path` → `@scope/name`, `name/sub` → `name`. */
export function packageNameOf(specifier: string): string {
  return specifier
    .split('/')
    .slice(0, specifier.startsWith('@') ? 2 : 1)
    .join('/')
}
