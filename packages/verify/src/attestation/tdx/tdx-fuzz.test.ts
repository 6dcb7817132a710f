import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { toHex, utf8 } from '../../bytes/bytes.ts'
import type { Json } from '../../bytes/json.ts'
import { rawMember } from '../../bytes/json.ts'
import { checkProperty, expectTyped } from '../../fuzzing.testing.ts'
import { changedBytes } from '../../mutation.testing.ts'
import { shapeRefusals } from '../../refusals.testing.ts'
import { NO_REAL_DATA, realData } from '../attestation-data.testing.ts'
import { sweepEvidence } from '../sweep.testing.ts'
import { parseCertificate } from '../x509/certificate.ts'
import { createTestKey, issue } from '../x509/pki.testing.ts'
import { appraiseTdx } from './appraise-tdx.ts'
import { importDcapCollateral } from './collateral-import.ts'
import { oracleCollateral } from './oracle.testing.ts'
import { parsePckExtension } from './pck-extension.ts'
import { parseQeIdentity } from './qe-identity.ts'
import { parseTdxQuote, unsignedRegions } from './quote.ts'
import { parseTcbInfo } from './tcb-info.ts'
import { buildTdx, pckExtension, planTdx, sweepCases, sweptOf } from './tdx-evidence.testing.ts'

const evidence = ([4, 5] as const).map((version) => buildTdx(planTdx(version)))
const [sound] = evidence as [(typeof evidence)[number]]
const contentOf = (kind: string) =>
  sound.input.collateral.items.find((item) => item.kind === kind)?.content ?? new Uint8Array(0)
const tcbInfo = contentOf('intel-tcb-info')
const qeIdentity = contentOf('intel-qe-identity')

test('quotes: any bytes, and changes to good ones, give a value or an error of ours', (t) => {
  const quotes = evidence.map(({ quote }) => quote)
  checkProperty(t, [fc.oneof(fc.uint8Array({ maxLength: 700 }), changedBytes(quotes))], 1000, (bytes) => {
    const quote = expectTyped(() => parseTdxQuote(bytes))
    if (quote !== undefined) unsignedRegions(bytes)
  })
})

test('lists of Intel: any bytes, and changes to good ones, give a value or an error of ours', (t) => {
  checkProperty(t, [fc.oneof(fc.uint8Array(), changedBytes([tcbInfo, qeIdentity]))], 1000, (bytes) => {
    expectTyped(() => parseTcbInfo(bytes))
    expectTyped(() => parseQeIdentity(bytes))
  })
})

test('the SGX extension: changes to a good one give a value or an error of ours', (t) => {
  const key = createTestKey('p256')
  const extension = pckExtension(planTdx())
  const read = (value: Uint8Array) => {
    const extensions = [{ oid: '1.2.840.113741.1.13.1', value }]
    return parsePckExtension(parseCertificate(issue({ subject: 'a', issuer: 'b', key, signer: key, extensions })))
  }
  assert.equal(read(extension).fmspc, '50806f000000')
  checkProperty(t, [fc.oneof(fc.uint8Array(), changedBytes([extension]))], 150, (value) => {
    expectTyped(() => read(value))
  })
})

test('imports: changes to good collateral give a value or an error of ours', (t) => {
  const collateral = utf8(JSON.stringify(oracleCollateral(sound, sound.input.collateral)))
  const imported = importDcapCollateral(collateral)
  const sort = (contents: readonly Uint8Array[]) => contents.map(toHex).sort()
  const given = sound.input.collateral.items.map(({ content }) => content)
  assert.deepEqual(
    sort(imported.items.map(({ content }) => content)),
    sort([...given, sound.certificates.pckCa]),
    'lists are as they were served, byte for byte',
  )
  const { item, input } = sound
  assert.ok(appraiseTdx(item, { ...input, collateral: imported }).isGenuine)
  checkProperty(t, [changedBytes([collateral])], 300, (bytes) => {
    expectTyped(() => importDcapCollateral(bytes))
  })
})

test('imports: files of older tools have no revocation lists, and leave the checks of them open', () => {
  const { root_ca_crl, pck_crl, pck_crl_issuer_chain, ...older } = oracleCollateral(sound, sound.input.collateral)
  const { items } = importDcapCollateral(utf8(JSON.stringify(older)))
  assert.deepEqual(
    items.filter(({ kind }) => kind === 'crl'),
    [],
  )
  const { checks, isGenuine } = appraiseTdx(sound.item, { ...sound.input, collateral: { items } })
  const open = checks.filter(({ result }) => result === 'not-checked').map(({ name }) => name)
  assert.ok(open.includes('tdx/root-crl') && open.includes('tdx/pck-crl') && !isGenuine)
  assert.ok(!checks.some(({ result }) => result === 'fail'))
  assert.ok(root_ca_crl && pck_crl && pck_crl_issuer_chain)
})

test('imports: a text that would read otherwise among others is refused', () => {
  const collateral = oracleCollateral(sound, sound.input.collateral)
  const replaced = (more: { readonly [name: string]: Json }) => utf8(JSON.stringify({ ...collateral, ...more }))
  const { tcb_info: text = '', tcb_info_signature: signature = '' } = collateral
  for (const other of [` ${text}`, `${text} `, `${text},"x":{}`, `1,"tcbInfo":${text}`, '']) {
    assert.throws(() => importDcapCollateral(replaced({ tcb_info: other })))
  }
  for (const other of [`${signature}00`, signature.slice(2), `${signature}","x":"`]) {
    assert.throws(() => importDcapCollateral(replaced({ tcb_info_signature: other })), { code: 'collateral/malformed' })
  }
  assert.throws(() => importDcapCollateral(replaced({ surplus: 1 })), { code: 'shape/unknown-field' })
})

test('lists of Intel: every surplus field and every missing one is refused', () => {
  const lists = [
    { member: 'tcbInfo', bytes: tcbInfo, parse: parseTcbInfo },
    { member: 'enclaveIdentity', bytes: qeIdentity, parse: parseQeIdentity },
  ]
  const optional = ['tdxModuleIdentities', 'advisoryIDs', 'category', 'type']
  for (const { member, bytes, parse } of lists) {
    const whole = JSON.parse(new TextDecoder().decode(bytes)) as { [name: string]: Json }
    parse(utf8(JSON.stringify(whole)))
    for (const [path, replacement] of shapeRefusals(whole[member] ?? null, optional)) {
      const text = JSON.stringify({ ...whole, [member]: changeAt(whole[member] ?? null, path, replacement) })
      assert.throws(() => parse(utf8(text)), { code: 'collateral/malformed' }, path.join('.'))
    }
  }
})

function changeAt(value: Json, path: readonly (string | number)[], replacement: Json | undefined): Json {
  const changed = structuredClone(value) as { [name: string]: Json }
  const parent = path.slice(0, -1).reduce((at, step) => at[String(step)] as { [name: string]: Json }, changed)
  const last = String(path.at(-1))
  if (replacement === undefined) delete parent[last]
  else parent[last] = replacement
  return changed
}

test('the member that is signed is taken out as it stands', () => {
  const text = '{ "a" : {"b":[1,"}\\"]"]} ,"tcbInfo":\n{"x" : 1,  "y":"{"}  , "tcbInf\\u006f2":3}'
  assert.equal(rawMember(text, 'a'), '{"b":[1,"}\\"]"]}')
  assert.equal(rawMember(text, 'tcbInfo'), '{"x" : 1,  "y":"{"}')
  assert.equal(rawMember(text, 'tcbInfo2'), undefined)
  assert.equal(rawMember('[{"a":1}]', 'a'), undefined)
  assert.equal(rawMember('{}', 'a'), undefined)
})

test('no change of a quote passes as genuine', () => {
  for (const [i, swept] of sweepCases().entries()) {
    const { changes, problems } = sweepEvidence(swept, { step: 29, start: i })
    assert.deepEqual(problems, [])
    assert.ok(changes > 400)
  }
})

test('no change of a real quote passes as genuine', { skip: NO_REAL_DATA }, () => {
  const { roots: _, ...pinned } = sound.input
  const collateral = importDcapCollateral(realData('tdx/phala_b0c06f_2025-06-19.json'))
  const input = { ...pinned, collateral, atMs: Date.UTC(2025, 5, 25), policy: undefined }
  const swept = sweptOf('phala', { quote: realData('tdx/phala_v4_uptodate.bin'), input })
  assert.deepEqual(sweepEvidence(swept, { step: 37 }).problems, [])
})
