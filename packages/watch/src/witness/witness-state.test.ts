import assert from 'node:assert/strict'
import { generateKeyPairSync } from 'node:crypto'
import { chmodSync, existsSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { CountersignError, parseNoteKey, utf8 } from '@countersign/verify'
import Database from 'better-sqlite3'
import fc from 'fast-check'
import type { Effect } from './decision.ts'
import { keepEvidence, MAX_EVIDENCE_FILES } from './evidence.ts'
import { crypto, GrowingLog } from './growing-log.testing.ts'
import { DEFAULT_RATE, DEFAULT_WITNESS_LIMITS, parseWitnessConfig, readWitnessConfigFile } from './witness-config.ts'
import { storageError, WitnessStore } from './witness-store.ts'
import { configFor, configText, startTestWitness, submit, testFolder } from './witness-world.testing.ts'

const log = new GrowingLog({ origin: 'example.org/log' })

test('the key is made at the first start, for its user alone, and stays', async (t) => {
  const config = configFor(testFolder(t), [log])
  const first = await startTestWitness(t, config)
  assert.equal(statSync(config.keyFile).mode & 0o777, 0o600)
  assert.equal(statSync(config.dataRoot).mode & 0o777, 0o700)
  assert.equal(statSync(join(config.dataRoot, 'witness.db')).mode & 0o777, 0o600)
  assert.match(readFileSync(config.keyFile, 'utf8'), /^-----BEGIN PRIVATE KEY-----\n/)
  assert.equal(parseNoteKey(crypto, first.key).type, 4)
  assert.equal((await submit(first.url, log.body(0, 5))).status, 200)
  await first.close()
  const second = await startTestWitness(t, config)
  assert.equal(second.key, first.key)
  assert.equal((await submit(second.url, log.body(0, 5))).text, '5\n')
})

test('a second witness on one state is refused, and the first goes on', async (t) => {
  const config = configFor(testFolder(t), [log])
  const first = await startTestWitness(t, config)
  await assert.rejects(startTestWitness(t, config), { code: 'data/locked' })
  assert.equal((await submit(first.url, log.body(0, 5))).status, 200)
})

test('a key over a state that is gone is refused: it could sign a fork', async (t) => {
  const config = configFor(testFolder(t), [log])
  await (await startTestWitness(t, config)).close()
  rmSync(join(config.dataRoot, 'witness.db'))
  await assert.rejects(startTestWitness(t, config), { code: 'data/damaged', message: /new key and a new name/ })
  assert.equal(existsSync(join(config.dataRoot, 'witness.db')), false)
})

test('a key made elsewhere is taken once its user says that it was never used', async (t) => {
  const config = configFor(testFolder(t), [log])
  mkdirSync(config.dataRoot, { mode: 0o700 })
  const { privateKey } = generateKeyPairSync('ed25519')
  writeFileSync(config.keyFile, privateKey.export({ format: 'pem', type: 'pkcs8' }), { mode: 0o600 })
  await assert.rejects(startTestWitness(t, config), { code: 'data/damaged' })
  await (await startTestWitness(t, config, { isKeyUnused: true })).close()
  await startTestWitness(t, config)
})

test('a key over a state that is empty is refused as well: a file of no bytes has forgotten as much', async (t) => {
  const config = configFor(testFolder(t), [log])
  const first = await startTestWitness(t, config)
  assert.equal((await submit(first.url, log.body(0, 5))).status, 200)
  await first.close()
  for (const name of ['witness.db-wal', 'witness.db-shm']) rmSync(join(config.dataRoot, name), { force: true })
  writeFileSync(join(config.dataRoot, 'witness.db'), '')
  const refused = { code: 'data/damaged', message: /new key and a new name/ }
  await assert.rejects(startTestWitness(t, config), refused)
  await assert.rejects(startTestWitness(t, config), refused)
})

test('state and key belong together', async (t) => {
  const config = configFor(testFolder(t), [log])
  const first = await startTestWitness(t, config)
  assert.equal((await submit(first.url, log.body(0, 5))).status, 200)
  await first.close()
  const refused = { code: 'data/damaged', message: /another key or name/ }
  await assert.rejects(startTestWitness(t, { ...config, name: 'another' }), refused)
  rmSync(config.keyFile)
  await assert.rejects(startTestWitness(t, config), { code: 'config/missing-file' })
  assert.equal(existsSync(config.keyFile), false, 'no other key takes its place')
})

test('a start that ended before its key was made is completed by the next', async (t) => {
  const config = configFor(testFolder(t), [log])
  mkdirSync(config.dataRoot, { mode: 0o700 })
  const store = new WitnessStore(join(config.dataRoot, 'witness.db'))
  store.close()
  await (await startTestWitness(t, config)).close()
  // The state is bound first, and a key that nobody has signs nothing.
  rmSync(config.keyFile)
  const { url } = await startTestWitness(t, config)
  assert.equal((await submit(url, log.body(0, 5))).status, 200)
})

test('key files that are none, or that others may read, are refused', async (t) => {
  const config = configFor(testFolder(t), [log])
  const start = () => startTestWitness(t, config, { isKeyUnused: true })
  mkdirSync(config.dataRoot, { mode: 0o700 })
  const put = (text: string | Buffer) => {
    rmSync(config.keyFile, { force: true })
    writeFileSync(config.keyFile, text, { mode: 0o600 })
  }
  for (const text of ['', 'x'.repeat(20_000), 'not a key']) {
    put(text)
    await assert.rejects(start(), { code: 'key/malformed' })
  }
  const p256 = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey
  put(p256.export({ format: 'pem', type: 'pkcs8' }))
  await assert.rejects(start(), { code: 'key/malformed', message: /not Ed25519/ })
  put(generateKeyPairSync('ed25519').privateKey.export({ format: 'pem', type: 'pkcs8' }))
  chmodSync(config.keyFile, 0o640)
  await assert.rejects(start(), { code: 'key/malformed', message: /others may read/ })
  chmodSync(config.keyFile, 0o600)
  await start()
})

test('a folder that others may write to is refused', async (t) => {
  const config = configFor(testFolder(t), [log])
  mkdirSync(config.dataRoot)
  chmodSync(config.dataRoot, 0o777)
  await assert.rejects(startTestWitness(t, config), { code: 'data/damaged' })
})

test('a newer state, and a file that is none, are refused', async (t) => {
  const config = configFor(testFolder(t), [log])
  await (await startTestWitness(t, config)).close()
  const path = join(config.dataRoot, 'witness.db')
  const database = new Database(path)
  database.pragma('user_version = 2')
  database.close()
  await assert.rejects(startTestWitness(t, config), { code: 'data/newer-version' })
  writeFileSync(path, 'x'.repeat(8192))
  await assert.rejects(startTestWitness(t, config), { code: 'data/damaged' })
})

test('a head that is not the expected one is never written over', (t) => {
  const store = new WitnessStore(join(testFolder(t), 'witness.db'))
  t.after(() => store.close())
  const head = (size: number) => ({
    ...{ origin: 'o', size, root: new Uint8Array(32).fill(size), timeSeconds: size, note: `${size}` },
  })
  const persist = (previous: ReturnType<typeof head> | undefined, next: ReturnType<typeof head>) =>
    store.decide('o', (state) => ({ state, effects: [{ kind: 'persist', previous, next }] }))
  persist(undefined, head(1))
  persist(head(1), head(2))
  assert.throws(() => persist(head(1), head(3)), { code: 'data/damaged' })
  assert.throws(() => persist(undefined, head(3)), { code: 'data/damaged' })
  assert.throws(() => persist({ ...head(2), root: new Uint8Array(32) }, head(3)), { code: 'data/damaged' })
  assert.deepEqual(store.head('o'), head(2))
  assert.equal(store.lastSeconds(), 2)
})

test('a full disk passes, a sync that failed does not', () => {
  const sqlite = (code: string) => storageError(Object.assign(new Error(), { code })).code
  assert.equal(sqlite('SQLITE_FULL'), 'disk/full')
  assert.equal(sqlite('SQLITE_IOERR_WRITE'), 'disk/full')
  assert.equal(sqlite('SQLITE_IOERR_FSYNC'), 'data/damaged')
})

test('a witness beyond this machine must be asked for', async (t) => {
  const config = configFor(testFolder(t), [log])
  const remote = { ...config, listen: { ...config.listen, host: '0.0.0.0' } }
  await assert.rejects(startTestWitness(t, remote), { code: 'config/unsafe-listen' })
  assert.equal(existsSync(config.dataRoot), false)
  await startTestWitness(t, remote, { allowRemote: true })
})

test('an address that is taken is named', async (t) => {
  const first = await startTestWitness(t, configFor(testFolder(t), [log]))
  const config = configFor(testFolder(t), [log])
  const taken = { ...config, listen: { ...config.listen, port: Number(new URL(first.url).port) } }
  await assert.rejects(startTestWitness(t, taken), { code: 'config/malformed', message: /EADDRINUSE/ })
})

test('evidence is kept once for each lie, and never without end', (t) => {
  const folder = join(testFolder(t), 'evidence')
  const lie = (second: string, line = 'a'): Extract<Effect, { kind: 'keep-evidence' }> => ({
    ...{ kind: 'keep-evidence', origin: 'o', first: 'o\n1\nx\n\n— a AAAAAAA=\n', second: `${second}\n\n— ${line} A\n` },
  })
  const first = keepEvidence(crypto, folder, lie('0'))
  assert.ok(first !== undefined)
  assert.equal(keepEvidence(crypto, folder, lie('0', 'b')), first)
  for (let i = 1; i < MAX_EVIDENCE_FILES; i++) assert.ok(keepEvidence(crypto, folder, lie(`${i}`)))
  assert.equal(keepEvidence(crypto, folder, lie('one more')), undefined)
  assert.equal(keepEvidence(crypto, folder, lie('0')), first)
})

test('a configuration says what it does not say', (t) => {
  const folder = testFolder(t)
  const path = join(folder, 'witness.yaml')
  writeFileSync(path, `format: countersign-witness/v1\nname: w\nlogs: [{key: ${log.verifierKey}}]\n`)
  assert.deepEqual(readWitnessConfigFile(crypto, path), {
    name: 'w',
    listen: { host: '127.0.0.1', port: 8797, prefix: '' },
    url: undefined,
    dataRoot: join(folder, 'witness-data'),
    keyFile: join(folder, 'witness-data', 'witness.pem'),
    logs: new Map([[log.origin, { origin: log.origin, keys: [log.key] }]]),
    rates: new Map([[log.origin, DEFAULT_RATE]]),
    limits: DEFAULT_WITNESS_LIMITS,
  })
  assert.throws(() => readWitnessConfigFile(crypto, join(folder, 'none')), { code: 'config/missing-file' })
})

test('mistakes in a configuration are named with their place', () => {
  const base = configText([log])
  const cases: readonly (readonly [string, RegExp])[] = [
    [base.replace('format: countersign-witness/v1', 'format: other'), /witness\.format/],
    [base.replace(/name: .*/, 'name: a b'), /witness\.name/],
    [base.replace('/w}', '/w/}'), /witness\.listen\.prefix/],
    [`${base}more: 1\n`, /unknown field "more"/],
    [`${base}limits: {requestMs: 1}\n`, /witness\.limits\.requestMs/],
    [`${base}url: ftp://x\n`, /witness\.url/],
    [base.replace(/\+[0-9a-f]{8}\+/, '+00000000+'), /key id/],
    [configText([log, log]), /stands twice/],
    ['a: [', /not plain YAML|not YAML/],
    [configText([]).replace('logs: []', `logs: [{key: ${witnessKey()}}]`), /witness\.logs\[0\]\.key/],
  ]
  for (const [text, says] of cases) {
    assert.throws(() => parseWitnessConfig(crypto, utf8(text), '/'), { code: 'config/malformed', message: says }, text)
  }
})

function witnessKey(): string {
  return 'witness-one.example.org/w+ead1a70a+BCjnQlL2R0CbmGn2eJSBZ5nIeXyOlOoTLR8Ci1CEnuDZ'.replace(/ead1a70a/, () => {
    const key = Buffer.from('BCjnQlL2R0CbmGn2eJSBZ5nIeXyOlOoTLR8Ci1CEnuDZ', 'base64')
    return Buffer.from(crypto.sha256(utf8('witness-one.example.org/w\n'), key))
      .toString('hex')
      .slice(0, 8)
  })
}

test('any bytes give a configuration or an error of ours', () => {
  const sample = utf8(configText([log], 'limits: {connections: 2}'))
  const cut = fc.tuple(fc.nat(sample.length), fc.nat(sample.length), fc.string()).map(([from, to, text]) => {
    return Buffer.concat([sample.slice(0, from), utf8(text), sample.slice(to)])
  })
  fc.assert(
    fc.property(fc.oneof(fc.uint8Array({ maxLength: 200 }), cut), (bytes) => {
      try {
        parseWitnessConfig(crypto, bytes, '/')
      } catch (thrown) {
        if (!(thrown instanceof CountersignError)) throw thrown
      }
    }),
    { numRuns: 300, seed: 20_261_121, interruptAfterTimeLimit: 10_000, markInterruptAsFailure: false },
  )
})
