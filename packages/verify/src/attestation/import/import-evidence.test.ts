import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { toBase64, toBase64Url } from '../../bytes/base64.ts'
import { concat, toHex, utf8 } from '../../bytes/bytes.ts'
import type { Json } from '../../bytes/json.ts'
import { checkProperty, expectTyped } from '../../fuzzing.testing.ts'
import { changedBytes } from '../../mutation.testing.ts'
import { azureEvidence } from '../azure-vtpm/azure-evidence.testing.ts'
import { parseAzureEvidence } from '../azure-vtpm/azure-evidence.ts'
import { azureTdxEvidence } from '../azure-vtpm/azure-tdx-evidence.testing.ts'
import type { CollateralBundle } from '../collateral.ts'
import { dstackLog, guestEvents } from '../event-log/event-log.testing.ts'
import { type EvidenceItem, formatEvidence } from '../evidence-file.ts'
import { makeNitroDocument, nitroItem } from '../nitro/nitro-evidence.testing.ts'
import { appraiseNvidiaSpdm } from '../nvidia/appraise-nvidia-spdm.ts'
import { nrasEvidence } from '../nvidia/nras-scene.testing.ts'
import { gpuInput, gpuItem, makeGpu } from '../nvidia/nvidia-evidence.testing.ts'
import { parseNvidiaItem } from '../nvidia/nvidia-item.ts'
import { snpEvidence } from '../sev-snp/sev-snp-evidence.testing.ts'
import { buildTdx, planTdx } from '../tdx/tdx-evidence.testing.ts'
import { tokenEvidence } from '../token/token-scenes.testing.ts'
import { pemOf } from '../x509/pki.testing.ts'
import { importCollateral } from './import-collateral.ts'
import { type ImportOptions, importEvidence } from './import-evidence.ts'

const TDX = ([4, 5] as const).map((version) => buildTdx(planTdx(version)).item)
const SNP = [2, 3, 5].map((version) => snpEvidence({ version: version as 2 | 3 | 5 }).item)
const NITRO = nitroItem(makeNitroDocument())
const BINARY: readonly EvidenceItem[] = [...TDX, ...SNP, NITRO, nitroItem(concat(Uint8Array.of(0xd2), NITRO.content))]
const [QUOTE = NITRO, REPORT = NITRO] = [TDX[0], SNP[1]]

const lines = (text: string, length: number) => text.replace(new RegExp(`(.{${length}})`, 'g'), '$1\r\n')
const json = (value: Json) => utf8(JSON.stringify(value, null, 1))

/** Every way in which people have bytes. */
const WAYS: { readonly [name: string]: (bytes: Uint8Array) => Uint8Array } = {
  'as they are': (bytes) => bytes,
  hexadecimal: (bytes) => utf8(toHex(bytes)),
  'hexadecimal with 0x, in capitals, with a line feed': (bytes) => utf8(`0x${toHex(bytes).toUpperCase()}\n`),
  'hexadecimal in lines': (bytes) => utf8(lines(toHex(bytes), 64)),
  base64: (bytes) => utf8(toBase64(bytes)),
  'base64 in lines': (bytes) => utf8(lines(toBase64(bytes), 76)),
  'base64 without padding': (bytes) => utf8(toBase64(bytes).replaceAll('=', '')),
  base64url: (bytes) => utf8(toBase64Url(bytes)),
  'a JSON text': (bytes) => json(toBase64(bytes)),
  'a list of numbers': (bytes) => json([...bytes]),
  'a member in hexadecimal': (bytes) => json({ quote: toHex(bytes), report_data: '00', vm_config: '{}' }),
  'a member in base64': (bytes) => json({ attestation_document: toBase64(bytes) }),
  'a member further in': (bytes) => json({ attestation: { evidence: { quote: toBase64Url(bytes) } } }),
  'a member that is there twice': (bytes) => json({ quote: toHex(bytes), intel_quote: toBase64(bytes) }),
}

function itemsOf(file: Uint8Array, options?: ImportOptions): readonly EvidenceItem[] {
  return importEvidence(file, options).evidence.items
}

for (const [way, write] of Object.entries(WAYS)) {
  test(`binary evidence is read from ${way}`, () => {
    for (const item of BINARY) {
      const file = write(item.content)
      assert.deepEqual(itemsOf(file), [item])
      assert.deepEqual(itemsOf(file, { kind: item.kind }), [item])
    }
  })
}

const refusesFile = (file: Uint8Array, why: RegExp, code = 'evidence/unsupported', options?: ImportOptions) =>
  assert.throws(
    () => importEvidence(file, options),
    (thrown: { code?: string; message: string }) => thrown.code === code && why.test(thrown.message),
    String(why),
  )

test('what is no evidence, or none that is appraised, is refused with what it is', () => {
  const sgx = concat(Uint8Array.of(3, 0, 2, 0, 0, 0, 0, 0), new Uint8Array(500))
  const newSgx = concat(Uint8Array.of(4, 0, 2, 0, 0, 0, 0, 0), new Uint8Array(500))
  const { hclReport, quote } = parseAzureEvidence(azureEvidence().item.content)
  const certificate = snpEvidence().input.collateral.items[0]?.content ?? new Uint8Array()
  for (const [file, why] of [
    [utf8('neither this nor that'), /its bytes do not tell/],
    [new Uint8Array(0), /its bytes do not tell/],
    [utf8('ab'.repeat(1000)), /its bytes do not tell/],
    [utf8(`04000200810000000${'0'.repeat(9_000_000)}`), /its bytes do not tell/],
    [sgx, /a quote of SGX/],
    [newSgx, /a quote of SGX/],
    [utf8(toHex(sgx)), /a quote of SGX/],
    [json({ quote: toBase64(sgx) }), /a quote of SGX/],
    [hclReport, /paravisor alone/],
    [quote.message, /a TPM alone/],
    [certificate, /certificates/],
    [utf8(pemOf(certificate)), /certificates/],
    [utf8(toBase64(certificate)), /certificates/],
    [concat(Uint8Array.of(0x81), new Uint8Array(1023)), /for its own machine/],
    [dstackLog(guestEvents()), /an event log/],
    [json({ attestation: `83a776657273696f6e01${'00'.repeat(60)}` }), /MessagePack/],
    [json({ keys: [] }), /collateral/],
    [json({ tcbInfo: {} }), /collateral/],
    [json({ something: 'else' }), /its bytes do not tell/],
    [utf8(`eyJ.${toBase64Url(utf8('{"iss":"https://nras.attestation.nvidia.com"}'))}.sig`), /one token of NVIDIA/],
    [utf8(`eyJ.${toBase64Url(utf8('{"iss":"https://issuer.example"}'))}.sig`), /issuer\.example/],
  ] as const) {
    refusesFile(file, why)
  }
})

test('two pieces of evidence in one file are refused, unless the kind tells them apart', () => {
  const both = json({ quote: toHex(QUOTE.content), attestation_document: toBase64(NITRO.content) })
  refusesFile(both, /several pieces of evidence \(tdx; nitro\)/)
  assert.deepEqual(itemsOf(both, { kind: 'nitro' }), [NITRO])
  const two = json({ quote: toHex(QUOTE.content), intel_quote: toHex(TDX[1]?.content ?? new Uint8Array()) })
  refusesFile(two, /several pieces of evidence \(tdx; tdx\)/)
  refusesFile(two, /several/, 'evidence/unsupported', { kind: 'tdx' })
})

test('what the caller says is believed where the bytes say nothing, and its own reader says what is wrong', () => {
  const file = utf8('ab'.repeat(100))
  assert.deepEqual(itemsOf(file, { kind: 'tdx' }), [{ kind: 'tdx', content: new Uint8Array(100).fill(0xab) }])
  assert.deepEqual(itemsOf(NITRO.content, { kind: 'tdx' }), [{ kind: 'tdx', content: NITRO.content }])
})

test('JSON that is cut off, or says a thing twice, is refused as such', () => {
  refusesFile(utf8('{"quote": "00'), /JSON/, 'json/malformed')
  refusesFile(utf8(`{"quote": "00", "quote": "01"}`), /twice/, 'json/duplicate-key')
  const deep = Array.from({ length: 6 }).reduce<Json>((inner) => ({ data: inner }), { quote: toHex(QUOTE.content) })
  refusesFile(json(deep), /its bytes do not tell/)
})

test('a quote brings the log beside it, as a list, as text, and as the table of ACPI', () => {
  const log = dstackLog(guestEvents())
  const quote = toHex(QUOTE.content)
  const text = Buffer.from(log).toString('utf8')
  for (const event_log of [text, JSON.parse(text) as Json]) {
    const [item] = itemsOf(json({ quote, event_log }))
    assert.equal(item?.eventLog?.format, 'dstack')
    assert.deepEqual(JSON.parse(Buffer.from(item?.eventLog?.content ?? []).toString('utf8')), JSON.parse(text))
  }
  const table = Uint8Array.of(0, 1, 2, 3)
  const [item] = itemsOf(json({ quote: toBase64(QUOTE.content), cc_eventlog: toBase64(table) }))
  assert.deepEqual(item?.eventLog, { format: 'ccel', content: table })
  assert.equal(itemsOf(json({ quote, event_log: null, cc_eventlog: '' }))[0]?.eventLog, undefined)
})

const CHAIN = snpEvidence().input.collateral.items.filter(({ kind }) => kind === 'certificate')
const [VCEK, ASK, ARK] = CHAIN.map(({ content }) => content)

/** A host's table: an entry for each, an entry of zeros, and what they list. */
function tableOf(...contents: readonly Uint8Array[]): Uint8Array {
  const head = new Uint8Array((contents.length + 1) * 24)
  const view = new DataView(head.buffer)
  let offset = head.length
  contents.forEach((content, i) => {
    head.fill(0x60 + i, i * 24, i * 24 + 16)
    view.setUint32(i * 24 + 16, offset, true)
    view.setUint32(i * 24 + 20, content.length, true)
    offset += content.length
  })
  return concat(head, ...contents)
}

test("a report brings the host's certificates: behind it, and beside it in JSON", () => {
  assert.ok(VCEK !== undefined && ASK !== undefined && ARK !== undefined)
  const report = REPORT.content
  const attestation_report = toBase64Url(report)
  const [vcek, ask, ark] = [VCEK, ASK, ARK].map(toBase64Url)
  for (const file of [
    concat(report, tableOf(VCEK, ASK, ARK)),
    concat(report, tableOf(VCEK, utf8(pemOf(ASK, ARK)))),
    json({ attestation_report, cert_chain: { vcek: vcek ?? '', ask: ask ?? '', ark: ark ?? '' } }),
    json({ platform: 'snp', evidence: { attestation_report, cert_chain: [vcek ?? '', ask ?? '', ark ?? ''] } }),
    json({
      attestation_report,
      cert_chain: [VCEK, ASK, ARK].map((data) => ({ cert_type: 'OTHER', data: [...data] })),
    }),
    json({ report: toHex(report), auxblob: toBase64(tableOf(VCEK, ASK, ARK)) }),
    json({ report: toHex(report), vcek: pemOf(VCEK), cert_chain: pemOf(ASK, ARK), something: [1, 'else'] }),
  ]) {
    const { evidence, collateral } = importEvidence(file)
    assert.deepEqual(evidence.items, [REPORT])
    const key = ({ content }: { content: Uint8Array }) => toHex(content)
    assert.deepEqual(collateral.items.map(key).sort(), CHAIN.map(key).sort())
  }
})

test('bytes behind a report that are no table stay where they are, and a driver’s header goes', () => {
  const padded = concat(REPORT.content, new Uint8Array(2816))
  assert.deepEqual(itemsOf(padded), [{ kind: 'sev-snp', content: padded }])
  const header = concat(new Uint8Array(4), Uint8Array.of(0xa0, 4, 0, 0), new Uint8Array(24))
  const answer = concat(header, REPORT.content, new Uint8Array(2784))
  assert.deepEqual(itemsOf(answer), [{ kind: 'sev-snp', content: answer.subarray(32) }])
  header[20] = 1
  refusesFile(concat(header, REPORT.content), /its bytes do not tell/)
})

test('a table of certificates that points outside itself, or into itself, is none', () => {
  assert.ok(VCEK !== undefined)
  const table = tableOf(VCEK)
  const changed = (at: number, value: number) => {
    const copy = table.slice()
    new DataView(copy.buffer).setUint32(at, value, true)
    return concat(REPORT.content, copy)
  }
  for (const file of [changed(16, 1), changed(16, 2 ** 31), changed(20, 2 ** 31), changed(20, 0), changed(40, 1)]) {
    assert.deepEqual(itemsOf(file), [{ kind: 'sev-snp', content: file }])
  }
})

test('tokens are told by their issuer, alone, with a line feed, and in JSON', () => {
  for (const kind of ['confidential-space', 'maa'] as const) {
    const { item } = tokenEvidence(kind)
    const token = Buffer.from(item.content).toString('utf8')
    for (const file of [item.content, utf8(`${token}\n`), json({ token }), json({ evidence: { jwt: token } })]) {
      assert.deepEqual(itemsOf(file), [item])
    }
  }
})

test('an answer of NVIDIA’s service, and evidence of ours, are taken as they are', () => {
  const { item } = nrasEvidence()
  assert.deepEqual(itemsOf(item.content), [item])
  const kit = json({ claims: [], detached_eat: JSON.parse(Buffer.from(item.content).toString('utf8')), result_code: 0 })
  assert.deepEqual(itemsOf(kit), [item])
  const file = { profile: 'dstack', items: [QUOTE], nonce: Uint8Array.of(1), beside: { a: 1 } } as const
  assert.deepEqual(importEvidence(json(formatEvidence(file))).evidence, file)
})

test('Azure’s guests: ours, and as attestation-rs and Confidential Containers write it', () => {
  for (const { item } of [azureEvidence(), azureTdxEvidence()]) {
    assert.deepEqual(itemsOf(item.content), [item])
    const { hclReport, quote, hardwareQuote } = parseAzureEvidence(item.content)
    const [message, signature] = [toHex(quote.message), toHex(quote.signature)]
    const registers = [...quote.registers.values()]
    const td = hardwareQuote === undefined ? {} : { td_quote: toBase64Url(hardwareQuote) }
    const vcek = hardwareQuote === undefined ? { vcek: pemOf(VCEK ?? new Uint8Array()) } : {}
    const inner = {
      ...{ version: 1, tpm_quote: { message, signature, pcrs: registers.map(toHex) } },
      ...{ hcl_report: toBase64Url(hclReport), ...td, ...vcek },
    }
    const numbers = {
      quote: {
        ...{ message: [...quote.message], signature: [...quote.signature] },
        pcrs: registers.map((value) => [...value]),
      },
      ...{ report: [...hclReport], ...td, ...vcek },
    }
    for (const value of [
      inner,
      { ...inner, version: 2, other: 1 },
      numbers,
      { platform: hardwareQuote ? 'az-tdx' : 'az-snp', evidence: inner },
    ]) {
      const { evidence, collateral } = importEvidence(json(value))
      assert.deepEqual(evidence.items, [item])
      assert.deepEqual(collateral.items, hardwareQuote ? [] : [{ kind: 'certificate', content: VCEK }])
    }
  }
})

const GPUS = [
  ...[makeGpu(), makeGpu({ device: 1 }), makeGpu({ isBlackwell: true, device: 2 })],
  makeGpu({ isSwitch: true, device: 3 }),
]
const [GPU = makeGpu()] = GPUS
const chainOf = (pem: string): CollateralBundle => ({ items: importCollateral(utf8(pem)) })

test('a bare report of a GPU takes its certificates from the collateral', () => {
  for (const gpu of GPUS) {
    for (const write of Object.values(WAYS).slice(0, 5)) {
      const { evidence } = importEvidence(write(gpu.evidence), { collateral: chainOf(gpu.chainPem) })
      const [item = NITRO] = evidence.items
      assert.equal(appraiseNvidiaSpdm(item, gpuInput()).isGenuine, true)
      assert.equal(parseNvidiaItem(item.content)[0]?.arch, gpu.arch)
    }
  }
  const bundle = chainOf(GPU.chainPem)
  const shuffled = { items: [...bundle.items].reverse().concat(CHAIN, bundle.items) }
  assert.deepEqual(
    itemsOf(GPU.evidence, { collateral: shuffled }),
    itemsOf(GPU.evidence, { collateral: bundle }),
    'in any order, and among others',
  )
})

test('without its certificates, or with those of several devices, it says what to give', () => {
  refusesFile(GPU.evidence, /give its chain as collateral/, 'collateral/missing')
  refusesFile(utf8(toHex(GPU.evidence)), /give its chain as collateral/, 'collateral/missing')
  const two = { items: GPUS.flatMap(({ chainPem }) => chainOf(chainPem).items) }
  refusesFile(GPU.evidence, /certificates of 4 devices/, 'evidence/unsupported', { collateral: two })
  const foreign = importEvidence(GPU.evidence, { collateral: chainOf(GPUS[1]?.chainPem ?? '') }).evidence.items[0]
  const { checks } = appraiseNvidiaSpdm(foreign ?? NITRO, gpuInput())
  assert.deepEqual(
    checks.filter(({ result }) => result === 'fail').map(({ name }) => name),
    ['nvidia-spdm/signature'],
  )
})

const partsOf = ({ evidence, chainPem }: typeof GPU) => ({
  certificate: toBase64(utf8(chainPem)),
  evidence: toBase64(evidence),
})

test('reports of GPUs as the service is asked, as the kit writes them, and as a collection of messages', () => {
  const nonce = 'c0'.repeat(32)
  const [one, two] = [GPU, GPUS[1] ?? GPU]
  const kit = { ...partsOf(one), arch: 'HOPPER', nonce, version: '1.0', driver_version: '590.12' }
  const message = (type: string, bytes: Uint8Array): Json => [`application/vnd.nvidia.${type}`, toBase64Url(bytes)]
  const collection = {
    __cmwc_t: 'tag:nvidia.com,2026:verifier-input/profiles/base/pre-1.0.0',
    nonce: ['application/octet-stream', 'AA'],
    gpu_0: {
      evidence: message('spdm-measurement-transcript', one.evidence),
      certificate: message('pem-cert-chain', utf8(one.chainPem)),
    },
  }
  for (const [value, count] of [
    [[kit], 1],
    [[{ ...kit, vbios_version: '96.00.a5.00.01' }], 1],
    [kit, 1],
    [{ nonce, arch: 'HOPPER', evidence_list: [partsOf(one), partsOf(two)] }, 2],
    [{ nonce, evidence_list: [partsOf(one)] }, 1],
    [{ evidences: [kit], result_code: 0, result_message: 'Ok' }, 1],
    [{ device_evidence_list: [{ ...partsOf(one), arch: 'Hopper', uuid: 'GPU-1' }] }, 1],
    [[{ ...kit, uuid: 'GPU-1' }], 1],
    [{ ...partsOf(one), arch: 'HOPPER', nonce }, 1],
    [collection, 1],
  ] as const) {
    const [item = NITRO] = itemsOf(json(value))
    const { isGenuine, deviceIds } = appraiseNvidiaSpdm(item, gpuInput())
    assert.deepEqual([isGenuine, deviceIds.length], [true, count])
  }
  refusesFile(
    json({ nonce, arch: 'HOPPER', evidence_list: [{ ...partsOf(one), nonce: '00'.repeat(32) }] }),
    /nonce/,
    'evidence/mismatch',
  )
  refusesFile(json({ nonce, arch: 'HOPPER', evidence_list: [] }), /no report/, 'evidence/malformed')
  const other = { ...collection, gpu_0: { ...collection.gpu_0, evidence: ['application/eat+cwt', 'AA'] } }
  refusesFile(json(other), /gpu_0\.evidence/)
})

test('a nonce of the whole has to be the one in the report, as one beside it', () => {
  const nonce = '11'.repeat(32)
  const [item = NITRO] = itemsOf(json({ nonce, arch: 'HOPPER', evidence_list: [partsOf(GPU)] }))
  const [format] = appraiseNvidiaSpdm(item, gpuInput()).checks
  assert.deepEqual([format?.result, format?.code], ['fail', 'evidence/mismatch'])
})

test('a processor and the GPUs beside it are one place', () => {
  const payload = { nonce: 'c0'.repeat(32), arch: 'HOPPER', evidence_list: [partsOf(GPU)] }
  for (const nvidia_payload of [JSON.stringify(payload), payload]) {
    const items = itemsOf(json({ intel_quote: toHex(QUOTE.content), nvidia_payload }))
    assert.deepEqual(items, [QUOTE, { kind: 'nvidia-spdm', content: items[1]?.content }])
    assert.equal(appraiseNvidiaSpdm(items[1] ?? NITRO, gpuInput()).isGenuine, true)
  }
})

test('any bytes, and changes to files that are read, give evidence or an error of ours', (t) => {
  const files = [
    ...Object.values(WAYS).map((write) => write(NITRO.content)),
    concat(REPORT.content, tableOf(...CHAIN.map(({ content }) => content))),
    json({ nonce: 'c0'.repeat(32), evidence_list: [partsOf(GPU)] }),
    gpuItem(GPU).content,
    utf8(toHex(GPU.evidence)),
  ]
  checkProperty(t, [fc.oneof(fc.uint8Array({ maxLength: 300 }), changedBytes(files))], 400, (file) => {
    expectTyped(() => importEvidence(file, { collateral: chainOf(GPU.chainPem) }))
  })
})
