/** `countersign attest revoke` as a process, against a gateway that lists the key. */
import assert from 'node:assert/strict'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { findIdentityAt, Gateway, keyPaths, loadLogKey, readConfigFile, readP256PublicKey } from '@countersign/gateway'
import {
  formatNoteKey,
  openRevocation,
  parseBundle,
  parseEnvelope,
  parseRevocation,
  parseStatement,
  parseTrustFile,
  toBase64,
  utf8,
} from '@countersign/verify'
import { createNodeCrypto } from '@countersign/verify/crypto/node'
import { countersign } from '../run.testing.ts'
import { creditConfig, writeKeyPair } from './credit-gateway.testing.ts'

const folder = mkdtempSync(join(tmpdir(), 'countersign-revoke-test-'))
const at = (name: string) => join(folder, name)
const crypto = createNodeCrypto()
let gateway: Gateway

before(async () => {
  for (const name of ['auditor', 'stranger']) writeKeyPair(folder, name)
  const config = creditConfig(
    'auditor',
    'writers:\n- { party: Test Auditor, roles: [auditor], publicKey: auditor.pub.pem }\n',
  )
  writeFileSync(at('countersign.yaml'), config)
  const notices = { info: () => undefined, error: () => undefined }
  gateway = await Gateway.start({ config: readConfigFile(at('countersign.yaml')), notices })
})

after(async () => {
  await gateway.close()
  rmSync(folder, { recursive: true, force: true })
})

const WORDS = ['--since', '2026-10-01T00:00:00Z', '--reason', 'opened by hand', '--source', 'https://example.org/a']
const KEY = ['--key', at('auditor.pem')]
const revoke = (...args: readonly string[]) => countersign('attest', 'revoke', ...args)

test('it is shown first, and nothing is signed or sent without --yes', async () => {
  const told = await revoke(
    'device',
    'AB12',
    ...WORDS,
    ...KEY,
    '--gateway',
    'http://127.0.0.1:9',
    '--out',
    at('not.json'),
  )
  assert.equal(told.code, 0, told.stderr)
  assert.match(told.stdout, /"ab12"[\s\S]*since: 2026-10-01T00:00:00\.000Z\.\n.*Nothing was signed/)
  assert.equal(existsSync(at('not.json')), false)
})

test('logged by a listed auditor, its receipt opens for whoever trusts the auditor', async () => {
  const receipt = at('receipt.json')
  const args = ['device', 'ab12', ...WORDS, ...KEY, '--gateway', gateway.url, '--yes', '--json', '--receipt', receipt]
  const told = await revoke(...args)
  assert.equal(told.code, 0, told.stderr)
  const { format, signed: isSigned, index, statement } = JSON.parse(told.stdout)
  assert.deepEqual([format, isSigned], ['countersign-revocation-report/v1', true])
  const trust = parseTrustFile(crypto, utf8(trustText('auditor')))
  const opened = openRevocation(crypto, trust, parseBundle(JSON.parse(readFileSync(receipt, 'utf8')), 'receipt'))
  assert.deepEqual([opened.statement, opened.by.name, opened.since], [statement, 'Test Auditor', Date.UTC(2026, 9, 1)])
  assert.deepEqual(opened.what, { kind: 'device', ids: ['ab12'] })
  assert.equal(opened.reason, 'opened by hand')
  const again = JSON.parse((await revoke(...args)).stdout)
  assert.deepEqual([again.statement, again.index], [statement, index], 'the same word is logged once')
  const strangers = parseTrustFile(crypto, utf8(trustText('stranger')))
  const bundle = parseBundle(JSON.parse(readFileSync(receipt, 'utf8')), 'receipt')
  assert.throws(() => openRevocation(crypto, strangers, bundle), { code: 'signature/unknown-key' })
})

function trustText(name: string): string {
  const data = at('data')
  const key = formatNoteKey(loadLogKey(keyPaths(join(data, 'keys')).log, findIdentityAt(data).origin, false).note)
  const spki = toBase64(readP256PublicKey(at(`${name}.pub.pem`)))
  return `format: countersign-trust/v1
policy: |
  log ${key}
  quorum none
parties:
- { name: Test Auditor, owner: Auditor Ltd, roles: [auditor], keys: [{ spki: ${spki} }] }
`
}

test('a key that the gateway does not list, and a gateway that is not there, leave nothing logged', async () => {
  const stranger = await revoke(
    'device',
    'ab',
    ...WORDS,
    '--key',
    at('stranger.pem'),
    '--gateway',
    gateway.url,
    '--yes',
  )
  assert.equal(stranger.code, 2)
  assert.match(stranger.stderr, /^gateway\/refused: .*writer\/not-allowed/)
  const nobody = await revoke('device', 'ab', ...WORDS, ...KEY, '--gateway', 'http://127.0.0.1:9', '--yes')
  assert.deepEqual([nobody.code, nobody.stdout], [2, ''])
  assert.match(nobody.stderr, /^gateway\/unreachable/)
})

test('a time that nobody knows is none', async () => {
  const out = at('unknown.json')
  const args = ['--since', 'unknown', '--reason', 'r', '--source', 's', ...KEY, '--yes', '--out', out]
  assert.equal((await revoke('device', 'ab', ...args)).code, 0)
  const { payload } = parseEnvelope(JSON.parse(readFileSync(out, 'utf8')))
  assert.equal(parseRevocation(parseStatement(payload)).since, null)
})

test('words that would revoke nothing are bad usage, and sign nothing', async () => {
  for (const [args, why] of [
    [['device', 'xyz'], /ids\[0\]/],
    [['device', 'ab', '--out', 'a', '--receipt', 'b'], /nothing to wait for/],
  ] as const) {
    const told = await revoke(...WORDS, ...KEY, '--yes', ...args)
    assert.deepEqual([told.code, told.stdout], [2, ''], String(args))
    assert.match(told.stderr, why)
  }
})
