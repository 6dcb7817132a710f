import assert from 'node:assert/strict'
import { test } from 'node:test'
import { toBase64 } from '../../bytes/base64.ts'
import { parseHex, parseUtf8, toHex, utf8 } from '../../bytes/bytes.ts'
import type { Json } from '../../bytes/json.ts'
import { createMemory } from '../../bytes/memory.ts'
import type { ErrorCode } from '../../errors.ts'
import { jsonBytes } from '../../fixture.testing.ts'
import { checkProperty, expectTyped } from '../../fuzzing.testing.ts'
import { changedBytes, changedJson } from '../../mutation.testing.ts'
import { appraiseEvidence } from '../appraise.ts'
import type { AppraisalInput, Appraised } from '../appraised.ts'
import { NO_REAL_DATA, realData } from '../attestation-data.testing.ts'
import { readPlacePolicy } from '../place-policy.ts'
import { sweepEvidence } from '../sweep.testing.ts'
import { sequence } from '../x509/der-writer.testing.ts'
import { createTestKey, TEST_AT_MS, TEST_NOT_AFTER_MS } from '../x509/pki.testing.ts'
import { appraiseNvidiaSpdm, NVIDIA_SPDM_CHECKS, type NvidiaSpdmCheck } from './appraise-nvidia-spdm.ts'
import {
  blackwellFirmware,
  deviceName,
  GPU_NONCE,
  type GpuChanges,
  gpuChain,
  gpuInput,
  gpuItem,
  hopperFirmware,
  makeGpu,
  OPAQUE_FIELDS,
} from './nvidia-evidence.testing.ts'
import { nvidiaItem, parseNvidiaItem } from './nvidia-item.ts'
import { unsignedRegions } from './spdm.ts'

const GPU_POLICY = { tee: 'tdx', measurements: { mrtd: ['00'.repeat(48)] } }

/** What no service can be asked about here. */
const OPEN: readonly NvidiaSpdmCheck[] = ['debug', 'rim', 'revocation']

function appraise(changes: readonly GpuChanges[], input: Partial<AppraisalInput> = {}): Appraised {
  return appraiseNvidiaSpdm(gpuItem(...changes.map(makeGpu)), gpuInput(input))
}

const failed = ({ checks }: Appraised) => checks.filter(({ result }) => result === 'fail').map(({ name }) => name)
const resultOf = ({ checks }: Appraised, name: NvidiaSpdmCheck) =>
  checks.find((each) => each.name === `nvidia-spdm/${name}`)

test('good reports are genuine and fresh, and never more than that without the services of NVIDIA', () => {
  for (const gpus of [
    [{}],
    [{ isBlackwell: true }],
    [{}, { device: 1 }, { device: 2, isBlackwell: true }],
  ] satisfies GpuChanges[][]) {
    const result = appraise(gpus)
    for (const name of NVIDIA_SPDM_CHECKS) {
      assert.equal(resultOf(result, name)?.result, OPEN.includes(name) ? 'not-checked' : 'pass', name)
    }
    assert.deepEqual(
      [result.isGenuine, result.isKnownCode, result.answersNonce, result.tier],
      [true, false, true, 'warning'],
    )
    assert.equal(result.deviceIds.length, gpus.length)
    assert.deepEqual(result.boundData, GPU_NONCE)
    assert.equal(result.currentUntilMs, TEST_NOT_AFTER_MS)
    assert.match(result.notes.join(), /reference values/)
  }
})

test('what the report says is in the claims', () => {
  const { claims, measurements, deviceIds } = appraise([{}, { device: 1 }])
  assert.deepEqual(deviceIds, ['5a00'.padStart(40, '0'), '5a01'.padStart(40, '0')])
  const [first] = claims.gpus as readonly { readonly [name: string]: Json }[]
  assert.deepEqual(first, {
    ...{
      hwmodel: 'GH100',
      ueid: '5a00'.padStart(40, '0'),
      pdi: '48b02d0000000000',
      driver_version: '590.12',
      vbios_version: '96.00.A5.00.01',
    },
    ...{ fwid: 'f1'.repeat(48), project: 'G520' },
  })
  assert.equal(measurements['gpu1.3'], '03'.repeat(48))
  // Nothing that a terminal would show as something else.
  const odd = appraise([
    {
      opaque: [
        [3, utf8('\u001b[2J')],
        [6, new Uint8Array(3)],
      ],
    },
  ])
  assert.deepEqual(odd.claims.gpus, [{ hwmodel: 'GH100', ueid: '5a00'.padStart(40, '0'), pdi: '48b02d0000000000' }])
})

const stranger = createTestKey('p384', 'stranger')
const twoOf = (second: GpuChanges): readonly GpuChanges[] => [{}, { device: 1, ...second }]
const copied = (changes: GpuChanges): GpuChanges => ({ ...changes, device: 0 })
const withLeaf = (...extensions: NonNullable<GpuChanges['extensions']>): readonly GpuChanges[] => [{ extensions }]
const NAME = deviceName('GH100:48B02D0000000000')

/** One thing wrong each: the check that it fails, alone, and with which code. */
const CHEATS: readonly (readonly [
  what: string,
  NvidiaSpdmCheck,
  ErrorCode,
  readonly GpuChanges[],
  Partial<AppraisalInput>?,
])[] = [
  ['no report', 'format', 'evidence/malformed', []],
  ['another version of SPDM', 'format', 'evidence/unsupported', [{ signed: (good) => good.with(0, 0x12) }]],
  ['hardware that is not known', 'format', 'evidence/unsupported', [{ arch: 'AMPERE' }]],
  ['a root of somebody else', 'chain', 'certificate/wrong-chain', [{ chain: { root: { serial: '02' } } }]],
  ['a device that may not issue', 'chain', 'certificate/wrong-chain', [{ chain: { device: { isCa: false } } }]],
  [
    'a device that somebody else signed for',
    'chain',
    'certificate/wrong-chain',
    [{ chain: { device: { signer: stranger } } }],
  ],
  ['a leaf that may issue', 'chain', 'certificate/wrong-chain', [{ chain: { leaf: { isCa: true } } }]],
  ['a chain judged too late', 'chain', 'certificate/not-current', [{}], { atMs: TEST_NOT_AFTER_MS + 1000 }],
  [
    'a bad chain behind a good one',
    'chain',
    'certificate/wrong-chain',
    twoOf({ chain: { family: { signer: stranger } } }),
  ],
  ['a signature of another key', 'signature', 'signature/invalid', [{ signer: stranger }]],
  ['r and s that are zero', 'signature', 'signature/invalid', [{ signature: () => new Uint8Array(96) }]],
  ['a bad signature behind a good one', 'signature', 'signature/invalid', twoOf({ signer: stranger })],
  ['hardware that the certificate does not name', 'device', 'evidence/mismatch', [{ arch: 'BLACKWELL' }]],
  ['a GPU that is called a switch', 'device', 'evidence/mismatch', [{ arch: 'LS10' }]],
  ['a switch that is called a GPU', 'device', 'evidence/mismatch', [{ isSwitch: true, arch: 'HOPPER' }]],
  ['a device without a name', 'device', 'evidence/unsupported', withLeaf()],
  ['a device of another kind', 'device', 'evidence/unsupported', withLeaf(deviceName('LS100:48B02D0000000000'))],
  ['a name that is none', 'device', 'der/malformed', withLeaf({ oid: '2.5.29.17', value: sequence() })],
  [
    'firmware that is not named by SHA-384',
    'device',
    'evidence/unsupported',
    withLeaf(NAME, hopperFirmware(stranger, new Uint8Array(32))),
  ],
  ['one GPU twice', 'distinct', 'evidence/mismatch', [{}, {}]],
  [
    'one GPU under two challenges',
    'distinct',
    'evidence/mismatch',
    [{}, copied({ opaque: OPAQUE_FIELDS.slice(1) })],
    { nonce: undefined },
  ],
  ['one device key under two names', 'distinct', 'evidence/mismatch', [{}, renamed()], { nonce: undefined }],
  [
    'firmware that the key was not derived for',
    'firmware-id',
    'evidence/mismatch',
    withLeaf(NAME, hopperFirmware(stranger, new Uint8Array(48).fill(2))),
  ],
  [
    'firmware that is all zeros',
    'firmware-id',
    'evidence/mismatch',
    [{ isBlackwell: true, opaque: [[20, new Uint8Array(48)]] }],
  ],
  ['a key that names no firmware', 'firmware-id', 'evidence/mismatch', withLeaf(NAME)],
  [
    'firmware that can be debugged',
    'debug',
    'evidence/refused',
    [{ isBlackwell: true, extensions: [deviceName('GB100:48B02D0000000000'), blackwellFirmware(undefined, 0x90)] }],
  ],
  ['the answer to another challenge', 'nonce', 'evidence/mismatch', [{ nonce: new Uint8Array(32) }]],
  ['one old answer among new ones', 'nonce', 'evidence/mismatch', twoOf({ nonce: new Uint8Array(32) })],
  ['a challenge of another length', 'nonce', 'evidence/mismatch', [{}], { nonce: GPU_NONCE.subarray(1) }],
]

/** The same chip, whose firmware got another key and gives another name. */
function renamed(): GpuChanges {
  const key = createTestKey('p384', 'second leaf')
  return {
    signer: key,
    chain: { leaf: { key } },
    extensions: [deviceName('GH100:48B02D0000000009'), hopperFirmware(key)],
  }
}

for (const [what, name, code, changes, input] of CHEATS) {
  test(`${what}: ${name} fails, and nothing else`, () => {
    const result = appraise(changes, input)
    assert.deepEqual(failed(result), [`nvidia-spdm/${name}`])
    assert.equal(resultOf(result, name)?.code, code)
    assert.equal(result.tier, 'contraindicated')
    assert.equal(result.isGenuine, name === 'nonce')
    if (changes.length > 1 && name !== 'distinct') assert.match(resultOf(result, name)?.detail ?? '', /report 2 of 2/)
    if (['format', 'chain', 'signature', 'device'].includes(name)) {
      assert.deepEqual(
        [result.measurements, result.boundData, result.deviceIds, result.claims],
        [{}, undefined, [], {}],
      )
    }
  })
}

test('every check that can fail has a cheat', () => {
  const cheated = new Set(CHEATS.map(([, name]) => name))
  const can = NVIDIA_SPDM_CHECKS.filter((name) => name !== 'rim' && name !== 'revocation')
  assert.deepEqual(cheated, new Set(can))
})

test('what is missing is not checked: firmware of an old driver, a challenge', () => {
  const result = appraise([{ opaque: [] }], { nonce: undefined })
  assert.match(resultOf(result, 'firmware-id')?.detail ?? '', /older driver/)
  assert.match(resultOf(result, 'nonce')?.detail ?? '', /no freshness/)
  assert.deepEqual([result.isGenuine, result.answersNonce], [true, false])
  const mixed = appraise([{}, { device: 1, nonce: new Uint8Array(32) }], { nonce: undefined })
  assert.equal(mixed.boundData, undefined)
})

test('chains of other lengths are refused', () => {
  const gpu = makeGpu()
  const shorter = gpu.chainPem.slice(0, gpu.chainPem.lastIndexOf('-----BEGIN'))
  for (const [chainPem, why] of [
    [shorter, /4 certificates, expected 5/],
    [gpu.chainPem + gpu.chainPem, /more than 5/],
    ['', /no certificate/],
  ] as const) {
    const result = appraiseNvidiaSpdm(gpuItem({ ...gpu, chainPem }), gpuInput())
    assert.deepEqual(failed(result), ['nvidia-spdm/chain'])
    assert.match(resultOf(result, 'chain')?.detail ?? '', why)
  }
})

test('a nonce beside the report has to be the one in it, and nothing else stands there', () => {
  const gpu = makeGpu()
  const entry = { arch: gpu.arch, certificate: toBase64(utf8(gpu.chainPem)), evidence: toBase64(gpu.evidence) }
  const read = (value: Json) => parseNvidiaItem(jsonBytes(value))
  assert.equal(read([{ ...entry, nonce: toHex(GPU_NONCE) }]).length, 1)
  assert.throws(() => read([{ ...entry, nonce: '00'.repeat(32) }]), /not the one in it/)
  assert.throws(() => read([{ ...entry, driver: 'x' }]), /unknown field/)
  assert.throws(() => read([]), /no report/)
  assert.throws(() => read(entry), /expected a list/)
  assert.throws(() => read(Array.from({ length: 65 }, () => entry)), /at most 64/)
})

test('switches between GPUs are genuine devices, and count as no GPU', () => {
  const opaque = [[6, utf8('96.10.55.00.01')]] as const
  const result = appraise([{}, { device: 1, isSwitch: true, opaque }, { device: 2 }])
  assert.deepEqual([result.isGenuine, result.deviceIds.length, result.switchIds?.length], [true, 3, 1])
  assert.equal(result.measurements['gpu1.1'], '01'.repeat(48))
  assert.equal(result.measurements['switch0.2'], '02'.repeat(48))
  const { gpus, switches } = result.claims as { gpus: Json[]; switches: { [name: string]: Json }[] }
  assert.deepEqual([gpus.length, switches[0]?.hwmodel, switches[0]?.vbios_version], [2, 'LS_10', '96.10.55.00.01'])
  const policyOf = (count: number) => readPlacePolicy({ ...GPU_POLICY, gpus: count }, 'policy')
  const place = (count: number) => {
    const item = gpuItem(makeGpu(), makeGpu({ device: 1, isSwitch: true }))
    const evidence = { profile: 'none', items: [item], nonce: GPU_NONCE, beside: {} } as const
    const { checks } = appraiseEvidence(evidence, gpuInput({ policy: policyOf(count) }))
    return checks.find(({ name }) => name === 'place/gpus')?.result
  }
  assert.deepEqual([place(1), place(2)], ['pass', 'fail'])
})

test('what the list says of versions has to be what the report says, where it says anything', () => {
  const gpu = makeGpu()
  const entry = { arch: gpu.arch, certificate: toBase64(utf8(gpu.chainPem)), evidence: toBase64(gpu.evidence) }
  const silent = toBase64(makeGpu({ opaque: [] }).evidence)
  const read = (more: { readonly [name: string]: Json }) => parseNvidiaItem(jsonBytes([{ ...entry, ...more }]))
  for (const more of [
    { version: '1.0', driver_version: '590.12', vbios_version: '96.00.A5.00.01' },
    { vbios_version: '96.00.a5.00.01' },
    { evidence: silent, driver_version: '1.2', vbios_version: '' },
  ]) {
    assert.equal(read(more).length, 1)
  }
  assert.throws(() => read({ version: '2.0' }), { code: 'shape/bad-value' })
  assert.throws(() => read({ driver_version: '590.13' }), { code: 'evidence/mismatch' })
  assert.throws(() => read({ vbios_version: '96.00.A5.00.02' }), { code: 'evidence/mismatch' })
})

test('a memory changes no result', () => {
  const memory = createMemory()
  for (const _ of [1, 2]) assert.equal(appraise([{}], { memory }).tier, 'warning')
  assert.deepEqual(failed(appraise([{ signer: stranger }], { memory })), ['nvidia-spdm/signature'])
  assert.deepEqual(failed(appraise([{}], { memory, atMs: TEST_NOT_AFTER_MS + 1000 })), ['nvidia-spdm/chain'])
})

test('no change of a byte of a report passes', (t) => {
  const gpu = makeGpu()
  const swept = {
    ...{ name: 'synthetic', bytes: gpu.evidence, unsigned: unsignedRegions(gpu.evidence), input: gpuInput() },
    toItem: (evidence: Uint8Array) => gpuItem({ ...gpu, evidence }),
  }
  const { changes, problems } = sweepEvidence(swept, { step: 7 })
  assert.deepEqual(problems, [])
  t.diagnostic(`${changes} changes`)
})

test('no change of the list around reports changes what is appraised', (t) => {
  const { content } = gpuItem(makeGpu(), makeGpu({ device: 1 }))
  const good = appraiseNvidiaSpdm({ kind: 'nvidia-spdm', content }, gpuInput())
  const check = (bytes: Uint8Array) => {
    const result = expectTyped(() => appraiseNvidiaSpdm({ kind: 'nvidia-spdm', content: bytes }, gpuInput()))
    if (result?.isGenuine !== true) return
    // White space, and the order or number of whole reports, are all that may differ.
    for (const id of result.deviceIds) assert.ok(good.deviceIds.includes(id))
  }
  checkProperty(t, [changedBytes([content])], 150, check)
  const list = JSON.parse(parseUtf8(content)) as Json
  checkProperty(t, [changedJson([list]).map(jsonBytes)], 150, check)
  assert.equal(gpuChain().length, 5)
})

const REAL: AppraisalInput = { ...gpuInput({ atMs: TEST_AT_MS, nonce: undefined }), roots: undefined as never }
const realItem = (content: Uint8Array) => appraiseNvidiaSpdm({ kind: 'nvidia-spdm', content }, REAL)

/** A report as a line of hexadecimal digits, with a chain in PEM beside it. */
function realReport(report: string, chain: string, arch: string) {
  const evidence = parseHex(
    parseUtf8(realData(`nvidia/${report}`))
      .trim()
      .toLowerCase(),
  )
  return { evidence, chainPem: parseUtf8(realData(`nvidia/${chain}`)), arch }
}

test('real GPUs of Hopper and Blackwell are genuine', { skip: NO_REAL_DATA }, (t) => {
  const one = realItem(realData('nvidia/hopper_evidence.json'))
  assert.deepEqual(
    [failed(one), one.isGenuine, one.deviceIds],
    [[], true, ['72ca27239f0e96f6535f73af84eb1542471a17b2']],
  )
  const gpu = realReport('blackwellAttestationReport.txt', 'blackwellCertChain.txt', 'BLACKWELL')
  const blackwell = realItem(nvidiaItem([gpu]))
  assert.deepEqual(
    [failed(blackwell), blackwell.isGenuine, blackwell.deviceIds],
    [[], true, ['530d7c3cbc31b7645ccfc78b123963978e709059']],
  )
  const old = realItem(nvidiaItem([realReport('hopperAttestationReport.txt', 'hopperCertChain.txt', 'HOPPER')]))
  assert.deepEqual([failed(old), old.isGenuine], [[], true])
  assert.equal(resultOf(old, 'firmware-id')?.result, 'not-checked')
  const swept = {
    ...{ name: 'Blackwell', bytes: gpu.evidence, unsigned: unsignedRegions(gpu.evidence), input: REAL },
    toItem: (evidence: Uint8Array) => gpuItem({ ...gpu, evidence }),
  }
  const { changes, problems } = sweepEvidence(swept, { step: 97 })
  assert.deepEqual(problems, [])
  t.diagnostic(`${changes} changes`)
})

test('four real GPUs are four; one of them four times is one', { skip: NO_REAL_DATA }, () => {
  const content = realData('nvidia/multi_gpu_hopper.json')
  const four = realItem(content)
  assert.deepEqual([failed(four), four.isGenuine, four.deviceIds.length], [[], true, 4])
  const [first] = JSON.parse(parseUtf8(content)) as readonly Json[]
  const copies = realItem(jsonBytes([first, first, first, first] as readonly Json[]))
  assert.deepEqual([failed(copies), copies.isGenuine, copies.deviceIds.length], [['nvidia-spdm/distinct'], false, 1])
  assert.match(resultOf(copies, 'distinct')?.detail ?? '', /4 reports are of 1 devices/)
})

test('a real report whose signature is not good is refused for that', { skip: NO_REAL_DATA }, () => {
  const gpu = realReport('hopperAttestationReportInvalidSignature.txt', 'hopperCertChain.txt', 'HOPPER')
  assert.deepEqual(failed(realItem(nvidiaItem([gpu]))), ['nvidia-spdm/signature'])
})
