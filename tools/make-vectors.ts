/**
 * Writes the test vectors of our own formats to `vectors/`. They depend on nothing but the sources: run it twice, or on
 * two machines, and the files are the same.
 *
 * `--check` writes nothing, and fails when a file differs, is missing, or is not one of ours.
 */
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { vectorFiles } from '../packages/verify/src/vectors/vector-files.testing.ts'

const FOLDER = fileURLToPath(new URL('../vectors', import.meta.url))

const files = vectorFiles()
const found = readdirSync(FOLDER, { recursive: true, encoding: 'utf8' }).filter((path) => path.endsWith('.json'))
const foreign = found.filter((path) => !files.has(path))
const changed = [...files].filter(([path, content]) => !found.includes(path) || readVector(path) !== content)

if (process.argv.includes('--check')) {
  for (const [path] of changed) console.error(`vectors/${path} is not what the sources give`)
  for (const path of foreign) console.error(`vectors/${path} is not given by any source`)
  if (changed.length + foreign.length > 0) {
    console.error('run npx tsx tools/make-vectors.ts')
    process.exitCode = 1
  }
} else {
  for (const path of foreign) rmSync(join(FOLDER, path))
  for (const [path, content] of changed) {
    mkdirSync(dirname(join(FOLDER, path)), { recursive: true })
    writeFileSync(join(FOLDER, path), content)
  }
  console.log(`${files.size} vectors, ${changed.length} written, ${foreign.length} removed`)
}

function readVector(path: string): string {
  return readFileSync(join(FOLDER, path), 'utf8')
}
