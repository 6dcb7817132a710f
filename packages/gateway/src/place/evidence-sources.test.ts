import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { test } from 'node:test'
import { gzipSync } from 'node:zlib'
import { codeOf, formatEvidence, type ProfileName, parseEvidence, toHex, utf8 } from '@countersign/verify'
import fc from 'fast-check'
import { selfSignedCertificate } from '../mock-upstream/certificate.testing.ts'
import { EVIDENCE_SOURCES, MAX_ANSWER_BYTES } from './evidence-sources.ts'
import { tlsKeyOf } from './place-scene.testing.ts'

const QUOTE = 'c0ffee'
const NONE = { shown: undefined }

function read(profile: ProfileName, value: unknown, shown: Parameters<typeof answerOf>[1] = undefined) {
  const { items, beside } = EVIDENCE_SOURCES[profile].read(answerOf(value, shown))
  // As it will be kept, and read again.
  const file = utf8(JSON.stringify(formatEvidence({ profile, items, nonce: new Uint8Array(32), beside })))
  const evidence = parseEvidence(file)
  return {
    beside: evidence.beside,
    items: evidence.items.map(({ kind, content, eventLog }) => ({
      kind,
      content: /^(nvidia|conf)/.test(kind) ? Buffer.from(content).toString() : toHex(content),
      ...(eventLog === undefined ? {} : { eventLog: Buffer.from(eventLog.content).toString() }),
    })),
  }
}

function answerOf(value: unknown, shown: { der: Uint8Array; sha256: string; keySha256: string } | undefined) {
  return { body: utf8(typeof value === 'string' ? value : JSON.stringify(value)), shown }
}

test('NEAR AI: the gateway that connections end in, or else the first machine of the model, with its GPUs as one item', () => {
  const member = {
    signing_address: '0xAb',
    signing_algo: 'ecdsa',
    intel_quote: QUOTE,
    event_log: '[{"imr":3}]',
    nvidia_payload: JSON.stringify({
      nonce: '00',
      arch: 'HOPPER',
      evidence_list: [{ certificate: 'YQ==', evidence: 'Yg==' }],
    }),
    info: { compose: 'much' },
  }
  const report = { model_attestations: [member, { intel_quote: 'ff' }] }
  assert.deepEqual(read('near-ai', report), {
    beside: { signing_address: '0xAb', signing_algo: 'ecdsa' },
    items: [
      { kind: 'tdx', content: QUOTE, eventLog: '[{"imr":3}]' },
      { kind: 'nvidia-spdm', content: '[{"arch":"HOPPER","certificate":"YQ==","evidence":"Yg=="}]' },
    ],
  })
  const alone = { intel_quote: '0xC0FFEE', tls_cert_fingerprint: 'ab' }
  assert.deepEqual(read('near-ai', { gateway_attestation: alone, model_attestations: [member] }), {
    beside: { tls_cert_fingerprint: 'ab' },
    items: [{ kind: 'tdx', content: QUOTE }],
  })
})

test('dstack: a quote, and its event log as text or list', () => {
  for (const log of ['[{"imr":3}]', [{ imr: 3 }]]) {
    assert.deepEqual(read('dstack', { quote: QUOTE, event_log: log, report_data: '00' }), {
      beside: {},
      items: [{ kind: 'tdx', content: QUOTE, eventLog: '[{"imr":3}]' }],
    })
  }
})

test('Tinfoil: a report, packed', () => {
  const body = gzipSync(Buffer.from(QUOTE, 'hex')).toString('base64')
  const formats = [
    ['https://tinfoil.sh/predicate/sev-snp-guest/v2', 'sev-snp'],
    ['https://tinfoil.sh/predicate/tdx-guest/v1', 'tdx'],
  ]
  for (const [format, kind] of formats) {
    assert.deepEqual(read('tinfoil', { format, body }), { beside: {}, items: [{ kind, content: QUOTE }] })
  }
  assert.throws(
    () => read('tinfoil', { format: 'https://tinfoil.sh/predicate/other/v1', body }),
    (error) => codeOf(error) === 'evidence/unsupported',
  )
  const bomb = gzipSync(Buffer.alloc(MAX_ANSWER_BYTES + 1)).toString('base64')
  for (const bad of [bomb, 'AAAA']) {
    assert.throws(
      () => read('tinfoil', { format: formats[0]?.[0], body: bad }),
      (error) => codeOf(error) === 'shape/bad-value',
    )
  }
})

test('OpenGradient: a document in base64, bare or as a member', () => {
  const items = [{ kind: 'nitro', content: QUOTE }]
  assert.deepEqual(read('opengradient', 'wP/u\n'), { beside: {}, items })
  assert.deepEqual(read('opengradient', { attestation_document: 'wP/u', publicKey: 'AA==', extra: 1 }), {
    beside: { publicKey: 'AA==' },
    items,
  })
})

test('ACI: a quote or report with the key set beside it', () => {
  const keys = { workload_keyset: { a: 1 }, keyset_endorsement: { algo: 'ed25519' } }
  const answer = (tee_type: string) => ({
    attestation: { tee_type, evidence: { quote: QUOTE, event_log: [] }, ...keys },
  })
  assert.deepEqual(read('aci', answer('tdx')), {
    beside: keys,
    items: [{ kind: 'tdx', content: QUOTE, eventLog: '[]' }],
  })
  assert.deepEqual(read('aci', answer('sev_snp')), { beside: keys, items: [{ kind: 'sev-snp', content: QUOTE }] })
})

test('Confidential Space: a token, with the key of the connection that it came over', () => {
  const { cert } = selfSignedCertificate()
  const der = new Uint8Array(Buffer.from(cert.replace(/-----[A-Z ]+-----|\n/g, ''), 'base64'))
  const { beside, items } = read('confidential-space', 'a.b.c\n', { der, sha256: '', keySha256: '' })
  assert.deepEqual(items, [{ kind: 'confidential-space', content: 'a.b.c' }])
  const spki = Buffer.from(String(beside.servingKey), 'base64')
  assert.equal(createHash('sha256').update(spki).digest('hex'), tlsKeyOf(cert))
})

test('our own format: the challenge in the file does not count', () => {
  const items = [{ kind: 'nitro' as const, content: Uint8Array.of(1) }]
  const file = formatEvidence({ profile: 'tinfoil', items, nonce: new Uint8Array(32).fill(7), beside: { a: 1 } })
  const got = EVIDENCE_SOURCES.countersign.read(answerOf(file, undefined))
  assert.deepEqual(Object.keys(got).sort(), ['beside', 'items'])
})

test('whatever a provider answers, there is evidence or an error of ours', () => {
  const names = Object.keys(EVIDENCE_SOURCES) as ProfileName[]
  const members = fc.dictionary(
    fc.constantFrom(
      'quote',
      'intel_quote',
      'event_log',
      'body',
      'format',
      'tee',
      'nvidia_payload',
      'model_attestations',
    ),
    fc.jsonValue(),
  )
  const body = fc.oneof(
    fc.uint8Array({ maxLength: 300 }),
    fc.json().map(utf8),
    members.map((each) => utf8(JSON.stringify(each))),
  )
  fc.assert(
    fc.property(fc.constantFrom(...names), body, (name, bytes) => {
      try {
        EVIDENCE_SOURCES[name].read({ body: bytes, ...NONE })
      } catch (thrown) {
        assert.ok(codeOf(thrown) !== undefined, String(thrown))
      }
    }),
    { numRuns: 2000 },
  )
})
