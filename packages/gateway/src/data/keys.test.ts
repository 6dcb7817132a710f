import assert from 'node:assert/strict'
import { generateKeyPairSync } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { openNote, parseNote, utf8, verifyP256 } from '@countersign/verify'
import { createNodeCrypto } from '@countersign/verify/crypto/node'
import {
  ed25519Spki,
  formatPublicPem,
  loadLogKey,
  loadSecret,
  loadStatementKey,
  parseSecret,
  readP256PublicKey,
} from './keys.ts'

const crypto = createNodeCrypto()
const ORIGIN = 'example.org/log'

function newFolder(context: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'countersign-keys-'))
  context.after(() => rmSync(folder, { recursive: true }))
  return folder
}

function assertPrivate(path: string): void {
  assert.equal(statSync(path).mode & 0o777, 0o600)
}

test('a statement key is made once, kept, and signs what verify accepts', (context) => {
  const path = join(newFolder(context), 'statement.pem')
  const key = loadStatementKey(path, true)
  assertPrivate(path)
  const message = utf8('message')
  verifyP256(crypto, key.spki, message, key.sign(message))
  const again = loadStatementKey(path, true)
  assert.equal(again.keyId, key.keyId)
  assert.deepEqual(loadStatementKey(path, false).spki, key.spki)
})

test('a log key is made once, kept, and signs notes that verify accepts', (context) => {
  const path = join(newFolder(context), 'log.pem')
  const key = loadLogKey(path, ORIGIN, true)
  assertPrivate(path)
  const text = `${ORIGIN}\nsome text\n`
  assert.equal(openNote(crypto, parseNote(utf8(key.signNote(text))), key.note), text)
  assert.equal(key.signNote(text), key.signNote(text), 'the same bytes again')
  assert.deepEqual(loadLogKey(path, ORIGIN, false).note, key.note)
  assert.equal(ed25519Spki(key.note.publicKey).length, 44)
})

test('a secret is made once and kept', (context) => {
  const path = join(newFolder(context), 'root.key')
  const secret = loadSecret(path, true)
  assertPrivate(path)
  assert.equal(secret.length, 32)
  assert.deepEqual(loadSecret(path, true), secret)
  assert.match(readFileSync(path, 'utf8'), /^[0-9a-f]{64}\n$/)
  assert.notDeepEqual(loadSecret(`${path}2`, true), secret)
})

test('a key that is missing is not made up where it must exist', (context) => {
  const path = join(newFolder(context), 'missing')
  assert.throws(() => loadStatementKey(path, false), { code: 'config/missing-file' })
  assert.throws(() => loadLogKey(path, ORIGIN, false), { code: 'config/missing-file' })
  assert.throws(() => loadSecret(path, false), { code: 'config/missing-file' })
  assert.throws(() => readP256PublicKey(path), { code: 'config/missing-file' })
})

test('files that hold something else are refused, and not repeated in the message', (context) => {
  const folder = newFolder(context)
  const path = join(folder, 'key')
  const malformed = (text: string) => (thrown: unknown) => {
    assert.equal((thrown as { code?: unknown }).code, 'key/malformed')
    const { message } = thrown as Error
    if (text.length > 8) assert.equal(message.includes(text.slice(0, 8)), false, message)
    return true
  }
  for (const text of [
    '',
    'not a key',
    `-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n`,
    'x'.repeat(20_000),
  ]) {
    writeFileSync(path, text)
    assert.throws(() => loadStatementKey(path, false), malformed(text.replace(/^-+BEGIN/, '')))
    assert.throws(() => loadLogKey(path, ORIGIN, false), malformed(''))
    assert.throws(() => loadSecret(path, false), malformed(text.replace(/^-+BEGIN/, '')))
    assert.throws(() => readP256PublicKey(path), malformed(''))
  }
})

test('keys of another kind are refused', (context) => {
  const folder = newFolder(context)
  const write = (name: string, key: { export(options: { format: 'pem'; type: 'pkcs8' }): string | Buffer }) => {
    writeFileSync(join(folder, name), key.export({ format: 'pem', type: 'pkcs8' }))
    return join(folder, name)
  }
  const ed25519 = write('ed25519', generateKeyPairSync('ed25519').privateKey)
  const p256 = write('p256', generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey)
  const p384 = write('p384', generateKeyPairSync('ec', { namedCurve: 'P-384' }).privateKey)
  for (const path of [ed25519, p384]) {
    assert.throws(() => loadStatementKey(path, false), { code: 'key/malformed' })
    assert.throws(() => readP256PublicKey(path), { code: 'key/malformed' })
  }
  for (const path of [p256, p384]) assert.throws(() => loadLogKey(path, ORIGIN, false), { code: 'key/malformed' })
})

test('the public half is read from a private and from a public file', (context) => {
  const path = join(newFolder(context), 'statement.pem')
  const { spki } = loadStatementKey(path, true)
  assert.deepEqual(readP256PublicKey(path), spki)
  writeFileSync(path, formatPublicPem(spki))
  assert.deepEqual(readP256PublicKey(path), spki)
})

test('a secret is 64 lower-case hexadecimal digits', () => {
  assert.deepEqual(parseSecret('ab'.repeat(32)), new Uint8Array(32).fill(0xab))
  for (const text of ['', 'ab'.repeat(31), 'AB'.repeat(32), 'ab'.repeat(33), `${'ab'.repeat(31)}xx`]) {
    assert.throws(() => parseSecret(text), { code: 'key/malformed' })
  }
})
