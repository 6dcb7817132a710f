import assert from 'node:assert/strict'
import { before, test } from 'node:test'
import { utf8 } from '../bytes/bytes.ts'
import type { Json } from '../bytes/json.ts'
import { createMemory } from '../bytes/memory.ts'
import { createNobleCrypto } from '../crypto/noble-provider.ts'
import { createNodeCrypto } from '../crypto/node-provider.ts'
import { parseDossier } from '../dossier/dossier.ts'
import { jsonBytes, NOW_MS } from '../fixture.testing.ts'
import { buildScene, type SceneOptions, sceneDossier } from '../scene.testing.ts'
import type { ClaimName } from '../trust/requirement.ts'
import { parseTrustFile } from '../trust/trust-file.ts'
import { planExecution } from './output.ts'
import { decideRecord } from './record.ts'
import { llamaScene, upstreamScene } from './upstream-cases.testing.ts'
import { decideVerdict, findRow } from './verdict.ts'
import { observed, runVerdictCase, type VerdictCase } from './verdict-case.testing.ts'
import { verdictCases } from './verdict-cases.testing.ts'

const cases = verdictCases()
const nodeCrypto = createNodeCrypto()

for (const [provider, crypto] of [
  ['node', nodeCrypto],
  ['noble', createNobleCrypto()],
] as const) {
  for (const each of cases) {
    test(`${each.name} (${provider}): ${each.description}`, () => {
      const { verdict, satisfaction } = runVerdictCase(each, crypto)
      assert.deepEqual(observed(verdict, satisfaction), each.expect)
    })
  }
}

test('every case has a name of its own', () => {
  assert.equal(new Set(cases.map(({ name }) => name)).size, cases.length)
})

test('a verdict states all seven claims, and a grade exactly where one holds', () => {
  for (const each of cases) {
    const { verdict } = runVerdictCase(each, nodeCrypto)
    const names = verdict.claims.map(({ claim }) => claim)
    assert.deepEqual(names, ['record', 'model', 'place', 'output', 'independence', 'outcome', 'accountable'])
    for (const row of verdict.claims) {
      assert.equal(row.grade === null, row.status !== 'holds', `${each.name} ${row.claim}`)
      assert.notEqual(row.reason, '')
    }
  }
})

test('a quorum that honest witnesses can meet twice shows no single history, and the row says so', () => {
  const met = cases.find(({ name }) => name === 'quorum-met')
  assert.ok(met?.trust)
  const open = /that the log has one history: witnesses who are each shown another/
  const recordOf = (each: VerdictCase) => findRow(runVerdictCase(each, nodeCrypto).verdict, 'record')
  assert.doesNotMatch(recordOf(met).doesNotProve.join('\n'), open)
  const either = recordOf({ ...met, trust: met.trust.replace('group both all', 'group both any') })
  assert.equal(either.grade, 'witnessed')
  assert.match(either.doesNotProve.join('\n'), open)
})

function reasonOf(name: string, claim: ClaimName): string {
  const found = cases.find((each) => each.name === name)
  assert.ok(found, name)
  return findRow(runVerdictCase(found, nodeCrypto).verdict, claim).reason
}

test('reasons say what a reader must know', () => {
  assert.match(reasonOf('labelled-example', 'accountable'), /This is a labelled example: nobody real answers/)
  assert.doesNotMatch(reasonOf('honest', 'accountable'), /labelled example/)
  assert.match(reasonOf('acceptance-after-the-answer', 'accountable'), /accepted only after this answer/)
  assert.doesNotMatch(reasonOf('honest', 'accountable'), /only after/)
  assert.match(reasonOf('honest', 'record'), /nobody else confirmed it/)
  assert.match(reasonOf('honest', 'independence'), /nobody but the operator/)
  assert.match(reasonOf('one-owner-twice', 'independence'), /only A Ltd/)
  assert.match(reasonOf('stale', 'record'), /^record\/age: the answer is 30\.0 days old/)
  assert.match(reasonOf('output-differs', 'output'), /y at 0: the answer has 0\.25, running it again gave 0\.25/)
  assert.match(reasonOf('output-file-unreadable', 'output'), /could not be run here/)
  assert.match(
    reasonOf('upstream-answered', 'model'),
    /through the upstream "provider": nobody here loaded the weights$/,
  )
  assert.match(reasonOf('upstream-of-higher-rank-answered', 'model'), /through the upstream "spare"/)
  assert.match(reasonOf('upstream-answer-repeated', 'model'), /repeats that of receipt (ab){16}: nobody here loaded/)
  assert.match(reasonOf('model-digest-reported-by-upstream', 'model'), /their digest is only what was reported/)
  assert.match(reasonOf('upstream-not-in-manifest', 'model'), /no request to the upstream "elsewhere"/)
  assert.match(reasonOf('upstream-sent-another-model', 'model'), /"provider" for the model "small-1"/)
  assert.match(reasonOf('language-model-run-again', 'output'), /language models are not run again/)
  assert.match(reasonOf('upstream-answer-run-again', 'output'), /nobody here loaded the weights/)
})

test('the time says what bounds it, and whether the operator’s own lies within', () => {
  const timeOf = (name: string) => {
    const found = cases.find((each) => each.name === name)
    assert.ok(found, name)
    return runVerdictCase(found, nodeCrypto).verdict.time
  }
  assert.match(timeOf('cut-log').reason, /the record does not hold/)
  assert.match(timeOf('honest').reason, /only the operator says when/)
  assert.match(timeOf('quorum-met').reason, /nothing in the dossier shows/)
  assert.match(timeOf('time-when-clocks-differ').reason, /their clocks differ/)
  assert.match(timeOf('time-from-the-cited-head').reason, /after that$/)
  assert.match(timeOf('time-that-the-operator-contradicts').reason, /own time lies outside/)
  assert.equal(timeOf('cut-log').operatorMs, null)
  assert.equal(timeOf('honest').operatorMs, NOW_MS + 3)
  assert.deepEqual(timeOf('honest').trusts, [])
  assert.deepEqual(timeOf('time-by-the-second-of-three').trusts, ['witness b', 'witness c'])
  assert.deepEqual(timeOf('time-from-the-cited-head').trusts, ['witness a', 'witness b', 'witness c'])
})

test('what is not run again in this release is said before anything is run', () => {
  const planned = (options: SceneOptions) => {
    const scene = buildScene(options)
    const trust = parseTrustFile(nodeCrypto, utf8(scene.trustText))
    const dossier = parseDossier(jsonBytes(sceneDossier(scene)))
    const { answer } = decideRecord(dossier, { crypto: nodeCrypto, trust, atMs: NOW_MS })
    assert.ok(answer !== undefined)
    return planExecution(answer)
  }
  assert.equal(planned({}).referenceProfile, 'reference-profile')
  for (const reason of ['stop', 'length', 'tool-calls', 'content-filter', 'other', 'complete'] as const) {
    const unsupported = { code: 'execution/unsupported' }
    assert.throws(() => planned(upstreamScene({ finish: { reason } })), { ...unsupported, message: /"provider"/ })
    assert.throws(() => planned(llamaScene({ finish: { reason } })), { ...unsupported, message: /language models/ })
  }
  assert.throws(() => planned(llamaScene({ finish: { reason: 'error' } })), { code: 'execution/unsupported' })
})

test('a record that does not hold leaves every other claim unproven, and names no statement', () => {
  for (const each of cases.filter(({ expect }) => expect.claims.record.status !== 'holds')) {
    const { verdict } = runVerdictCase(each, nodeCrypto)
    assert.equal(verdict.statement, null)
    assert.ok(verdict.claims.slice(1).every((row) => row.status === 'unproven'))
  }
})

function verdictText(each: VerdictCase, memory?: ReturnType<typeof createMemory>): string {
  return JSON.stringify(runVerdictCase(each, nodeCrypto, memory).verdict)
}

/** Verdicts of all cases without a memory, by their names. */
const plain = new Map<string, string>()

before(() => {
  for (const each of cases) plain.set(each.name, verdictText(each))
})

test('memory shared by all cases, in either order, changes no verdict', () => {
  for (const capacity of [1, 4096]) {
    const memory = createMemory(capacity)
    for (const each of [...cases, ...cases.toReversed()]) {
      assert.equal(verdictText(each, memory), plain.get(each.name), each.name)
    }
  }
})

test('a cheat is caught after an honest dossier, with memory shared', () => {
  const honest = cases.find(({ name }) => name === 'honest')
  assert.ok(honest)
  for (const each of cases.filter(({ expect }) => expect.refutedBy !== undefined)) {
    const memory = createMemory()
    assert.equal(verdictText(honest, memory), plain.get(honest.name))
    const { verdict, satisfaction } = runVerdictCase(each, nodeCrypto, memory)
    assert.equal(observed(verdict, satisfaction).refutedBy, each.expect.refutedBy, each.name)
  }
})

test('control: a memory that forgets what went into a proof would be noticed', () => {
  const known = new Map<string, unknown>()
  const careless = {
    recall<T>(kind: string, _key: string, prove: () => T): T {
      if (!known.has(kind)) known.set(kind, prove())
      return known.get(kind) as T
    },
    recallJson<T>(kind: string, _name: string, _value: Json, read: () => T): T {
      return careless.recall(kind, '', read)
    },
    recallOf<T>(kind: string, _first: object, _second: object, prove: () => T): T {
      return careless.recall(kind, '', prove)
    },
  }
  const changed = cases.filter((each) => verdictText(each, careless) !== plain.get(each.name))
  assert.ok(changed.length > 0)
})

test('the verdict is for the time it is asked for, and says so', () => {
  const scene = buildScene()
  const trust = parseTrustFile(nodeCrypto, utf8(scene.trustText))
  const dossier = parseDossier(jsonBytes(sceneDossier(scene)))
  for (const atMs of [0, NOW_MS, NOW_MS * 2]) {
    assert.equal(decideVerdict(dossier, { crypto: nodeCrypto, trust, atMs }).atMs, atMs)
  }
})
