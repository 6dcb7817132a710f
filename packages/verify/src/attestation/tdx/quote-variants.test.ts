/** Ways in which sound quotes differ from one another, and those that look like one. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { concat, utf8 } from '../../bytes/bytes.ts'
import { appraiseTdx } from './appraise-tdx.ts'
import { parseTdxQuote } from './quote.ts'
import { buildTdx, planTdx, type TdxPlan, u16 } from './tdx-evidence.testing.ts'

function appraise(change: (plan: TdxPlan) => void, version: 4 | 5 = 4) {
  const plan = planTdx(version)
  change(plan)
  const { item, input } = buildTdx(plan)
  return appraiseTdx(item, input)
}

const TERMINATORS: readonly (readonly [what: string, bytes: Uint8Array])[] = [
  ['no terminator', new Uint8Array(0)],
  ['one zero', Uint8Array.of(0)],
  ['a buffer of zeros', new Uint8Array(300)],
  ['a line feed and a zero', utf8('\n\0')],
  ['lines of another system', utf8('\r\n\r\n\0\0')],
]

for (const [what, bytes] of TERMINATORS) {
  test(`the chain of the platform ends with ${what}`, () => {
    for (const version of [4, 5] as const) {
      assert.ok(appraise((plan) => (plan.terminator = bytes), version).isKnownCode)
    }
  })
}

test('whatever follows the signature is padding: zeros of a buffer, or a rest of another quote', () => {
  for (const trailing of [new Uint8Array(1), new Uint8Array(3000), utf8('-----BEGIN CERTIFICATE-----')]) {
    const appraised = appraise((plan) => (plan.trailing = trailing))
    assert.ok(appraised.isKnownCode)
    assert.match(appraised.notes.join(), new RegExp(`^${trailing.length} bytes follow`))
  }
})

test('a zero within the chain ends nothing', () => {
  const { checks } = appraise((plan) => (plan.terminator = utf8('\0\n')))
  assert.deepEqual(
    checks.filter(({ result }) => result === 'fail').map(({ name }) => name),
    ['tdx/pck-chain'],
  )
})

/** Where the kind of the outer certification data stands: behind header, body, length, signature and key. */
const OUTER_AT = 48 + 584 + 4 + 64 + 64
/** Of the inner: behind the outer head, the enclave's report, its signature and its authentication data. */
const innerAt = (quote: Uint8Array) => OUTER_AT + 6 + 384 + 64 + 2 + parseTdxQuote(quote).qeAuthData.length

test('certification data of other kinds, which name a certificate and do not bring it, are refused as not supported', () => {
  const at = (where: (quote: Uint8Array) => number, kind: number) => (plan: TdxPlan) => {
    plan.editQuote = (quote) => {
      const place = where(quote)
      return concat(quote.subarray(0, place), u16(kind), quote.subarray(place + 2))
    }
  }
  for (const kind of [1, 2, 3, 4, 5, 7]) {
    const [outer] = appraise(at(() => OUTER_AT, kind)).checks
    assert.deepEqual([outer?.name, outer?.code], ['tdx/format', 'evidence/unsupported'])
    assert.match(outer?.detail ?? '', new RegExp(`type ${kind} where type 6`))
  }
  for (const kind of [1, 2, 3, 4, 6, 7]) {
    const [inner] = appraise(at(innerAt, kind)).checks
    assert.deepEqual([inner?.name, inner?.code], ['tdx/format', 'evidence/unsupported'])
    assert.match(inner?.detail ?? '', new RegExp(`type ${kind} where type 5`))
  }
})

test('a body of TD 1.5 that names its domain, which version 5 can carry, is not known here', () => {
  const plan = planTdx(5)
  plan.editQuote = (quote) => concat(quote.subarray(0, 48), u16(4), quote.subarray(50))
  const { item, input } = buildTdx(plan)
  const [format] = appraiseTdx(item, input).checks
  assert.deepEqual([format?.result, format?.code], ['fail', 'evidence/unsupported'])
})

test('authentication data of any length bind the attestation key', () => {
  for (const length of [0, 1, 32, 1000]) {
    assert.ok(appraise((plan) => (plan.qeAuthData = new Uint8Array(length).fill(7))).isKnownCode)
  }
})
