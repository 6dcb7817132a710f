/** Vectors of tlog-policy files. @spec C2SP tlog-policy (draft) */
import { toHex } from '../bytes/bytes.ts'
import type { Json } from '../bytes/json.ts'
import { createNobleCrypto } from '../crypto/noble-provider.ts'
import { logSigner, ORIGIN, witnessSigner } from '../fixture.testing.ts'
import { formatNoteKey, NOTE_COSIGNATURE, NOTE_ED25519, type NoteKey, noteKey } from '../log/note.ts'
import { parseTlogPolicy } from '../log/tlog-policy.ts'
import { type FormatVector, type FormatVectors, gives, refused, textOf } from './format-vector.testing.ts'
import { quorumVectors } from './quorum-vectors.testing.ts'

const crypto = createNobleCrypto()
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
const LINES_BY_ORDER = [LINES.a, LINES.b, LINES.c]

const policy = (...lines: readonly string[]) => ({ policy: `${lines.join('\n')}\n` })
const bad = (name: string, ...lines: readonly string[]) => refused(name, policy(...lines), 'policy/malformed')

/** Policies as files, and the checkpoints that meet them. */
export function policyVectors(): readonly FormatVectors[] {
  return [policyFileVectors(), quorumVectors()]
}

function policyFileVectors(): FormatVectors {
  return {
    file: 'policy',
    description: 'A tlog-policy. The value is logs, witnesses, groups in order, and the quorum.',
    cases: [
      ...readPolicies(),
      ...nestedPolicies(),
      ...orderedPolicies(),
      ...writtenPolicies(),
      ...badLines(),
      ...badKeys(),
      ...badCharacters(),
      ...badGroups(),
    ],
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

const THE_LOG = { origin: ORIGIN, key: toHex(log.key.publicKey) }

const value = (witnesses: readonly string[], groups: readonly Json[], quorum: string, urls: Json = {}) => ({
  ...{ logs: [THE_LOG], witnesses, groups, quorum },
  urls,
})
const group = (name: string, threshold: number, ...members: readonly string[]) => ({ name, threshold, members })

function readPolicies(): readonly FormatVector[] {
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

const SIX = ['x1', 'x2', 'x3', 'y1', 'y2', 'y3'].map((name) => witnessLine(name))

function nestedPolicies(): readonly FormatVector[] {
  const names = ['x1', 'x2', 'x3', 'y1', 'y2', 'y3']
  const [x, y] = ['group x 2 x1 x2 x3', 'group y any y1 y2 y3']
  const groups = [group('x', 2, 'x1', 'x2', 'x3'), group('y', 1, 'y1', 'y2', 'y3')]
  const many = Array.from({ length: 32 }, (_, i) => `m${i}`)
  const logs = many.map((name) => logSigner(`example.org/${name}`).key)
  return [
    gives(
      'two of three and any of three, as in the specification',
      policy(LINES.log, ...SIX, x, y, 'group both all x y', 'quorum both'),
      value(names, [...groups, group('both', 2, 'x', 'y')], 'both'),
    ),
    gives(
      'four levels',
      policy(LINES.log, ...SIX, x, 'group l2 all x y1', 'group l3 1 l2 y2', 'group l4 any l3 y3', 'quorum l4'),
      value(
        names,
        [groups[0] ?? null, group('l2', 2, 'x', 'y1'), group('l3', 1, 'l2', 'y2'), group('l4', 1, 'l3', 'y3')],
        'l4',
      ),
    ),
    gives(
      'group of one group of one',
      policy(LINES.log, LINES.a, 'group g all a', 'group h 1 g', 'quorum h'),
      value(['a'], [group('g', 1, 'a'), group('h', 1, 'g')], 'h'),
    ),
    gives(
      'quorum of a witness that is in a group',
      policy(...THREE, 'group g any a b', 'quorum a'),
      value(['a', 'b', 'c'], [group('g', 1, 'a', 'b')], 'a', URLS),
    ),
    gives(
      '32 logs, 32 witnesses, 32 groups',
      policy(
        ...logs.map((key) => `log ${formatNoteKey(key)}`),
        ...many.map((name) => witnessLine(name)),
        ...many.map((name, i) => `group g${i} all ${name}${i === 0 ? '' : ` g${i - 1}`}`),
        'quorum g31',
      ),
      {
        logs: logs.map(({ name, publicKey }) => ({ origin: name, key: toHex(publicKey) })),
        witnesses: many,
        groups: many.map((name, i) => (i === 0 ? group('g0', 1, name) : group(`g${i}`, 2, name, `g${i - 1}`))),
        quorum: 'g31',
        urls: {},
      },
    ),
  ]
}

/** A witness of that name, with a key of its own. */
function witnessLine(name: string): string {
  return `witness ${name} ${formatNoteKey(witnessSigner(`witness.example/${name}`).key)}`
}

function orderedPolicies(): readonly FormatVector[] {
  const other = logSigner(ORIGIN, 'another')
  const both = [THE_LOG, { origin: ORIGIN, key: toHex(other.key.publicKey) }]
  const ownWitness = noteKey(crypto, 'witness.example/own', NOTE_COSIGNATURE, log.key.publicKey)
  return [
    gives('no log', policy(LINES.a, 'quorum a'), { ...value(['a'], [], 'a'), logs: [] }),
    gives('nothing but a quorum', policy('quorum none'), { ...value([], [], 'none'), logs: [] }),
    gives('log last', policy(LINES.a, 'quorum a', LINES.log), value(['a'], [], 'a')),
    gives('witness after the quorum', policy(LINES.log, 'quorum none', LINES.a), value(['a'], [], 'none')),
    gives(
      'group after the quorum',
      policy(LINES.log, LINES.a, 'quorum a', 'group g any a'),
      value(['a'], [group('g', 1, 'a')], 'a'),
    ),
    gives('two logs of one name', policy(LINES.log, `log ${formatNoteKey(other.key)}`, 'quorum none'), {
      ...value([], [], 'none'),
      logs: both,
    }),
    gives(
      'the key of a log as a witness',
      policy(LINES.log, `witness own ${formatNoteKey(ownWitness)}`, 'quorum own'),
      value(['own'], [], 'own'),
    ),
  ]
}

/** Names, white space and comments in every way that is allowed. */
function writtenPolicies(): readonly FormatVector[] {
  const named = (...names: readonly string[]) =>
    names.map((name, i) => LINES_BY_ORDER[i]?.replace(/ [abc] /, ` ${name} `) ?? '')
  return [
    gives(
      'names that are words of the format',
      policy(LINES.log, ...named('any', 'all', '2'), 'group log any any all 2', 'quorum log'),
      value(['any', 'all', '2'], [group('log', 1, 'any', 'all', '2')], 'log', { all: URLS.b }),
    ),
    gives(
      'names that differ in case alone',
      policy(LINES.log, ...named('a', 'A'), 'quorum A'),
      value(['a', 'A'], [], 'A', { A: URLS.b }),
    ),
    gives(
      'names that only look alike',
      policy(LINES.log, ...named('K', '\u212a', 'e\u0301'), 'group \u00e9 all K \u212a e\u0301', 'quorum \u00e9'),
      value(['K', '\u212a', 'e\u0301'], [group('\u00e9', 3, 'K', '\u212a', 'e\u0301')], '\u00e9', { '\u212a': URLS.b }),
    ),
    gives(
      'other blanks are part of a name',
      policy(LINES.log, ...named('a\u00a0b'), 'quorum a\u00a0b'),
      value(['a\u00a0b'], [], 'a\u00a0b'),
    ),
    gives(
      'blanks around words, lines of blanks, indented comments in any script',
      policy(' \t', `\t${LINES.log}  `, ' # \u2713 log b', '\tquorum  none \t', ' '),
      value([], [], 'none'),
    ),
    gives('no line feed at the end', { policy: `${LINES.log}\nquorum none` }, value([], [], 'none')),
  ]
}

function badLines(): readonly FormatVector[] {
  return [
    bad('no quorum', LINES.log),
    bad('two quorums', LINES.log, 'quorum none', 'quorum none'),
    bad('quorum of an unknown name', LINES.log, LINES.a, 'quorum b'),
    bad('quorum of two names', LINES.log, LINES.a, LINES.b, 'quorum a b'),
    bad('quorum without a name', LINES.log, 'quorum'),
    bad('quorum before its witness', LINES.log, 'quorum a', LINES.a),
    bad('another quorum', LINES.log, LINES.a, 'quorum none', 'quorum a'),
    bad('keyword in capitals', LINES.log, 'QUORUM none'),
    bad('unknown keyword', LINES.log, 'quorums none'),
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

function badKeys(): readonly FormatVector[] {
  const renamed = (type: number, { publicKey }: NoteKey) =>
    formatNoteKey(noteKey(crypto, 'another.example', type, publicKey))
  const witness = witnessSigner('witness.example/a').key
  return [
    bad('log key under another name', LINES.log, `log ${renamed(NOTE_ED25519, log.key)}`, 'quorum none'),
    bad(
      'witness key under another name',
      LINES.log,
      LINES.a,
      `witness b ${renamed(NOTE_COSIGNATURE, witness)}`,
      'quorum a',
    ),
    bad('comment behind a line', LINES.log, `${LINES.a} # a comment`, 'quorum a'),
  ]
}

function badCharacters(): readonly FormatVector[] {
  const characters = {
    'carriage return': '\r',
    'form feed': '\f',
    'vertical tab': '\v',
    null: '\0',
    delete: '\x7f',
    escape: '\x1b',
  }
  return Object.entries(characters).flatMap(([name, character]) => [
    bad(name, `${LINES.log}${character}`, 'quorum none'),
    bad(`${name} in a comment`, `# a${character}comment`, LINES.log, 'quorum none'),
  ])
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
    bad('group of a plus', ...THREE, 'group g +1 a b', 'quorum g'),
    bad('group of an exponent', ...THREE, 'group g 1e0 a b', 'quorum g'),
    bad('group of hexadecimal', ...THREE, 'group g 0x1 a b', 'quorum g'),
    bad('group of ANY', ...THREE, 'group g ANY a b', 'quorum g'),
    bad('group of none', ...THREE, 'group g any a none', 'quorum g'),
    bad('group twice', ...THREE, 'group g any a', 'group g any b', 'quorum g'),
    bad('group in two groups', ...THREE, 'group g any a b', 'group h any g', 'group i all g c', 'quorum i'),
    bad('witness in a group and in one above it', ...THREE, 'group g any a b', 'group h all g a', 'quorum h'),
    bad('group after the quorum that needs it', ...THREE, 'quorum g', 'group g any a b'),
  ]
}
