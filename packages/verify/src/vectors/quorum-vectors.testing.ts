/** Vectors of quorums: a policy, a checkpoint with cosignatures, and whether they meet it. */
import { utf8 } from '../bytes/bytes.ts'
import { logSigner, NOW_MS, ORIGIN, witnessSigner } from '../fixture.testing.ts'
import { meetsQuorum, openConfirmations } from '../independence/confirmation.ts'
import { formatNoteKey, parseNote } from '../log/note.ts'
import { parseTlogPolicy } from '../log/tlog-policy.ts'
import { type FormatVector, type FormatVectors, gives, refused, textOf } from './format-vector.testing.ts'

const log = logSigner(ORIGIN)
const TEXT = `${ORIGIN}\n5\nn4bQgYhMfWWaL+qgxVrQFaO/TxsrC4Is0V1sFbDwCgg=\n`
const NAMES = ['x1', 'x2', 'x3', 'y1', 'y2'] as const
type Name = (typeof NAMES)[number]

const signerOf = (name: string) => witnessSigner(`witness.example/${name}`)
const WITNESSES = NAMES.map((name) => `witness ${name} ${formatNoteKey(signerOf(name).key)}`)
const cosigned = (name: string, seconds = NOW_MS / 1000) => signerOf(name).cosign(TEXT, seconds)

export function quorumVectors(): FormatVectors {
  return {
    file: 'quorum',
    description:
      'A checkpoint under a tlog-policy. The value names the witnesses of the policy that cosigned it, and says whether they meet the quorum.',
    cases: [...nestedQuorums(), ...countedOnce()],
    run: (provider, input) => {
      const policy = parseTlogPolicy(provider, textOf(input, 'policy'))
      const confirmations = openConfirmations(provider, parseNote(utf8(textOf(input, 'note'))), policy)
      return { witnesses: confirmations.map(({ witness }) => witness), met: meetsQuorum(policy, confirmations) }
    },
  }
}

function inputOf(groups: readonly string[], lines: readonly string[]) {
  const policy = [`log ${formatNoteKey(log.key)}`, ...WITNESSES, ...groups].join('\n')
  return { policy: `${policy}\n`, note: `${TEXT}\n${log.sign(TEXT)}${lines.join('')}` }
}

function quorum(name: string, groups: readonly string[], who: readonly Name[], met: boolean): FormatVector {
  const input = inputOf(
    groups,
    who.map((each) => cosigned(each)),
  )
  return gives(name, input, { witnesses: NAMES.filter((each) => who.includes(each)), met })
}

const TWO_LEVELS = ['group x 2 x1 x2 x3', 'group y any y1 y2', 'group both all x y', 'quorum both']
const THREE_LEVELS = ['group x all x1 x2', 'group xy any x y1', 'group top all xy y2', 'quorum top']

function nestedQuorums(): readonly FormatVector[] {
  return [
    quorum('nobody is needed', ['quorum none'], [], true),
    quorum('nobody cosigned', ['quorum x1'], [], false),
    quorum('the one witness', ['quorum x1'], ['x1'], true),
    quorum('everyone but the one witness', ['quorum x1'], ['x2', 'x3', 'y1', 'y2'], false),
    quorum('any of two', ['group g any x1 x2', 'quorum g'], ['x2'], true),
    quorum('all of two, one missing', ['group g all x1 x2', 'quorum g'], ['x1'], false),
    quorum('two of three, one missing', ['group g 2 x1 x2 x3', 'quorum g'], ['x1', 'x3'], true),
    quorum('two of three, two missing', ['group g 2 x1 x2 x3', 'quorum g'], ['x3'], false),
    quorum('two groups met', TWO_LEVELS, ['x1', 'x3', 'y2'], true),
    quorum('two groups, one below its threshold', TWO_LEVELS, ['x1', 'y1', 'y2'], false),
    quorum('two groups, one without anyone', TWO_LEVELS, ['x1', 'x2', 'x3'], false),
    quorum('three levels by the deepest', THREE_LEVELS, ['x1', 'x2', 'y2'], true),
    quorum('three levels past the deepest', THREE_LEVELS, ['y1', 'y2'], true),
    quorum('three levels, the deepest half met', THREE_LEVELS, ['x1', 'y2'], false),
    quorum('three levels without the top’s own', THREE_LEVELS, ['x1', 'x2', 'y1'], false),
    quorum('quorum that is a group below another', [...TWO_LEVELS.slice(0, 3), 'quorum y'], ['y1'], true),
  ]
}

/** One witness is one, however many lines it has and whatever else stands beside. */
function countedOnce(): readonly FormatVector[] {
  const two = ['group g 2 x1 x2', 'quorum g']
  const only = (name: string, lines: readonly string[], witnesses: readonly Name[]) =>
    gives(name, inputOf(two, lines), { witnesses, met: false })
  const changed = signerOf('x2').cosign(TEXT.replace('\n5\n', '\n6\n'), 1)
  return [
    only('one witness with two lines', [cosigned('x1'), cosigned('x1')], ['x1']),
    only('one witness at two times', [cosigned('x1'), cosigned('x1', 1)], ['x1']),
    only('a stranger beside', [cosigned('x1'), cosigned('stranger')], ['x1']),
    only('the log’s own line twice', [cosigned('x1'), log.sign(TEXT)], ['x1']),
    refused('a cosignature of another head', inputOf(two, [cosigned('x1'), changed]), 'note/bad-signature'),
    refused(
      'a false line beside a quorum',
      inputOf(two, [cosigned('x1'), cosigned('x2'), changed]),
      'note/bad-signature',
    ),
  ]
}
