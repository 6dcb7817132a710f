import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { BUNDLE_TAMPERINGS, checkCosigned, checkDemo, loadStockVerifier } from './check.ts'

const here = fileURLToPath(new URL('.', import.meta.url))
const demo = mkdtempSync(join(tmpdir(), 'countersign-sigstore-test-'))

before(() => {
  if (!existsSync(join(here, 'node_modules'))) {
    run('npm', ['ci', '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error', '--prefix', here])
  }
  run(process.execPath, [join(here, '../../packages/cli/bin/countersign.js'), 'demo', '--out', demo])
})

after(() => rmSync(demo, { recursive: true, force: true }))

function run(command: string, args: readonly string[]): void {
  const { status, stdout, stderr } = spawnSync(command, args, { encoding: 'utf8' })
  assert.equal(status, 0, `${command} ${args.join(' ')}\n${stdout}${stderr}`)
}

for (const packageName of ['sigstore-verify-3', 'sigstore-verify-4']) {
  test(`${packageName} takes every receipt, and refuses those whose bundle was tampered with`, () => {
    const { honest, tampered } = checkDemo(demo, loadStockVerifier(packageName, demo))
    assert.ok(honest.length >= 20)
    assert.deepEqual(
      honest.filter(({ refusal }) => refusal !== undefined),
      [],
    )
    assert.deepEqual(
      tampered.filter(({ refusal }) => refusal !== undefined).map(({ name }) => name),
      BUNDLE_TAMPERINGS,
    )
  })
  test(`${packageName} takes every receipt with the lines of three witnesses on its checkpoint`, () => {
    const cosigned = checkCosigned(demo, loadStockVerifier(packageName, demo), 3)
    assert.ok(cosigned.length >= 20)
    assert.deepEqual(
      cosigned.filter(({ refusal }) => refusal !== undefined),
      [],
    )
  })
}
