import assert from 'node:assert/strict'
import { test } from 'node:test'
import { toBase64 } from '../bytes/base64.ts'
import { utf8 } from '../bytes/bytes.ts'
import { parseYaml } from '../bytes/yaml.ts'
import { createNodeCrypto } from '../crypto/node-provider.ts'
import { logSigner, NOW_MS, statementSigner } from '../fixture.testing.ts'
import { formatNoteKey, NOTE_COSIGNATURE, noteKey } from '../log/note.ts'
import { buildScene, partyText } from '../scene.testing.ts'
import { findPlaceDemand } from './place-demand.ts'
import { findSigner, parseTrustFile } from './trust-file.ts'

const crypto = createNodeCrypto()
const { trustText, operator, log } = buildScene()
const parse = (text: string) => parseTrustFile(crypto, utf8(text))
const refused = (text: string, why: RegExp) =>
  assert.throws(() => parse(text), { code: 'trust/malformed', message: why })

test('a trust file names parties, their keys and owners, and what is required', () => {
  const trust = parse(`${trustText}require:\n  record: witnessed\n  output: any\nmaximumAgeDays: 2\nminimumOwners: 3\n`)
  assert.deepEqual(
    trust.parties.map(({ name, owner, roles }) => [name, owner, ...roles]),
    [
      ['Example Operator', 'Example Operator Ltd', 'operator'],
      ['Example Accountable', 'Example Accountable Ltd', 'accountable'],
      ['Example Publisher', 'Example Publisher Ltd', 'publisher'],
    ],
  )
  assert.deepEqual(trust.requirements, [
    { claim: 'record', grade: 'witnessed' },
    { claim: 'output', grade: undefined },
  ])
  assert.equal(trust.maximumAgeMs, 172_800_000)
  assert.equal(trust.minimumOwners, 3)
  assert.equal(parse(trustText).minimumOwners, 2)
  assert.equal(parse(trustText).maximumAgeMs, undefined)
})

test('a trust file says where and on what parties run, and how often an owner counts', () => {
  const facts = { cloud: 'AS64500', jurisdiction: 'DE-BE', hardwareVendor: 'Example Silicon', software: 'countersign' }
  const lines = Object.entries(facts).map(([name, value]) => `  ${name}: ${value}\n`)
  const trust = parse(`${trustText}- name: W\n  owner: Example Operator\n${lines.join('')}perOwner: 3\n`)
  const { name, owner, cloud, jurisdiction, hardwareVendor, software } = trust.parties[3] ?? assert.fail()
  assert.deepEqual({ cloud, jurisdiction, hardwareVendor, software }, facts)
  assert.deepEqual([name, owner], ['W', 'Example Operator Ltd'], 'an owner that is a party stands for its owner')
  assert.equal(trust.perOwner, 3)
  assert.equal(parse(trustText).perOwner, 1)
  assert.equal(parse(trustText).parties[0]?.cloud, undefined)
})

test('a trust file may be JSON', () => {
  const trust = parse(JSON.stringify(parseYaml(utf8(trustText))))
  assert.equal(trust.parties.length, 3)
})

test('a key is trusted for its roles, its range of indexes, and its log', () => {
  const origin = log.signer.key.name
  const ranged = trustText.replace(
    toBase64(operator.spki),
    `${toBase64(operator.spki)}\n    fromIndex: 5\n    untilIndex: 8`,
  )
  const find = (text: string, index: number, role: 'operator' | 'auditor' = 'operator', at = origin) =>
    findSigner(parse(text), operator.keyId, role, { origin: at, index })?.party.name
  assert.deepEqual(
    [4, 5, 7, 8].map((index) => find(ranged, index)),
    [undefined, 'Example Operator', 'Example Operator', undefined],
  )
  assert.equal(find(trustText, 0), 'Example Operator')
  assert.equal(find(trustText, NOW_MS, 'auditor'), undefined)
  const bound = ranged.replace('fromIndex', `log: ${origin}\n    fromIndex`)
  assert.equal(find(bound, 5), 'Example Operator')
  assert.equal(find(bound, 5, 'operator', 'example.org/another-log'), undefined)
})

test('fields that are unknown, missing or of another type are refused', () => {
  refused(`${trustText}more: 1\n`, /unknown field "more"/)
  refused(trustText.replace('roles:', 'role:'), /unknown field "role"/)
  refused(trustText.replace(/ {2}owner: .*\n/, ''), /owner: this field is required/)
  refused(trustText.replace('countersign-trust/v1', 'countersign-trust/v2'), /format/)
  refused(trustText.replace('[operator]', '[boss]'), /expected one of operator/)
  refused(trustText.replace('[operator]', 'operator'), /expected a list/)
  refused(`${trustText}maximumAgeDays: 0\n`, /maximumAgeDays/)
  refused(`${trustText}maximumAgeDays: 1.5\n`, /maximumAgeDays/)
  refused(`${trustText}minimumOwners: 0\n`, /minimumOwners/)
  refused(`${trustText}perOwner: 0\n`, /perOwner/)
  refused(`${trustText}perOwner: 1001\n`, /perOwner/)
  refused(`${trustText}- name: W\n  owner: W\n  jurisdiction: Germany\n`, /jurisdiction/)
  refused(`${trustText}- name: W\n  owner: W\n  cloud: [a]\n`, /cloud/)
  refused(`${trustText}- name: W\n  owner: W\n  software: ${'a'.repeat(129)}\n`, /software/)
  refused(`${trustText}require:\n  taste: any\n`, /claims are/)
  refused(`${trustText}require:\n  record: re-executed\n`, /grades of record/)
  refused(`${trustText}require:\n  "record:any,model": any\n`, /is not a claim/)
  refused(`${trustText}require:\n  record: "any,model:any"\n`, /record/)
  refused('- a\n', /expected an object/)
  refused('', /expected an object/)
})

test('one name, one key, one witness stands for one party', () => {
  const again = partyText('Example Operator', 'auditor', statementSigner('another'))
  refused(`${trustText}${again}`, /"party Example Operator" stands twice/)
  refused(`${trustText}${partyText('Another', 'operator', operator)}`, /stands twice/)
  refused(`${trustText}- name: W\n  owner: W\n  witnesses: [w]\n`, /"w" is not in the policy/)
})

test('a policy has a log, each log one key, and no log is its own witness', () => {
  const [line] = trustText.match(/^ *log .*$/m) ?? []
  assert.ok(line !== undefined)
  const another = logSigner(log.signer.key.name, 'another').key
  const own = noteKey(crypto, 'witness.example/own', NOTE_COSIGNATURE, log.signer.key.publicKey)
  refused(trustText.replace(line, '  # none'), /names no log/)
  refused(trustText.replace(line, `${line}\n  log ${formatNoteKey(another)}`), /two keys for log/)
  refused(trustText.replace(line, `${line}\n  witness own ${formatNoteKey(own)}`), /"own" has the key of a log/)
})

test('keys are P-256 in their one encoding', () => {
  const spki = toBase64(operator.spki)
  refused(trustText.replace(spki, spki.replace(/==$/, '')), /base64/)
  refused(trustText.replace(spki, toBase64(operator.spki.slice(0, 90))), /P-256/)
})

const NITRO = `policy: { tee: nitro, measurements: { pcr0: ["${'ab'.repeat(48)}"] } }`

test('a trust file may demand what places must be, and the first that matches counts', () => {
  const { places, revokers } = parse(
    `${trustText}places:
- { name: ours, match: { upstream: gateway }, ${NITRO} }
- { name: credit, match: { deployment: credit, upstream: provider }, ${NITRO} }
- { name: rest, match: { deployment: credit }, ${NITRO} }
revokers: [auditor]
`,
  )
  const find = (deployment: string, upstream: string) => findPlaceDemand(places, { deployment, upstream })?.name
  assert.equal(find('credit', 'gateway'), 'ours')
  assert.equal(find('credit', 'provider'), 'credit')
  assert.equal(find('credit', 'spare'), 'rest')
  assert.equal(find('other', 'provider'), undefined)
  assert.equal(places[0]?.policy.tee, 'nitro')
  assert.deepEqual(revokers, ['auditor'])
  assert.deepEqual(parse(trustText).places, [])
  assert.deepEqual(parse(trustText).revokers, ['auditor', 'publisher', 'operator'])
  // An operator's word counts for its own answers alone: that of one which is an auditor too must not.
  assert.deepEqual(parse(`${trustText}revokers: [operator, auditor]\n`).revokers, ['auditor', 'operator'])
  const any = parse(`${trustText}places: [{ name: any, ${NITRO} }]\n`).places
  assert.equal(findPlaceDemand(any, { deployment: 'x', upstream: 'y' })?.name, 'any')
})

test('a demand that any program would meet, or that stands twice, is refused', () => {
  const places = (text: string) => `${trustText}places:\n- ${text}\n`
  refused(places('{ name: a, policy: { tee: nitro } }'), /names no code/)
  refused(places('{ name: a, policy: { tee: sgx } }'), /tee: expected one of/)
  refused(places(`{ name: a, match: { region: eu }, ${NITRO} }`), /unknown field "region"/)
  refused(places(`{ name: a, more: 1, ${NITRO} }`), /unknown field "more"/)
  refused(places(`{ ${NITRO} }`), /name: this field is required/)
  refused(places(`{ name: a, ${NITRO} }\n- { name: a, ${NITRO} }`), /"a" stands twice/)
  refused(`${trustText}revokers: [arbiter]\n`, /expected one of auditor/)
})
