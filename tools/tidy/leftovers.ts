import { isCallExpression, isObjectLiteralExpression, isPropertyAccessExpression } from 'typescript/unstable/ast'
import type { Finding } from './finding.ts'
import { lineOf, linesWithoutLiterals, type Node, walk } from './syntax.ts'
import type { Source, Tree } from './tree.ts'

const MARK = /\b(TODO|FIXME|XXX)\b/
const PROSE = /\.(md|ya?ml|sh|sql|html|css)$|^\.ci\//

/** Nothing is left for later in the tree: it is done, or it is written down as a limit. */
export function checkMarks(tree: Tree): readonly Finding[] {
  const texts = new Map(tree.sources.map(({ path, ast }) => [path, linesWithoutLiterals(ast)]))
  for (const path of tree.paths.filter((name) => PROSE.test(name))) texts.set(path, tree.textOf(path).split('\n'))
  return [...texts].flatMap(([file, lines]) =>
    lines.flatMap((text, index) => {
      const mark = MARK.exec(text)?.[0]
      const message = `${mark} puts something off; do it, or state the limit in the docs`
      return mark === undefined ? [] : [{ file, line: index + 1, rule: 'left-for-later', message }]
    }),
  )
}

const TEST_FUNCTIONS = new Set(['test', 'it', 'describe', 'suite'])
const SWITCHES = new Set(['only', 'todo', 'skip'])

/** Tests that hide others or never run. A test may still skip itself while it runs (`t.skip`), with its reason. */
export function checkIdleTests(tree: Tree): readonly Finding[] {
  return tree.sources.filter(({ path }) => /\.test\.[a-z]+$/.test(path)).flatMap(idleTests)
}

function idleTests({ path, ast }: Source): readonly Finding[] {
  const findings: Finding[] = []
  walk(ast, (node) => {
    const name = switchOf(node)
    const message = `.${name} keeps tests from running; let them run, or delete them`
    if (name !== undefined) findings.push({ file: path, line: lineOf(ast, node), rule: 'idle-test', message })
  })
  return findings
}

/** The switch in `test.only(…)` or in `test('…', { only: true }, …)`. */
function switchOf(node: Node): string | undefined {
  if (isPropertyAccessExpression(node)) {
    const isSwitch = TEST_FUNCTIONS.has(node.expression.getText()) && SWITCHES.has(node.name.text)
    return isSwitch ? node.name.text : undefined
  }
  if (!isCallExpression(node) || !TEST_FUNCTIONS.has(node.expression.getText())) return undefined
  for (const property of node.arguments
    .filter(isObjectLiteralExpression)
    .flatMap(({ properties }) => [...properties])) {
    const [name = '', value = ''] = property.getText().split(/:\s*/, 2)
    // `skip: !available` decides while it runs; a constant does not.
    if (SWITCHES.has(name) && /^(true|['"`].*)$/s.test(value)) return name
  }
  return undefined
}
