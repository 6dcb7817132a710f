import assert from 'node:assert/strict'
import { existsSync, readFileSync } from 'node:fs'
import { test } from 'node:test'
import fc from 'fast-check'
import { parseBase64 } from '../bytes/base64.ts'
import { utf8 } from '../bytes/bytes.ts'
import { createNodeCrypto } from '../crypto/node-provider.ts'
import { CountersignError } from '../errors.ts'
import { checkProperty } from '../fuzzing.testing.ts'
import { emptyRoot, type Hash, hashLeaf, verifyConsistency, verifyInclusion } from './merkle.ts'
import { consistencyRanges, hashRange, inclusionRanges } from './merkle-ranges.ts'
import { treeOf } from './tree.testing.ts'

const crypto = createNodeCrypto()
const MAX_SIZE = 600
const entries = Array.from({ length: MAX_SIZE }, (_, i) => utf8(`entry ${i}`))
const tree = treeOf(crypto, entries)
const head = (size: number) => ({ size, root: hashRange(crypto, { start: 0, end: size }, tree) })
const hashesOf = (ranges: readonly { readonly start: number; readonly end: number }[]) =>
  ranges.map((range) => hashRange(crypto, range, tree))
const leafHash = (index: number) => hashLeaf(crypto, entries[index] ?? new Uint8Array(0))

/** A proof of the shared data: `null` stands for an empty list, and indexes beyond 2^53 are rounded when read. */
interface SharedCase {
  readonly leafIdx?: number
  readonly treeSize?: number
  readonly root?: string
  readonly leafHash?: string
  readonly size1?: number
  readonly size2?: number
  readonly root1?: string
  readonly root2?: string
  readonly proof: readonly string[] | null
  readonly wantErr: boolean
}

function checkShared(name: string, each: SharedCase): void {
  const bytes = (text: string | undefined) => parseBase64(text ?? '')
  // Some roots that do not matter to the case are words rather than hashes; equal words become equal hashes.
  const rootOf = (text: string | undefined) => (bytes(text).length === 32 ? bytes(text) : crypto.sha256(bytes(text)))
  const path = (each.proof ?? []).map(parseBase64)
  const prove =
    each.leafIdx === undefined
      ? () =>
          verifyConsistency(
            crypto,
            { size: each.size1 ?? -1, root: rootOf(each.root1) },
            { size: each.size2 ?? -1, root: rootOf(each.root2) },
            path,
          )
      : () =>
          verifyInclusion(
            crypto,
            { size: each.treeSize ?? -1, root: bytes(each.root) },
            { index: each.leafIdx ?? -1, path },
            bytes(each.leafHash),
          )
  if (each.wantErr) assert.throws(prove, CountersignError, name)
  else assert.doesNotThrow(prove, name)
}

test('the shared proofs are decided as others decide them', (t) => {
  const folder = process.env.COUNTERSIGN_TEST_DATA
  const file = `${folder}/merkle-vectors.json`
  if (folder === undefined || !existsSync(file)) {
    t.skip('COUNTERSIGN_TEST_DATA names no folder with merkle-vectors.json')
    return
  }
  const cases = Object.entries(JSON.parse(readFileSync(file, 'utf8')) as { readonly [name: string]: SharedCase })
  const proofs = cases.filter(([name]) => /^(inclusion|consistency)\//.test(name))
  for (const [name, each] of proofs) checkShared(name, each)
  t.diagnostic(`${proofs.length} proofs`)
  assert.equal(proofs.length, 196)
})

test('every inclusion proof of small trees, and of some large ones, checks', (t) => {
  for (let size = 1; size <= 40; size++) {
    for (let index = 0; index < size; index++) {
      verifyInclusion(crypto, head(size), { index, path: hashesOf(inclusionRanges(index, size)) }, leafHash(index))
    }
  }
  checkProperty(t, [fc.integer({ min: 1, max: MAX_SIZE }), fc.nat()], 100, (size, place) => {
    const index = place % size
    verifyInclusion(crypto, head(size), { index, path: hashesOf(inclusionRanges(index, size)) }, leafHash(index))
  })
})

test('every consistency proof between small trees, and some large ones, checks', (t) => {
  for (let newer = 1; newer <= 34; newer++) {
    for (let older = 1; older <= newer; older++) {
      verifyConsistency(crypto, head(older), head(newer), hashesOf(consistencyRanges(older, newer)))
    }
  }
  checkProperty(t, [fc.integer({ min: 1, max: MAX_SIZE }), fc.nat()], 100, (newer, place) => {
    const older = 1 + (place % newer)
    verifyConsistency(crypto, head(older), head(newer), hashesOf(consistencyRanges(older, newer)))
  })
})

/** One hash changed, taken out, doubled, or exchanged with its neighbour. */
function changePath(path: readonly Hash[], place: number, bit: number): readonly (readonly Hash[])[] {
  const at = path.length === 0 ? 0 : place % path.length
  const flipped = path.map((hash, i) =>
    i === at ? hash.map((byte, j) => (j === bit >> 3 ? byte ^ (1 << (bit & 7)) : byte)) : hash,
  )
  const doubled = [...path.slice(0, at), ...path.slice(at, at + 1), ...path.slice(at)]
  const longer = [...path, emptyRoot(crypto)]
  if (path.length === 0) return [longer]
  const swapped = path.map((hash, i) => (i === at ? (path[at + 1] ?? hash) : i === at + 1 ? (path[at] ?? hash) : hash))
  return [flipped, path.filter((_, i) => i !== at), doubled, longer, ...(at + 1 < path.length ? [swapped] : [])]
}

const bits = fc.integer({ min: 0, max: 255 })

test('a changed inclusion proof, index, leaf or head is refused', (t) => {
  checkProperty(t, [fc.integer({ min: 1, max: MAX_SIZE }), fc.nat(), fc.nat(), bits], 150, (size, place, at, bit) => {
    const index = place % size
    const path = hashesOf(inclusionRanges(index, size))
    const refused = (inclusion: { index: number; path: readonly Hash[] }, leaf = leafHash(index), under = head(size)) =>
      assert.throws(() => verifyInclusion(crypto, under, inclusion, leaf), CountersignError)
    for (const changed of changePath(path, at, bit)) refused({ index, path: changed })
    for (const other of [index - 1, index + 1, size - 1 - index]) if (other !== index) refused({ index: other, path })
    refused({ index, path }, leafHash((index + 1) % MAX_SIZE))
    refused({ index, path }, leafHash(index), { size, root: head((size % MAX_SIZE) + 1).root })
  })
})

test('a changed consistency proof or head is refused', (t) => {
  checkProperty(t, [fc.integer({ min: 2, max: MAX_SIZE }), fc.nat(), fc.nat(), bits], 150, (newer, place, at, bit) => {
    const older = 1 + (place % (newer - 1))
    const path = hashesOf(consistencyRanges(older, newer))
    const refused = (a = head(older), b = head(newer), proof: readonly Hash[] = path) =>
      assert.throws(() => verifyConsistency(crypto, a, b, proof), CountersignError)
    for (const changed of changePath(path, at, bit)) refused(head(older), head(newer), changed)
    refused({ size: older, root: head(newer).root })
    refused(head(older), { size: newer, root: head(older).root })
    refused(head(newer), head(older))
    refused({ size: 0, root: emptyRoot(crypto) }, head(newer), [])
  })
})

test('sizes beyond 32 bits are counted exactly, and beyond 53 refused', () => {
  const root = emptyRoot(crypto)
  for (const size of [2 ** 31 + 1, 2 ** 32 + 1, 2 ** 48 + 1, Number.MAX_SAFE_INTEGER]) {
    // The last leaf of a tree that is one more than a power of two stands alone on the right.
    const path = [root]
    const code = size === Number.MAX_SAFE_INTEGER ? 'proof/wrong-length' : 'proof/root-mismatch'
    assert.throws(() => verifyInclusion(crypto, { size, root }, { index: size - 1, path }, root), { code })
  }
  for (const size of [2 ** 53, 1.5, Number.NaN, -1, Number.POSITIVE_INFINITY]) {
    const code = 'proof/index-out-of-range'
    assert.throws(() => verifyInclusion(crypto, { size, root }, { index: 0, path: [] }, root), { code })
    assert.throws(() => verifyConsistency(crypto, { size: 1, root }, { size, root }, []), { code })
  }
})

test('a proof of any length ends: more hashes than any tree has are refused before they are hashed', () => {
  const root = emptyRoot(crypto)
  const path = Array.from({ length: 100_000 }, () => root)
  assert.throws(() => verifyInclusion(crypto, { size: 5, root }, { index: 0, path }, root), {
    code: 'proof/wrong-length',
  })
})

test('ranges outside the tree are refused', () => {
  for (const [index, size] of [
    [0, 0],
    [5, 5],
    [-1, 5],
  ] as const) {
    assert.throws(() => inclusionRanges(index, size), { code: 'proof/index-out-of-range' })
  }
  for (const [older, newer] of [
    [0, 5],
    [6, 5],
    [-1, 5],
  ] as const) {
    assert.throws(() => consistencyRanges(older, newer), { code: 'proof/index-out-of-range' })
  }
  assert.deepEqual(hashRange(crypto, { start: 0, end: 0 }, tree), emptyRoot(crypto))
})
