import { toHex, utf8 } from '../bytes/bytes.ts'
import type { Json } from '../bytes/json.ts'
import { logSigner, ORIGIN, witnessSigner } from '../fixture.testing.ts'
import { formatNoteKey } from '../log/note.ts'
import { parseTlogPolicy } from '../log/tlog-policy.ts'
import { verifyMisbehaviour } from '../misbehaviour/misbehaviour.ts'
import { misbehaviourCases, misbehaviourTrust } from '../misbehaviour/misbehaviour-cases.testing.ts'
import { parseMisbehaviour } from '../misbehaviour/proof-file.ts'
import { parseTrustFile } from '../trust/trust-file.ts'
import { type FormatVectors, gives, refused, textOf } from './format-vector.testing.ts'

export function trustVectors(): readonly FormatVectors[] {
  return [policyVectors(), misbehaviourVectors()]
}

const log = logSigner(ORIGIN)
const [a, b, c] = ['a', 'b', 'c'].map((name) => witnessSigner(`witness.example/${name}`))

function policyVectors(): FormatVectors {
  if (a === undefined || b === undefined || c === undefined) throw new Error('no witnesses')
  const lines = {
    log: `log ${formatNoteKey(log.key)}`,
    a: `witness a ${formatNoteKey(a.key)}`,
    b: `witness b ${formatNoteKey(b.key)} https://b.example/prefix`,
    c: `witness c ${formatNoteKey(c.key)}`,
  }
  const three = [lines.log, lines.a, lines.b, lines.c]
  const text = (...all: readonly string[]) => ({ policy: `${all.join('\n')}\n` })
  const bad = (name: string, ...all: readonly string[]) => refused(name, text(...all), 'policy/malformed')
  const value = (witnesses: readonly string[], groups: readonly Json[], quorum: string, urls: Json = {}) => ({
    ...{ logs: [{ origin: ORIGIN, key: toHex(log.key.publicKey) }], witnesses, groups, quorum },
    urls,
  })
  const urls = { b: 'https://b.example/prefix' }
  const group = (name: string, threshold: number, ...members: readonly string[]) => ({ name, threshold, members })
  return {
    file: 'policy',
    description: 'A tlog-policy. The value is logs, witnesses, groups in order, and the quorum.',
    cases: [
      gives('nobody', text(lines.log, 'quorum none'), value([], [], 'none')),
      gives('one witness', text(lines.log, lines.a, 'quorum a'), value(['a'], [], 'a')),
      gives(
        'any',
        text(...three, 'group g any a b', 'quorum g'),
        value(['a', 'b', 'c'], [group('g', 1, 'a', 'b')], 'g', urls),
      ),
      gives(
        'all',
        text(...three, 'group g all a b c', 'quorum g'),
        value(['a', 'b', 'c'], [group('g', 3, 'a', 'b', 'c')], 'g', urls),
      ),
      gives(
        'two of three',
        text(...three, 'group g 2 a b c', 'quorum g'),
        value(['a', 'b', 'c'], [group('g', 2, 'a', 'b', 'c')], 'g', urls),
      ),
      gives(
        'group of groups',
        text(...three, 'group g any a b', 'group h all g c', 'quorum h'),
        value(['a', 'b', 'c'], [group('g', 1, 'a', 'b'), group('h', 2, 'g', 'c')], 'h', urls),
      ),
      gives(
        'comments, tabs, blank lines',
        text('# a comment', '', lines.log.replace(' ', '\t '), '  quorum\tnone', '# end'),
        value([], [], 'none'),
      ),
      bad('no quorum', lines.log),
      bad('no log', lines.a, 'quorum a'),
      bad('two quorums', lines.log, 'quorum none', 'quorum none'),
      bad('quorum of an unknown name', lines.log, lines.a, 'quorum b'),
      bad('quorum of two names', lines.log, lines.a, lines.b, 'quorum a b'),
      bad('quorum without a name', lines.log, 'quorum'),
      bad('witness after the quorum', lines.log, 'quorum none', lines.a),
      bad('unknown keyword', lines.log, 'quorums none'),
      bad('carriage return', `${lines.log}\r`, 'quorum none'),
      bad('log twice', lines.log, lines.log, 'quorum none'),
      bad('log with a witness key', `log ${formatNoteKey(a.key)}`, 'quorum none'),
      bad('log without a key', 'log', 'quorum none'),
      bad('log with a word too many', `${lines.log} https://log.example more`, 'quorum none'),
      bad('log with a broken key', lines.log.replace('+', '+0'), 'quorum none'),
      bad('witness with a log key', lines.log, `witness a ${formatNoteKey(log.key)}`, 'quorum a'),
      bad('witness name twice', lines.log, lines.a, lines.b.replace('witness b', 'witness a'), 'quorum a'),
      bad('witness key twice', lines.log, lines.a, lines.a.replace('witness a', 'witness b'), 'quorum a'),
      bad('witness called none', lines.log, lines.a.replace('witness a', 'witness none'), 'quorum none'),
      bad('witness without a key', lines.log, 'witness a', 'quorum none'),
      bad('group called none', ...three, 'group none any a b', 'quorum none'),
      bad('group with the name of a witness', ...three, 'group a any b c', 'quorum a'),
      bad('group used before it is defined', ...three, 'group h all g c', 'group g any a b', 'quorum h'),
      bad('group of itself', ...three, 'group g any g', 'quorum g'),
      bad('group of an unknown name', lines.log, lines.a, 'group g any a b', 'quorum g'),
      bad('group with a member twice', ...three, 'group g any a a', 'quorum g'),
      bad('member of two groups', ...three, 'group g any a b', 'group h any b c', 'quorum g'),
      bad('group without members', lines.log, 'group g any', 'quorum g'),
      bad('group of more than it has', ...three, 'group g 3 a b', 'quorum g'),
      bad('group of zero', ...three, 'group g 0 a b', 'quorum g'),
      bad('group of a negative number', ...three, 'group g -1 a b', 'quorum g'),
      bad('group of half a member', ...three, 'group g 1.5 a b', 'quorum g'),
      bad('group of a leading zero', ...three, 'group g 02 a b', 'quorum g'),
      bad('empty', ''),
      bad('1,025 lines', lines.log, 'quorum none', ...Array.from({ length: 1022 }, () => '#')),
    ],
    run: (provider, input) => {
      const policy = parseTlogPolicy(provider, textOf(input, 'policy'))
      return {
        logs: policy.logs.map(({ key }) => ({ origin: key.name, key: toHex(key.publicKey) })),
        witnesses: policy.witnesses.map(({ name }) => name),
        groups: policy.groups.map((each) => ({ ...each })),
        quorum: policy.quorum,
        urls: Object.fromEntries(policy.witnesses.flatMap(({ name, url }) => (url === undefined ? [] : [[name, url]]))),
      }
    },
  }
}

function misbehaviourVectors(): FormatVectors {
  const trust = misbehaviourTrust()
  return {
    file: 'misbehaviour',
    description:
      'A proof file under a trust file. The value is the kind of misbehaviour that it proves, and of which log.',
    cases: misbehaviourCases().map(({ name, proof, error }) => {
      const input = { trust, proof }
      if (error !== undefined) return refused(name, input, error)
      return gives(name, input, { kind: name, log: ORIGIN })
    }),
    run: (provider, input) => {
      const { proof } = input as { readonly proof: Json }
      const trusted = parseTrustFile(provider, utf8(textOf(input, 'trust')))
      const { kind, log: origin } = verifyMisbehaviour(
        provider,
        trusted,
        parseMisbehaviour(utf8(JSON.stringify(proof))),
      )
      return { kind, log: origin }
    },
  }
}
