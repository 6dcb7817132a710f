import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { utf8 } from '../bytes/bytes.ts'
import { createNodeCrypto } from '../crypto/node-provider.ts'
import { NOW_MS, witnessSigner } from '../fixture.testing.ts'
import { checkProperty } from '../fuzzing.testing.ts'
import { formatNoteKey, parseNote } from '../log/note.ts'
import { type PolicyGroup, parseTlogPolicy, type TlogPolicy } from '../log/tlog-policy.ts'
import { buildScene, logLine, trustText } from '../scene.testing.ts'
import { parseTrustFile } from '../trust/trust-file.ts'
import { confirmationsAsOf, confirmingParties, countOwners, meetsQuorum, openConfirmations } from './confirmation.ts'
import { quorumMetBy, quorumStillMetFrom } from './time-interval.ts'

const crypto = createNodeCrypto()
const scene = buildScene()
const NAMES = ['a', 'b', 'c', 'd']
const witnesses = NAMES.map((name) => ({ name, signer: witnessSigner(`witness.example/${name}`) }))
const policyLines = [
  logLine(scene.log),
  ...witnesses.map(({ name, signer }) => `witness ${name} ${formatNoteKey(signer.key)}`),
]

const remembered = new Map<string, ReturnType<typeof openConfirmations>>()

function confirmationsOf(signed: readonly string[]) {
  const known = remembered.get(signed.join())
  if (known !== undefined) return known
  const confirmations = cosign(signed)
  remembered.set(signed.join(), confirmations)
  return confirmations
}

function cosign(signed: readonly string[]) {
  const cosigners = witnesses
    .filter(({ name }) => signed.includes(name))
    .map(
      ({ signer }) =>
        (text: string) =>
          signer.cosign(text, NOW_MS / 1000),
    )
  const policy = parseTlogPolicy(crypto, `${policyLines.join('\n')}\nquorum none\n`)
  return openConfirmations(crypto, parseNote(utf8(scene.log.checkpoint(scene.log.size, cosigners))), policy)
}

/** Decides a quorum by the words of the specification: a name is met by itself, or by enough of its members. */
function isMet(groups: readonly PolicyGroup[], name: string, signed: readonly string[]): boolean {
  const group = groups.find((each) => each.name === name)
  if (group === undefined) return signed.includes(name)
  return group.members.filter((member) => isMet(groups, member, signed)).length >= group.threshold
}

test('a quorum is met by exactly those who should meet it', (t) => {
  const count = fc.constantFrom('any', 'all', '1', '2')
  checkProperty(t, [fc.subarray(NAMES), count, count, count], 200, (signed, first, second, third) => {
    const groups = `group g ${first} a b\ngroup h ${second} c d\ngroup top ${third} g h`
    const policy: TlogPolicy = parseTlogPolicy(crypto, `${policyLines.join('\n')}\n${groups}\nquorum top\n`)
    const confirmations = confirmationsOf(signed)
    assert.deepEqual(
      confirmations.map(({ witness }) => witness),
      signed,
    )
    for (const quorum of ['top', 'g', 'h', 'a', 'd']) {
      assert.equal(meetsQuorum({ ...policy, quorum }, confirmations), isMet(policy.groups, quorum, signed), quorum)
    }
    assert.ok(meetsQuorum({ ...policy, quorum: 'none' }, confirmations))
  })
})

/** Nested groups over some of the names: each group takes names that no group has yet, and adds its own. */
const someGroups = fc.array(fc.tuple(fc.nat(), fc.nat(), fc.nat()), { maxLength: 6 }).map((draws) => {
  const free: string[] = [...NAMES]
  return draws.flatMap(([first, count, threshold], i) => {
    const start = first % Math.max(1, free.length)
    const members = free.splice(start, 1 + (count % 3))
    if (members.length === 0) return []
    free.push(`g${i}`)
    return [{ name: `g${i}`, threshold: 1 + (threshold % members.length), members }]
  })
})

const confirmed = (signed: readonly string[]) =>
  confirmationsOf(NAMES).filter(({ witness }) => signed.includes(witness))

test('any quorum is what its groups say, and no cosignature more unmakes it', (t) => {
  checkProperty(t, [someGroups, fc.subarray(NAMES), fc.subarray(NAMES)], 400, (groups, some, more) => {
    const lines = groups.map(({ name, threshold, members }) => `group ${name} ${threshold} ${members.join(' ')}`)
    const [few, many] = [confirmed(some), confirmed([...some, ...more])]
    for (const quorum of [...NAMES, ...groups.map(({ name }) => name)]) {
      const policy = parseTlogPolicy(crypto, `${[...policyLines, ...lines, `quorum ${quorum}`].join('\n')}\n`)
      assert.deepEqual(policy.groups, groups)
      assert.equal(meetsQuorum(policy, few), isMet(groups, quorum, some), quorum)
      assert.ok(!meetsQuorum(policy, few) || meetsQuorum(policy, many), quorum)
      assert.equal(meetsQuorum(policy, [...few, ...few]), meetsQuorum(policy, few), 'counted twice')
    }
  })
})

test('a witness counts once, by its earliest time, however many lines it has', () => {
  const policy = parseTlogPolicy(crypto, `${policyLines.join('\n')}\ngroup two 2 a b\nquorum two\n`)
  const [a] = witnesses
  assert.ok(a !== undefined)
  const cosigners = [9, 3, 6].map((seconds) => (text: string) => a.signer.cosign(text, seconds))
  const note = parseNote(utf8(scene.log.checkpoint(scene.log.size, cosigners)))
  const confirmations = openConfirmations(crypto, note, policy)
  assert.deepEqual(
    confirmations.map(({ witness, cosignature }) => [witness, cosignature.timeSeconds]),
    [['a', 3]],
  )
  assert.equal(meetsQuorum(policy, confirmations), false)
})

test('owners count once, or as often as the trust file says, and neither the operator’s nor those that nobody knows', () => {
  const owned = (name: string, owner: string, witness: string) =>
    `- name: ${name}\n  owner: ${owner}\n  witnesses: [${witness}]\n`
  const parties = owned('A', 'One', 'a') + owned('B', 'One', 'b') + owned('C', 'Example Operator Ltd', 'c')
  const policy = `${policyLines.join('\n')}\nquorum none\n`
  const counted = (more: string, ...signed: readonly string[]) => {
    const trust = parseTrustFile(crypto, utf8(trustText(policy, scene, parties + more)))
    return countOwners(trust, confirmingParties(trust, confirmationsOf(signed)))
  }
  const one = (times: number) => [{ owner: 'One', counted: times }]
  assert.deepEqual(counted(''), [])
  assert.deepEqual(counted('', 'a'), one(1))
  assert.deepEqual(counted('', 'a', 'b'), one(1))
  assert.deepEqual(counted('', 'c'), [])
  assert.deepEqual(counted('', 'd'), [])
  assert.deepEqual(counted('', 'a', 'b', 'c', 'd'), one(1))
  assert.deepEqual(counted('perOwner: 2\n', 'a', 'b', 'c', 'd'), one(2))
  assert.deepEqual(counted('perOwner: 3\n', 'a', 'b'), one(2))
  // An owner that is itself a party stands for that party's owner, the operator's among them.
  assert.deepEqual(counted(owned('D', 'A', 'd'), 'a', 'd'), one(1))
  assert.deepEqual(counted(owned('D', 'Example Operator', 'd'), 'd'), [])
})

const everyone = confirmationsOf(NAMES)

/** Confirmations at those seconds. */
function at(seconds: { readonly [name: string]: number }) {
  return everyone.flatMap((each) => {
    const timeSeconds = seconds[each.witness]
    return timeSeconds === undefined ? [] : [{ ...each, cosignature: { ...each.cosignature, timeSeconds } }]
  })
}

const parsePolicy = (text: string) => parseTlogPolicy(crypto, `${policyLines.join('\n')}\n${text}\n`)

test('a quorum is met by the second in which its last needed witness signed', () => {
  const two = parsePolicy('group g 2 a b c d\nquorum g')
  assert.deepEqual(quorumMetBy(two, at({ a: 30, b: 10, c: 20 })), { timeSeconds: 20, witnesses: ['b', 'c'] })
  assert.deepEqual(quorumStillMetFrom(two, at({ a: 30, b: 10, c: 20 })), { timeSeconds: 20, witnesses: ['a', 'c'] })
  assert.deepEqual(quorumMetBy(two, at({ a: 10, b: 10, c: 10 })), { timeSeconds: 10, witnesses: ['a', 'b', 'c'] })
  const nested = parsePolicy('group g all a b\ngroup h any g c\nquorum h')
  assert.equal(quorumMetBy(nested, at({ a: 10, b: 30, c: 40 }))?.timeSeconds, 30)
  assert.equal(quorumStillMetFrom(nested, at({ a: 10, b: 30, c: 40 }))?.timeSeconds, 40)
  assert.equal(quorumMetBy(two, at({ a: 10 })), undefined)
  assert.equal(quorumStillMetFrom(two, at({ a: 10 })), undefined)
  assert.equal(quorumMetBy(parsePolicy('quorum none'), at({ a: 10, b: 20 })), undefined)
})

test('a quorum is met by no earlier second, and from no later one', (t) => {
  const count = fc.constantFrom('any', 'all', '1', '2')
  const second = fc.option(fc.integer({ min: 1, max: 6 }), { nil: undefined })
  checkProperty(t, [fc.tuple(second, second, second, second), count, count, count], 300, (times, p, q, r) => {
    const policy = parsePolicy(`group g ${p} a b\ngroup h ${q} c d\ngroup top ${r} g h\nquorum top`)
    const seconds = Object.fromEntries(NAMES.flatMap((name, i) => (times[i] === undefined ? [] : [[name, times[i]]])))
    const confirmations = at(seconds)
    const metBy = (limit: number) =>
      meetsQuorum(
        policy,
        confirmations.filter(({ cosignature }) => cosignature.timeSeconds <= limit),
      )
    const metFrom = (limit: number) =>
      meetsQuorum(
        policy,
        confirmations.filter(({ cosignature }) => cosignature.timeSeconds >= limit),
      )
    const all = [0, 1, 2, 3, 4, 5, 6, 7]
    assert.equal(quorumMetBy(policy, confirmations)?.timeSeconds, all.find(metBy))
    assert.equal(quorumStillMetFrom(policy, confirmations)?.timeSeconds, all.findLast(metFrom))
  })
})

test('a cosignature from the future does not count, but for what clocks may differ by', () => {
  const atMs = 1000_000
  const confirmations = at({ a: 1000, b: 1300, c: 1301, d: 2 ** 53 - 1 })
  assert.deepEqual(
    confirmationsAsOf(confirmations, atMs).map(({ witness }) => witness),
    ['a', 'b'],
  )
  assert.deepEqual(
    confirmationsAsOf(confirmations, atMs - 1).map(({ witness }) => witness),
    ['a'],
  )
})

test('a cosignature that does not check spoils the note, and one by a stranger is nobody’s', () => {
  const policy = parseTlogPolicy(crypto, `${policyLines.join('\n')}\nquorum none\n`)
  const [a] = witnesses
  assert.ok(a !== undefined)
  const bad = parseNote(utf8(scene.log.checkpoint(scene.log.size, [() => a.signer.cosign('another text\n', 1)])))
  assert.throws(() => openConfirmations(crypto, bad, policy), { code: 'note/bad-signature' })
  const stranger = witnessSigner('witness.example/stranger')
  const strange = parseNote(utf8(scene.log.checkpoint(scene.log.size, [(text) => stranger.cosign(text, 1)])))
  assert.deepEqual(openConfirmations(crypto, strange, policy), [])
})
