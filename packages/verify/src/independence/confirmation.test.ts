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

function confirmationsOf(signed: readonly string[]) {
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
  const known = new Map<string, ReturnType<typeof confirmationsOf>>()
  const count = fc.constantFrom('any', 'all', '1', '2')
  checkProperty(t, [fc.subarray(NAMES), count, count, count], 200, (signed, first, second, third) => {
    const groups = `group g ${first} a b\ngroup h ${second} c d\ngroup top ${third} g h`
    const policy: TlogPolicy = parseTlogPolicy(crypto, `${policyLines.join('\n')}\n${groups}\nquorum top\n`)
    const confirmations = known.get(signed.join()) ?? confirmationsOf(signed)
    known.set(signed.join(), confirmations)
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
