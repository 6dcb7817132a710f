/** Fails the build on what a program can check of the style. One line per finding, exit code 1 when there are any. */
import { fileURLToPath } from 'node:url'
import { RULES } from './tidy/rules.ts'
import { readTree } from './tidy/tree.ts'

const tree = readTree(fileURLToPath(new URL('..', import.meta.url)))
const findings = RULES.flatMap((rule) => rule(tree)).sort(
  (a, b) => a.file.localeCompare(b.file, 'en') || a.line - b.line,
)
for (const { file, line, rule, message } of findings) console.log(`${file}:${line}: ${rule}: ${message}`)

const examined = `${tree.paths.length} files, ${tree.sources.length} of them programs, ${RULES.length} rules`
console.log(`tidy: ${findings.length === 0 ? 'nothing found' : `${findings.length} found`} in ${examined}`)
if (findings.length > 0) process.exitCode = 1
