import { isExpressionStatement, isStringLiteral } from 'typescript/unstable/ast'
import type { Finding } from './finding.ts'
import { entriesOf, packagesOf } from './packages.ts'
import { isFunctionLikeDeclaration, lineOf, type Node, SyntaxKind } from './syntax.ts'
import type { Source, Tree } from './tree.ts'

/** Statements that declare. Every other kind at the top of a file does something as soon as the file is imported. */
const DECLARING = new Set([
  SyntaxKind.ImportDeclaration,
  SyntaxKind.ExportDeclaration,
  SyntaxKind.ExportAssignment,
  SyntaxKind.VariableStatement,
  SyntaxKind.FunctionDeclaration,
  SyntaxKind.ClassDeclaration,
  SyntaxKind.InterfaceDeclaration,
  SyntaxKind.TypeAliasDeclaration,
  SyntaxKind.ModuleDeclaration,
])

/** Importing a file of a package does nothing; only commands and workers run. */
export function checkImportTime(tree: Tree): readonly Finding[] {
  const programs = new Set<string>()
  for (const [folder, manifest] of packagesOf(tree)) {
    for (const path of entriesOf(tree, folder, manifest).programs) programs.add(path)
  }
  const findings: Finding[] = []
  for (const source of tree.sources) {
    if (!source.isProduct || programs.has(source.path)) continue
    const report = (line: number, what: string) => {
      const message = `${what} when the file is imported; put it in a function that the caller calls`
      findings.push({ file: source.path, line, rule: 'import-time', message })
    }
    for (const node of deedsOf(source)) report(lineOf(source.ast, node), 'something happens')
    for (const { specifier, line, kind } of source.imports) {
      if (kind === 'effect') report(line, `'${specifier}' is imported for its effect`)
    }
  }
  return findings
}

function deedsOf({ ast }: Source): readonly Node[] {
  return ast.statements.flatMap((statement) => {
    const isDirective = isExpressionStatement(statement) && isStringLiteral(statement.expression)
    if (isDirective) return []
    return DECLARING.has(statement.kind) ? awaitsIn(statement) : [statement]
  })
}

/** `await` outside any function: a constant that waits for the world. */
function awaitsIn(node: Node): readonly Node[] {
  if (node.kind === SyntaxKind.AwaitExpression) return [node]
  if (isFunctionLikeDeclaration(node)) return []
  const found: Node[] = []
  node.forEachChild((child) => {
    found.push(...awaitsIn(child))
  })
  return found
}
