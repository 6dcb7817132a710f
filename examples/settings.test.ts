import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'

const EXAMPLE = fileURLToPath(new URL('./openai-client.ts', import.meta.url))
const TYPESCRIPT = new URL('../tools/test/typescript.mjs', import.meta.url).href

/** What the example ends with, and what it writes to standard error. */
function run(env: { readonly [name: string]: string }) {
  const options = { env: { ...process.env, ...env }, encoding: 'utf8' } as const
  const { status, stderr } = spawnSync(process.execPath, ['--import', TYPESCRIPT, EXAMPLE], options)
  return { status, stderr }
}

test('an example ends in a line that says what to do, not in a stack trace', () => {
  const missing = run({ TRUST: 'nothere.yaml' })
  assert.equal(missing.status, 1)
  assert.match(missing.stderr, /^there is no trust file nothere\.yaml; .*countersign log trust.*\n$/)
  const malformed = run({ TRUST: EXAMPLE })
  assert.equal(malformed.status, 1)
  assert.match(malformed.stderr, /^[^\n]+\n$/)
})
