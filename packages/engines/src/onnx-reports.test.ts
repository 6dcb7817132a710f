/** ONNX Runtime's native library reports to its makers unless it is told not to: what it leaves on the disk tells. */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { arithmeticModel } from './onnx-model.testing.ts'

const LIBRARY = `const { InferenceSession } = (await import('onnxruntime-node')).default
await InferenceSession.create(process.argv[1])`

const OURS = `import { readFileSync } from 'node:fs'
const { startNativeRuntime } = await import('${new URL('./onnx-node.js', import.meta.url)}')
const { NATIVE_PROFILE } = await import('${new URL('./profile.js', import.meta.url)}')
const runtime = await startNativeRuntime(NATIVE_PROFILE)
await runtime.createSession(new Uint8Array(readFileSync(process.argv[1])))`

/** Files that a process leaves in its home and temporary folders after it has made a session. */
function leftBy(context: TestContext, program: string): readonly string[] {
  const folder = mkdtempSync(join(tmpdir(), 'countersign-reports-'))
  context.after(() => rmSync(folder, { recursive: true, force: true }))
  const model = join(folder, 'model.onnx')
  writeFileSync(model, arithmeticModel())
  const { ORT_DISABLE_TELEMETRY: _, ...inherited } = process.env
  const { status, stderr } = spawnSync(process.execPath, ['--input-type=module', '--eval', program, model], {
    env: { ...inherited, HOME: folder, TMPDIR: folder, XDG_CACHE_HOME: join(folder, 'cache') },
    cwd: new URL('.', import.meta.url).pathname,
    encoding: 'utf8',
  })
  assert.equal(status, 0, stderr)
  return readdirSync(folder).filter((name) => name !== 'model.onnx')
}

test('the native engine leaves nothing behind, and tells the library to report nothing', (context) => {
  assert.deepEqual(leftBy(context, OURS), [])
  assert.deepEqual(leftBy(context, `${OURS}\nif (process.env.ORT_DISABLE_TELEMETRY !== '1') process.exit(1)`), [])
})

test('the bare library does leave something, so that the test above can fail', (context) => {
  if (leftBy(context, LIBRARY).length > 0) return
  // It depends on the machine whether the library gets as far as its report.
  context.skip('the bare library left nothing behind on this machine')
})
