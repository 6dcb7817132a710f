import assert from 'node:assert/strict'
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { dataFolderAt, exampleConfig, Gateway } from '@countersign/gateway'
import { parseTrustFile, utf8 } from '@countersign/verify'
import { createNodeCrypto } from '@countersign/verify/crypto/node'
import { bundledModels } from '../files.ts'
import { countersign } from '../run.testing.ts'

const folder = mkdtempSync(join(tmpdir(), 'countersign-log-recover-'))
const data = join(folder, 'data')

before(async () => {
  const config = {
    ...exampleConfig(data, join(bundledModels(), 'credit', 'credit.onnx')),
    listen: { host: '127.0.0.1', port: 0 },
  }
  const gateway = await Gateway.start({ config, notices: { info: () => undefined, error: () => undefined } })
  await gateway.close()
  for (const ending of ['', '-wal', '-shm']) rmSync(`${dataFolderAt(data).database}${ending}`, { force: true })
})
after(() => rmSync(folder, { recursive: true, force: true }))

const recover = (...args: readonly string[]) => countersign('log', 'recover', '--data', data, ...args)

test('shows what it would do, does it, and the keys of both logs are printed', async () => {
  assert.equal((await recover()).code, 2)
  const nowhere = await countersign('log', 'recover', '--data', join(folder, 'nowhere'), '--reason', 'x')
  assert.match(nowhere.stderr, /usage\/invalid/)
  const shown = await recover('--reason', 'the database is lost')
  assert.equal(shown.code, 0, shown.stderr)
  assert.match(shown.stdout, /would end.*\n {2}whole: the first 0 entries[\s\S]*Nothing was changed/)
  assert.ok(!existsSync(join(data, 'archive')))
  const ran = await recover('--reason', 'the database is lost', '--yes', '--json')
  assert.equal(ran.code, 0, ran.stderr)
  const { oldOrigin, origin, archive, done } = JSON.parse(ran.stdout)
  assert.deepEqual([origin, archive, done], [`${oldOrigin}/2`, 1, true])
  assert.equal((await countersign('log', 'fsck', '--data', data)).code, 0)
  const archived = await countersign('log', 'fsck', '--data', data, '--archive', '1', '--json')
  assert.equal(archived.code, 1)
  assert.match(archived.stdout, /there is no database here/)
  assert.equal((await countersign('log', 'fsck', '--data', data, '--archive', '0')).code, 2)
  const trust = await countersign('log', 'trust', '--data', data)
  const { policy } = parseTrustFile(createNodeCrypto(), utf8(trust.stdout))
  assert.deepEqual(
    policy.logs.map(({ key }) => key.name),
    [origin, oldOrigin],
  )
})
