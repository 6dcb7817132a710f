import {
  isArrayLiteralExpression,
  isAsExpression,
  isStringLiteral,
  isVariableDeclaration,
} from 'typescript/unstable/ast'
import type { Finding } from './finding.ts'
import { lineOf, type Node, SyntaxKind, walk } from './syntax.ts'
import type { Tree } from './tree.ts'

const DECLARED_IN = 'packages/verify/src/errors.ts'
const LISTED_IN = 'spec/errors.md'
const RULE = 'error-codes'

/** Each error code is declared, raised somewhere, and has a row in the spec that says what a caller should do. */
export function checkErrorCodes(tree: Tree): readonly Finding[] {
  const declared = declaredCodes(tree)
  if (declared.size === 0) return []
  if (!tree.has(LISTED_IN)) {
    return [{ file: DECLARED_IN, line: 1, rule: RULE, message: `${LISTED_IN} is missing; list every code there` }]
  }
  const listed = listedCodes(tree)
  const raised = raisedCodes(tree)
  const findings: Finding[] = []
  const report = (file: string, line: number, message: string) => findings.push({ file, line, rule: RULE, message })
  for (const [code, line] of declared) {
    if (!listed.has(code)) report(DECLARED_IN, line, `${code} has no row in ${LISTED_IN}; add | \`${code}\` | …`)
    if (!raised.has(code)) report(DECLARED_IN, line, `${code} is raised nowhere; raise it, or take it out`)
  }
  for (const [code, line] of listed) {
    if (!declared.has(code)) report(LISTED_IN, line, `${code} is not in ERROR_CODES; declare it, or take the row out`)
  }
  return findings
}

function declaredCodes(tree: Tree): ReadonlyMap<string, number> {
  const codes = new Map<string, number>()
  const source = tree.sourceAt(DECLARED_IN)
  if (source === undefined) return codes
  walk(source.ast, (node) => {
    if (!isVariableDeclaration(node) || node.name.getText() !== 'ERROR_CODES' || !node.initializer) return
    const list = isAsExpression(node.initializer) ? node.initializer.expression : node.initializer
    if (!isArrayLiteralExpression(list)) return
    for (const element of list.elements) {
      if (isStringLiteral(element)) codes.set(element.text, lineOf(source.ast, element))
    }
  })
  return codes
}

function listedCodes(tree: Tree): ReadonlyMap<string, number> {
  const codes = new Map<string, number>()
  for (const [index, text] of tree.textOf(LISTED_IN).split('\n').entries()) {
    const code = /^\|\s*`([^`]+)`\s*\|/.exec(text)?.[1]
    if (code !== undefined) codes.set(code, index + 1)
  }
  return codes
}

/** Codes that some product file names other than to look them up or to compare with them. */
function raisedCodes(tree: Tree): ReadonlySet<string> {
  const codes = new Set<string>()
  for (const source of tree.sources) {
    if (!source.isProduct || source.path === DECLARED_IN) continue
    walk(source.ast, (node) => {
      if (isStringLiteral(node) && !isLookedUp(node)) codes.add(node.text)
    })
  }
  return codes
}

const COMPARISONS = new Set([SyntaxKind.EqualsEqualsEqualsToken, SyntaxKind.ExclamationEqualsEqualsToken])

/** A key of a table, a `case`, a type, or one side of a comparison. */
function isLookedUp(node: Node): boolean {
  const { parent } = node
  if (parent.kind === SyntaxKind.CaseClause || parent.kind === SyntaxKind.LiteralType) return true
  if (parent.kind === SyntaxKind.BinaryExpression) {
    return COMPARISONS.has((parent as Node & { operatorToken: Node }).operatorToken.kind)
  }
  return parent.kind === SyntaxKind.PropertyAssignment && (parent as Node & { name: Node }).name === node
}
