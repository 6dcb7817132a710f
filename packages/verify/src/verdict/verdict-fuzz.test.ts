import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseUtf8, utf8 } from '../bytes/bytes.ts'
import type { Json } from '../bytes/json.ts'
import { createMemory } from '../bytes/memory.ts'
import { createNodeCrypto } from '../crypto/node-provider.ts'
import { parseDossier } from '../dossier/dossier.ts'
import { jsonBytes, NOW_MS } from '../fixture.testing.ts'
import { checkProperty, expectTyped } from '../fuzzing.testing.ts'
import { verifyMisbehaviour } from '../misbehaviour/misbehaviour.ts'
import { misbehaviourCases, misbehaviourTrust } from '../misbehaviour/misbehaviour-cases.testing.ts'
import { parseMisbehaviour } from '../misbehaviour/proof-file.ts'
import { changedBytes, changedJson } from '../mutation.testing.ts'
import { buildScene, sceneDossier } from '../scene.testing.ts'
import { reachesGrade } from '../trust/requirement.ts'
import { parseTrustFile } from '../trust/trust-file.ts'
import { timeCases } from './time-cases.testing.ts'
import { decideVerdict, findRow, type Verdict } from './verdict.ts'

const crypto = createNodeCrypto()
const scene = buildScene()
const trust = parseTrustFile(crypto, utf8(scene.trustText))
const honestDossier = sceneDossier(scene)
const honest = decideVerdict(parseDossier(jsonBytes(honestDossier)), { crypto, trust, atMs: NOW_MS })

/** A changed dossier may lose what it showed; it must never show more. */
function assertNoBetter(verdict: Verdict): void {
  for (const row of verdict.claims) {
    if (row.status !== 'holds' || row.grade === null) continue
    const before = findRow(honest, row.claim)
    assert.equal(before.status, 'holds', row.claim)
    assert.ok(before.grade !== null && reachesGrade(row.claim, before.grade, row.grade), row.claim)
  }
}

function decideAll(bytes: Uint8Array): Verdict | undefined {
  const dossier = expectTyped(() => parseDossier(bytes))
  if (dossier === undefined) return undefined
  const verdict = decideVerdict(dossier, { crypto, trust, atMs: NOW_MS })
  assertNoBetter(verdict)
  const blind = decideVerdict(dossier, { crypto, atMs: NOW_MS })
  assert.ok(blind.claims.every(({ status }) => status !== 'holds'))
  return verdict
}

test('a dossier with values changed gets a verdict, and never a better one', (t) => {
  let parsed = 0
  let refuted = 0
  checkProperty(t, [changedJson([honestDossier], 2)], 1500, (value) => {
    const verdict = decideAll(jsonBytes(value))
    if (verdict === undefined) return
    parsed++
    if (verdict.claims.some(({ status }) => status === 'refuted')) refuted++
  })
  t.diagnostic(`${parsed} could be read, ${refuted} were refuted`)
  assert.ok(parsed > 10 && refuted > 5)
})

test('a dossier with bytes changed gets a verdict, and never a better one', (t) => {
  checkProperty(t, [changedBytes([jsonBytes(honestDossier)])], 500, (bytes) => {
    decideAll(bytes)
  })
})

test('a dossier that shows when, changed, never shows a narrower time', (t) => {
  const each = timeCases().find(({ name }) => name === 'time-from-the-cited-head')
  assert.ok(each?.trust !== undefined)
  const witnessed = { crypto, trust: parseTrustFile(crypto, utf8(each.trust)), atMs: NOW_MS, memory: createMemory() }
  const { notBeforeMs, notAfterMs } = decideVerdict(parseDossier(jsonBytes(each.dossier)), witnessed).time
  assert.ok(notBeforeMs !== null && notAfterMs !== null)
  let bounded = 0
  checkProperty(t, [changedJson([each.dossier], 2)], 600, (value) => {
    const dossier = expectTyped(() => parseDossier(jsonBytes(value)))
    const time = dossier && decideVerdict(dossier, witnessed).time
    if (time === undefined) return
    if (time.notAfterMs !== null) bounded++
    assert.ok(time.notAfterMs === null || time.notAfterMs >= notAfterMs)
    assert.ok(time.notBeforeMs === null || time.notBeforeMs <= notBeforeMs)
  })
  t.diagnostic(`${bounded} were still bounded`)
  assert.ok(bounded > 5)
})

test('memory shared with changed dossiers changes no verdict', (t) => {
  const memory = createMemory(64)
  checkProperty(t, [changedJson([honestDossier], 1)], 400, (value) => {
    const dossier = expectTyped(() => parseDossier(jsonBytes(value)))
    if (dossier === undefined) return
    const input = { crypto, trust, atMs: NOW_MS }
    assert.deepEqual(decideVerdict(dossier, { ...input, memory }), decideVerdict(dossier, input))
  })
})

/** What an operator could log that is signed and proven, and senseless. */
test('statements that say anything, duly signed and logged, get a verdict', (t) => {
  const payloads = [...scene.linked, scene.index].map((index) => [index, scene.log.entry(index).payload] as const)
  const values = payloads.map(([index, payload]) => ({ index, payload: JSON.parse(parseUtf8(payload)) as Json }))
  const signers = [scene.operator, scene.operator, scene.accountable, scene.operator]
  checkProperty(t, [changedJson(values, 3)], 150, (value) => {
    const { index, payload } = value as { readonly index: Json; readonly payload: Json }
    const changed = buildScene()
    const signer = signers[Number(index)] ?? scene.operator
    const added = changed.log.appendPayload(jsonBytes(payload ?? null), signer)
    const bundle = changed.log.bundle(added.index)
    const dossier = sceneDossier(changed) as { readonly statements: readonly Json[] }
    decideAll(jsonBytes({ ...dossier, bundle }))
    decideAll(jsonBytes({ ...dossier, statements: [bundle, ...dossier.statements] }))
  })
})

test('executions that say anything get a verdict', (t) => {
  const dossier = parseDossier(jsonBytes(honestDossier))
  const data = [Float32Array.of(0.25), Float32Array.of(Number.NaN), new Float32Array(0), Float32Array.of(0.25, 1)]
  for (const values of data) {
    for (const shape of [[1, 1], [], [0], [2]]) {
      const outputs = [{ name: 'y', datatype: 'FP32' as const, shape, data: values }]
      const execution = {
        ...{ statement: scene.statement, outcome: 'ran' as const, modelDigest: '', profile: 'reference-profile' },
        outputs,
      }
      const verdict = decideVerdict(dossier, { crypto, trust, atMs: NOW_MS, executions: [execution] })
      assert.notEqual(findRow(verdict, 'output').status, 'holds')
    }
  }
  t.diagnostic('a model file of no digest is not the manifest’s')
})

test('proofs of misbehaviour with values changed are proven or refused', (t) => {
  const trusted = parseTrustFile(crypto, utf8(misbehaviourTrust()))
  const proven = misbehaviourCases().filter(({ error }) => error === undefined)
  const refused = misbehaviourCases().filter(({ error }) => error !== undefined)
  checkProperty(
    t,
    [
      changedJson(
        proven.map(({ proof }) => proof),
        2,
      ),
    ],
    800,
    (value) => {
      expectTyped(() => verifyMisbehaviour(crypto, trusted, parseMisbehaviour(jsonBytes(value))))
    },
  )
  checkProperty(
    t,
    [
      changedJson(
        refused.map(({ proof }) => proof),
        1,
      ),
    ],
    800,
    (value) => {
      const found = expectTyped(() => verifyMisbehaviour(crypto, trusted, parseMisbehaviour(jsonBytes(value))))
      // A forged part may be taken away only by taking its signature from elsewhere in the file: then it is no forgery.
      if (found !== undefined) assert.equal(found.log, 'example.org/countersign-test-log')
    },
  )
})
