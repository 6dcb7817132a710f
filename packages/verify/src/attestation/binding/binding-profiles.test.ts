import assert from 'node:assert/strict'
import { test } from 'node:test'
import { secp256k1 } from '@noble/curves/secp256k1.js'
import fc from 'fast-check'
import { toHex, utf8 } from '../../bytes/bytes.ts'
import { canonicalJson } from '../../bytes/canonical-json.ts'
import type { Json } from '../../bytes/json.ts'
import { checkProperty } from '../../fuzzing.testing.ts'
import { anyJson, changedJson } from '../../mutation.testing.ts'
import type { EvidenceKind } from '../appraised.ts'
import { PROFILE_NAMES } from '../profile-names.ts'
import { appraised, bind, crypto, failuresOf, NONCE, resultOf } from './binding.testing.ts'
import { FAILING_CASES } from './binding-fails.testing.ts'
import { HOLDING_CASES } from './binding-holds.testing.ts'
import { ACI_SET, aciReport, filled, tdx } from './binding-parts.testing.ts'
import { BINDING_PROFILES } from './binding-profiles.ts'

for (const { profile, name, given, fails = [], open = [], keys, answersNonce = false, shown } of [
  ...HOLDING_CASES,
  ...FAILING_CASES,
]) {
  test(`${profile}: ${name}`, () => {
    const result = bind(profile, given)
    assert.deepEqual(failuresOf(result), fails)
    for (const what of open) assert.equal(resultOf(result, what), 'not-checked', what)
    if (keys !== undefined || fails.length > 0) assert.deepEqual(result.keys, keys ?? [])
    assert.equal(result.answersNonce, answersNonce)
    if (shown !== undefined)
      assert.deepEqual(
        result.shown.map((each) => each.name),
        shown,
      )
    const { canShow } = BINDING_PROFILES[profile]
    assert.ok(result.shown.every((each) => canShow.includes(each.name)))
    assert.ok(
      result.doesNotProve.length > 0 && result.doesNotProve.every((each) => /^(that|what|where|which) /.test(each)),
    )
  })
}

test('a profile says whether it binds keys of connections, and some evidence shows that it does', () => {
  const binding = HOLDING_CASES.filter(({ profile, given }) =>
    bind(profile, given).keys.some(({ use }) => use === 'tls-key' || use === 'tls-certificate'),
  ).map(({ profile }) => profile)
  for (const name of PROFILE_NAMES) assert.equal(BINDING_PROFILES[name].bindsConnections, binding.includes(name), name)
})

test('an identity key of secp256k1 endorses a key set', () => {
  const secret = filled(32, 3)
  const point = toHex(secp256k1.getPublicKey(secret, false)).slice(2)
  const keySet = {
    ...ACI_SET,
    workload_identity: { public_key: { algo: 'ecdsa-secp256k1', public_key: point }, subject: 'x' },
  }
  const digest = `sha256:${toHex(crypto.sha256(utf8(canonicalJson(keySet))))}`
  const payload = canonicalJson({ purpose: 'aci.keyset.endorsement.v1', workload_keyset_digest: digest })
  const value = toHex(secp256k1.sign(utf8(payload), secret))
  const beside = { workload_keyset: keySet, keyset_endorsement: { algo: 'ecdsa-secp256k1', value } }
  assert.deepEqual(failuresOf(bind('aci', { items: [tdx(aciReport(keySet, null))], beside })), [])
  const other = { ...beside, keyset_endorsement: { algo: 'ecdsa-secp256k1', value: `${value.slice(0, -2)}00` } }
  assert.deepEqual(failuresOf(bind('aci', { items: [tdx(aciReport(keySet, null))], beside: other })), ['endorsement'])
})

test('evidence that is not shown to be genuine binds nothing, and fails nothing', () => {
  for (const { profile, name, given } of HOLDING_CASES) {
    const items = given.items.map((item) => ({ ...item, isGenuine: false }))
    const result = bind(profile, { ...given, items })
    assert.deepEqual([failuresOf(result), result.keys, result.shown], [[], [], []], `${profile}: ${name}`)
    assert.equal(result.answersNonce, false)
    if (profile !== 'none') assert.equal(resultOf(result, 'genuine'), 'not-checked')
  }
})

test('every profile stands under its own name, and only what needs no provider counts as tried', () => {
  for (const name of PROFILE_NAMES) {
    assert.equal(BINDING_PROFILES[name].name, name)
    assert.equal(BINDING_PROFILES[name].isTriedOnReal, name === 'none')
  }
})

test('no profile but near-ai looks at GPUs, and none says that they share a machine', () => {
  for (const name of PROFILE_NAMES) assert.ok(!BINDING_PROFILES[name].canShow.includes('gpu-same-session'))
})

test('a flipped bit in what is bound binds no key that was not bound before', (t) => {
  const flips = fc.record({ at: fc.nat(), bit: fc.nat({ max: 7 }) })
  checkProperty(
    t,
    [
      fc.constantFrom(...HOLDING_CASES.filter(({ profile }) => profile !== 'tinfoil' && profile !== 'opengradient')),
      flips,
    ],
    400,
    ({ profile, given }, { at, bit }) => {
      const [item, ...rest] = given.items
      if (item?.boundData === undefined || profile === 'none') return
      const boundData = item.boundData.slice()
      const place = at % boundData.length
      boundData[place] = (boundData[place] ?? 0) ^ (1 << bit)
      const before = bind(profile, given)
      const after = bind(profile, { ...given, items: [{ ...item, boundData }, ...rest] })
      assert.ok(after.keys.length < before.keys.length || !after.answersNonce)
      for (const each of after.keys)
        assert.ok(before.keys.some((known) => JSON.stringify(known) === JSON.stringify(each)))
    },
  )
})

test('whatever stands beside evidence is a check that failed or passed, never a crash', (t) => {
  const kinds: readonly EvidenceKind[] = [
    'tdx',
    'sev-snp',
    'nitro',
    'confidential-space',
    'azure-vtpm',
    'maa',
    'nvidia-spdm',
  ]
  const samples = HOLDING_CASES.flatMap(({ given }) => (given.beside === undefined ? [] : [given.beside as Json]))
  const beside = fc.oneof(
    changedJson(samples),
    fc.dictionary(fc.constantFrom('signingKey', 'tlsKey', 'appData', 'signing_address'), anyJson()),
  )
  const item = fc.record({
    kind: fc.constantFrom(...kinds),
    boundData: fc.option(fc.uint8Array({ maxLength: 70 }), { nil: undefined }),
    isGenuine: fc.boolean(),
  })
  checkProperty(
    t,
    [fc.constantFrom(...PROFILE_NAMES), beside, fc.array(item, { maxLength: 3 }), anyJson()],
    2000,
    (profile, value, items, claim) => {
      const members =
        value !== null && typeof value === 'object' && !Array.isArray(value)
          ? (value as { readonly [name: string]: Json })
          : { value }
      const result = bind(profile, {
        items: items.map(({ kind, ...rest }) => appraised(kind, { ...rest, claims: { eat_nonce: claim } })),
        beside: members,
        nonce: NONCE,
      })
      assert.ok(result.keys.length === 0 || items.some(({ isGenuine }) => isGenuine))
    },
  )
})
