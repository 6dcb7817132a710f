import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import type { Json } from '../bytes/json.ts'
import { createNobleCrypto } from '../crypto/noble-provider.ts'
import { createNodeCrypto } from '../crypto/node-provider.ts'
import { observed, runVerdictCase, type VerdictCase } from '../verdict/verdict-case.testing.ts'
import { type FormatVector, outcomeOf } from './format-vector.testing.ts'
import { formatVectors, vectorFiles } from './vector-files.testing.ts'

const FOLDER = fileURLToPath(new URL('../../../../vectors/', import.meta.url))
const PROVIDERS = [
  ['node', createNodeCrypto()],
  ['noble', createNobleCrypto()],
] as const

function readVector(path: string): unknown {
  return JSON.parse(readFileSync(`${FOLDER}${path}`, 'utf8'))
}

const onDisk = readdirSync(FOLDER, { recursive: true, encoding: 'utf8' }).filter((path) => path.endsWith('.json'))

test('the vectors on disk are the ones that the generator writes', () => {
  const files = vectorFiles()
  assert.deepEqual(onDisk.toSorted(), [...files.keys()].toSorted())
  for (const [path, content] of files) {
    assert.ok(
      readFileSync(`${FOLDER}${path}`, 'utf8') === content,
      `${path} differs: run npx tsx tools/make-vectors.ts`,
    )
  }
})

for (const { file, run } of formatVectors()) {
  const { cases } = readVector(`${file}.json`) as { readonly cases: readonly FormatVector[] }
  for (const [provider, crypto] of PROVIDERS) {
    test(`${file}.json, ${cases.length} cases (${provider})`, () => {
      for (const { name, input, expect } of cases) {
        assert.deepEqual(
          outcomeOf(() => plain(run(crypto, input))),
          expect,
          `${file}: ${name}`,
        )
      }
    })
  }
}

/** Without prototypes and undefined fields, as JSON has it. */
function plain(value: Json): Json {
  return JSON.parse(JSON.stringify(value)) as Json
}

for (const path of onDisk.filter((each) => each.startsWith('verdict'))) {
  for (const [provider, crypto] of PROVIDERS) {
    test(`${path} (${provider})`, () => {
      const vector = readVector(path) as VerdictCase
      const { verdict, satisfaction } = runVerdictCase(vector, crypto)
      assert.deepEqual(observed(verdict, satisfaction), vector.expect)
    })
  }
}

test('names of cases are their own within a file', () => {
  for (const { file, cases } of formatVectors()) {
    const names = cases.map(({ name }) => name)
    assert.deepEqual(
      names.filter((name, i) => names.indexOf(name) !== i),
      [],
      file,
    )
  }
})
