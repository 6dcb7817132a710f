/**
 * The one place that knows the parser: TypeScript's own, which since version 7 is a native program with an API that is
 * still called unstable. Its version is pinned, and this file is all that would change with it.
 */
import { isFunctionLikeDeclaration, type Node, type SourceFile, SyntaxKind } from 'typescript/unstable/ast'
import type { FileSystem } from 'typescript/unstable/fs'
import { API } from 'typescript/unstable/sync'

export { isFunctionLikeDeclaration, type Node, type SourceFile, SyntaxKind }

/** Files of the projects that the parser has been asked about, by absolute path. Nothing else exists for it. */
const virtualFiles = new Map<string, string>()
let parser: API | undefined
let projectCount = 0

const fileSystem: FileSystem = {
  readFile: (path) => virtualFiles.get(path) ?? null,
  fileExists: (path) => virtualFiles.has(path),
  directoryExists: () => true,
  getAccessibleEntries: () => ({ files: [], directories: [] }),
  realpath: (path) => path,
}

/** Parses each file by itself: imports are not followed, types are not checked. Keys are paths without a leading `/`. */
export function parseFiles(texts: ReadonlyMap<string, string>): ReadonlyMap<string, SourceFile> {
  projectCount += 1
  const root = `/tidy-${projectCount}`
  const config = `${root}/tsconfig.json`
  const compilerOptions = { noLib: true, noResolve: true, types: [], allowJs: true, noEmit: true, module: 'nodenext' }
  virtualFiles.set(config, JSON.stringify({ compilerOptions, files: [...texts.keys()] }))
  for (const [path, text] of texts) virtualFiles.set(`${root}/${path}`, text)

  parser ??= new API({ cwd: '/', fs: fileSystem })
  const snapshot = parser.updateSnapshot({ openProjects: [config] })
  const program = snapshot.getProject(config)?.program
  const parsed = new Map<string, SourceFile>()
  for (const path of texts.keys()) {
    const file = program?.getSourceFile(`${root}/${path}`)
    if (file === undefined) throw new Error(`the parser did not return ${path}`)
    parsed.set(path, file)
  }
  virtualFiles.clear()
  return parsed
}

/** Calls `visit` for `node` and everything below it, in the order of the text. */
export function walk(node: Node, visit: (node: Node) => void): void {
  visit(node)
  node.forEachChild((child) => walk(child, visit))
}

/** The line, counted from 1, on which a node begins; its comments do not count. */
export function lineOf(file: SourceFile, node: Node): number {
  return file.getLineAndCharacterOfPosition(node.getStart(file)).line + 1
}

const LITERALS = new Set([
  SyntaxKind.StringLiteral,
  SyntaxKind.NoSubstitutionTemplateLiteral,
  SyntaxKind.TemplateHead,
  SyntaxKind.TemplateMiddle,
  SyntaxKind.TemplateTail,
  SyntaxKind.RegularExpressionLiteral,
])

/** The lines of a file with the insides of strings, templates and regular expressions taken out: code and comments. */
export function linesWithoutLiterals(file: SourceFile): readonly string[] {
  const parts: string[] = []
  let end = 0
  walk(file, (node) => {
    if (!LITERALS.has(node.kind)) return
    const start = node.getStart(file)
    parts.push(file.text.slice(end, start), file.text.slice(start, node.end).replace(/[^\n]/g, ' '))
    end = node.end
  })
  parts.push(file.text.slice(end))
  return parts.join('').split('\n')
}
