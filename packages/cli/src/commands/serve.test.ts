import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { formatNoteKey, NOTE_COSIGNATURE, noteKey } from '@countersign/verify'
import { createNodeCrypto } from '@countersign/verify/crypto/node'
import { countersign } from '../run.testing.ts'
import { clientSettings, loadConfig } from './serve.ts'

const key = formatNoteKey(noteKey(createNodeCrypto(), 'w.example', NOTE_COSIGNATURE, new Uint8Array(32).fill(7)))
const WITNESS = `witness w ${key} https://w.example\n`

test('the example has no witness, unless a policy names some: then every deployment needs its quorum', (context) => {
  const folder = mkdtempSync(join(tmpdir(), 'countersign-serve-test-'))
  context.after(() => rmSync(folder, { recursive: true, force: true }))
  const witnesses = join(folder, 'witnesses.policy')
  assert.equal(loadConfig({}).witnesses, undefined)

  writeFileSync(witnesses, `${WITNESS}quorum w\n`)
  const config = loadConfig({ witnesses })
  assert.equal(config.witnesses?.policyFile, witnesses)
  assert.deepEqual(
    config.deployments.map(({ quorum }) => quorum),
    [{ name: 'w', unmetAfterSeconds: 60, whenUnmet: 'flag' }],
  )

  for (const [text, code] of [
    [WITNESS, 'usage/invalid'],
    [`${WITNESS}quorum none\n`, 'usage/invalid'],
    ['quorum none\n', 'policy/malformed'],
  ] as const) {
    writeFileSync(witnesses, text)
    assert.throws(() => loadConfig({ witnesses }), { code }, text)
  }
  assert.throws(() => loadConfig({ witnesses: join(folder, 'none') }), { code: 'file/unreadable' })
})

test('clients are told of what is answered, and of nothing else', () => {
  const url = 'http://127.0.0.1:8787'
  assert.deepEqual(clientSettings(url, []), [])
  assert.deepEqual(clientSettings(url, ['kserve']), [])
  assert.deepEqual(clientSettings(url, ['llama']), [`OPENAI_BASE_URL=${url}/v1`])
  assert.deepEqual(clientSettings(url, ['anthropic']), [`ANTHROPIC_BASE_URL=${url}`])
  assert.deepEqual(clientSettings(url, ['openai', 'anthropic']), [
    `OPENAI_BASE_URL=${url}/v1`,
    `ANTHROPIC_BASE_URL=${url}`,
  ])
})

test('a configuration names its own witnesses', async () => {
  const config = new URL('../../../../examples/countersign.yaml', import.meta.url).pathname
  const ran = await countersign('serve', '--config', config, '--witnesses', 'witnesses.policy')
  assert.equal(ran.code, 2)
  assert.match(ran.stderr, /^usage\/invalid: --witnesses is for the example/)
})
