import { isCallExpression } from 'typescript/unstable/ast'
import type { Finding } from './finding.ts'
import { isFunctionLikeDeclaration, lineOf, type Node, walk } from './syntax.ts'
import type { Source, Tree } from './tree.ts'

export const MAX_FILE_LINES = 400
export const MAX_FUNCTION_LINES = 70

/** Files and functions that one can read at a sitting. Comments above a function do not count, blank lines do. */
export function checkSizes(tree: Tree): readonly Finding[] {
  return tree.sources.flatMap((source) => [...fileSize(source), ...functionSizes(source)])
}

function fileSize({ path, ast }: Source): readonly Finding[] {
  const lines = ast.text.split('\n').length - (ast.text.endsWith('\n') ? 1 : 0)
  if (lines <= MAX_FILE_LINES) return []
  const message = `${lines} lines, at most ${MAX_FILE_LINES}; split it by topic`
  return [{ file: path, line: MAX_FILE_LINES + 1, rule: 'file-size', message }]
}

function functionSizes({ path, ast }: Source): readonly Finding[] {
  const findings: Finding[] = []
  walk(ast, (node) => {
    if (!isFunctionLikeDeclaration(node) || isSuite(node)) return
    const line = lineOf(ast, node)
    const lines = ast.getLineAndCharacterOfPosition(node.end).line + 2 - line
    if (lines <= MAX_FUNCTION_LINES) return
    const name = 'name' in node && node.name ? node.name.getText() : 'this function'
    const message = `${name} has ${lines} lines, at most ${MAX_FUNCTION_LINES}; take a step out of it`
    findings.push({ file: path, line, rule: 'function-size', message })
  })
  return findings
}

/** A suite's callback is a list of tests rather than a function; each test is measured. */
function isSuite(node: Node): boolean {
  return isCallExpression(node.parent) && /^(describe|suite)$/.test(node.parent.expression.getText())
}
