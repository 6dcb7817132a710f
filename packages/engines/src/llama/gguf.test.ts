import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import fc from 'fast-check'
import { TINY_ENGLISH } from './engines.testing.ts'
import { ENTRIES, type GgufContent, TENSORS, writeGguf } from './gguf.testing.ts'
import { MAX_GGUF_ENTRIES, MAX_GGUF_TENSORS, parseGgufHead } from './gguf.ts'

const FILE_BYTES = 4096

function parse(content: Partial<GgufContent>, fileBytes = FILE_BYTES) {
  return parseGgufHead(writeGguf({ entries: ENTRIES, tensors: TENSORS, ...content }), fileBytes)
}

/** The entries with one more, or with another value for one. */
function withEntry(key: string, value: GgufContent['entries'][number][1]): GgufContent['entries'] {
  return [...ENTRIES.filter(([each]) => each !== key), [key, value]]
}

test('the head of the bundled model says what it is', () => {
  const bytes = readFileSync(TINY_ENGLISH)
  const { version, architecture, contextTokens, chatTemplate, tensorCount } = parseGgufHead(bytes, bytes.length)
  assert.deepEqual(
    { version, architecture, contextTokens, chatTemplate, tensorCount },
    { version: 3, architecture: 'llama', contextTokens: 256, chatTemplate: undefined, tensorCount: 47 },
  )
})

test('versions 2 and 3 are read, and a chat template', () => {
  for (const version of [2, 3]) assert.equal(parse({ version }).version, version)
  const entries = withEntry('tokenizer.chat_template', { type: 'text', value: '{{ x }}' })
  assert.equal(parse({ entries }).chatTemplate, '{{ x }}')
})

const tensor = (over: Partial<GgufContent['tensors'][number]>) => [{ name: 'a', dimensions: [4], offset: 0, ...over }]

const REFUSED: { readonly [why: string]: () => unknown } = {
  'begin with GGUF': () => parseGgufHead(Buffer.from('GGML'.padEnd(64, '\0')), 64),
  'version 1 ': () => parse({ version: 1 }),
  'version 4 ': () => parse({ version: 4 }),
  'stands twice': () => parse({ entries: [...ENTRIES, ...ENTRIES] }),
  'tensor "token_embd.weight" stands twice': () => parse({ tensors: [...TENSORS, ...TENSORS] }),
  'one file of several': () => parse({ entries: withEntry('split.count', { type: 'number', value: 2 }) }),
  'no architecture': () => parse({ entries: ENTRIES.slice(1) }),
  'no length of context': () => parse({ entries: ENTRIES.slice(0, 1) }),
  'length of context': () => parse({ entries: withEntry('llama.context_length', { type: 'number', value: 0 }) }),
  'template is no text': () => parse({ entries: withEntry('tokenizer.chat_template', { type: 'number', value: 1 }) }),
  'alignment is none': () => parse({ entries: withEntry('general.alignment', { type: 'number', value: 12 }) }),
  'has 0 dimensions': () => parse({ tensors: tensor({ dimensions: [] }) }),
  'has 5 dimensions': () => parse({ tensors: tensor({ dimensions: [1, 1, 1, 1, 1] }) }),
  'has 0 elements': () => parse({ tensors: tensor({ dimensions: [4, 0] }) }),
  elements: () => parse({ tensors: tensor({ dimensions: [2 ** 40, 2 ** 40] }) }),
  'not aligned': () => parse({ tensors: tensor({ offset: 4 }) }),
  'at most 64': () => parse({ tensors: tensor({ name: 'a'.repeat(65) }) }),
  'before its last tensor': () => parse({}, 200),
}

for (const [why, act] of Object.entries(REFUSED)) {
  test(`refused: ${why}`, () => {
    assert.throws(act, (thrown: Error & { code?: string }) => {
      assert.equal(thrown.code, 'execution/unsupported')
      assert.ok(thrown.message.includes(why), thrown.message)
      return true
    })
  })
}

test('counts beyond the limits are refused before anything is read by them', () => {
  for (const [offset, max] of [
    [8, MAX_GGUF_TENSORS],
    [16, MAX_GGUF_ENTRIES],
  ] as const) {
    for (const count of [BigInt(max) + 1n, 2n ** 64n - 1n]) {
      const bytes = Buffer.from(writeGguf({ entries: ENTRIES, tensors: TENSORS }))
      bytes.writeBigUInt64LE(count, offset)
      assert.throws(() => parseGgufHead(bytes, FILE_BYTES), { code: 'execution/unsupported' })
    }
  }
})

/** A head, or a typed error; and soon. */
function parseAny(bytes: Uint8Array): void {
  try {
    parseGgufHead(bytes, FILE_BYTES)
  } catch (thrown) {
    assert.equal((thrown as { code?: string }).code, 'execution/unsupported', String(thrown))
  }
}

test('a head that is cut anywhere is refused', () => {
  const bytes = writeGguf({ entries: ENTRIES, tensors: TENSORS })
  for (let length = 0; length < bytes.length; length++) {
    assert.throws(() => parseGgufHead(bytes.subarray(0, length), FILE_BYTES), { code: 'execution/unsupported' })
  }
})

test('any bytes give a head or a typed error', () => {
  const head = writeGguf({ entries: ENTRIES, tensors: TENSORS })
  fc.assert(fc.property(fc.uint8Array({ maxLength: 256 }), parseAny))
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 256 }), (rest) => parseAny(Buffer.concat([head.subarray(0, 24), rest]))),
  )
  const changes = fc.array(fc.tuple(fc.nat(head.length - 1), fc.integer({ min: 0, max: 255 })), { maxLength: 6 })
  fc.assert(
    fc.property(changes, (edits) => {
      const changed = Uint8Array.from(head)
      for (const [at, value] of edits) changed[at] = value
      parseAny(changed)
    }),
    { numRuns: 2000 },
  )
})
