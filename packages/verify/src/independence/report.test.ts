import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { toHex, utf8 } from '../bytes/bytes.ts'
import { createNodeCrypto } from '../crypto/node-provider.ts'
import { parseDossier } from '../dossier/dossier.ts'
import { jsonBytes, NOW_MS, statementSigner, witnessSigner } from '../fixture.testing.ts'
import { checkProperty } from '../fuzzing.testing.ts'
import { formatNoteKey } from '../log/note.ts'
import { buildScene, logLine, partyText, type SceneOptions, sceneDossier, trustText } from '../scene.testing.ts'
import { parseTrustFile, type Trust } from '../trust/trust-file.ts'
import { logAudits } from '../verdict/audit-cases.testing.ts'
import { contributionsOf } from '../verdict/contributions.ts'
import { decideRecord } from '../verdict/record.ts'
import { upstreamScene } from '../verdict/upstream-cases.testing.ts'
import { decideIndependenceReport } from './report.ts'
import { Tally } from './tally.ts'

const crypto = createNodeCrypto()
const NAMES = ['a', 'b', 'c', 'd']
const witnesses = NAMES.map((name) => ({ name, signer: witnessSigner(`witness.example/${name}`) }))
const witnessLines = witnesses.map(({ name, signer }) => `witness ${name} ${formatNoteKey(signer.key)}\n`).join('')

const party = (name: string, owner: string, facts = '') =>
  `- name: Party ${name}\n  owner: ${owner}\n  witnesses: [${name}]\n${facts}`
const APART = party('a', 'A Ltd', '  cloud: AS1\n') + party('b', 'B Ltd', '  cloud: AS1\n') + party('c', 'C Ltd')

/** What is counted of an answer: a scene, who cosigned, and the trust file's parties beside the scene's. */
function answerOf(
  options: SceneOptions,
  signed: readonly string[],
  parties: string,
  quorum = 'a',
  audits: Parameters<typeof logAudits>[1] = [],
) {
  const plain = buildScene(options)
  const scene = { ...plain, linked: [...plain.linked, ...logAudits(plain, audits)] }
  const text = `${logLine(scene.log)}\n${witnessLines}group two 2 a b c d\nquorum ${quorum}\n`
  const trust = parseTrustFile(crypto, utf8(trustText(text, scene, parties)))
  const cosigners = witnesses
    .filter(({ name }) => signed.includes(name))
    .map(
      ({ signer }) =>
        (note: string) =>
          signer.cosign(note, NOW_MS / 1000),
    )
  const dossier = parseDossier(jsonBytes(sceneDossier(scene, scene.log.checkpoint(scene.log.size, cosigners))))
  const { answer } = decideRecord(dossier, { crypto, trust, atMs: NOW_MS })
  return { trust, answer }
}

function reportOf(...of: Parameters<typeof answerOf>) {
  const { trust, answer } = answerOf(...of)
  const tally = new Tally(trust)
  if (answer === undefined) tally.passOver()
  else tally.addRecord(answer.statement, contributionsOf(answer, trust, crypto), answer.confirmations)
  return decideIndependenceReport(tally, [], NOW_MS)
}

const publisher = statementSigner('publisher')
const PUBLISHED: SceneOptions = { registrar: publisher }
const groupOf = (report: ReturnType<typeof reportOf>, role: string) =>
  report.groups.find((group) => group.role === role) ?? assert.fail(`no group of ${role}s`)
const ownersOf = (report: ReturnType<typeof reportOf>, role: string, dimension = 'owner') => {
  const found = groupOf(report, role).dimensions.find((each) => each.dimension === dimension) ?? assert.fail()
  return [found.shares.map(({ entity, weight }) => `${entity} ${weight}`), found.unknown.map(({ name }) => name)]
}

test('it holds where enough known owners confirmed, and nobody is unknown', () => {
  const all = APART + party('d', 'D Ltd')
  const report = reportOf(PUBLISHED, ['a', 'b'], all)
  assert.deepEqual([report.status, report.reasons], ['holds', []])
  assert.deepEqual(report.owners, { fewestCounted: 2, needed: 2, perOwner: 1, confirmed: ['A Ltd', 'B Ltd'] })
  assert.deepEqual(ownersOf(report, 'operator'), [['Example Operator Ltd 1'], []])
  assert.deepEqual(ownersOf(report, 'publisher'), [['Example Publisher Ltd 1'], []])
  assert.deepEqual(ownersOf(report, 'witness'), [['A Ltd 1', 'B Ltd 1'], []])
  assert.deepEqual(ownersOf(report, 'witness', 'cloud'), [['AS1 2'], []])
  assert.deepEqual(ownersOf(report, 'witness', 'software'), [[], ['Party a', 'Party b']])
  assert.deepEqual(report.notShown, ['offers', 'audits', 'fees'])
  assert.deepEqual(report.counted, { records: 1, passedOver: 0, heads: 0, unmetHeads: 0 })
})

test('it is unproven for each of its reasons', () => {
  const unproven = (report: ReturnType<typeof reportOf>, ...reasons: readonly RegExp[]) => {
    assert.equal(report.status, 'unproven')
    assert.equal(report.reasons.length, reasons.length, report.reasons.join('\n'))
    for (const [i, reason] of reasons.entries()) assert.match(report.reasons[i] ?? '', reason)
  }
  const all = APART + party('d', 'D Ltd')
  unproven(reportOf(PUBLISHED, [], all, 'none'), /^nobody but the operator confirmed/)
  unproven(reportOf(PUBLISHED, ['a'], all), /least confirmed that was given: 1; the trust file asks for 2/)
  unproven(reportOf(PUBLISHED, ['a', 'b'], APART), /^witnesses: nobody knows who owns d$/)
  unproven(reportOf({}, ['a', 'b'], all), /^publishers, by inferences: nobody knows who owns model credit, file/)
  unproven(reportOf(PUBLISHED, ['b'], all), /nothing that was given holds/, /that do not hold, and are not counted: 1$/)
  const { trust } = answerOf(PUBLISHED, ['a'], all)
  unproven(decideIndependenceReport(new Tally(trust), [], NOW_MS), /nothing that was given holds/)
})

test('two witnesses of one owner count once, the operator’s not at all, unless the trust file lets them', () => {
  const shared = party('a', 'A Ltd') + party('b', 'A Ltd') + party('c', 'Example Operator Ltd') + party('d', 'D Ltd')
  const report = reportOf(PUBLISHED, ['a', 'b', 'c'], shared)
  assert.deepEqual([report.status, report.owners.fewestCounted], ['unproven', 1])
  assert.deepEqual(ownersOf(report, 'witness'), [['A Ltd 2'], []])
  assert.deepEqual(groupOf(report, 'witness').excluded, [{ party: 'Party c', weight: '1' }])
  assert.deepEqual(report.quorum.operatorsWitnesses, ['c'])
  const allowed = reportOf(PUBLISHED, ['a', 'b', 'c'], `${shared}perOwner: 2\n`)
  assert.deepEqual([allowed.status, allowed.owners.fewestCounted], ['holds', 2])
  const between = reportOf(
    PUBLISHED,
    ['a', 'b'],
    party('a', 'A Ltd') + party('b', 'Party a') + party('c', 'C') + party('d', 'D'),
  )
  assert.equal(between.owners.fewestCounted, 1, 'a party between does not make two owners of one')
})

test('fees are by payee and currency, models of upstreams are nobody’s that anyone knows', () => {
  const price = [
    { item: 'answer', amountMicros: 7, currency: 'EUR', payee: 'Example Operator' },
    { item: 'upstream', amountMicros: 93, currency: 'EUR', payee: 'Provider' },
    { item: 'licence', amountMicros: 5, currency: 'USD', payee: 'Example Publisher' },
    { item: 'nothing', amountMicros: 0, currency: 'GBP', payee: 'Example Publisher' },
  ]
  const report = reportOf(upstreamScene({ price }), ['a', 'b'], APART)
  const fees = report.groups.filter(({ of }) => of === 'fees')
  assert.deepEqual(
    fees.map(({ currency, total }) => [currency, total]),
    [
      ['EUR', '100'],
      ['USD', '5'],
    ],
  )
  assert.deepEqual(ownersOf(report, 'payee'), [['Example Operator Ltd 7'], ['payee Provider']])
  assert.match(ownersOf(report, 'publisher')[1]?.join() ?? '', /^model .* of upstream provider$/)
  const failed = reportOf(upstreamScene({ finish: { reason: 'error' } }), ['a', 'b'], APART)
  assert.ok(!failed.groups.some(({ role }) => role === 'publisher'), 'no model’s answer, no publisher’s share')
})

test('audits are shares of auditors: those that count, whatever they say', () => {
  const [one, two, own] = ['auditor', 'second', 'own'].map((name) => statementSigner(name))
  assert.ok(one && two && own)
  const auditors = [
    partyText('One', 'auditor', one),
    partyText('Two', 'auditor', two),
    partyText('Own', 'auditor', own).replace('Own Ltd', 'Example Operator Ltd'),
  ].join('')
  const says = (signer: typeof one, outcome: 'agreed' | 'differed' | 'refused') => ({ signer, entry: { outcome } })
  const stranger = statementSigner('stranger')
  const audits = [
    ...[says(one, 'agreed'), says(one, 'differed'), says(two, 'agreed')],
    ...[says(two, 'refused'), says(own, 'agreed'), says(stranger, 'agreed')],
  ]
  const report = reportOf(PUBLISHED, ['a', 'b'], APART + party('d', 'D Ltd') + auditors, 'a', audits)
  assert.deepEqual(ownersOf(report, 'auditor'), [['One Ltd 2', 'Two Ltd 1'], []])
  assert.deepEqual(report.notShown, ['offers', 'fees'])
  assert.deepEqual([report.status, report.owners.fewestCounted], ['holds', 2])
})

test('a record counts once, however often it is given, and the least confirmed decides', () => {
  const all = APART + party('d', 'D Ltd')
  const { trust, answer } = answerOf(PUBLISHED, ['a', 'b', 'c'], all)
  assert.ok(answer)
  const tally = new Tally(trust)
  for (let i = 0; i < 3; i++) {
    tally.addRecord(answer.statement, contributionsOf(answer, trust, crypto), answer.confirmations)
  }
  assert.equal(decideIndependenceReport(tally, [], NOW_MS).counted.records, 1)
  assert.deepEqual(tally.confirmed, { fewestCounted: 3, owners: ['A Ltd', 'B Ltd', 'C Ltd'] })
  tally.addHead(answer.confirmations.slice(0, 1), false)
  const report = decideIndependenceReport(tally, [], NOW_MS)
  assert.deepEqual(report.owners.fewestCounted, 1)
  assert.match(report.reasons.join(), /published checkpoint does not meet the policy’s quorum/)
  assert.deepEqual(ownersOf(report, 'witness')[0], ['A Ltd 2', 'B Ltd 1', 'C Ltd 1'])
})

test('the headline is the worst of all dimensions', () => {
  const all = APART + party('d', 'D Ltd')
  const { trust } = answerOf(PUBLISHED, ['a'], all)
  const tally = new Tally(trust)
  const audits = (by: Trust['parties'][number] | string, weight: bigint) =>
    tally.addContributions([{ role: 'auditor', of: 'audits', by, weight }])
  const [a, b, c, d] = trust.parties.slice(-4)
  assert.ok(a && b && c && d)
  for (const each of [a, b, c, d])
    audits({ ...each, jurisdiction: each.name, hardwareVendor: each.name, cloud: each.name }, 1n)
  // Nobody says what software they run: it may be one.
  assert.deepEqual(decideIndependenceReport(tally, [], NOW_MS).headline, {
    ...{ role: 'auditor', of: 'audits', dimension: 'software', effectiveNumber: { atLeast: 1, atMost: 4 } },
    ...{ nakamotoHalf: { atLeast: 1, atMost: 3 }, topShare: { atLeast: 0.25, atMost: 1 } },
  })
  tally.addContributions([{ role: 'operator', of: 'offers', by: trust.parties[0] ?? '', weight: 5n }])
  // What is known to be one is worse than what may be.
  const { headline } = decideIndependenceReport(tally, [], NOW_MS)
  assert.deepEqual([headline?.role, headline?.dimension], ['operator', 'owner'])
  assert.equal(decideIndependenceReport(new Tally(trust), [], NOW_MS).headline, null)
})

test('what is left without an owner', () => {
  const all = APART + party('d', 'D Ltd')
  const report = reportOf(PUBLISHED, ['a', 'b', 'c'], all, 'two')
  const { without } = groupOf(report, 'witness')
  assert.deepEqual(
    without.map(({ owner, measures }) => [owner, measures?.effectiveNumber.atMost]),
    ['A Ltd', 'B Ltd', 'C Ltd'].map((owner) => [owner, 2]),
  )
  assert.deepEqual(groupOf(report, 'operator').without, [{ owner: 'Example Operator Ltd', measures: null }])
  assert.ok(report.quorum.without.every(({ canBeMet }) => canBeMet))
  const byCloud = report.quorum.coalitions.find(({ dimension }) => dimension === 'cloud')
  assert.deepEqual(byCloud?.equivocate.atLeast, 0, 'two that nobody knows the cloud of may be the operator’s')
})

test('what would change it is said', () => {
  const says = (report: ReturnType<typeof reportOf>) => report.wouldChange.join('\n')
  const none = says(reportOf({}, [], APART, 'none'))
  assert.match(none, /confirmations that are missing: 2/)
  assert.match(none, /a policy that asks for a quorum/)
  assert.match(none, /says who owns those it does not know/)
  const weak = says(reportOf(PUBLISHED, ['a', 'b'], APART + party('d', 'D Ltd')))
  assert.match(weak, /a quorum that more owners are needed for/)
  assert.match(weak, /says more of cloud, jurisdiction, hardwareVendor, software/)
  assert.doesNotMatch(weak, /who owns those/)
})

test('memory is bounded: holders of shares, and records', () => {
  const { trust } = answerOf(PUBLISHED, ['a'], APART)
  const tally = new Tally(trust)
  const pay = (i: number) =>
    tally.addContributions([{ role: 'payee', of: 'fees', currency: 'EUR', by: `payee ${i}`, weight: 1n }])
  for (let i = 0; i < 8192; i++) pay(i)
  pay(0)
  assert.throws(() => pay(8192), { code: 'independence/too-many' })
  pay(8191)
  const records = new Tally(trust)
  for (let i = 0; i < 2 ** 18; i++) records.addRecord(String(i), [], [])
  assert.throws(() => records.addRecord('more', [], []), { code: 'independence/too-many' })
  records.addRecord('0', [], [])
})

test('order and names of what is counted change no figure', (t) => {
  const all = APART + party('d', 'D Ltd')
  const { trust } = answerOf(PUBLISHED, ['a'], all)
  const parties = trust.parties.slice(-4)
  const holder = fc.oneof(fc.constantFrom(...parties), fc.constantFrom('x', 'y', 'z'))
  const items = fc.array(fc.tuple(holder, fc.bigInt(1n, 2n ** 60n)), { minLength: 1, maxLength: 8 })
  checkProperty(t, [items, fc.nat()], 100, (holdings, turn) => {
    const figures = (of: typeof holdings, rename: (name: string) => string) => {
      const tally = new Tally(trust)
      for (const [by, weight] of of) {
        const named = typeof by === 'string' ? rename(by) : { ...by, name: rename(by.name), owner: rename(by.owner) }
        tally.addContributions([{ role: 'auditor', of: 'audits', by: named, weight }])
      }
      const [group] = decideIndependenceReport(tally, [], NOW_MS).groups
      return [group?.total, group?.dimensions.find(({ dimension }) => dimension === 'owner')?.measures]
    }
    const at = turn % holdings.length
    const turned = [...holdings.slice(at), ...holdings.slice(0, at)]
    const plain = figures(holdings, (name) => name)
    assert.deepEqual(
      figures(turned, (name) => name),
      plain,
    )
    assert.deepEqual(
      figures(holdings, (name) => toHex(utf8(name)).split('').reverse().join('')),
      plain,
    )
  })
})
