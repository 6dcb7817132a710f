import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { createNodeCrypto } from '../crypto/node-provider.ts'
import { logSigner, ORIGIN, witnessSigner } from '../fixture.testing.ts'
import { checkProperty } from '../fuzzing.testing.ts'
import { formatNoteKey } from '../log/note.ts'
import { parseTlogPolicy, type TlogPolicy } from '../log/tlog-policy.ts'
import { type Coalitions, findCoalitions, type SmallestCoalition, type WitnessControl } from './coalition.ts'
import { isQuorum } from './confirmation.ts'

const crypto = createNodeCrypto()
const LOG = `log ${formatNoteKey(logSigner(ORIGIN).key)}`
const KEYS = Array.from({ length: 64 }, (_, i) => formatNoteKey(witnessSigner(`witness.example/${i}`).key))

/** A policy with witnesses w0, w1 … and those lines. */
function policyOf(witnesses: number, lines: string): TlogPolicy {
  const known = KEYS.slice(0, witnesses).map((key, i) => `witness w${i} ${key}`)
  return parseTlogPolicy(crypto, [LOG, ...known, lines, ''].join('\n'))
}

/** Who controls w0, w1 …: a name, `operator` among them, or `?` for nobody knows whom. */
function controlOf(...names: readonly string[]): WitnessControl {
  const all = names.map((name, i) => [`w${i}`, name] as const)
  return {
    operators: new Set(all.filter(([, name]) => name === 'operator').map(([witness]) => witness)),
    controllers: new Map(all.filter(([, name]) => name !== '?')),
  }
}

const find = (policy: TlogPolicy, ...names: readonly string[]) => findCoalitions(policy, controlOf(...names))
const sizes = ({ stop, equivocate }: Coalitions) => [stop.atLeast, stop.atMost, equivocate.atLeast, equivocate.atMost]
const namesOf = ({ members }: SmallestCoalition) =>
  members.map((each) => ('controller' in each ? each.controller : each.witness))

test('coalitions of small policies, by hand', () => {
  const three = policyOf(3, 'group g 2 w0 w1 w2\nquorum g')
  // A and B confirm one history, B and C another: it takes B.
  assert.deepEqual(sizes(find(three, 'A', 'B', 'C')), [2, 2, 1, 1])
  assert.deepEqual(namesOf(find(three, 'A', 'A', 'C').equivocate), ['C'])
  assert.deepEqual(sizes(find(three, 'A', 'A', 'C')), [1, 1, 1, 1])
  assert.deepEqual(sizes(find(three, 'A', 'B', 'operator')), [2, 2, 0, 0])
  assert.deepEqual(sizes(find(three, 'A', 'operator', 'operator')), [1, 1, 0, 0])
  assert.deepEqual(sizes(find(three, 'A', 'B', '?')), [1, 2, 0, 1])
  assert.deepEqual(sizes(find(three, '?', '?', '?')), [1, 2, 0, 1])
  assert.deepEqual(namesOf(find(three, '?', 'A', 'B').stop), ['A', 'w0'])
  assert.deepEqual(sizes(find(policyOf(1, 'quorum w0'), 'A')), [1, 1, 1, 1])
  assert.deepEqual(sizes(find(policyOf(2, 'quorum w0'), 'A', 'B')), [1, 1, 1, 1], 'only the quorum has a say')
  assert.deepEqual(sizes(find(policyOf(2, 'quorum none'), 'A', 'B')), [null, null, 0, 0])
})

test('honest witnesses may be shown two histories: a quorum of no more than half lets the operator equivocate alone', () => {
  const flat = (count: string) => policyOf(4, `group g ${count} w0 w1 w2 w3\nquorum g`)
  const needed = ['any', '2', '3', 'all'].map((count) => find(flat(count), 'A', 'B', 'C', 'D').equivocate)
  assert.deepEqual(
    needed.map(({ atLeast, atMost, members }) => [atLeast, atMost, members.length]),
    [
      [0, 0, 0],
      [0, 0, 0],
      [2, 2, 2],
      [4, 4, 4],
    ],
  )
  const nested = policyOf(4, 'group g all w0 w1\ngroup h all w2 w3\ngroup top any g h\nquorum top')
  assert.deepEqual(sizes(find(nested, 'A', 'B', 'C', 'D')), [2, 2, 0, 0])
})

/** The size of the smallest set of controllers that will do, by trying all. */
function smallest(controllers: readonly string[], willDo: (set: ReadonlySet<string>) => boolean): number | null {
  let best: number | null = null
  for (let bits = 0; bits < 2 ** controllers.length; bits++) {
    const set = new Set(controllers.filter((_, i) => (bits >> i) & 1))
    if ((best === null || set.size < best) && willDo(set)) best = set.size
  }
  return best
}

/** The same by the meaning of the words, where all controllers are known. */
function bruteForce(policy: TlogPolicy, names: readonly string[]) {
  const controllers = [...new Set(names)]
  const witnessesOf = (has: (name: string) => boolean) =>
    new Set(names.flatMap((name, i) => (has(name) ? [`w${i}`] : [])))
  return {
    stop: smallest(
      controllers,
      (set) =>
        !isQuorum(
          policy,
          witnessesOf((name) => !set.has(name)),
        ),
    ),
    equivocate: smallest(
      controllers.filter((name) => name !== 'operator'),
      (set) =>
        canConfirmTwo(
          policy,
          names,
          witnessesOf((name) => name === 'operator' || set.has(name)),
        ),
    ),
  }
}

/** Whether two heads can have a quorum each, when those witnesses sign both and each other one signs one of them. */
function canConfirmTwo(policy: TlogPolicy, names: readonly string[], dishonest: ReadonlySet<string>): boolean {
  const honest = names.map((_, i) => `w${i}`).filter((witness) => !dishonest.has(witness))
  for (let bits = 0; bits < 2 ** honest.length; bits++) {
    const shown = (history: number) => honest.filter((_, i) => ((bits >> i) & 1) === history)
    if ([0, 1].every((history) => isQuorum(policy, new Set([...dishonest, ...shown(history)])))) return true
  }
  return false
}

const count = fc.constantFrom('any', 'all', '1', '2')
const quorum = fc.constantFrom('top', 'g', 'h', 'w0')
const NAMES = ['A', 'B', 'C', 'D', 'operator']
const WITNESSES = 6
const anyPolicy = fc
  .tuple(count, count, fc.constantFrom('any', 'all', '1', '2', '3'), quorum)
  .map(([g, h, top, which]) =>
    policyOf(WITNESSES, `group g ${g} w0 w1\ngroup h ${h} w2 w3\ngroup top ${top} g h w4 w5\nquorum ${which}`),
  )
const owned = (name: fc.Arbitrary<string>) => fc.array(name, { minLength: WITNESSES, maxLength: WITNESSES })

test('the search finds what trying everything finds', (t) => {
  checkProperty(t, [anyPolicy, owned(fc.constantFrom(...NAMES))], 400, (policy, names) => {
    const { stop, equivocate } = find(policy, ...names)
    const expected = bruteForce(policy, names)
    assert.deepEqual([stop.atLeast, stop.atMost], [expected.stop, expected.stop])
    assert.deepEqual([equivocate.atLeast, equivocate.atMost], [expected.equivocate, expected.equivocate])
    assert.equal(stop.members.length, stop.atMost ?? 0)
    assert.equal(equivocate.members.length, equivocate.atMost ?? 0)
    const has = (set: readonly string[]) => new Set(names.flatMap((name, i) => (set.includes(name) ? [`w${i}`] : [])))
    if (equivocate.atMost !== null) assert.ok(canConfirmTwo(policy, names, has(['operator', ...namesOf(equivocate)])))
    const left = NAMES.filter((name) => !namesOf(stop).includes(name))
    assert.ok(!namesOf(equivocate).includes('operator'))
    if (stop.atMost !== null) assert.ok(!isQuorum(policy, has(left)))
  })
})

test('other names for the same owners change no size', (t) => {
  checkProperty(t, [anyPolicy, owned(fc.constantFrom(...NAMES))], 200, (policy, names) => {
    const renamed = names.map((name) => (name === 'operator' ? name : `z${255 - name.charCodeAt(0)}`))
    assert.deepEqual(sizes(find(policy, ...renamed)), sizes(find(policy, ...names)))
  })
})

/** All ways to say who the unknown witnesses belong to: those that are known, new owners, the operator. */
function* completions(names: readonly string[]): Generator<readonly string[]> {
  const at = names.indexOf('?')
  if (at < 0) {
    yield names
    return
  }
  const known = names.filter((name) => name !== '?')
  for (const name of new Set([...known, 'operator', `new ${at}`])) yield* completions(names.with(at, name))
}

test('whoever unknown witnesses belong to, sizes lie within the bounds, and reach them', (t) => {
  checkProperty(t, [anyPolicy, owned(fc.constantFrom('A', 'B', 'operator', '?', '?'))], 150, (policy, names) => {
    const found = find(policy, ...names)
    const all = [...completions(names)].map((each) => bruteForce(policy, each))
    for (const kind of ['stop', 'equivocate'] as const) {
      const { atLeast, atMost } = found[kind]
      const possible = all.map((each) => each[kind] ?? assert.fail('all together are always enough'))
      assert.deepEqual([Math.min(...possible), Math.max(...possible)], [atLeast, atMost], kind)
    }
  })
})

test('32 witnesses of 16 owners are searched exactly, in time', () => {
  const members = (from: number, to: number) => Array.from({ length: to - from }, (_, i) => `w${from + i}`).join(' ')
  const pairs = Array.from({ length: 32 }, (_, i) => `owner ${String(i % 16).padStart(2, '0')}`)
  const flat = (needed: number) => policyOf(32, `group g ${needed} ${members(0, 32)}\nquorum g`)
  const start = performance.now()
  for (const needed of [1, 15, 16, 29, 30, 31, 32]) {
    const { stop, equivocate } = find(flat(needed), ...pairs)
    const twice = Math.ceil(Math.max(2 * needed - 32, 0) / 2)
    assert.deepEqual([equivocate.atLeast, equivocate.atMost], [twice, twice])
    const blocking = Math.ceil((33 - needed) / 2)
    assert.deepEqual([stop.atLeast, stop.atMost], [blocking, blocking])
  }
  assert.ok(performance.now() - start < 20_000)
})

test('beyond that the sizes are bounds, and say so', () => {
  const members = Array.from({ length: 64 }, (_, i) => `w${i}`).join(' ')
  const pairs = Array.from({ length: 64 }, (_, i) => `owner ${i % 32}`)
  const { stop, equivocate } = find(policyOf(64, `group g 60 ${members}\nquorum g`), ...pairs)
  assert.ok(equivocate.atLeast !== null && equivocate.atMost !== null)
  assert.ok(equivocate.atLeast < equivocate.atMost)
  assert.ok(equivocate.atLeast <= 30 && 30 <= equivocate.atMost)
  assert.ok(stop.atLeast !== null && stop.atMost !== null && stop.atLeast <= 3 && 3 <= stop.atMost)
})
