import {
  isClassDeclaration,
  isFunctionDeclaration,
  isFunctionTypeNode,
  isIdentifier,
  isTypeReferenceNode,
  isVariableStatement,
} from 'typescript/unstable/ast'
import type { Finding } from './finding.ts'
import { isFunctionLikeDeclaration, lineOf, type Node, SyntaxKind, walk } from './syntax.ts'
import type { Source, Tree } from './tree.ts'

/** A caller can forget to look at a boolean. `verifyX` returns what it proved, or throws. */
export function checkVerifyContracts(tree: Tree): readonly Finding[] {
  const findings: Finding[] = []
  for (const { path, ast } of tree.sources) {
    walk(ast, (node) => {
      const name = 'name' in node ? (node.name as Node | undefined) : undefined
      if (name === undefined || !isIdentifier(name) || !/^verify([A-Z]|$)/.test(name.text)) return
      if (!returnTypesOf(node).some(isBoolean)) return
      const message = `${name.text} returns a boolean; let it return what it proved, or throw`
      findings.push({ file: path, line: lineOf(ast, node), rule: 'verify-boolean', message })
    })
  }
  return findings
}

/** The annotated return type of a function, a method, a signature, or of a variable or member that holds a function. */
function returnTypesOf(node: Node): readonly Node[] {
  const { type, initializer } = node as { type?: Node; initializer?: Node }
  if (node.kind === SyntaxKind.MethodSignature || isFunctionLikeDeclaration(node)) return type ? [type] : []
  const found: Node[] = []
  if (type !== undefined && isFunctionTypeNode(type) && type.type) found.push(type.type)
  if (initializer !== undefined && isFunctionLikeDeclaration(initializer)) {
    const { type: returned } = initializer as { type?: Node }
    if (returned !== undefined) found.push(returned)
  }
  return found
}

function isBoolean(type: Node): boolean {
  if (type.kind === SyntaxKind.BooleanKeyword || type.kind === SyntaxKind.TypePredicate) return true
  return (
    isTypeReferenceNode(type) && type.typeName.getText() === 'Promise' && (type.typeArguments ?? []).some(isBoolean)
  )
}

/** What verify exports, an auditor can look up: every function and class has its comment. */
export function checkDocumented(tree: Tree): readonly Finding[] {
  const findings: Finding[] = []
  for (const source of tree.sources) {
    if (!source.isProduct || source.packageFolder !== 'verify') continue
    for (const { name, line } of undocumented(source)) {
      const message = `${name} has no JSDoc; say what it proves or does, what it does not, and what it throws`
      findings.push({ file: source.path, line, rule: 'undocumented', message })
    }
  }
  return findings
}

function undocumented({ ast }: Source): readonly { readonly name: string; readonly line: number }[] {
  const found = new Map<string, { name: string; line: number }>()
  const documented = new Set<string>()
  for (const statement of ast.statements) {
    const { modifiers } = statement as { modifiers?: readonly Node[] }
    if (!modifiers?.some(({ kind }) => kind === SyntaxKind.ExportKeyword)) continue
    for (const name of callableNames(statement)) {
      // Overloads are one function: a comment on one of them will do.
      if (statement.jsDoc?.length) documented.add(name)
      else found.set(name, { name, line: lineOf(ast, statement) })
    }
  }
  return [...found.values()].filter(({ name }) => !documented.has(name))
}

function callableNames(statement: Node): readonly string[] {
  if (isFunctionDeclaration(statement) || isClassDeclaration(statement)) return [statement.name?.text ?? 'default']
  if (!isVariableStatement(statement)) return []
  return statement.declarationList.declarations
    .filter(({ initializer }) => initializer !== undefined && isFunctionLikeDeclaration(initializer))
    .map(({ name }) => name.getText())
}
