import assert from 'node:assert/strict'
import { test } from 'node:test'
import { utf8 } from '../bytes/bytes.ts'
import { createNodeCrypto } from '../crypto/node-provider.ts'
import { ORIGIN, type StatementSigner, statementSigner, TestLog, witnessSigner } from '../fixture.testing.ts'
import { parseBundle } from '../log/bundle.ts'
import { formatNoteKey } from '../log/note.ts'
import { buildScene, partyText, trustText } from '../scene.testing.ts'
import { SAMPLE_PARTY } from '../statement/party.testing.ts'
import { type PartyDeclaration, partyStatement } from '../statement/party.ts'
import { parseTrustFile } from '../trust/trust-file.ts'
import { compareDeclaration, openDeclaration } from './declaration.ts'

const crypto = createNodeCrypto()
const scene = buildScene()
const signer = statementSigner('witness one')
const [a, b] = ['a', 'b'].map((name) => formatNoteKey(witnessSigner(`witness.example/${name}`).key))
const policy = (log: TestLog) => `log ${formatNoteKey(log.signer.key)}\nwitness a ${a}\nwitness b ${b}\nquorum none\n`

/** A log with that declaration as its one entry, and a trust file with more parties than the scene's. */
function declare(changes: Partial<PartyDeclaration>, parties: string, by: StatementSigner = signer) {
  const log = new TestLog()
  log.append(partyStatement({ ...SAMPLE_PARTY, ...changes }), by)
  const trust = parseTrustFile(crypto, utf8(trustText(policy(log), scene, parties)))
  return { trust, receipt: parseBundle(log.bundle(0)) }
}

function compare(changes: Partial<PartyDeclaration>, parties: string, by?: StatementSigner) {
  const { trust, receipt } = declare(changes, parties, by)
  const { knownAs, facts } = compareDeclaration(trust, openDeclaration(crypto, trust, receipt))
  return { knownAs, facts: Object.fromEntries(facts.map(({ fact, standing }) => [fact, standing])) }
}

const KNOWN = partyText('Witness One', 'auditor', signer).replace('Witness One Ltd', 'One GmbH')
const everything = (standing: string) => ({
  ...{ owner: standing, cloud: standing, jurisdiction: standing, hardwareVendor: standing, software: standing },
  ...{ key: standing, witness: standing },
})

test('what the trust file says too is confirmed', () => {
  const facts = `  witnesses: [a]\n  cloud: AS64500\n  jurisdiction: DE-BE\n  hardwareVendor: Example Silicon\n  software: countersign\n`
  assert.deepEqual(compare({}, KNOWN + facts), { knownAs: 'Witness One', facts: everything('confirmed') })
})

test('what the trust file does not say is the party’s word, and a stranger’s all is', () => {
  assert.deepEqual(compare({}, ''), { knownAs: null, facts: everything('unconfirmed') })
  const known = { owner: 'confirmed', key: 'confirmed' }
  assert.deepEqual(compare({}, KNOWN), { knownAs: 'Witness One', facts: { ...everything('unconfirmed'), ...known } })
})

test('what the trust file says otherwise is contradicted, keys of others among it', () => {
  const facts = '  cloud: AS1\n  jurisdiction: DE\n  hardwareVendor: Other\n  software: other\n'
  const other = '- name: Another\n  owner: Another Ltd\n  witnesses: [a]\n'
  const of = KNOWN.replace('One GmbH', 'Two GmbH') + facts + other
  const stolen = { keys: [signer.keyId, scene.operator.keyId] }
  assert.deepEqual(compare(stolen, of).facts, everything('contradicted'))
  assert.equal(compare(stolen, '').facts.key, 'contradicted', 'a stranger that names the key of a known party')
})

test('an owner that is a party stands for that party’s owner on both sides', () => {
  const holding = '- name: One GmbH\n  owner: Holding\n'
  assert.equal(compare({}, KNOWN + holding).facts.owner, 'confirmed')
  assert.equal(compare({ owner: 'Holding' }, KNOWN + holding).facts.owner, 'confirmed')
  assert.equal(compare({ owner: 'Two GmbH' }, KNOWN + holding).facts.owner, 'contradicted')
})

test('a declaration needs its log, its own key, and its type', () => {
  const { trust, receipt } = declare({}, '')
  const stranger = declare({}, '', statementSigner('stranger'))
  assert.throws(() => openDeclaration(crypto, stranger.trust, stranger.receipt), { code: 'statement/mismatch' })
  const text = receipt.checkpoint.text.replace(ORIGIN, 'example.org/another')
  const elsewhere = { ...receipt, checkpoint: { ...receipt.checkpoint, text } }
  assert.throws(() => openDeclaration(crypto, trust, elsewhere), { code: 'policy/unknown-log' })
  const cut = { ...receipt, checkpoint: { ...receipt.checkpoint, signatures: [] } }
  assert.throws(() => openDeclaration(crypto, trust, cut), { code: 'note/no-known-signature' })
  const another = parseBundle(scene.log.bundle(scene.index))
  assert.throws(() => openDeclaration(crypto, trust, another), { code: 'statement/wrong-type' })
})
