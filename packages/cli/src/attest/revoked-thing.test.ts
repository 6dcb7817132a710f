import assert from 'node:assert/strict'
import { createHash, generateKeyPairSync } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { parseRevocation, type Revoked, revocationStatement } from '@countersign/verify'
import { createNodeCrypto } from '@countersign/verify/crypto/node'
import { pemOf, snpEvidence } from '@countersign/verify/testing'
import { readRevokedThing, type TcbOptions } from './revoked-thing.ts'

const folder = mkdtempSync(join(tmpdir(), 'countersign-revoked-'))
after(() => rmSync(folder, { recursive: true, force: true }))

function file(name: string, content: string): string {
  writeFileSync(join(folder, name), content)
  return join(folder, name)
}

const [CERTIFICATE = new Uint8Array(), OTHER = new Uint8Array()] = snpEvidence().input.collateral.items.map(
  ({ content }) => content,
)
const ONE = file('one.pem', pemOf(CERTIFICATE))
const TWO = file('two.pem', pemOf(CERTIFICATE, OTHER))
const { publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
const PUBLIC = file('public.pem', publicKey.export({ format: 'pem', type: 'spki' }).toString())
const sha256 = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex')
const SPKI = sha256(publicKey.export({ format: 'der', type: 'spki' }))
const DIGEST = 'ab'.repeat(32)

/** Read, and let through by whoever reads the statement. */
function revoked(kind: string, words: readonly string[], options: TcbOptions = {}): Revoked {
  const what = readRevokedThing(kind, words, options)
  const predicate = { what, since: null, reason: 'r', source: 's' }
  return parseRevocation(revocationStatement(createNodeCrypto(), predicate)).what
}

test('every kind is what its words say', () => {
  for (const [kind, words, what] of [
    ['device', ['AB', '12'], { kind: 'device', ids: ['ab', '12'] }],
    [
      'measurement',
      ['tdx', 'mrtd', 'AB'.repeat(48)],
      { kind: 'measurement', tee: 'tdx', register: 'mrtd', value: 'ab'.repeat(48) },
    ],
    [
      'measurement',
      ['confidential-space', 'image_digest', DIGEST],
      { kind: 'measurement', tee: 'confidential-space', register: 'image_digest', value: DIGEST },
    ],
    ['key', ['tls-key', DIGEST], { kind: 'key', key: { use: 'tls-key', sha256: DIGEST } }],
    ['key', ['signing-key', PUBLIC], { kind: 'key', key: { use: 'signing-key', sha256: SPKI } }],
    ['key', ['tls-certificate', ONE], { kind: 'key', key: { use: 'tls-certificate', sha256: sha256(CERTIFICATE) } }],
    ['key', ['ed25519', DIGEST], { kind: 'key', key: { use: 'ed25519', publicKey: DIGEST } }],
    ['key', ['hpke-key', DIGEST], { kind: 'key', key: { use: 'hpke-key', publicKey: DIGEST } }],
    [
      'key',
      ['ethereum-address', `0x${'AB'.repeat(20)}`],
      { kind: 'key', key: { use: 'ethereum-address', address: 'ab'.repeat(20) } },
    ],
  ] satisfies [string, string[], Revoked][]) {
    assert.deepEqual(revoked(kind, words), what)
  }
  const { issuer, serial } = revoked('certificate', [ONE]) as Extract<Revoked, { kind: 'certificate' }>
  assert.match(issuer, /^30/)
  assert.equal(serial, '00')
})

test('a state of the hardware is told by its options', () => {
  const options = { state: ['OutOfDate'], advisory: ['INTEL-SA-01234'], fmspc: 'B0C06F000000' }
  assert.deepEqual(revoked('tcb', ['tdx'], options), {
    ...{ kind: 'tcb', tee: 'tdx', states: ['OutOfDate'], advisories: ['INTEL-SA-01234'], fmspc: 'b0c06f000000' },
  })
  assert.throws(() => revoked('tcb', ['tdx']), /expected states, advisories or fmspc/)
  assert.throws(() => revoked('device', ['ab'], options), /for tcb alone/)
})

test('words that would revoke nothing, or something else, are refused', () => {
  for (const [kind, words, why] of [
    ['chip', ['ab'], /none of device/],
    ['device', [], /one id at least/],
    ['device', ['xyz'], /ids\[0\]/],
    ['measurement', ['tdx', 'pcr0', 'ab'], /register: .*none of mrtd/],
    ['measurement', ['tdx', 'mrtd'], /expected measurement TEE/],
    ['measurement', ['tdx', 'mrtd', 'ab', 'cd'], /expected measurement TEE/],
    ['certificate', [TWO], /expected one certificate, and there are 2/],
    ['certificate', [ONE, ONE], /expected certificate FILE/],
    ['certificate', [join(folder, 'none.pem')], /cannot be read/],
    ['key', ['tls-key', 'nofile.pem'], /takes a file .* or a SHA-256 .*; there is no file "nofile\.pem"/],
    ['key', ['tls-certificate', 'ab'], /takes a file with the certificate/],
    [
      'key',
      ['tls-key', file('broken.pem', '-----BEGIN PUBLIC KEY-----\nAA\n-----END PUBLIC KEY-----\n')],
      /not a public key/,
    ],
    ['key', ['password', 'ab'], /none of tls-certificate/],
    ['tcb', ['riscv'], /none of tdx/],
  ] as const) {
    assert.throws(() => revoked(kind, words), why)
  }
})
