import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseUtf8, utf8 } from '../bytes/bytes.ts'
import type { Json } from '../bytes/json.ts'
import { createNodeCrypto } from '../crypto/node-provider.ts'
import { jsonBytes, NOW_MS } from '../fixture.testing.ts'
import { assertRefusals, shapeRefusals } from '../refusals.testing.ts'
import { buildScene } from '../scene.testing.ts'
import { parseAcceptance, parseDeployment } from './deployment.ts'
import { erasureStatement, parseErasure } from './erasure.ts'
import { parseInference } from './inference.ts'
import { modelRootDigest, modelStatement, parseModel } from './model.ts'
import { formatStatement, parseStatement, type Statement, subjectDigest } from './statement.ts'

const crypto = createNodeCrypto()
const scene = buildScene()
const payloadOf = (index: number) => JSON.parse(parseUtf8(scene.log.entry(index).payload)) as Json
const DIGEST = 'ab'.repeat(32)

/** A parser of one type of statement, from the JSON of its payload. */
function reader<T>(read: (statement: Statement) => T): (value: Json) => T {
  return (value) => read(parseStatement(jsonBytes(value)))
}

test('a statement is read as it was written', () => {
  const statement: Statement = {
    subjects: [{ name: 'a', digest: { sha256: DIGEST } }],
    predicateType: 'urn:example',
    predicate: { any: ['thing'] },
  }
  assert.deepEqual(parseStatement(formatStatement(statement)), statement)
  assert.throws(() => parseStatement(utf8('{"_type":"x","_type":"x"}')), { code: 'json/duplicate-key' })
})

test('a statement has its shape, and no other', () => {
  const answer = payloadOf(scene.index)
  assertRefusals(
    answer,
    reader((statement) => statement),
    [
      [['_type'], 'https://in-toto.io/Statement/v0.1', 'shape/bad-value'],
      [['subject'], {}, 'shape/wrong-type'],
      [['subject', 0, 'name'], undefined, 'shape/missing-field'],
      [['subject', 0, 'digest'], {}, 'shape/missing-field'],
      [['subject', 0, 'digest', 'sha256'], 'AB'.repeat(32), 'shape/bad-value'],
      [['subject', 0, 'digest', 'sha256'], 'ab'.repeat(31), 'shape/bad-value'],
      [['subject', 0, 'digest', 'SHA256'], DIGEST, 'shape/bad-value'],
      [['subject', 0, 'digest'], JSON.parse(`{"__proto__":"${DIGEST}"}`), 'shape/bad-value'],
      [['subject', 0, 'more'], 1, 'shape/unknown-field'],
      [['predicate'], undefined, 'shape/missing-field'],
      [['more'], 1, 'shape/unknown-field'],
    ],
  )
  const many = Array.from({ length: 1025 }, () => ({ name: 'a', digest: { sha256: DIGEST } }))
  assertRefusals(
    answer,
    reader((statement) => statement),
    [[['subject'], many, 'shape/bad-value']],
  )
})

test('a digest is found by name and algorithm, when one subject has that name', () => {
  const subject = { name: 'a', digest: { sha256: DIGEST } }
  const statement = { subjects: [subject], predicateType: '', predicate: null }
  assert.equal(subjectDigest(statement, 'a', 'sha256'), DIGEST)
  assert.equal(subjectDigest(statement, 'b', 'sha256'), undefined)
  assert.equal(subjectDigest(statement, 'a', 'sha512'), undefined)
  assert.equal(subjectDigest({ ...statement, subjects: [subject, subject] }, 'a', 'sha256'), undefined)
})

test('an inference has every field, in its type and within its bounds', () => {
  const value = payloadOf(scene.index)
  const parse = reader(parseInference)
  const predicate = (...path: readonly (string | number)[]) => ['predicate', ...path]
  assertRefusals(
    value,
    parse,
    shapeRefusals(value, ['engine', 'rows', 'digest', 'name']).filter(([[first]]) => first === 'predicate'),
  )
  assertRefusals(value, parse, [
    [['predicateType'], 'urn:countersign:inference/v2', 'statement/wrong-type'],
    [['subject', 0, 'name'], 'something-else', 'shape/bad-value'],
    [['subject', 1, 'name'], 'request-received', 'shape/bad-value'],
    [['subject', 0], undefined, 'shape/missing-field'],
    [['subject', 0, 'digest', 'sha256'], DIGEST, 'shape/bad-value'],
    [predicate('receipt'), 'ab'.repeat(15), 'shape/bad-value'],
    [predicate('model', 'digestSource'), 'unknown', 'shape/bad-value'],
    [predicate('model', 'digest'), undefined, 'shape/bad-value'],
    [predicate('model', 'digestSource'), 'guessed', 'shape/bad-value'],
    [predicate('usage'), 'none', 'shape/wrong-type'],
    [predicate('usage', 'rows'), -1, 'shape/bad-value'],
    [predicate('usage', 'rows'), 0.5, 'shape/wrong-type'],
    [predicate('finish', 'reason'), 'done', 'shape/bad-value'],
    [predicate('parameters', 'seed'), 5, 'shape/wrong-type'],
    [predicate('parameters', 'seed'), '05', 'shape/bad-value'],
    [predicate('parameters', 'temperature'), '.5', 'shape/bad-value'],
    [predicate('parameters', 'temperature'), 'eee', 'shape/bad-value'],
    [predicate('attempts', 0, 'status'), 99, 'shape/bad-value'],
    [predicate('attempts', 0, 'outcome'), 'maybe', 'shape/bad-value'],
    [predicate('observations'), ['seen'], 'shape/bad-value'],
    [predicate('observations'), ['cache-hit', 'cache-hit'], 'shape/bad-value'],
    [predicate('price'), [{ item: 'x', amountMicros: 1, currency: 'eur', payee: 'y' }], 'shape/bad-value'],
    [predicate('price'), [{ item: 'x', amountMicros: 0.1, currency: 'EUR', payee: 'y' }], 'shape/wrong-type'],
    [predicate('evidence'), Array.from({ length: 65 }, () => DIGEST), 'shape/bad-value'],
    [predicate('parents'), [DIGEST], 'shape/bad-value'],
    [predicate('nonce'), 'with space', 'shape/bad-value'],
    [predicate('endedAtMs'), NOW_MS - 1, 'shape/bad-value'],
    [predicate('endedAtMs'), 8_640_000_000_000_001, 'shape/bad-value'],
    [predicate('checkpoint', 'size'), -1, 'shape/bad-value'],
    [predicate('checkpoint', 'root'), DIGEST.slice(2), 'shape/bad-value'],
    [predicate('epoch'), 1, 'shape/wrong-type'],
    [predicate('sequence'), '0', 'shape/wrong-type'],
  ])
})

interface Payload {
  readonly [name: string]: Json
  readonly subject: readonly Json[]
  readonly predicate: { readonly [name: string]: Json }
}

/** The scene's answer as one through an upstream, with every optional part. */
function relayedAnswer(): Payload {
  const value = payloadOf(scene.index) as unknown as Payload
  const parameters = { temperature: '0.7', topP: '1', seed: '-18446744073709551616', maxTokens: 5 }
  const times = { startedAtMs: NOW_MS, endedAtMs: NOW_MS + 1 }
  const predicate = {
    ...value.predicate,
    ...{ usage: 'unknown', nonce: 'n-1', parameters },
    attempts: [
      {
        ...{ upstream: 'provider', outcome: 'failed', status: 503, code: 'upstream/busy' },
        ...{ model: 'Modell für alle', requestId: 'req 1', tlsCertificate: DIGEST, ...times },
      },
    ],
    reported: { id: 'chatcmpl-1', systemFingerprint: 'fp 模型' },
    repeats: 'ab'.repeat(16),
    observations: ['cache-hit', 'request-changed'],
  }
  const patch = { name: 'request-patch', digest: { 'countersign-commitment-v1': DIGEST } }
  return { ...value, subject: [...value.subject, patch], predicate }
}

test('optional parts of an inference are kept', () => {
  const value = relayedAnswer()
  const { commitments, ...read } = reader(parseInference)(value)
  assert.deepEqual(read, value.predicate)
  assert.equal(Object.keys(commitments).length, 5)
  const { reported: _, ...unreported } = value.predicate
  const parse = reader(parseInference)
  for (const reported of [{}, { id: 'a' }, { systemFingerprint: 'b' }]) {
    assert.deepEqual(parse({ ...value, predicate: { ...unreported, reported } }).reported, reported)
  }
})

test('what an upstream says is text of one line that everyone sees alike', () => {
  const value = relayedAnswer()
  const texts: readonly (readonly (string | number)[])[] = [
    ['predicate', 'attempts', 0, 'model'],
    ['predicate', 'attempts', 0, 'requestId'],
    ['predicate', 'reported', 'id'],
    ['predicate', 'reported', 'systemFingerprint'],
  ]
  for (const path of texts) {
    const invisible = ['', 'a\n', 'a\u001b[2J', 'a\u202eb', 'a\u200b', '\u00a0', '\ud800', 'x'.repeat(257)]
    assertRefusals(value, reader(parseInference), [
      ...invisible.map((text) => [path, text, 'shape/bad-value'] as const),
      [path, 5, 'shape/wrong-type'],
      [path, null, 'shape/wrong-type'],
    ])
  }
  assertRefusals(value, reader(parseInference), [
    [['predicate', 'attempts', 0, 'tlsCertificate'], 'cd', 'shape/bad-value'],
    [['predicate', 'attempts', 0, 'surplus'], 1, 'shape/unknown-field'],
    [['predicate', 'reported', 'surplus'], 1, 'shape/unknown-field'],
    [['predicate', 'repeats'], 'ab'.repeat(15), 'shape/bad-value'],
  ])
})

test('observations and what belongs to them come together', () => {
  const value = relayedAnswer()
  assertRefusals(value, reader(parseInference), [
    [['predicate', 'observations'], ['request-changed'], 'shape/bad-value'],
    [['predicate', 'repeats'], undefined, 'shape/bad-value'],
    [['predicate', 'observations'], ['cache-hit'], 'shape/bad-value'],
    [['subject', 4], undefined, 'shape/bad-value'],
  ])
})

test('a deployment and an acceptance have their shapes', () => {
  const [, manifest, acceptance] = scene.linked.map(payloadOf)
  assert.ok(manifest !== undefined && acceptance !== undefined)
  assertRefusals(
    manifest,
    reader(parseDeployment),
    shapeRefusals(manifest, []).filter(([[first]]) => first === 'predicate'),
  )
  assertRefusals(manifest, reader(parseDeployment), [
    [['predicateType'], 'urn:countersign:acceptance/v1', 'statement/wrong-type'],
    [['predicate', 'models', 0, 'agreement'], 'close', 'shape/bad-value'],
    [['predicate', 'vault'], 'some', 'shape/bad-value'],
    [['predicate', 'onFailure'], 'shrug', 'shape/bad-value'],
    [['predicate', 'deadlines', 'respondDays'], 0, 'shape/bad-value'],
    [['predicate', 'deadlines', 'respondDays'], 3661, 'shape/bad-value'],
    [['predicate', 'example'], 'no', 'shape/wrong-type'],
    [['predicate', 'prices'], [{ item: 'x', amountMicros: 1, currency: 'EURO' }], 'shape/bad-value'],
    [['predicate', 'accountable', 'keyId'], 'ab', 'shape/bad-value'],
  ])
  assertRefusals(
    acceptance,
    reader(parseAcceptance),
    shapeRefusals(acceptance, []).filter(([[first]]) => first === 'predicate'),
  )
  assertRefusals(acceptance, reader(parseAcceptance), [
    [['predicateType'], 'urn:countersign:deployment/v1', 'statement/wrong-type'],
    [['predicate', 'acceptedAtMs'], -1, 'shape/bad-value'],
  ])
})

/** The scene's manifest as one with upstreams. */
function routedManifest(): Payload {
  const [, manifest] = scene.linked.map(payloadOf) as unknown as [Payload, Payload]
  const predicate = {
    ...manifest.predicate,
    models: [],
    upstreams: [
      { name: 'provider', kind: 'openai', origin: 'https://api.example.org', model: 'large 1', weight: 3, rank: 0 },
      { name: 'provider', kind: 'openai', origin: 'https://api.example.org', weight: 1, rank: 0 },
      { name: 'near', kind: 'kserve', origin: 'http://[::1]:8000', weight: 1_000_000, rank: 63 },
      { name: 'own', kind: 'llama', origin: 'embedded', weight: 1, rank: 1 },
    ],
    answersTo: ['large', 'großes Modell', 'large-*', '*'],
    changes: [
      { op: 'set-default', path: '/temperature', value: 0.5 },
      { op: 'set', path: '/metadata', value: { nested: [[[[[[null]]]]]] } },
      { op: 'set', path: '/user', value: null },
    ],
    cache: { maxAgeSeconds: 600 },
    prices: [{ item: 'input-tokens', amountMicros: 150_000, currency: 'USD', per: 1_000_000 }],
  }
  return { ...manifest, predicate }
}

test('a manifest of upstreams is read as it was written, and one without them as before', () => {
  const value = routedManifest()
  assert.deepEqual(reader(parseDeployment)(value), value.predicate)
  const [, manifest] = scene.linked.map(payloadOf) as unknown as [Payload, Payload]
  assert.deepEqual(reader(parseDeployment)(manifest), manifest.predicate)
  const { upstreams: _, ...nothing } = value.predicate
  const parse = reader(parseDeployment)
  assert.throws(() => parse({ ...value, predicate: nothing }), { code: 'shape/missing-field' })
  assert.throws(() => parse({ ...value, predicate: { ...nothing, upstreams: [] } }), { code: 'shape/missing-field' })
})

test('upstreams, names, changes and prices have their bounds', () => {
  const value = routedManifest()
  const at = (...path: readonly (string | number)[]) => ['predicate', ...path]
  const bad = (path: readonly (string | number)[], text: Json) => [path, text, 'shape/bad-value'] as const
  const one = { op: 'set', path: '/a', value: 1 }
  assertRefusals(
    value,
    reader(parseDeployment),
    shapeRefusals(value, ['model', 'per', 'answersTo', 'changes', 'cache', 'nested']).filter(([path]) => {
      const [first, second] = path
      // A value that a change sets may be anything.
      return first === 'predicate' && second !== undefined && second !== 'surplus' && !path.includes('value')
    }),
  )
  assertRefusals(value, reader(parseDeployment), [
    bad(at('upstreams', 0, 'name'), 'with space'),
    bad(at('upstreams', 0, 'kind'), 'other'),
    bad(at('upstreams', 0, 'kind'), 'llama'),
    bad(at('upstreams', 3, 'kind'), 'openai'),
    ...['ftp://a', 'https://a/path', 'https://user@a', 'https://a?b', 'https://', 'a', 'https://a b', ''].map(
      (origin) => bad(at('upstreams', 0, 'origin'), origin),
    ),
    bad(at('upstreams', 0, 'model'), 'a\u202eb'),
    bad(at('upstreams', 0, 'weight'), 0),
    bad(at('upstreams', 0, 'weight'), 1_000_001),
    bad(at('upstreams', 0, 'rank'), -1),
    bad(at('upstreams', 0, 'rank'), 64),
    bad(
      at('upstreams'),
      Array.from({ length: 65 }, () => ({})),
    ),
    bad(at('answersTo'), []),
    bad(at('answersTo', 0), '*large'),
    bad(at('answersTo', 0), 'la*rge*'),
    bad(at('answersTo', 0), '**'),
    bad(at('answersTo', 0), 'large-*'),
    bad(at('answersTo', 0), ''),
    bad(at('changes', 0, 'op'), 'remove'),
    ...['temperature', '/', '/a/b', '/a~1b', '/model', '/stream', '/user', `/${'a'.repeat(128)}`].map((path) =>
      bad(at('changes', 0, 'path'), path),
    ),
    bad(at('changes', 0, 'value'), 2 ** 53),
    bad(at('changes', 0, 'value'), [{ a: -(2 ** 60) }]),
    bad(at('changes', 0, 'value'), 'x'.repeat(4095)),
    bad(at('changes', 0, 'value'), [[[[[[[[[1]]]]]]]]]),
    bad(
      at('changes'),
      Array.from({ length: 65 }, (_, i) => ({ ...one, path: `/a${i}` })),
    ),
    bad(at('cache', 'maxAgeSeconds'), 0),
    bad(at('cache', 'maxAgeSeconds'), 366 * 86_400 + 1),
    bad(at('prices', 0, 'per'), 0),
  ])
  const longest = { ...one, value: 'x'.repeat(4094) }
  const { predicate } = value
  assert.doesNotThrow(() => reader(parseDeployment)({ ...value, predicate: { ...predicate, changes: [longest] } }))
})

test('a model’s root digest covers its files, whatever their order', () => {
  const files = [
    { name: 'b', digest: DIGEST },
    { name: 'a', digest: 'cd'.repeat(32) },
  ]
  const statement = modelStatement(crypto, 'model', files)
  const value = JSON.parse(parseUtf8(formatStatement(statement))) as Json
  const parse = reader((each) => parseModel(crypto, each))
  assert.equal(parse(value).rootDigest, modelRootDigest(crypto, files.toReversed()))
  assertRefusals(value, parse, [
    [['subject', 0, 'digest', 'sha256'], DIGEST, 'shape/bad-value'],
    [['predicate', 'resources', 0, 'digest'], DIGEST, 'shape/bad-value'],
    [['predicate', 'resources', 0], undefined, 'shape/bad-value'],
    [['predicate', 'resources', 1, 'name'], 'a', 'shape/bad-value'],
    [['predicate', 'resources', 0, 'algorithm'], 'sha512', 'shape/bad-value'],
    [['predicate', 'serialization', 'allow_symlinks'], true, 'shape/bad-value'],
    [['predicate', 'serialization', 'method'], 'shards', 'shape/bad-value'],
    [['predicate', 'more'], 1, 'shape/unknown-field'],
    [['predicateType'], 'urn:example', 'statement/wrong-type'],
  ])
})

test('an erasure names receipts', () => {
  const statement = erasureStatement([{ receipt: 'ab'.repeat(16), statement: DIGEST }], 'requested', NOW_MS)
  const value = JSON.parse(parseUtf8(formatStatement(statement))) as Json
  const parse = reader(parseErasure)
  assert.deepEqual(parse(value), { receipts: ['ab'.repeat(16)], reason: 'requested', erasedAtMs: NOW_MS })
  assertRefusals(value, parse, [
    [['subject', 0, 'name'], 'a person', 'shape/bad-value'],
    [['predicate', 'reason'], 'because', 'shape/bad-value'],
    [['predicate', 'erasedAtMs'], undefined, 'shape/missing-field'],
    [['predicate', 'subject'], 'a person', 'shape/unknown-field'],
    [['predicateType'], 'urn:example', 'statement/wrong-type'],
  ])
})
