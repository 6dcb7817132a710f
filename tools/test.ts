/**
 * What `npm test` runs: tidy, lint, types, build, then every test in one `node --test` process. Stops at the first step
 * that fails, with its exit code.
 *
 * `npm test -- merkle` runs only the tests whose path has `merkle` in it, as last built, and none of the other steps.
 * Arguments that begin with `-` go to `node --test`: `npm test -- merkle --test-name-pattern=empty`.
 */
import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { findTests } from './test/find-tests.ts'

const ROOT = fileURLToPath(new URL('..', import.meta.url))

/** npm scripts, in this order: what is quick to fail comes first. */
const STEPS = ['tidy', 'lint', 'types', 'build']

/** Holds for a single test and for a whole test file alike. */
const TEST_TIMEOUT_MS = 300_000
/** One more than a build machine has processors, since tests also wait: for disks, for each other, for time to pass. */
const CONCURRENT_FILES = 3

/** Runs TypeScript where a test is. */
const TYPESCRIPT = new URL('./test/typescript.mjs', import.meta.url).href

/** Data too large for the repository. Tests that need it skip themselves, with that reason, where there is none. */
const DEFAULT_TEST_DATA = join(ROOT, '../shared/data')

async function main(args: readonly string[]): Promise<number> {
  const options = args.filter((arg) => arg.startsWith('-'))
  const filters = args.filter((arg) => !arg.startsWith('-'))
  if (filters.length === 0) {
    for (const step of STEPS) {
      heading(step)
      const exitCode = await run('npm', ['run', '--silent', step])
      if (exitCode !== 0) {
        console.error(`\n${step} failed (exit code ${exitCode}); nothing after it was run`)
        return exitCode
      }
    }
  }
  heading(filters.length === 0 ? 'test' : `test ${filters.join(' ')}`)
  return runTests(filters, options)
}

async function runTests(filters: readonly string[], options: readonly string[]): Promise<number> {
  const { files, unbuilt } = findTests(ROOT, filters)
  if (unbuilt.length > 0) {
    console.error(`not built yet; run npm run build:\n${unbuilt.join('\n')}`)
    return 1
  }
  if (files.length === 0) {
    console.error(`no test file has ${filters.join(' or ')} in its path`)
    return 1
  }
  return run(process.execPath, [
    ...[
      '--test',
      '--test-reporter=spec',
      `--test-concurrency=${CONCURRENT_FILES}`,
      `--test-timeout=${TEST_TIMEOUT_MS}`,
    ],
    ...['--enable-source-maps', '--import', TYPESCRIPT],
    ...options,
    ...files,
  ])
}

/** Resolves to the exit code. A child that a signal ended counts as failed. */
function run(command: string, args: readonly string[]): Promise<number> {
  const env = { ...process.env }
  if (env.COUNTERSIGN_TEST_DATA === undefined && existsSync(DEFAULT_TEST_DATA)) {
    env.COUNTERSIGN_TEST_DATA = DEFAULT_TEST_DATA
  }
  return new Promise((resolve, reject) => {
    // On Windows npm is a script, which only a shell can start.
    const shell = process.platform === 'win32' && command === 'npm'
    const child = spawn(command, args, { cwd: ROOT, env, stdio: 'inherit', shell })
    child.on('error', reject)
    child.on('exit', (code) => resolve(code ?? 1))
  })
}

function heading(title: string): void {
  console.log(`\n── ${title} ${'─'.repeat(Math.max(3, 76 - title.length))}`)
}

process.exitCode = await main(process.argv.slice(2))
