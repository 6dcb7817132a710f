import { toHex, utf8 } from '../bytes/bytes.ts'
import type { Json } from '../bytes/json.ts'
import { logSigner, ORIGIN, witnessSigner } from '../fixture.testing.ts'
import { formatNoteKey } from '../log/note.ts'
import { parseTlogPolicy } from '../log/tlog-policy.ts'
import { commonCases } from '../misbehaviour/common-cases.testing.ts'
import { verifyMisbehaviour } from '../misbehaviour/misbehaviour.ts'
import { misbehaviourCases, misbehaviourTrust } from '../misbehaviour/misbehaviour-cases.testing.ts'
import { parseMisbehaviour } from '../misbehaviour/proof-file.ts'
import { parseTrustFile } from '../trust/trust-file.ts'
import { type FormatVector, type FormatVectors, gives, refused, textOf } from './format-vector.testing.ts'

export function trustVectors(): readonly FormatVectors[] {
  return [policyVectors(), misbehaviourVectors()]
}

const log = logSigner(ORIGIN)
const [a, b, c] = ['a', 'b', 'c'].map((name) => formatNoteKey(witnessSigner(`witness.example/${name}`).key))
const URLS = { b: 'https://b.example/prefix' }
const LINES = {
  log: `log ${formatNoteKey(log.key)}`,
  a: `witness a ${a}`,
  b: `witness b ${b} ${URLS.b}`,
  c: `witness c ${c}`,
}
const THREE = [LINES.log, LINES.a, LINES.b, LINES.c]

const policy = (...lines: readonly string[]) => ({ policy: `${lines.join('\n')}\n` })
const bad = (name: string, ...lines: readonly string[]) => refused(name, policy(...lines), 'policy/malformed')

function policyVectors(): FormatVectors {
  return {
    file: 'policy',
    description: 'A tlog-policy. The value is logs, witnesses, groups in order, and the quorum.',
    cases: [...readPolicies(), ...badLines(), ...badGroups()],
    run: (provider, input) => {
      const read = parseTlogPolicy(provider, textOf(input, 'policy'))
      return {
        logs: read.logs.map(({ key }) => ({ origin: key.name, key: toHex(key.publicKey) })),
        witnesses: read.witnesses.map(({ name }) => name),
        groups: read.groups.map((each) => ({ ...each })),
        quorum: read.quorum,
        urls: Object.fromEntries(read.witnesses.flatMap(({ name, url }) => (url === undefined ? [] : [[name, url]]))),
      }
    },
  }
}

function readPolicies(): readonly FormatVector[] {
  const value = (witnesses: readonly string[], groups: readonly Json[], quorum: string, urls: Json = {}) => ({
    ...{ logs: [{ origin: ORIGIN, key: toHex(log.key.publicKey) }], witnesses, groups, quorum },
    urls,
  })
  const group = (name: string, threshold: number, ...members: readonly string[]) => ({ name, threshold, members })
  return [
    gives('nobody', policy(LINES.log, 'quorum none'), value([], [], 'none')),
    gives('one witness', policy(LINES.log, LINES.a, 'quorum a'), value(['a'], [], 'a')),
    gives(
      'any',
      policy(...THREE, 'group g any a b', 'quorum g'),
      value(['a', 'b', 'c'], [group('g', 1, 'a', 'b')], 'g', URLS),
    ),
    gives(
      'all',
      policy(...THREE, 'group g all a b c', 'quorum g'),
      value(['a', 'b', 'c'], [group('g', 3, 'a', 'b', 'c')], 'g', URLS),
    ),
    gives(
      'two of three',
      policy(...THREE, 'group g 2 a b c', 'quorum g'),
      value(['a', 'b', 'c'], [group('g', 2, 'a', 'b', 'c')], 'g', URLS),
    ),
    gives(
      'group of groups',
      policy(...THREE, 'group g any a b', 'group h all g c', 'quorum h'),
      value(['a', 'b', 'c'], [group('g', 1, 'a', 'b'), group('h', 2, 'g', 'c')], 'h', URLS),
    ),
    gives(
      'comments, tabs, blank lines',
      policy('# a comment', '', LINES.log.replace(' ', '\t '), '  quorum\tnone', '# end'),
      value([], [], 'none'),
    ),
  ]
}

function badLines(): readonly FormatVector[] {
  return [
    bad('no quorum', LINES.log),
    bad('no log', LINES.a, 'quorum a'),
    bad('two quorums', LINES.log, 'quorum none', 'quorum none'),
    bad('quorum of an unknown name', LINES.log, LINES.a, 'quorum b'),
    bad('quorum of two names', LINES.log, LINES.a, LINES.b, 'quorum a b'),
    bad('quorum without a name', LINES.log, 'quorum'),
    bad('witness after the quorum', LINES.log, 'quorum none', LINES.a),
    bad('unknown keyword', LINES.log, 'quorums none'),
    bad('carriage return', `${LINES.log}\r`, 'quorum none'),
    bad('log twice', LINES.log, LINES.log, 'quorum none'),
    bad('log with a witness key', `log ${a}`, 'quorum none'),
    bad('log without a key', 'log', 'quorum none'),
    bad('log with a word too many', `${LINES.log} https://log.example more`, 'quorum none'),
    bad('log with a broken key', LINES.log.replace('+', '+0'), 'quorum none'),
    bad('witness with a log key', LINES.log, `witness a ${formatNoteKey(log.key)}`, 'quorum a'),
    bad('witness name twice', LINES.log, LINES.a, LINES.b.replace('witness b', 'witness a'), 'quorum a'),
    bad('witness key twice', LINES.log, LINES.a, LINES.a.replace('witness a', 'witness b'), 'quorum a'),
    bad('witness called none', LINES.log, LINES.a.replace('witness a', 'witness none'), 'quorum none'),
    bad('witness without a key', LINES.log, 'witness a', 'quorum none'),
    bad('empty', ''),
    bad('1,025 lines', LINES.log, 'quorum none', ...Array.from({ length: 1022 }, () => '#')),
  ]
}

function badGroups(): readonly FormatVector[] {
  return [
    bad('group called none', ...THREE, 'group none any a b', 'quorum none'),
    bad('group with the name of a witness', ...THREE, 'group a any b c', 'quorum a'),
    bad('group used before it is defined', ...THREE, 'group h all g c', 'group g any a b', 'quorum h'),
    bad('group of itself', ...THREE, 'group g any g', 'quorum g'),
    bad('group of an unknown name', LINES.log, LINES.a, 'group g any a b', 'quorum g'),
    bad('group with a member twice', ...THREE, 'group g any a a', 'quorum g'),
    bad('member of two groups', ...THREE, 'group g any a b', 'group h any b c', 'quorum g'),
    bad('group without members', LINES.log, 'group g any', 'quorum g'),
    bad('group of more than it has', ...THREE, 'group g 3 a b', 'quorum g'),
    bad('group of zero', ...THREE, 'group g 0 a b', 'quorum g'),
    bad('group of a negative number', ...THREE, 'group g -1 a b', 'quorum g'),
    bad('group of half a member', ...THREE, 'group g 1.5 a b', 'quorum g'),
    bad('group of a leading zero', ...THREE, 'group g 02 a b', 'quorum g'),
  ]
}

function misbehaviourVectors(): FormatVectors {
  const trust = misbehaviourTrust()
  return {
    file: 'misbehaviour',
    description:
      'A proof file under a trust file. The value is the kind of misbehaviour that it proves, of which log, and how many entries its histories share.',
    cases: [...misbehaviourCases(), ...commonCases()].map(({ name, proof, error, kind = name, commonSize = 0 }) => {
      const input = { trust, proof }
      if (error !== undefined) return refused(name, input, error)
      return gives(name, input, { kind, log: ORIGIN, commonSize })
    }),
    run: (provider, input) => {
      const { proof } = input as { readonly proof: Json }
      const trusted = parseTrustFile(provider, utf8(textOf(input, 'trust')))
      const {
        kind,
        log: origin,
        commonSize,
      } = verifyMisbehaviour(provider, trusted, parseMisbehaviour(utf8(JSON.stringify(proof))))
      return { kind, log: origin, commonSize }
    },
  }
}
