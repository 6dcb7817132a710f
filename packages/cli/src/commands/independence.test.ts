import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { Gateway, readConfigFile } from '@countersign/gateway'
import {
  decideIndependenceReport,
  type ErrorCode,
  type IndependenceReport,
  type Json,
  type PartyDeclaration,
  parseTrustFile,
  partyStatement,
  utf8,
} from '@countersign/verify'
import { createNodeCrypto } from '@countersign/verify/crypto/node'
import { addGateway } from '../independence/gateway-source.ts'
import { keysText, LogDouble, partyText, StatementSigner, serve } from '../independence/log-double.testing.ts'
import { Gathering } from '../independence/sources.ts'
import { countersign, type Ran } from '../run.testing.ts'
import { formatTrustFile, readGatewayKeys } from '../trust-file-text.ts'
import { creditConfig, writeKeyPair } from './credit-gateway.testing.ts'

const AT = '2026-09-21T14:13:20Z'
const NOW_SECONDS = Date.parse(AT) / 1000

function folderOf(context: TestContext): (name: string) => string {
  const folder = mkdtempSync(join(tmpdir(), 'countersign-independence-test-'))
  context.after(() => rmSync(folder, { recursive: true, force: true }))
  return (name) => join(folder, name)
}

/** A vector's dossier and trust file, as text. */
function vector(name: string): { readonly dossier: string; readonly trust: string } {
  const path = new URL(`../../../../vectors/verdict/${name}.json`, import.meta.url)
  const { dossier, trust } = JSON.parse(readFileSync(path, 'utf8')) as { dossier: Json; trust: string }
  return { dossier: JSON.stringify(dossier), trust }
}

const measure = (...args: readonly string[]) => countersign('independence', ...args, '--at', AT)
const reportOf = (ran: Ran) => JSON.parse(ran.stdout) as IndependenceReport

test('dossiers, one by one and by folder, are counted once each; those that do not hold are told', async (context) => {
  const at = folderOf(context)
  const { dossier, trust } = vector('time-from-the-cited-head')
  mkdirSync(at('dossiers'))
  for (let i = 0; i < 40; i++) writeFileSync(at(`dossiers/${i}.json`), dossier)
  writeFileSync(at('dossiers/other.json'), vector('changed-output').dossier)
  writeFileSync(at('dossiers/notes.txt'), 'not one of them')
  writeFileSync(at('trust.yaml'), trust)
  const ran = await measure(at('dossiers'), '--trust', at('trust.yaml'), '--json')
  assert.equal(ran.code, 3, ran.stderr)
  const { format, status, counted, owners } = reportOf(ran)
  assert.equal(format, 'countersign-independence/v1')
  assert.deepEqual([status, counted.records, counted.passedOver], ['unproven', 1, 1])
  assert.deepEqual(owners.confirmed, ['a Ltd', 'b Ltd', 'c Ltd'])
  assert.match(ran.stderr, /other\.json: not counted: the record is refuted/)
})

test('people are told who could break it, and what would change it', async (context) => {
  const at = folderOf(context)
  const { dossier, trust } = vector('unknown-owner')
  writeFileSync(at('one.json'), dossier)
  writeFileSync(at('trust.yaml'), trust)
  const ran = await measure(at('one.json'), '--trust', at('trust.yaml'))
  assert.equal(ran.code, 3, ran.stderr)
  const text = ran.stdout.replace(/\s+/g, ' ')
  assert.match(text, /independence unproven as of 2026-09-21T14:13:20\.000Z/)
  assert.match(text, /stop the operator alone, always\. .* by not cosigning: 1 \(as in A Ltd\)/)
  assert.match(text, /equivocate the operator, together with 1 to 2 \(as in A Ltd, whoever owns witness b\)/)
  assert.match(text, /witnesses \(cosignatures\) owner 1 1 1–2 1 1–2 1–2 5000–10000 50%–100% A Ltd/)
  assert.match(text, /quorum A Ltd cannot be met/)
  assert.match(text, /What would change it - independent confirmations that are missing: 1/)
  assert.match(text, /This does not prove/)
})

const DECLARATION: Omit<PartyDeclaration, 'keys'> = {
  ...{ party: 'Witness A', owner: 'A Ltd', witnesses: [], cloud: 'AS1', jurisdiction: 'DE', declaredAtMs: 5 },
}

/** A log with two declarations of one party, and a trust file that knows it and both witnesses. */
function declared() {
  const log = new LogDouble()
  const signer = new StatementSigner()
  const older = log.append(partyStatement({ ...DECLARATION, cloud: 'AS9', keys: [signer.keyId] }), signer)
  const newer = log.append(partyStatement({ ...DECLARATION, keys: [signer.keyId] }), signer)
  const parties = [
    partyText('A', 'A Ltd', `witnesses: [a], cloud: AS1, jurisdiction: SE, ${keysText(signer)}`),
    partyText('B', 'B Ltd', 'witnesses: [b], cloud: AS1'),
  ]
  const trust = `${log.policyText('group both all a b\n  quorum both')}parties:\n${parties.join('')}`
  return { log, trust, bundles: [log.bundle(newer.index), log.bundle(older.index)] as const }
}

test('a gateway’s published checkpoint is counted, and it holds where owners are known and enough', async (context) => {
  const at = folderOf(context)
  const { log, trust, bundles } = declared()
  writeFileSync(at('trust.yaml'), trust)
  writeFileSync(at('party.json'), JSON.stringify(bundles[0]))
  writeFileSync(at('older.json'), JSON.stringify({ statement: 'ab', index: 0, bundle: bundles[1] }))
  const pages = { '/log/checkpoint': log.checkpoint(NOW_SECONDS, NOW_SECONDS), '/deployments': [] }
  const url = await serve(context, pages)
  const ran = await measure(`${url}/log/`, at('party.json'), at('older.json'), '--trust', at('trust.yaml'), '--json')
  assert.equal(ran.code, 0, ran.stderr)
  const { status, counted, declarations, quorum } = reportOf(ran)
  assert.deepEqual([status, counted.heads, counted.unmetHeads], ['holds', 1, 0])
  assert.deepEqual(quorum.coalitions.find(({ dimension }) => dimension === 'cloud')?.equivocate.members, [
    { controller: 'AS1' },
  ])
  const [only, ...more] = declarations
  assert.deepEqual([only?.party, only?.knownAs, more], ['Witness A', 'A', []])
  assert.deepEqual(
    only?.facts.slice(0, 3).map(({ fact, says, standing }) => [fact, says, standing]),
    [
      ['owner', 'A Ltd', 'confirmed'],
      ['cloud', 'AS1', 'confirmed'],
      ['jurisdiction', 'DE', 'contradicted'],
    ],
  )
  const told = await measure(url, at('party.json'), '--trust', at('trust.yaml'))
  assert.match(told.stdout, /Witness A \(known as A\): owner A Ltd, confirmed; cloud AS1, confirmed; jurisdiction DE/)
})

test('a checkpoint without its quorum, or cosigned in the future, is unproven', async (context) => {
  const at = folderOf(context)
  const { log, trust } = declared()
  writeFileSync(at('trust.yaml'), trust)
  for (const seconds of [[NOW_SECONDS], [NOW_SECONDS, NOW_SECONDS + 301]]) {
    const url = await serve(context, { '/log/checkpoint': log.checkpoint(...seconds), '/deployments': [] })
    const ran = await measure(url, '--trust', at('trust.yaml'), '--json')
    assert.equal(ran.code, 3, ran.stderr)
    const { reasons, owners } = reportOf(ran)
    assert.match(reasons.join(), /published checkpoint does not meet the policy’s quorum/)
    assert.equal(owners.fewestCounted, 1)
  }
})

/** Reads a gateway in this process. */
function gather(trust: string) {
  const crypto = createNodeCrypto()
  return new Gathering(crypto, parseTrustFile(crypto, utf8(trust)), NOW_SECONDS * 1000)
}

test('a gateway that lies or sends too much is refused by name', async (context) => {
  const { log, trust } = declared()
  const checkpoint = log.checkpoint(NOW_SECONDS, NOW_SECONDS)
  const refused: readonly (readonly [{ readonly [path: string]: string | Json }, ErrorCode])[] = [
    [{}, 'gateway/refused'],
    [{ '/log/checkpoint': 'x'.repeat(70_000) }, 'gateway/refused'],
    [{ '/log/checkpoint': 'nothing of the kind' }, 'note/malformed'],
    [{ '/log/checkpoint': checkpoint.replace('log.example', 'another.example') }, 'policy/unknown-log'],
    [{ '/log/checkpoint': checkpoint.replace('\n2\n', '\n3\n') }, 'note/bad-signature'],
    [{ '/log/checkpoint': checkpoint, '/deployments': {} }, 'shape/wrong-type'],
    [{ '/log/checkpoint': checkpoint, '/deployments': [{ statement: 'short' }] }, 'shape/bad-value'],
    [{ '/log/checkpoint': checkpoint, '/deployments': 'x'.repeat(2 ** 20 + 1) }, 'gateway/refused'],
  ]
  for (const [pages, code] of refused) {
    const url = await serve(context, pages)
    await assert.rejects(addGateway(gather(trust), url), { code }, JSON.stringify(pages).slice(0, 100))
  }
  await assert.rejects(addGateway(gather(trust), 'http://127.0.0.1:9'), { code: 'gateway/unreachable' })
})

test('manifests that do not check are not counted, and make the report unproven', async (context) => {
  const { log, trust } = declared()
  const digest = 'ab'.repeat(32)
  const pages = { '/log/checkpoint': log.checkpoint(NOW_SECONDS, NOW_SECONDS), '/deployments': [{ statement: digest }] }
  for (const page of [{ bundle: log.bundle(0) }, { statement: digest }, 'nothing']) {
    const gathering = gather(trust)
    await addGateway(gathering, await serve(context, { ...pages, [`/statements/${digest}`]: page }))
    const { status, reasons } = decideIndependenceReport(gathering.tally, [], NOW_SECONDS * 1000)
    assert.deepEqual(
      [status, reasons],
      ['unproven', ['records and manifests that do not hold, and are not counted: 1']],
    )
  }
})

test('a real gateway’s deployments are counted, by who published their models', async (context) => {
  const at = folderOf(context)
  writeKeyPair(at(''), 'accountable')
  writeFileSync(at('countersign.yaml'), creditConfig('accountable'))
  const config = readConfigFile(at('countersign.yaml'))
  const gateway = await Gateway.start({ config, notices: { info: () => undefined, error: () => undefined } })
  const { log, operator } = readGatewayKeys(at('data'))
  const trust = formatTrustFile(log, [{ name: 'Operator', owner: 'Operator Ltd', role: 'operator', spki: operator }])
  const gathering = gather(trust)
  try {
    await untilPublished(gateway.url)
    await addGateway(gathering, gateway.url)
  } finally {
    await gateway.close()
  }
  const { groups, counted, reasons } = decideIndependenceReport(gathering.tally, [], NOW_SECONDS * 1000)
  assert.deepEqual([counted.heads, counted.passedOver], [1, 0])
  assert.deepEqual(
    groups.map(({ role, of, total }) => [role, of, total]),
    [
      ['operator', 'offers', '1'],
      ['publisher', 'offers', '1'],
    ],
  )
  assert.match(
    reasons.join('\n'),
    /nobody but the operator[\s\S]*publishers, by offers: nobody knows who owns model credit/,
  )
})

/** The first checkpoint comes about a second after the start. */
async function untilPublished(url: string): Promise<void> {
  for (let i = 0; i < 300; i++) {
    const { status } = await fetch(`${url}/log/checkpoint`)
    if (status === 200) return
    await new Promise((resolve) => setTimeout(resolve, 100))
  }
  assert.fail('no checkpoint was published')
}

test('mistakes are named: files that are nothing of the kind, times, missing trust', async (context) => {
  const at = folderOf(context)
  const { dossier, trust } = vector('honest')
  writeFileSync(at('trust.yaml'), trust)
  writeFileSync(at('one.json'), dossier)
  writeFileSync(at('list.json'), '[]')
  writeFileSync(at('null.json'), 'null')
  writeFileSync(at('broken.json'), '{')
  const args = ['--trust', at('trust.yaml')]
  const unreadable = [
    ['list.json', /list\.json: file\/unreadable: .*neither a dossier nor/],
    ['null.json', /null\.json: file\/unreadable/],
    ['broken.json', /broken\.json: json\/malformed/],
    ['nowhere.json', /nowhere\.json: cannot be read \(ENOENT\)/],
  ] as const
  const files = unreadable.map(([name]) => at(name))
  const ran = await measure(at('one.json'), ...files.slice(0, -1), ...args)
  assert.equal(ran.code, 2)
  assert.match(ran.stdout, /records: 1 counted/, 'what could be read is reported all the same')
  for (const [, says] of unreadable.slice(0, -1)) assert.match(ran.stderr, says)
  const mistakes = await Promise.all([
    measure(at('one.json'), ...files.slice(-1), ...args),
    measure(at('one.json')),
    countersign('independence', at('one.json'), ...args, '--at', 'noon'),
    measure(...args),
  ])
  assert.deepEqual(
    mistakes.map(({ code }) => code),
    [2, 2, 2, 2],
  )
  assert.match(mistakes[0]?.stderr ?? '', /nowhere\.json: cannot be read \(ENOENT\)/)
  const help = await countersign('independence', '--help')
  assert.match(help.stdout, /Examples:[\s\S]*Exit codes: 0 it holds/)
})
