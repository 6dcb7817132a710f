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
import { independentOwners, meetsQuorum, openConfirmations } from './confirmation.ts'

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

test('owners count once, and neither the operator’s nor those that nobody knows', () => {
  const owned = (name: string, owner: string, witness: string) =>
    `- name: ${name}\n  owner: ${owner}\n  witnesses: [${witness}]\n`
  const parties = owned('A', 'One', 'a') + owned('B', 'One', 'b') + owned('C', 'Example Operator Ltd', 'c')
  const trust = parseTrustFile(crypto, utf8(trustText(`${policyLines.join('\n')}\nquorum none\n`, scene, parties)))
  const ownersOf = (...signed: readonly string[]) => independentOwners(trust, confirmationsOf(signed))
  assert.deepEqual(ownersOf(), [])
  assert.deepEqual(ownersOf('a'), ['One'])
  assert.deepEqual(ownersOf('a', 'b'), ['One'])
  assert.deepEqual(ownersOf('c'), [])
  assert.deepEqual(ownersOf('d'), [])
  assert.deepEqual(ownersOf('a', 'b', 'c', 'd'), ['One'])
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
