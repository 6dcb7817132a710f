import { isExportAssignment, isExportSpecifier, isIdentifier, isPrivateIdentifier } from 'typescript/unstable/ast'
import type { Finding } from './finding.ts'
import { lineOf, linesWithoutLiterals, type Node, SyntaxKind, walk } from './syntax.ts'
import type { Source, Tree } from './tree.ts'

/** Ways around the compiler and around plain names: `any`, switched-off checks, look-alike letters, default exports. */
export function checkEscapes(tree: Tree): readonly Finding[] {
  const findings: Finding[] = []
  for (const source of tree.sources) {
    const report = (line: number, rule: string, message: string) =>
      findings.push({ file: source.path, line, rule, message })
    walk(source.ast, (node) => {
      const line = () => lineOf(source.ast, node)
      if (node.kind === SyntaxKind.AnyKeyword) report(line(), 'any', 'say what it is, or `unknown` and check it')
      if ((isIdentifier(node) || isPrivateIdentifier(node)) && /[^\x20-\x7e]/.test(node.text)) {
        report(line(), 'ascii-names', `${JSON.stringify(node.text)} has letters that look like others; use ASCII`)
      }
      if (isDefaultExport(node) && !mayExportDefault(source)) {
        report(line(), 'default-export', 'export it by name')
      }
    })
    for (const [index, text] of linesWithoutLiterals(source.ast).entries()) {
      const directive = /@ts-(ignore|nocheck)\b/.exec(text)?.[0]
      if (directive !== undefined) report(index + 1, 'ts-ignore', `${directive} hides mistakes; mend the type`)
    }
  }
  return findings
}

function isDefaultExport(node: Node): boolean {
  if (isExportAssignment(node)) return true
  if (isExportSpecifier(node)) return node.name.text === 'default'
  return node.kind === SyntaxKind.DefaultKeyword && node.parent.kind !== SyntaxKind.DefaultClause
}

const mayExportDefault = ({ path }: Source) => /\.config\.[a-z]+$/.test(path)
