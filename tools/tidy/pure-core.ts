import { isBuiltin } from 'node:module'
import {
  isCallExpression,
  isIdentifier,
  isNewExpression,
  isPropertyAccessExpression,
  isQualifiedName,
  isShorthandPropertyAssignment,
} from 'typescript/unstable/ast'
import type { Finding } from './finding.ts'
import { lineOf, type Node, SyntaxKind, walk } from './syntax.ts'
import type { Source, Tree } from './tree.ts'

/** The one file of the core that stands on Node. */
const NODE_PROVIDER = 'packages/verify/src/crypto/node-provider.ts'

const GLOBALS: ReadonlySet<string> = new Set([
  ...['process', 'globalThis', 'console', 'fetch', 'performance', 'navigator', 'crypto'],
  ...['setTimeout', 'setInterval', 'setImmediate', 'queueMicrotask'],
])

/** verify gets clock, crypto, randomness and input as arguments: same bytes, same verdict, on any machine. */
export function checkPureCore(tree: Tree): readonly Finding[] {
  const findings: Finding[] = []
  for (const source of tree.sources) {
    if (!source.isProduct || source.packageFolder !== 'verify') continue
    const report = (line: number, what: string) =>
      findings.push({ file: source.path, line, rule: 'pure-core', message: `${what}; take it as an argument` })
    for (const { specifier, line } of source.imports) {
      if (isBuiltin(specifier) && source.path !== NODE_PROVIDER) report(line, `'${specifier}' is Node's own`)
    }
    const declared = namesDeclaredIn(source)
    walk(source.ast, (node) => {
      const impure = impurityOf(node, declared)
      if (impure !== undefined) report(lineOf(source.ast, node), `${impure} is ambient`)
    })
  }
  return findings
}

function impurityOf(node: Node, declared: ReadonlySet<string>): string | undefined {
  if (isNewExpression(node) && node.expression.getText() === 'Date' && !node.arguments?.length) return 'new Date()'
  if (isCallExpression(node) && node.expression.getText() === 'Date') return 'Date()'
  if (isPropertyAccessExpression(node)) {
    const name = `${node.expression.getText()}.${node.name.text}`
    return name === 'Date.now' || name === 'Math.random' ? name : undefined
  }
  if (!isIdentifier(node) || !GLOBALS.has(node.text) || declared.has(node.text)) return undefined
  return isReference(node) ? node.text : undefined
}

function isReference(node: Node): boolean {
  const { parent } = node
  if (isQualifiedName(parent)) return parent.left === node
  return isShorthandPropertyAssignment(parent) || nameOf(parent) !== node
}

function nameOf(node: Node): Node | undefined {
  return 'name' in node ? (node.name as Node | undefined) : undefined
}

const DECLARATIONS = new Set([
  SyntaxKind.VariableDeclaration,
  SyntaxKind.Parameter,
  SyntaxKind.BindingElement,
  SyntaxKind.FunctionDeclaration,
  SyntaxKind.ImportSpecifier,
  SyntaxKind.ImportClause,
])

/** Names that the file itself gives a meaning, in any scope: coarse, and enough for names that nobody reuses. */
function namesDeclaredIn(source: Source): ReadonlySet<string> {
  const names = new Set<string>()
  walk(source.ast, (node) => {
    const name = DECLARATIONS.has(node.kind) ? nameOf(node) : undefined
    if (name !== undefined && isIdentifier(name)) names.add(name.text)
  })
  return names
}
