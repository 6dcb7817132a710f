import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { formatNoteKey, NOTE_COSIGNATURE, NOTE_ED25519, noteKey } from '@countersign/verify'
import { createNodeCrypto } from '@countersign/verify/crypto/node'
import fc from 'fast-check'
import { parseWitnessPolicy } from '../witnesses/policy-text.ts'
import { parseConfig } from './config-file.ts'
import { assertMistake, changedText, type Mistake } from './mistakes.testing.ts'

const crypto = createNodeCrypto()
const key = (name: string, type = NOTE_COSIGNATURE) =>
  formatNoteKey(noteKey(crypto, `${name}.example.org`, type, new Uint8Array(32).fill(name.charCodeAt(0))))
const witness = (name: string, url = `https://${name}.example.org/prefix`) => `witness ${name} ${key(name)} ${url}`

const POLICY = `# whom we ask\n${witness('a')}\n${witness('b')}\ngroup both all a b\n`

let folder = ''
before(() => {
  folder = mkdtempSync(join(tmpdir(), 'countersign-policy-'))
})
after(() => rmSync(folder, { recursive: true }))

/** The path of a file with that policy. */
function policyFile(text: string): string {
  const path = join(folder, 'witnesses.policy')
  writeFileSync(path, text)
  return path
}

function lines(policy = POLICY): readonly string[] {
  return [
    'format: countersign-config/v1', // 1
    'operator: { name: Example Operator, contact: operator@example.org }', // 2
    'witnesses:', // 3
    `  policy: ${policyFile(policy)}`, // 4
    '  askMs: 500', // 5
    'deployments:', // 6
    '  credit:', // 7
    '    model: { path: credit.onnx }', // 8
    '    accountable: { party: Example Lender, contact: appeals@example.org, publicKey: lender.pem }', // 9
    '    quorum:', // 10
    '      name: both', // 11
    '      unmetAfterSeconds: 90', // 12
    '      whenUnmet: refuse', // 13
  ]
}

test('reads witnesses, and what deployments need of them', () => {
  const { witnesses, deployments } = parseConfig(changedText(lines()), '/etc')
  assert.deepEqual(witnesses, { policyFile: join(folder, 'witnesses.policy'), policy: POLICY, askMs: 500 })
  assert.deepEqual(deployments[0]?.quorum, { name: 'both', unmetAfterSeconds: 90, whenUnmet: 'refuse' })
})

test('what is left out has a default; a quorum may be a single witness', () => {
  const changes = { 5: undefined, 11: '      name: a', 12: undefined, 13: undefined }
  const { witnesses, deployments } = parseConfig(changedText(lines(), changes), '/etc')
  assert.equal(witnesses?.askMs, 1000)
  assert.deepEqual(deployments[0]?.quorum, { name: 'a', unmetAfterSeconds: 60, whenUnmet: 'flag' })
})

const MISTAKES: readonly Mistake[] = [
  { what: 'no policy', changes: { 4: undefined }, line: 3, says: /witnesses\.policy: this field is required/ },
  { what: 'a file that is not there', changes: { 4: '  policy: /nowhere' }, line: 4, says: /cannot read "\/nowhere"/ },
  { what: 'no patience', changes: { 5: '  askMs: 0' }, line: 5, says: /askMs: expected 1 to 10000/ },
  { what: 'an unknown field', changes: { 5: '  wait: 1' }, line: 3, says: /unknown field "wait"/ },
  { what: 'no name', changes: { 11: undefined }, line: 10, says: /quorum\.name: this field is required/ },
  {
    what: 'a name that is not in the policy',
    changes: { 11: '      name: all' },
    line: 11,
    says: /"all" is no witness or group of the policy; there are: a, b, both/,
  },
  {
    what: 'a quorum without witnesses',
    changes: { 3: undefined, 4: undefined, 5: undefined },
    line: 8,
    says: /there is no "witnesses"/,
  },
  { what: 'no time', changes: { 12: '      unmetAfterSeconds: 4' }, line: 12, says: /unmetAfterSeconds: expected 5/ },
  { what: 'another way out', changes: { 13: '      whenUnmet: stop' }, line: 13, says: /whenUnmet: expected .*flag/ },
]

for (const mistake of MISTAKES) {
  test(`a mistake with witnesses: ${mistake.what}`, () => assertMistake(lines(), mistake))
}

for (const { what, policy, says } of [
  {
    what: 'a line of a log',
    policy: `${POLICY}log ${key('l', NOTE_ED25519)}\n`,
    says: /policy line 5: leave log lines out/,
  },
  {
    what: 'a witness without a URL',
    policy: `${POLICY}witness c ${key('c')}\n`,
    says: /line 5: witness "c" needs a URL/,
  },
  {
    what: 'a URL with a credential',
    policy: witness('c', 'https://u:p@c.example.org'),
    says: /line 1: witness "c" needs/,
  },
  { what: 'another scheme', policy: witness('c', 'ftp://c.example.org'), says: /line 1: witness "c" needs a URL/ },
  { what: 'no witness', policy: '# nobody\n', says: /a witness line is missing/ },
  {
    what: 'a key twice',
    policy: `${witness('a')}\nwitness b ${key('a')} https://b.example.org`,
    says: /line 2: this key/,
  },
  { what: 'a member that is not there', policy: `${POLICY}group more any z\n`, says: /line 5: "z" is not defined/ },
  {
    what: 'too many witnesses',
    policy: Array.from({ length: 33 }, (_, i) => {
      const one = noteKey(crypto, `w${i}.example.org`, NOTE_COSIGNATURE, new Uint8Array(32).fill(i + 1))
      return `witness w${i} ${formatNoteKey(one)} https://w${i}.example.org\n`
    }).join(''),
    says: /at most 32 witnesses/,
  },
]) {
  test(`a mistake in the policy: ${what}`, () => assertMistake(lines(policy), { what, changes: {}, line: 4, says }))
}

test('a quorum line of the policy is let stand', () => {
  assert.equal(parseWitnessPolicy(crypto, `${POLICY}quorum both\n`).quorum, 'both')
  assert.equal(parseWitnessPolicy(crypto, POLICY.trimEnd()).quorum, 'none')
})

test('any text is a policy, or refused as one', () => {
  const word = fc.constantFrom(
    'witness',
    'group',
    'quorum',
    'log',
    'a',
    'b',
    'any',
    '2',
    key('a'),
    'https://a.example',
    '\r',
  )
  const line = fc.array(word, { maxLength: 6 }).map((words) => words.join(' '))
  const text = fc.oneof(
    fc.string(),
    fc.array(line, { maxLength: 12 }).map((all) => all.join('\n')),
  )
  fc.assert(
    fc.property(text, (policy) => {
      try {
        parseWitnessPolicy(crypto, policy)
      } catch (thrown) {
        assert.equal((thrown as { code?: unknown }).code, 'policy/malformed')
      }
    }),
  )
})
