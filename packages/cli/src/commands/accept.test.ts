import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { findIdentityAt, Gateway, keyPaths, loadLogKey, readConfigFile, readP256PublicKey } from '@countersign/gateway'
import { formatNoteKey, toBase64 } from '@countersign/verify'
import { bundledExamples } from '../files.ts'
import { countersign } from '../run.testing.ts'
import { creditConfig, writeKeyPair } from './credit-gateway.testing.ts'

const folder = mkdtempSync(join(tmpdir(), 'countersign-accept-test-'))
const at = (name: string) => join(folder, name)
let gateway: Gateway

before(async () => {
  writeKeyPair(folder, 'accountable')
  writeKeyPair(folder, 'stranger')
  writeFileSync(at('countersign.yaml'), creditConfig('accountable'))
  const config = readConfigFile(at('countersign.yaml'))
  gateway = await Gateway.start({ config, notices: { info: () => undefined, error: () => undefined } })
})

after(async () => {
  await gateway.close()
  rmSync(folder, { recursive: true, force: true })
})

function trustText(): string {
  const data = at('data')
  const paths = keyPaths(join(data, 'keys'))
  const key = formatNoteKey(loadLogKey(paths.log, findIdentityAt(data).origin, false).note)
  const spki = (path: string) => toBase64(readP256PublicKey(path))
  return `format: countersign-trust/v1
policy: |
  log ${key}
  quorum none
parties:
- { name: Test Operator, owner: Operator Ltd, roles: [operator], keys: [{ spki: ${spki(paths.statement)} }] }
- { name: Test Lender, owner: Lender Ltd, roles: [accountable], keys: [{ spki: ${spki(at('accountable.pub.pem'))} }] }
`
}

/** Infers once and gives the claim row of `accountable`. */
async function accountableRow() {
  const [line = ''] = readFileSync(join(bundledExamples(), 'applications.jsonl'), 'utf8').split('\n')
  writeFileSync(at('one.jsonl'), `${line}\n`)
  const inferred = await countersign(
    'infer',
    'credit',
    '--gateway',
    gateway.url,
    '--input',
    at('one.jsonl'),
    '--out',
    at('dossiers'),
    '--json',
  )
  assert.equal(inferred.code, 0, inferred.stderr)
  const { dossier } = JSON.parse(inferred.stdout) as { dossier: string }
  writeFileSync(at('trust.yaml'), trustText())
  const ran = await countersign('verify', dossier, '--trust', at('trust.yaml'), '--json')
  const { results } = JSON.parse(ran.stdout) as {
    results: { verdict: { claims: { claim: string; status: string; grade: string | null }[] } }[]
  }
  return results[0]?.verdict.claims.find((row) => row.claim === 'accountable')
}

test('nobody answers until the accountable party accepts, with a key that the gateway never had', async () => {
  assert.equal((await accountableRow())?.status, 'unproven')

  const shown = await countersign('accept', 'credit', '--key', at('accountable.pem'), '--gateway', gateway.url)
  assert.equal(shown.code, 0, shown.stderr)
  assert.match(shown.stdout, /Nothing was signed/)
  assert.equal((await accountableRow())?.status, 'unproven')

  const accepted = await countersign(
    'accept',
    'credit',
    '--key',
    at('accountable.pem'),
    '--gateway',
    gateway.url,
    '--yes',
    '--json',
  )
  assert.equal(accepted.code, 0, accepted.stderr)
  const row = await accountableRow()
  assert.deepEqual([row?.status, row?.grade], ['holds', 'provider-signed'])
})

test('a key that the manifest does not name signs nothing', async () => {
  const ran = await countersign('accept', 'credit', '--key', at('stranger.pem'), '--gateway', gateway.url, '--yes')
  assert.equal(ran.code, 2)
  assert.match(ran.stderr, /writer\/not-allowed/)
})

test('an unknown deployment is named, with those that there are', async () => {
  const ran = await countersign('accept', 'debit', '--key', at('accountable.pem'), '--gateway', gateway.url)
  assert.equal(ran.code, 2)
  assert.match(ran.stderr, /credit/)
})

test('a gateway that is not there is said so, with what to do', async () => {
  const ran = await countersign('infer', 'credit', '--gateway', 'http://127.0.0.1:9', '--input', at('one.jsonl'))
  assert.equal(ran.code, 2)
  assert.match(ran.stderr, /countersign serve/)
})

test('config check reads a good file and names the line of a mistake', async () => {
  const good = await countersign('config', 'check', at('countersign.yaml'))
  assert.equal(good.code, 0, good.stderr)
  writeFileSync(at('bad.yaml'), creditConfig('accountable').replace('agreement: exact', 'agreement: exactly'))
  const bad = await countersign('config', 'check', at('bad.yaml'))
  assert.equal(bad.code, 2)
  assert.match(bad.stderr, /line 7: .*agreement.*exact, tolerant/)
})
