import assert from 'node:assert/strict'
import { test } from 'node:test'
import { MAKERS } from '../place/collateral-addresses.ts'
import { parseConfig } from './config-file.ts'
import { assertMistake, changedText, type Mistake } from './mistakes.testing.ts'
import { DEFAULT_COLLATERAL, NO_OWN_PLACE } from './place-config.ts'

const MEASUREMENT = 'ab'.repeat(48)

const LINES = [
  'format: countersign-config/v1', // 1
  'operator: { name: Example Operator, contact: operator@example.org }', // 2
  'upstreams:', // 3
  '  shown:', // 4
  '    kind: openai', // 5
  '    baseUrl: https://api.example.org/v1', // 6
  '    place:', // 7
  '      tee: sev-snp', // 8
  '      profile: tinfoil', // 9
  `      measurements: { measurement: [${MEASUREMENT}] }`, // 10
  '      allow: [no-freshness]', // 11
  '      maxAgeMinutes: 10', // 12
  '      onFailure: flag', // 13
  '      evidence: { url: "https://api.example.org/evidence?n={nonce}&m={model}", model: large-1, credential: true }', // 14
  'ownPlace:', // 15
  '  source: configfs-tsm', // 16
  '  path: tsm', // 17
  '  tee: tdx', // 18
  '  profile: countersign', // 19
  `  measurements: { mrtd: [${MEASUREMENT}] }`, // 20
  'collateral:', // 21
  '  pcs: https://mirror.example/intel/', // 22
  '  cacheFolder: cache', // 23
  '  microsoft: ["https://sharedeus.eus.attest.azure.net"]', // 24
  'deployments:', // 25
  '  assistant:', // 26
  '    route: [{ upstream: shown }]', // 27
  '    accountable: { party: Example Party, contact: appeals@example.org, publicKey: party.pem }', // 28
]

test('places are read, with the policy as it is written', () => {
  const { upstreams, ownPlace, collateral } = parseConfig(changedText(LINES), '/etc/countersign')
  const place = upstreams[0]?.place
  const written = {
    tee: 'sev-snp',
    profile: 'tinfoil',
    measurements: { measurement: [MEASUREMENT] },
    allow: ['no-freshness'],
    maxAgeMinutes: 10,
  }
  assert.deepEqual(place?.written, written)
  assert.equal(place?.policy.maxAgeMs, 600_000)
  assert.deepEqual(
    { ...place, policy: undefined, written: undefined },
    {
      policy: undefined,
      written: undefined,
      onFailure: 'flag',
      evidenceUrl: 'https://api.example.org/evidence?n={nonce}&m={model}',
      evidenceModel: 'large-1',
      sendsCredential: true,
    },
  )
  assert.deepEqual(ownPlace.source, { kind: 'configfs-tsm', path: '/etc/countersign/tsm' })
  assert.equal(ownPlace.place?.onFailure, 'refuse')
  assert.deepEqual(collateral, {
    addresses: {
      ...MAKERS,
      pcs: 'https://mirror.example/intel',
      microsoft: ['https://sharedeus.eus.attest.azure.net'],
    },
    cacheFolder: '/etc/countersign/cache',
    caFile: undefined,
  })
})

test('what serves in any case may have any profile', () => {
  for (const profile of ['none', 'countersign']) {
    const { upstreams } = parseConfig(changedText(LINES, { 9: `      profile: ${profile}` }), '/etc/countersign')
    assert.equal(upstreams[0]?.place?.policy.profile, profile)
  }
})

test('without a word of places nothing is demanded, and the makers themselves are asked', () => {
  const without = Object.fromEntries(LINES.map((_, i) => [i + 1, undefined]).slice(6, 24))
  const config = parseConfig(changedText(LINES, without), '/etc/countersign')
  assert.deepEqual([config.ownPlace, config.collateral], [NO_OWN_PLACE, DEFAULT_COLLATERAL])
  assert.equal(config.upstreams[0]?.place, undefined)
})

test('evidence may also come from a command, or nowhere', () => {
  const own = (text: string) =>
    parseConfig(changedText(LINES, { 16: text, 17: undefined, 18: undefined, 19: undefined, 20: undefined }), '/etc')
      .ownPlace
  assert.deepEqual(own('  source: command\n  command: [/opt/nsm, --document]'), {
    source: { kind: 'command', argv: ['/opt/nsm', '--document'], gives: 'nitro' },
    place: undefined,
  })
  assert.deepEqual(own('  source: none'), NO_OWN_PLACE)
})

const MISTAKES: readonly Mistake[] = [
  { what: 'no code', changes: { 10: undefined }, line: 7, says: /names no code/ },
  {
    what: 'an unknown register',
    changes: { 10: '      measurements: { mrtd: [ab] }' },
    line: 10,
    says: /mrtd.*not known/,
  },
  { what: 'an unknown word', changes: { 11: '      allow: [anything]' }, line: 11, says: /anything.*not known/ },
  { what: 'an unknown field', changes: { 12: '      maxAge: 3' }, line: 7, says: /unknown field.*maxAge/ },
  {
    what: 'a profile under which no connection could be shown',
    changes: { 9: '      profile: countersign', 13: undefined },
    line: 9,
    says: /"countersign" binds no key of connections.*onFailure: flag.*tinfoil/,
  },
  {
    what: 'the same without a word of profiles',
    changes: { 9: undefined, 13: '      onFailure: refuse' },
    line: 7,
    says: /"none" binds no key of connections/,
  },
  { what: 'another failure', changes: { 13: '      onFailure: ignore' }, line: 13, says: /refuse, flag/ },
  { what: 'a preset of another hardware', changes: { 12: '      preset: azure' }, line: 7, says: /no preset/ },
  {
    what: 'a placeholder in the host',
    changes: { 14: '      evidence: { url: "https://{model}.example.org/" }' },
    line: 14,
    says: /expected an address/,
  },
  {
    what: 'a credential in the address',
    changes: { 14: '      evidence: { url: "https://a:b@example.org/" }' },
    line: 14,
    says: /expected an address/,
  },
  {
    what: 'a credential for another origin',
    changes: { 14: '      evidence: { url: "https://other.example.org/", credential: true }' },
    line: 14,
    says: /own origin alone/,
  },
  {
    what: 'a name that is taken',
    changes: { 4: '  gateway:', 27: '    route: [{ upstream: gateway }]' },
    line: 7,
    says: /own place/,
  },
  { what: 'a policy without a source', changes: { 16: '  source: none', 17: undefined }, line: 15, says: /no source/ },
  { what: 'another profile', changes: { 19: '  profile: dstack' }, line: 15, says: /profile: countersign/ },
  { what: 'a command without one', changes: { 16: '  source: command', 17: undefined }, line: 16, says: /needs it/ },
  {
    what: 'an instance with a path',
    changes: { 24: '  microsoft: ["https://x.example/y"]' },
    line: 24,
    says: /microsoft/,
  },
]

for (const mistake of MISTAKES) test(`refused: ${mistake.what}`, () => assertMistake(LINES, mistake))
