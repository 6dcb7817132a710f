import assert from 'node:assert/strict'
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { type Config, exampleConfig, exampleWithWitnesses, Gateway } from '@countersign/gateway'
import { formatNoteKey, NOTE_COSIGNATURE, noteKey } from '@countersign/verify'
import { createNodeCrypto } from '@countersign/verify/crypto/node'
import { bundledExamples, bundledModels } from '../files.ts'
import { getJson, parseGatewayAddress } from '../gateway-client.ts'
import { countersign } from '../run.testing.ts'

const folder = mkdtempSync(join(tmpdir(), 'countersign-infer-test-'))
const at = (name: string) => join(folder, name)
let gateway: Gateway

before(async () => {
  const [line = ''] = readFileSync(join(bundledExamples(), 'applications.jsonl'), 'utf8').split('\n')
  writeFileSync(at('one.jsonl'), `${line}\n`)
  gateway = await startGateway('data')
})

after(async () => {
  await gateway.close()
  rmSync(folder, { recursive: true, force: true })
})

/** The example, with what is different. */
async function startGateway(data: string, change: (example: Config) => Config = (example) => example) {
  const example = exampleConfig(at(data), join(bundledModels(), 'credit', 'credit.onnx'))
  const config = { ...change(example), listen: { host: '127.0.0.1', port: 0 } }
  return await Gateway.start({ config, notices: { info: () => undefined, error: () => undefined } })
}

const infer = (url: string, ...more: readonly string[]) =>
  countersign('infer', 'credit', '--input', at('one.jsonl'), '--gateway', url, ...more)

test('dossiers open people’s data: they are for their user alone', async () => {
  const ran = await infer(`${gateway.url}/`, '--out', at('dossiers'))
  assert.equal(ran.code, 0, ran.stderr)
  assert.equal(ran.stderr, '')
  const [name = ''] = readdirSync(at('dossiers'))
  assert.equal(statSync(at('dossiers')).mode & 0o777, 0o700)
  assert.equal(statSync(join(at('dossiers'), name)).mode & 0o777, 0o600)
})

test('nothing is asked where the dossier could not be kept', async () => {
  // Where nobody answers: the folder is looked at first.
  for (const out of [at('one.jsonl'), join(at('one.jsonl'), 'dossiers')]) {
    const ran = await infer('http://127.0.0.1:9', '--out', out)
    assert.equal(ran.code, 2)
    assert.match(ran.stderr, /^usage\/invalid: .*cannot be written .*a file is where a folder must be/)
  }
})

test('an address that is none is said so, by every command that asks a gateway', async () => {
  writeFileSync(at('token'), 'token')
  const runs = [
    await infer('nonsense'),
    await countersign('accept', 'credit', '--key', at('token'), '--gateway', '127.0.0.1:8787'),
    await countersign('erase', '0'.repeat(32), '--yes', '--token-file', at('token'), '--gateway', 'http://'),
  ]
  for (const { code, stderr } of runs) {
    assert.equal(code, 2)
    assert.match(stderr, /^usage\/invalid: .* is no address of a gateway; write it as in http:\/\/127\.0\.0\.1:8787\n$/)
  }
  assert.throws(() => parseGatewayAddress('localhost:8787'), { code: 'usage/invalid' })
  await assert.rejects(getJson('127.0.0.1:8787/statements'), { code: 'usage/invalid' })
  assert.equal(parseGatewayAddress('http://localhost:8787/'), 'http://localhost:8787')
})

test('a model without features is said so, with what to do', async () => {
  const ran = await countersign('infer', 'nothere', '--input', at('one.jsonl'), '--gateway', gateway.url)
  assert.equal(ran.code, 2)
  assert.match(
    ran.stderr,
    /^usage\/invalid: features come with Countersign for credit, not for "nothere"; .*--features/,
  )
})

test('a gateway that asks for keys gets the one in a file, or in the environment', async (context) => {
  const guarded = await startGateway('guarded', (example) => ({ ...example, access: 'keys' }))
  context.after(() => guarded.close())
  const refused = await infer(guarded.url)
  assert.equal(refused.code, 2)
  assert.match(refused.stderr, /^gateway\/refused: the gateway answered 401: .*COUNTERSIGN_API_KEY.*--api-key-file/)

  const made = await countersign('key', 'create', '--name', 'k', '--data', at('guarded'), '--json')
  const { token } = JSON.parse(made.stdout) as { token: string }
  writeFileSync(at('api-key'), token)
  const answered = await infer(guarded.url, '--api-key-file', at('api-key'), '--out', at('guarded-dossiers'))
  assert.equal(answered.code, 0, answered.stderr)
  process.env.COUNTERSIGN_API_KEY = token
  context.after(() => delete process.env.COUNTERSIGN_API_KEY)
  assert.equal((await infer(guarded.url)).code, 0)
  writeFileSync(at('api-key'), 'no key')
  assert.match((await infer(guarded.url, '--api-key-file', at('api-key'))).stderr, /^usage\/invalid: the API key/)
})

test('a dossier that no witness confirmed in time is kept, with a warning', async (context) => {
  const key = formatNoteKey(noteKey(createNodeCrypto(), 'w.example', NOTE_COSIGNATURE, new Uint8Array(32).fill(7)))
  const policy = `witness w ${key} http://127.0.0.1:9\nquorum w\n`
  const watched = await startGateway('watched', (example) => {
    const given = { policyFile: at('witnesses.policy'), policy, quorum: 'w' }
    return exampleWithWitnesses(example, given)
  })
  context.after(() => watched.close())
  const ran = await infer(watched.url, '--out', at('unwitnessed'))
  assert.equal(ran.code, 0, ran.stderr)
  const [name = ''] = readdirSync(at('unwitnessed'))
  assert.match(ran.stderr, /have not confirmed this record yet/)
  assert.ok(ran.stderr.includes(`/dossiers/${name.slice(0, -'.json'.length)}`), ran.stderr)
})
