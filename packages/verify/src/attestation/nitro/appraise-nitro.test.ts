import assert from 'node:assert/strict'
import { test } from 'node:test'
import { concat, toHex, utf8 } from '../../bytes/bytes.ts'
import { createMemory } from '../../bytes/memory.ts'
import type { ErrorCode } from '../../errors.ts'
import type { AppraisalInput, Appraised } from '../appraised.ts'
import { NO_REAL_DATA, realData } from '../attestation-data.testing.ts'
import { sweepEvidence } from '../sweep.testing.ts'
import { createTestKey, TEST_AT_MS } from '../x509/pki.testing.ts'
import { appraiseNitro, NITRO_CHECKS, type NitroCheck } from './appraise-nitro.ts'
import { unsignedRegions } from './document.ts'
import {
  makeNitroChain,
  makeNitroDocument,
  NITRO_POLICY,
  type NitroChanges,
  nitroInput,
  nitroItem,
  TEST_NONCE,
  TEST_PCRS,
  withEndMark,
} from './nitro-evidence.testing.ts'

const HOUR_MS = 3_600_000

function appraise(changes: NitroChanges = {}, input: Partial<AppraisalInput> = {}): Appraised {
  return appraiseNitro(nitroItem(makeNitroDocument(changes)), nitroInput(input))
}

const failed = ({ checks }: Appraised) => checks.filter(({ result }) => result === 'fail').map(({ name }) => name)
const resultOf = ({ checks }: Appraised, name: NitroCheck) => checks.find((each) => each.name === `nitro/${name}`)

test('a good document is genuine, known code, fresh, and says what it binds', () => {
  for (const changes of [{}, { payload: withEndMark }] satisfies NitroChanges[]) {
    const result = appraise(changes)
    assert.deepEqual(
      result.checks.map((check) => check.result),
      NITRO_CHECKS.map(() => 'pass'),
    )
    assert.deepEqual(
      [result.isGenuine, result.isKnownCode, result.answersNonce, result.tier],
      [true, true, true, 'affirming'],
    )
    assert.equal(result.measurements.pcr8, '18'.repeat(48))
    assert.deepEqual([result.boundData, result.boundKey], [utf8('bound'), utf8('a key')])
    assert.equal(result.madeAtMs, TEST_AT_MS - 1000)
    assert.equal(result.currentUntilMs, TEST_AT_MS + 2 * HOUR_MS)
    assert.equal(result.claims.dbgstat, 'disabled-since-boot')
    assert.match(result.notes.join(), /three hours/)
  }
})

/** One thing wrong each: the check that it fails, alone, and with which code. */
const CHEATS: readonly (readonly [what: string, NitroCheck, ErrorCode, NitroChanges, Partial<AppraisalInput>?])[] = [
  ['bytes that are no document', 'format', 'evidence/malformed', { envelope: () => [] }],
  ['a list in place of a map', 'format', 'evidence/malformed', { fields: { pcrs: [] } }],
  ['another algorithm', 'algorithm', 'evidence/unsupported', { protectedHeader: Uint8Array.of(0xa1, 1, 0x26) }],
  [
    'a key id beside the algorithm',
    'algorithm',
    'evidence/unsupported',
    { protectedHeader: Uint8Array.of(0xa2, 1, 0x38, 0x22, 4, 0x40) },
  ],
  ['no protected header', 'algorithm', 'evidence/unsupported', { protectedHeader: new Uint8Array(0) }],
  [
    'something unsigned in the envelope',
    'unprotected-header',
    'evidence/malformed',
    { unprotectedHeader: new Map([[4, 1]]) },
  ],
  ['a root of somebody else', 'chain', 'certificate/wrong-chain', { chain: { root: { serial: '02' } } }],
  [
    'an intermediate that may not issue',
    'chain',
    'certificate/wrong-chain',
    { chain: { region: { isCa: false, pathLength: undefined as never, keyUsage: 4 } } },
  ],
  [
    'an intermediate of another',
    'chain',
    'certificate/wrong-chain',
    { chain: { instance: { signer: createTestKey('p384', 'x') } } },
  ],
  [
    'a certificate with a critical extension',
    'chain',
    'certificate/wrong-chain',
    { chain: { leaf: { extensions: [{ oid: '1.2.3', critical: true, value: Uint8Array.of(5, 0) }] } } },
  ],
  ['the order of a chain in TLS', 'chain', 'certificate/wrong-chain', { fields: { cabundle: swappedBundle() } }],
  ['a certificate that is none', 'chain', 'der/malformed', { fields: { cabundle: [Uint8Array.of(1)] } }],
  ['a chain judged too late', 'chain', 'certificate/not-current', {}, { atMs: TEST_AT_MS + 3 * HOUR_MS }],
  ['a chain judged too early', 'chain', 'certificate/not-current', {}, { atMs: TEST_AT_MS - 2 * HOUR_MS }],
  ['a signature of another key', 'signature', 'signature/invalid', { signer: createTestKey('p384', 'x') }],
  ['r and s that are zero', 'signature', 'signature/invalid', { signature: () => new Uint8Array(96) }],
  [
    'a leaf on another curve',
    'signature',
    'signature/invalid',
    { chain: { leaf: { key: createTestKey('p256', 'leaf') } } },
  ],
  ['a document of tomorrow', 'timestamp', 'evidence/mismatch', { fields: { timestamp: TEST_AT_MS + 60_001 } }],
  [
    'a document older than its certificate',
    'timestamp',
    'evidence/mismatch',
    { fields: { timestamp: TEST_AT_MS - HOUR_MS - 1 } },
  ],
  [
    'an enclave for debugging',
    'debug',
    'evidence/refused',
    { fields: { pcrs: withPcr(0, 0, [0, 1, 2]) } },
    { policy: undefined },
  ],
  ['one zero among the first PCRs', 'debug', 'evidence/refused', { fields: { pcrs: withPcr(2, 0) } }],
  [
    'a PCR that is left out',
    'debug',
    'evidence/malformed',
    { fields: { pcrs: new Map([...TEST_PCRS].filter(([i]) => i !== 1)) } },
  ],
  ['the answer to another challenge', 'nonce', 'evidence/mismatch', { fields: { nonce: utf8('old') } }],
  ['no answer to a challenge', 'nonce', 'evidence/mismatch', { fields: { nonce: null } }],
  ['the start of the challenge', 'nonce', 'evidence/mismatch', { fields: { nonce: TEST_NONCE.subarray(0, 8) } }],
  ['other code', 'measurements', 'evidence/refused', { fields: { pcrs: withPcr(0, 9) } }],
  ['a signer that is not named', 'measurements', 'evidence/refused', { fields: { pcrs: withPcr(8, 9) } }],
  [
    'a PCR of the policy that is missing',
    'measurements',
    'evidence/refused',
    { fields: { pcrs: new Map([...TEST_PCRS].filter(([i]) => i !== 8)) } },
  ],
  [
    'a policy that names nothing',
    'measurements',
    'place-policy/empty',
    {},
    { policy: { ...NITRO_POLICY, measurements: {} } },
  ],
]

function withPcr(index: number, value: number, also: readonly number[] = []): ReadonlyMap<number, Uint8Array> {
  const pcrs = new Map(TEST_PCRS)
  for (const each of [index, ...also]) pcrs.set(each, new Uint8Array(48).fill(value))
  return pcrs
}

/** From the issuer of the leaf up to the root. */
function swappedBundle(): readonly Uint8Array[] {
  return makeNitroChain().slice(1)
}

for (const [what, name, code, changes, input] of CHEATS) {
  test(`${what}: ${name} fails, and nothing else`, () => {
    const result = appraise(changes, input)
    assert.deepEqual(failed(result), [`nitro/${name}`])
    assert.equal(resultOf(result, name)?.code, code)
    assert.equal(result.tier, 'contraindicated')
    assert.equal(result.isKnownCode, name === 'nonce')
    assert.equal(result.isGenuine, name === 'nonce' || name === 'measurements')
    if (!['debug', 'timestamp', 'nonce', 'measurements'].includes(name)) {
      assert.deepEqual(
        [result.measurements, result.boundData, result.boundKey, result.madeAtMs],
        [{}, undefined, undefined, undefined],
      )
    }
  })
}

test('every check has a cheat', () => {
  assert.deepEqual(new Set(CHEATS.map(([, name]) => name)), new Set(NITRO_CHECKS))
})

test('without challenge or policy their checks are not made, and no code is known', () => {
  const result = appraise({}, { nonce: undefined, policy: undefined })
  assert.deepEqual(failed(result), [])
  assert.match(resultOf(result, 'nonce')?.detail ?? '', /no freshness/)
  assert.equal(resultOf(result, 'measurements')?.result, 'not-checked')
  assert.deepEqual(
    [result.isGenuine, result.isKnownCode, result.answersNonce, result.tier],
    [true, false, false, 'none'],
  )
  assert.equal(resultOf(appraise({}, { nonce: new Uint8Array(0) }), 'nonce')?.result, 'not-checked')
  const other = appraise({}, { policy: { ...NITRO_POLICY, tee: 'tdx' } })
  assert.match(resultOf(other, 'measurements')?.detail ?? '', /other hardware/)
})

test('bytes after the document change nothing, and are noted', () => {
  const result = appraiseNitro(nitroItem(concat(makeNitroDocument(), new Uint8Array(3))), nitroInput())
  assert.equal(result.isGenuine, true)
  assert.match(result.notes.join(), /3 unsigned bytes/)
})

test('a memory changes no result', () => {
  const memory = createMemory()
  const good = nitroItem(makeNitroDocument())
  for (const _ of [1, 2]) assert.equal(appraiseNitro(good, nitroInput({ memory })).tier, 'affirming')
  const late = appraiseNitro(good, nitroInput({ memory, atMs: TEST_AT_MS + 3 * HOUR_MS }))
  assert.deepEqual(failed(late), ['nitro/chain'])
  const unpinned = appraiseNitro(good, { ...nitroInput({ memory }), roots: undefined as never })
  assert.deepEqual(failed(unpinned), ['nitro/chain'])
  const cheat = nitroItem(makeNitroDocument({ signer: createTestKey('p384', 'x') }))
  for (const _ of [1, 2]) assert.deepEqual(failed(appraiseNitro(cheat, nitroInput({ memory }))), ['nitro/signature'])
})

test('no change of a byte passes', (t) => {
  const bytes = makeNitroDocument()
  const swept = { name: 'synthetic', bytes, toItem: nitroItem, input: nitroInput(), unsigned: unsignedRegions(bytes) }
  const { changes, problems } = sweepEvidence(swept, { step: 13 })
  assert.deepEqual(problems, [])
  t.diagnostic(`${changes} changes`)
})

const REAL = [
  ['dstack-nitro-2025-12-25.cose', Date.UTC(2025, 11, 25, 13, 15, 37, 600), '5cb70295', 'none'],
  ['evervault_2022_prod.cose', Date.UTC(2022, 9, 13, 8, 58, 2), 'f4d48b81', 'none'],
] as const

for (const [name, atMs, pcr0] of REAL) {
  test(`real ${name}: genuine at its own time, and hours later not`, { skip: NO_REAL_DATA }, (t) => {
    const bytes = realData(`nitro/${name}`)
    const input: AppraisalInput = {
      ...nitroInput({ atMs, policy: undefined, nonce: undefined }),
      roots: undefined as never,
    }
    const result = appraiseNitro(nitroItem(bytes), input)
    assert.deepEqual(failed(result), [])
    assert.equal(result.isGenuine, true)
    assert.ok(result.measurements.pcr0?.startsWith(pcr0))
    const known = { ...NITRO_POLICY, measurements: { pcr0: [result.measurements.pcr0 ?? ''] } }
    assert.equal(appraiseNitro(nitroItem(bytes), { ...input, policy: known }).isKnownCode, true)
    const late = appraiseNitro(nitroItem(bytes), { ...input, atMs: atMs + 4 * HOUR_MS })
    assert.deepEqual(failed(late), ['nitro/chain'])
    const swept = { name, bytes, toItem: nitroItem, input, unsigned: unsignedRegions(bytes) }
    const { changes, problems } = sweepEvidence(swept, { step: 31 })
    assert.deepEqual(problems, [])
    t.diagnostic(`${changes} changes`)
  })
}

test('real document of an enclave for debugging: signatures are good, and it is refused', {
  skip: NO_REAL_DATA,
}, () => {
  const item = nitroItem(realData('nitro/dstack-nitro-debug.cose'))
  const input = {
    ...nitroInput({ atMs: 1_766_650_847_000, policy: undefined, nonce: undefined }),
    roots: undefined as never,
  }
  const result = appraiseNitro(item, input)
  assert.deepEqual(failed(result), ['nitro/debug'])
  assert.equal(result.isGenuine, false)
  assert.equal(result.claims.dbgstat, 'enabled')
})

test('a real nonce is found where it is', { skip: NO_REAL_DATA }, () => {
  const bytes = realData('nitro/evervault_2022_prod.cose')
  const base = {
    ...nitroInput({ atMs: Date.UTC(2022, 9, 13, 8, 58, 2), policy: undefined }),
    roots: undefined as never,
  }
  const wrong = appraiseNitro(nitroItem(bytes), { ...base, nonce: utf8('x') })
  assert.deepEqual(failed(wrong), ['nitro/nonce'])
  const claimed = wrong.claims.eat_nonce
  assert.ok(typeof claimed === 'string')
  const nonce = new Uint8Array(Buffer.from(claimed, 'base64url'))
  assert.equal(nonce.length, 256)
  assert.equal(appraiseNitro(nitroItem(bytes), { ...base, nonce }).answersNonce, true)
  assert.ok(toHex(nonce).length > 0)
})
