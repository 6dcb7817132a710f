import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseUtf8 } from '../bytes/bytes.ts'
import type { Json } from '../bytes/json.ts'
import { jsonBytes } from '../fixture.testing.ts'
import { assertRefusals, type Refusal, shapeRefusals } from '../refusals.testing.ts'
import { SAMPLE_PARTY } from './party.testing.ts'
import { parseParty, partyStatement } from './party.ts'
import { formatStatement, parseStatement } from './statement.ts'

const sampleOf = (declaration = SAMPLE_PARTY) =>
  JSON.parse(parseUtf8(formatStatement(partyStatement(declaration)))) as { readonly predicate: Json }
const parse = (value: Json) => parseParty(parseStatement(jsonBytes(value)))
const DIGEST = 'ab'.repeat(32)
const OPTIONAL = ['cloud', 'jurisdiction', 'hardwareVendor', 'software']

test('a declaration is read as it was written, whatever it leaves out', () => {
  assert.deepEqual(parse(sampleOf()), SAMPLE_PARTY)
  const { party, owner, keys, declaredAtMs } = SAMPLE_PARTY
  const least = { party, owner, keys, witnesses: [], declaredAtMs }
  assert.deepEqual(parse(sampleOf(least)), least)
  for (const jurisdiction of ['DE', 'US-CA', 'GB-ENG', 'FR-6']) {
    assert.equal(parse(sampleOf({ ...least, jurisdiction })).jurisdiction, jurisdiction)
  }
})

test('a declaration has its shape, and is about one party by its first key', () => {
  const at = (...path: readonly (string | number)[]) => ['predicate', ...path]
  const bad = (path: readonly (string | number)[], value: Json): Refusal => [path, value, 'shape/bad-value']
  const { keys, witnesses } = SAMPLE_PARTY
  const hex = (i: number) => i.toString(16).padStart(64, '0')
  const witness = (i: number) => `w${i}+00000000+AAAA`
  assertRefusals(sampleOf(), parse, [
    ...shapeRefusals(sampleOf().predicate, OPTIONAL)
      .filter(([path]) => typeof path.at(-1) === 'string')
      .map(([path, ...rest]) => [at(...path), ...rest] as const),
    bad(at('party'), 'Another'),
    bad(at('party'), 'a'.repeat(129)),
    bad(at('owner'), ''),
    bad(at('keys'), []),
    bad(at('keys'), [DIGEST, ...keys]),
    bad(at('keys'), [...keys, ...keys]),
    bad(at('keys'), [...keys, ...Array.from({ length: 256 }, (_, i) => hex(i))]),
    bad(at('keys', 0), 'AB'.repeat(32)),
    bad(at('witnesses'), [...witnesses, ...witnesses]),
    bad(
      at('witnesses'),
      Array.from({ length: 257 }, (_, i) => witness(i)),
    ),
    bad(at('witnesses', 0), 'a name'),
    bad(at('jurisdiction'), 'Germany'),
    bad(at('jurisdiction'), 'de'),
    bad(at('jurisdiction'), 'DE-'),
    bad(at('jurisdiction'), 'DE-BERL'),
    bad(at('jurisdiction'), 'DE\n'),
    bad(at('cloud'), 'a'.repeat(129)),
    bad(at('software'), 'a\u200bb'),
    [at('declaredAtMs'), 1.5, 'shape/wrong-type'],
    bad(at('declaredAtMs'), 8_640_000_000_000_001),
    bad(['subject'], []),
    bad(['subject', 0, 'digest', 'sha256'], DIGEST),
    bad(['subject', 0, 'digest', 'sha512'], DIGEST),
    [['predicateType'], 'urn:example', 'statement/wrong-type'],
  ])
  const keyless = { ...sampleOf(), subject: [{ name: SAMPLE_PARTY.party, digest: { sha512: DIGEST } }] }
  assert.throws(() => parse({ ...keyless, predicate: { ...(keyless.predicate as object), keys: [] } }), {
    code: 'shape/bad-value',
  })
})
