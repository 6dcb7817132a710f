import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { utf8 } from '../bytes/bytes.ts'
import { createNodeCrypto } from '../crypto/node-provider.ts'
import { parseDossier } from '../dossier/dossier.ts'
import type { CountersignError } from '../errors.ts'
import { jsonBytes, NOW_MS, ORIGIN } from '../fixture.testing.ts'
import { checkProperty } from '../fuzzing.testing.ts'
import { type Hash, verifyConsistency } from '../log/merkle.ts'
import { consistencyRanges, hashRange } from '../log/merkle-ranges.ts'
import { treeOf } from '../log/tree.testing.ts'
import { commonCases } from '../misbehaviour/common-cases.testing.ts'
import { type Misbehaviour, verifyMisbehaviour } from '../misbehaviour/misbehaviour.ts'
import { misbehaviourCases, misbehaviourTrust } from '../misbehaviour/misbehaviour-cases.testing.ts'
import { parseMisbehaviour } from '../misbehaviour/proof-file.ts'
import { buildScene, sceneDossier } from '../scene.testing.ts'
import { parseTrustFile } from '../trust/trust-file.ts'
import { Standing } from './standing.ts'
import { decideVerdict, findRow } from './verdict.ts'

const crypto = createNodeCrypto()
const dossier = parseDossier(jsonBytes(sceneDossier(buildScene())))
const prover = {
  verifyConsistency: (...args: Parameters<typeof verifyConsistency> extends [unknown, ...infer Rest] ? Rest : never) =>
    verifyConsistency(crypto, ...args),
}

/** Histories by how many entries they share with the first one. */
function history(shared: number, size: number, name: string) {
  const entries = Array.from({ length: size }, (_, i) => utf8(i < shared ? `entry ${i}` : `${name} ${i}`))
  const read = treeOf(crypto, entries)
  return {
    entries,
    head: (length: number) => ({
      origin: ORIGIN,
      size: length,
      root: hashRange(crypto, { start: 0, end: length }, read),
    }),
    path: (from: number, to: number): readonly Hash[] =>
      consistencyRanges(from, to).map((range) => hashRange(crypto, range, read)),
  }
}

function stands(standing: Standing, head: { origin: string; size: number; root: Hash }, index: number): boolean {
  try {
    standing.require(head, index)
    return true
  } catch (thrown) {
    assert.equal((thrown as CountersignError).code, 'misbehaviour/proven')
    return false
  }
}

test('an entry stands only where all histories hold the same, and always where that is shown', (t) => {
  const size = fc.integer({ min: 2, max: 40 })
  const part = fc.double({ min: 0, max: 1, noNaN: true })
  checkProperty(t, [size, part, part, part, part], 400, (all, forkAt, commonAt, headAt, indexAt) => {
    const upTo = (share: number, most: number) => Math.min(most, 1 + Math.floor(share * most))
    const shared = upTo(forkAt, all - 1)
    const common = upTo(commonAt, shared)
    const size = upTo(headAt, all)
    const index = Math.floor(indexAt * (size - 1))
    const first = history(all, all, 'first')
    const second = history(shared, all, 'second')
    // Parts where the others still agree: the proof knows nothing of it.
    const third = history(Math.max(1, common - 1), all, 'third')
    const proof = {
      ...({ kind: 'two-heads-of-one-size', log: ORIGIN, summary: '' } as const),
      commonSize: common,
      commonRoot: first.head(common).root,
      agreeing: [first.head(common), first.head(all), second.head(all)],
    }
    for (const each of [first, second, third]) {
      const head = each.head(size)
      const shown = common <= size ? [{ ...each.head(common), path: each.path(common, size) }] : []
      const receipt = { ...dossier.receipt, treeSize: size, root: head.root }
      const kept = stands(new Standing(prover, { ...dossier, receipt, consistency: shown }, [proof]), head, index)
      const [mine, ours] = [each.entries[index], first.entries[index]]
      if (kept) assert.deepEqual([mine, index < common], [ours, true])
      else assert.ok(index >= common || size < common || each === third)
      // What another head's dossier shows is nothing for this one.
      const other = new Standing(prover, { ...dossier, consistency: shown }, [{ ...proof, agreeing: [] }])
      assert.equal(stands(other, head, index), false)
    }
  })
})

test('a record that stands in a log that misbehaved says so', () => {
  const scene = buildScene()
  const trust = parseTrustFile(crypto, utf8(misbehaviourTrust().replace('quorum a', 'quorum none')))
  const [fork] = commonCases()
  assert.ok(fork !== undefined)
  const proof = verifyMisbehaviour(crypto, trust, parseMisbehaviour(jsonBytes(fork.proof)))
  const decide = (misbehaviour: readonly (typeof proof)[]) =>
    findRow(
      decideVerdict(parseDossier(jsonBytes(sceneDossier(scene))), { crypto, trust, atMs: NOW_MS, misbehaviour }),
      'record',
    )
  const [before, after] = [decide([]), decide([proof])]
  assert.deepEqual([before.status, after.status], ['holds', 'holds'])
  assert.equal(after.doesNotProve.length, before.doesNotProve.length + 1)
  assert.match(after.doesNotProve.at(-1) ?? '', /misbehaved \(two-heads-of-one-size\).*first 5/)
})

test('a promise that a quorum did not see kept in time contests no entry, and is said beside each', () => {
  const scene = buildScene()
  const witnessed = parseTrustFile(crypto, utf8(misbehaviourTrust()))
  const trust = parseTrustFile(crypto, utf8(misbehaviourTrust().replace('quorum a', 'quorum none')))
  const proven = (name: string) => {
    const found = [...misbehaviourCases(), ...commonCases()].find((each) => each.name === name)
    assert.ok(found !== undefined)
    return verifyMisbehaviour(crypto, witnessed, parseMisbehaviour(jsonBytes(found.proof)))
  }
  const decide = (misbehaviour: readonly Misbehaviour[]) =>
    findRow(
      decideVerdict(parseDossier(jsonBytes(sceneDossier(scene))), { crypto, trust, atMs: NOW_MS, misbehaviour }),
      'record',
    )
  const late = proven('promise-not-covered')
  const [before, beside] = [decide([]), decide([late])]
  assert.deepEqual([before.status, beside.status], ['holds', 'holds'])
  assert.match(
    beside.doesNotProve.at(-1) ?? '',
    /keeps its promises: .*does not reach index.*could not reach its witnesses/,
  )
  assert.equal(decide([late, proven('two-heads-of-one-size')]).status, 'refuted')
  assert.equal(decide([proven('promise-other-leaf')]).status, 'refuted', 'as against one that it broke')
})
