import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { startGatewayProcess } from './gateway-process.testing.ts'
import { ask, createLedger } from './ledger.testing.ts'
import { findBroken, readKeys, readOrigin } from './promises.testing.ts'
import { creditQuestion } from './question.testing.ts'
import { compileRecorder } from './recording.testing.ts'

test('a sync that fails ends the gateway: nothing is answered after it, and nothing is lost', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'countersign-sync-'))
  t.after(() => rmSync(folder, { recursive: true, force: true }))
  const recorder = process.platform === 'linux' ? compileRecorder(folder) : undefined
  if (recorder === undefined) return t.skip('there is no C compiler here to build the recorder with')
  const root = join(folder, 'disk')
  const dataRoot = join(root, 'data')
  const failing = join(folder, 'fail')
  mkdirSync(root)
  const ledger = createLedger()
  const gateway = startGatewayProcess(dataRoot, {
    environment: {
      LD_PRELOAD: recorder,
      COUNTERSIGN_TRACE_ROOT: root,
      COUNTERSIGN_TRACE_FILE: join(folder, 'trace'),
      COUNTERSIGN_TRACE_FAIL: failing,
    },
  })
  const url = await gateway.ready
  assert.ok(url, gateway.complaints.join())
  assert.equal(await ask(url, ledger, creditQuestion(1)), true)
  const keys = readKeys(dataRoot, await readOrigin(url))
  writeFileSync(failing, '')
  assert.equal(await ask(url, ledger, creditQuestion(2)), false)
  await gateway.exited
  assert.match(gateway.complaints.join(), /the log stopped: data\/damaged/)

  const restarted = startGatewayProcess(dataRoot)
  t.after(() => restarted.kill())
  const newUrl = await restarted.ready
  assert.ok(newUrl, restarted.complaints.join())
  assert.deepEqual(await findBroken(newUrl, keys, ledger, ledger.answers), [])
  assert.equal(await ask(newUrl, ledger, creditQuestion(3)), true)
})
