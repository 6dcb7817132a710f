import assert from 'node:assert/strict'
import { test } from 'node:test'
import { toHex, utf8 } from '../bytes/bytes.ts'
import { createNobleCrypto } from '../crypto/noble-provider.ts'
import { createNodeCrypto } from '../crypto/node-provider.ts'
import { NOW_MS, statementSigner } from '../fixture.testing.ts'
import type { AuditResult } from '../statement/audit-result.ts'
import { formatAuditEntries } from '../statement/audited-entry.ts'
import { verifyAudit } from './audit.ts'
import { type AuditSceneOptions, buildAudit, SEED } from './audit-scene.testing.ts'
import { createDraw, drawEntries } from './selection.ts'

const crypto = createNodeCrypto()
const other = crypto.sha256(utf8('another seed'))
const drop = (result: AuditResult, i: number) => recounted(result, result.entries.toSpliced(i, 1))

function recounted(result: AuditResult, entries: AuditResult['entries']): AuditResult {
  return { ...result, entries, counts: { ...result.counts, agreed: entries.length } }
}

test('an honest audit is of all that its seed selects, with both providers', () => {
  for (const provider of [crypto, createNobleCrypto()]) {
    const { entries, commitment, result } = verifyAudit(provider, buildAudit())
    assert.ok(entries.length > 2 && entries.length < 9, String(entries.length))
    assert.equal(result.from, 4)
    assert.equal(result.to - result.from, commitment.epoch.entries)
  }
})

test('an epoch that time ends, ends with the first head of that time', () => {
  const untilMs = NOW_MS + 50_000
  const commitment = { epoch: { entries: 100, untilMs } }
  const whole = buildAudit({ commitment, to: 18 })
  assert.equal(verifyAudit(crypto, whole).result.to, 18)
  // A head of that size is the end as long as nobody knows of a smaller one that was confirmed late enough.
  const early = { size: 9, root: whole.head.root, confirmedAtSeconds: untilMs / 1000 - 1 }
  assert.equal(verifyAudit(crypto, { ...whole, heads: [early] }).result.to, 18)
  const sooner = { ...early, confirmedAtSeconds: untilMs / 1000 }
  assert.throws(() => verifyAudit(crypto, { ...whole, heads: [sooner] }), { code: 'audit/epoch-moved' })
  const unconfirmed = { ...whole.head, confirmedAtSeconds: undefined }
  assert.throws(() => verifyAudit(crypto, { ...whole, head: unconfirmed }), { code: 'audit/epoch-moved' })
})

test('an epoch may be over before it began, and then selects nothing', () => {
  const commitment = { epoch: { entries: 10, untilMs: NOW_MS - 1 } }
  const evidence = buildAudit({ commitment, to: 4 })
  const head = { size: 2, root: evidence.head.root, confirmedAtSeconds: NOW_MS / 1000 }
  assert.equal(verifyAudit(crypto, { ...evidence, heads: [head] }).entries.length, 0)
})

const CHEATS: readonly (readonly [string, AuditSceneOptions, string])[] = [
  ['a dropped entry', { change: (result) => drop(result, 1) }, 'audit/other-sample'],
  ['a dropped last entry', { change: (result) => drop(result, result.entries.length - 1) }, 'audit/other-sample'],
  ['another seed', { drawnWith: { seed: other } }, 'audit/other-seed'],
  [
    'another seed than it drew with',
    { drawnWith: { seed: other }, change: (result) => ({ ...result, seed: toHex(SEED) }) },
    'audit/other-sample',
  ],
  ['a lower rate', { drawnWith: { rateMillionths: 250_000 } }, 'audit/other-sample'],
  ['a higher rate', { drawnWith: { rateMillionths: 900_000 } }, 'audit/other-sample'],
  ['an end that was moved forward', { to: 13 }, 'audit/epoch-moved'],
  ['an end that was moved back', { to: 15 }, 'audit/epoch-moved'],
  [
    'a beginning that was moved',
    { change: (result) => ({ ...result, from: 5, entries: result.entries.filter(({ index }) => index >= 5) }) },
    'audit/epoch-moved',
  ],
  ['entries before the commitment', { change: (result) => ({ ...result, from: 0 }) }, 'audit/epoch-moved'],
  ['another commitment', { change: (result) => ({ ...result, commitment: 'ab'.repeat(32) }) }, 'statement/mismatch'],
  ['another log', { change: (result) => ({ ...result, log: 'example.org/other' }) }, 'statement/mismatch'],
  ['another auditor', { change: (result) => ({ ...result, auditor: 'Somebody' }) }, 'statement/mismatch'],
  ['another key', { resultSigner: statementSigner('stranger') }, 'statement/mismatch'],
  [
    'another root',
    { change: (result) => ({ ...result, head: { ...result.head, root: 'ab'.repeat(32) } }) },
    'proof/root-mismatch',
  ],
  [
    'a leaf that is not the log’s',
    {
      change: (result) =>
        recounted(
          result,
          result.entries.map((entry) => ({ ...entry, leafHash: 'ab'.repeat(32) })),
        ),
    },
    'audit/other-sample',
  ],
  [
    'wrong counts',
    { change: (result) => ({ ...result, counts: { ...result.counts, agreed: 400 } }) },
    'audit/wrong-count',
  ],
  [
    'a bound that claims too much',
    { change: (result) => ({ ...result, bound: { confidenceMillionths: 990_000, fraudMillionths: 10 } }) },
    'audit/wrong-count',
  ],
]

for (const [what, options, code] of CHEATS) {
  test(`an audit with ${what} is caught`, () => {
    assert.throws(() => verifyAudit(crypto, buildAudit(options)), { code })
  })
}

test('leaves that are not in the tree, or stand elsewhere in it, are caught', () => {
  const evidence = buildAudit()
  const changed = evidence.leafHashes.slice()
  changed[64] = (changed[64] ?? 0) ^ 1
  assert.throws(() => verifyAudit(crypto, { ...evidence, leafHashes: changed }), { code: 'proof/root-mismatch' })
  const commitment = { ...evidence.commitment, leafHash: other }
  assert.throws(() => verifyAudit(crypto, { ...evidence, commitment }), { code: 'proof/root-mismatch' })
  const short = evidence.leafHashes.subarray(32)
  assert.throws(() => verifyAudit(crypto, { ...evidence, leafHashes: short }), { name: 'CountersignError' })
})

test('a bound that claims less than it could wrongs nobody', () => {
  const change = (result: AuditResult) => ({ ...result, bound: { ...result.bound, fraudMillionths: 999_999 } })
  assert.ok(verifyAudit(crypto, buildAudit({ change })))
})

test('entries in a file count when the file is the one that was named', () => {
  let file = new Uint8Array()
  const change = (result: AuditResult): AuditResult => {
    file = utf8(formatAuditEntries(result.entries)) as Uint8Array<ArrayBuffer>
    return { ...result, entries: [], resultsFile: toHex(crypto.sha256(file)) }
  }
  const evidence = buildAudit({ change })
  assert.ok(verifyAudit(crypto, { ...evidence, resultsFile: file }).entries.length > 2)
  assert.throws(() => verifyAudit(crypto, evidence), { code: 'opening/missing' })
  assert.throws(() => verifyAudit(crypto, { ...evidence, resultsFile: utf8('{}') }), { code: 'opening/missing' })
})

test('any change of a leaf draws anew, and the index counts', () => {
  const draw = createDraw(crypto, SEED, 500_000)
  const leaves = Array.from({ length: 400 }, (_, i) => crypto.sha256(Uint8Array.of(i & 255, i >> 8)))
  const picks = leaves.map((leaf) => draw(7, leaf))
  const flipped = leaves.map((leaf) =>
    draw(
      7,
      leaf.map((byte, at) => (at === 31 ? byte ^ 1 : byte)),
    ),
  )
  const moved = leaves.map((leaf) => draw(8, leaf))
  for (const again of [flipped, moved]) {
    const changed = again.filter((pick, i) => pick !== picks[i]).length
    // Half of 400, give or take more than six deviations.
    assert.ok(changed > 130 && changed < 270, String(changed))
  }
  assert.deepEqual(
    leaves.map((leaf) => draw(7, leaf)),
    picks,
  )
})

test('the whole is drawn at a rate of one, and about as much as the rate says below it', () => {
  const leafHashes = new Uint8Array(32 * 4000).map((_, i) => (i * 7 + (i >> 5)) & 255)
  assert.equal(drawEntries(createDraw(crypto, SEED, 1_000_000), 0, leafHashes).length, 4000)
  for (const [rate, expected] of [
    [10_000, 40],
    [100_000, 400],
    [500_000, 2000],
  ] as const) {
    const drawn = drawEntries(createDraw(crypto, SEED, rate), 0, leafHashes).length
    const deviation = Math.sqrt(expected * (1 - rate / 1e6))
    assert.ok(Math.abs(drawn - expected) < 6 * deviation, `${drawn} at ${rate}`)
  }
  assert.throws(() => createDraw(crypto, SEED.subarray(1), 1), { code: 'shape/bad-value' })
  for (const rate of [0, 1_000_001, 0.5])
    assert.throws(() => createDraw(crypto, SEED, rate), { code: 'shape/bad-value' })
})

test('a draw is the keyed hash of RFC 2104, compared as the page says', async () => {
  const { createHmac } = await import('node:crypto')
  const leaf = crypto.sha256(utf8('leaf'))
  for (let index = 0; index < 200; index++) {
    const message = Buffer.alloc(40)
    message.writeBigUInt64BE(BigInt(index), 0)
    message.set(leaf, 8)
    const drawn = createHmac('sha256', SEED).update(message).digest().readBigUInt64BE(0)
    const isDrawn = drawn * 1_000_000n < 123_456n * 2n ** 64n
    assert.equal(createDraw(crypto, SEED, 123_456)(index, leaf), isDrawn)
  }
})
