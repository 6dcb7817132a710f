import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { toBase64Url } from '../bytes/base64.ts'
import { utf8 } from '../bytes/bytes.ts'
import type { Json } from '../bytes/json.ts'
import { collateralAlong, collateralNeeds } from './collateral-needs.ts'
import { EVIDENCE_KINDS, type EvidenceKind } from './evidence-kind.ts'
import { type SnpOptions, snpEvidence } from './sev-snp/sev-snp-evidence.testing.ts'

function needsOf(kind: EvidenceKind, content: Uint8Array) {
  return collateralNeeds({ profile: 'none', items: [{ kind, content }], nonce: new Uint8Array(), beside: {} })
}

const LEVELS = { bootloader: 4, tee: 1, snp: 24, microcode: 210 }
const CHIP = Array.from({ length: 64 }, (_, i) => (0xc0 ^ i).toString(16).padStart(2, '0')).join('')

test('of AMD: the certificate of the chip at its level, for every product that it may be', () => {
  const needs = (options: SnpOptions) => needsOf('sev-snp', snpEvidence(options).item.content)
  assert.deepEqual(needs({}), [{ kind: 'amd-vcek', product: 'milan', chipId: CHIP, tcb: LEVELS }])
  assert.deepEqual(needs({ version: 2, product: 'genoa' }), [
    { kind: 'amd-vcek', product: 'milan', chipId: CHIP, tcb: LEVELS },
    { kind: 'amd-vcek', product: 'genoa', chipId: CHIP, tcb: LEVELS },
  ])
  assert.deepEqual(needs({ version: 5, product: 'turin' }), [
    { kind: 'amd-vcek', product: 'turin', chipId: CHIP.slice(0, 16), tcb: { ...LEVELS, fmc: 3 } },
  ])
  assert.deepEqual(needs({ key: 'vlek', product: 'genoa' }), [{ kind: 'amd-vlek', product: 'genoa' }])
})

test('certificates beside evidence come along, within limits, and nothing else does', () => {
  const along = (certificates: Json) =>
    collateralAlong({ profile: 'countersign', items: [], nonce: new Uint8Array(), beside: { certificates } }).length
  assert.deepEqual(
    ['MAA=', [], ['MAA=', 7, null, 'A'.repeat(20_000)], Array(9).fill('MAA=')].map((each) => along(each)),
    [0, 0, 1, 8],
  )
  assert.equal(collateralAlong({ profile: 'none', items: [], nonce: new Uint8Array(), beside: {} }).length, 0)
})

test('of issuers of tokens: their keys', () => {
  const token = `${toBase64Url(utf8('{}'))}.${toBase64Url(utf8('{"iss":"https://x.example"}'))}.AA`
  assert.deepEqual(needsOf('maa', utf8(token)), [{ kind: 'jwks', issuer: 'https://x.example' }])
  const [nvidia] = needsOf('nvidia-nras', utf8('[]'))
  assert.ok(nvidia?.kind === 'jwks' && nvidia.issuer.startsWith('https://nras.'))
  assert.equal(needsOf('confidential-space', utf8(token)).length, 1)
})

test('of what brings everything along, and of what cannot be read: nothing', () => {
  assert.deepEqual(needsOf('nitro', Uint8Array.of(1)), [])
  fc.assert(
    fc.property(fc.constantFrom(...EVIDENCE_KINDS), fc.uint8Array({ maxLength: 2000 }), (kind, bytes) => {
      assert.ok(needsOf(kind, bytes).length <= 2)
    }),
  )
})
