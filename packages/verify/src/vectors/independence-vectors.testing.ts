import { utf8 } from '../bytes/bytes.ts'
import type { Json } from '../bytes/json.ts'
import { witnessSigner } from '../fixture.testing.ts'
import { boundMeasures } from '../independence/concentration.ts'
import { reportQuorum } from '../independence/quorum-report.ts'
import { formatNoteKey } from '../log/note.ts'
import { buildScene, logLine, trustText } from '../scene.testing.ts'
import { parseTrustFile } from '../trust/trust-file.ts'
import { type FormatVector, type FormatVectors, gives, textOf } from './format-vector.testing.ts'

export function independenceVectors(): readonly FormatVectors[] {
  return [concentrationVectors(), coalitionVectors()]
}

function concentrationVectors(): FormatVectors {
  return {
    file: 'concentration',
    description:
      'Weights of known owners, and weights that nobody knows the owner of, as decimal texts. The value is each measure, at least and at most.',
    cases: concentrations(),
    run: (_, input) => {
      const { known, unknown } = input as unknown as Weights
      return (boundMeasures(known.map(BigInt), unknown.map(BigInt)) ?? null) as unknown as Json
    },
  }
}

interface Weights {
  readonly known: readonly string[]
  readonly unknown: readonly string[]
}

/** Each measure, in the order of the page: one figure where it is known, else at least and at most. */
type Figures = readonly (number | readonly [number, number])[]
const NAMES = [
  ...['entities', 'nakamotoThird', 'nakamotoHalf', 'nakamotoTwoThirds', 'herfindahl', 'effectiveNumber'],
  ...['shannonBits', 'minEntropyBits', 'topShare', 'topThreeShare'],
]

function concentrations(): readonly FormatVector[] {
  const measured = (
    name: string,
    known: readonly string[],
    unknown: readonly string[],
    figures: Figures,
    gini: number | null,
  ) => {
    const bounds = figures.map((each, i) => {
      const [atLeast, atMost] = typeof each === 'number' ? [each, each] : each
      return [NAMES[i], { atLeast, atMost }] as const
    })
    return gives(name, { known, unknown }, { ...Object.fromEntries(bounds), gini })
  }
  const large = String(2n ** 80n)
  return [
    measured('one', ['7'], [], [1, 1, 1, 1, 10_000, 1, 0, 0, 1, 1], 0),
    measured('four equals', ['1', '1', '1', '1'], [], [4, 2, 3, 3, 2500, 4, 2, 2, 0.25, 0.75], 0),
    measured(
      'one has half, which is not more than half',
      ['2', '1', '1'],
      [],
      [3, 1, 2, 2, 3750, 2.666667, 1.5, 1, 0.5, 1],
      0.166667,
    ),
    measured(
      'exactly a third, with 81 bits',
      [large, large, large],
      [],
      [3, 2, 2, 3, 3333.333333, 3, 1.584963, 1.584963, 0.333333, 1],
      0,
    ),
    measured('those without a share are nobody', ['1', '0', '1'], ['0'], [2, 1, 2, 2, 5000, 2, 1, 1, 0.5, 1], 0),
    measured(
      'two that nobody knows the owner of',
      ['2'],
      ['1', '1'],
      [[1, 3], 1, [1, 2], [1, 2], [3750, 10_000], [1, 2.666667], [0, 1.5], [0, 1], [0.5, 1], 1],
      null,
    ),
    measured(
      'all unknown',
      [],
      ['1', '1', '1'],
      [[1, 3], [1, 2], [1, 2], [1, 3], [3333.333333, 10_000], [1, 3], [0, 1.584963], [0, 1.584963], [0.333333, 1], 1],
      null,
    ),
    gives('nothing', { known: [], unknown: [] }, null),
  ]
}

const scene = buildScene()
const LETTERS = ['a', 'b', 'c', 'd']
const witnesses = LETTERS.map(
  (name) => `witness ${name} ${formatNoteKey(witnessSigner(`witness.example/${name}`).key)}\n`,
)

/** A trust file with that end of a policy, and the owner of each witness in order; `?` for none. */
function trust(quorum: string, owners: readonly string[], facts = ''): Json {
  const parties = owners.flatMap((owner, i) =>
    owner === '?' ? [] : [`- name: Party ${LETTERS[i]}\n  owner: ${owner}\n  witnesses: [${LETTERS[i]}]\n${facts}`],
  )
  return { trust: trustText(`${logLine(scene.log)}\n${witnesses.join('')}${quorum}\n`, scene, parties.join('')) }
}

function coalitionVectors(): FormatVectors {
  return {
    file: 'coalition',
    description:
      'A trust file. The value is the smallest coalition by owner that can stop, and that can equivocate: at least, at most, and one of that size; then which owners the quorum can be met without.',
    cases: coalitions(),
    run: (provider, input) => {
      const report = reportQuorum(parseTrustFile(provider, utf8(textOf(input, 'trust'))))
      const byOwner = report.coalitions.find(({ dimension }) => dimension === 'owner')
      const without = report.without.filter(({ canBeMet }) => canBeMet).map(({ owner }) => owner)
      return { stop: byOwner?.stop, equivocate: byOwner?.equivocate, without } as unknown as Json
    },
  }
}

function coalitions(): readonly FormatVector[] {
  const owner = (...names: readonly string[]) => names.map((controller) => ({ controller }))
  const some = (atLeast: number, atMost: number, members: readonly Json[]) => ({ atLeast, atMost, members })
  const none = { atLeast: null, atMost: null, members: [] }
  const OPERATOR = 'Example Operator Ltd'
  const three = 'group g 3 a b c d\nquorum g'
  const [abcd, aabc] = [
    ['A', 'B', 'C', 'D'],
    ['A', 'A', 'B', 'C'],
  ]
  const expected = (stop: Json, equivocate: Json, ...without: readonly string[]) => ({ stop, equivocate, without })
  return [
    gives('no quorum', trust('quorum none', abcd), expected(none, some(0, 0, []), ...abcd)),
    gives(
      'one witness',
      trust('quorum b', abcd),
      expected(some(1, 1, owner('B')), some(1, 1, owner('B')), 'A', 'C', 'D'),
    ),
    gives(
      'three of four owners',
      trust(three, abcd),
      expected(some(2, 2, owner('A', 'B')), some(2, 2, owner('A', 'B')), ...abcd),
    ),
    gives(
      'two of four, who may be shown another history than the other two',
      trust('group g 2 a b c d\nquorum g', abcd),
      expected(some(3, 3, owner('A', 'B', 'C')), some(0, 0, []), ...abcd),
    ),
    gives(
      'two witnesses of one owner',
      trust(three, aabc),
      expected(some(1, 1, owner('A')), some(1, 1, owner('A')), 'B', 'C'),
    ),
    gives(
      'a witness of the operator’s',
      trust(three, ['A', 'B', 'C', OPERATOR]),
      expected(some(2, 2, owner('A', 'B')), some(1, 1, owner('A')), 'A', 'B', 'C', OPERATOR),
    ),
    gives(
      'a witness whose owner nobody knows',
      trust(three, ['A', 'B', 'C', '?']),
      expected(some(1, 2, owner('A', 'B')), some(1, 2, owner('A', 'B')), 'A', 'B', 'C'),
    ),
    gives(
      'nobody knows any owner',
      trust(three, ['?', '?', '?', '?']),
      expected(some(1, 2, [{ witness: 'a' }, { witness: 'b' }]), some(0, 2, [{ witness: 'a' }, { witness: 'b' }])),
    ),
    gives(
      'a group of groups',
      trust('group g any a b\ngroup h all c d\ngroup both all g h\nquorum both', abcd),
      expected(some(1, 1, owner('C')), some(2, 2, owner('C', 'D')), 'A', 'B'),
    ),
    gives(
      'an owner that is a party',
      trust(three, ['A', 'Party a', 'Party b', 'D']),
      expected(some(1, 1, owner('A')), some(1, 1, owner('A')), 'D'),
    ),
  ]
}
