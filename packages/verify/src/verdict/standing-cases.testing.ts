/** The scene's answer in a log that forked: what the common history keeps, and what it does not. */
import type { Json } from '../bytes/json.ts'
import { valueAt, withValueAt } from '../bytes/json-edit.testing.ts'
import { formatConsistency } from '../log/consistency-proof.ts'
import { COMMON_SIZE, forkAfter, forkProof } from '../misbehaviour/common-cases.testing.ts'
import { buildScene, type Scene, sceneDossier } from '../scene.testing.ts'
import {
  type Expectation,
  expectRows,
  NOT_RUN,
  PLAIN_FAILING,
  type VerdictCase,
  verdictCase,
} from './verdict-case.testing.ts'

const CHECK = 'record/misbehaviour'
const HOLDS = expectRows({}, PLAIN_FAILING)
const REFUTED = expectRows({ record: 'refuted' }, [CHECK], CHECK)

export function standingCases(): readonly VerdictCase[] {
  const scene = buildScene()
  const build = (name: string, description: string, dossier: Json, proofs: readonly Json[], expect: Expectation) =>
    verdictCase(name, description, { trust: scene.trustText, dossier, misbehaviour: proofs, expect })
  return [
    ...commonHeadCases(scene, build),
    ...olderHeadCases(scene, build),
    ...newerHeadCases(scene, build),
    ...linkedCases(),
  ]
}

type Build = (
  name: string,
  description: string,
  dossier: Json,
  proofs: readonly Json[],
  expect: Expectation,
) => VerdictCase

function under(scene: Scene, size: number): Json {
  return sceneDossier(scene, scene.log.checkpoint(size), size)
}

function commonHeadCases(scene: Scene, build: Build): readonly VerdictCase[] {
  const fork = forkAfter(scene, COMMON_SIZE)
  const proof = forkProof(scene)
  const bare = withValueAt(proof, ['common'], undefined)
  const common = under(scene, COMMON_SIZE)
  return [
    build('fork-after-the-answer', 'The answer stands under the common head itself.', common, [proof], HOLDS),
    build(
      'fork-seen-by-one-side',
      'The answer stands under one of the two heads that contradict each other.',
      under(scene, scene.log.size),
      [proof],
      HOLDS,
    ),
    build(
      'fork-seen-by-the-other-side',
      'The answer stands under the other of the two heads.',
      sceneDossier({ ...scene, log: fork }),
      [proof],
      HOLDS,
    ),
    build(
      'fork-before-the-answer',
      'The histories part before the answer.',
      under(scene, scene.log.size),
      [forkProof(scene, scene.index)],
      REFUTED,
    ),
    build('fork-without-common-history', 'How far the histories are one is not shown.', common, [bare], REFUTED),
    build(
      'two-forks-one-before-the-answer',
      'Every proof counts: by one the answer is common, by the other it is not.',
      common,
      [proof, forkProof(scene, scene.index)],
      REFUTED,
    ),
  ]
}

function olderHeadCases(scene: Scene, build: Build): readonly VerdictCase[] {
  const dossier = under(scene, 4)
  const older = [formatConsistency(scene.log.consistency(4, COMMON_SIZE))]
  return [
    build(
      'fork-after-an-older-head',
      'The proof shows that the common head continues the answer’s.',
      dossier,
      [forkProof(scene, COMMON_SIZE, { older })],
      HOLDS,
    ),
    build(
      'fork-older-head-not-shown',
      'Nothing shows that the common head continues the answer’s.',
      dossier,
      [forkProof(scene)],
      REFUTED,
    ),
  ]
}

function newerHeadCases(scene: Scene, build: Build): readonly VerdictCase[] {
  const { log } = scene
  const dossier = under(scene, 7)
  const added = log.consistency(COMMON_SIZE, 7)
  const withProof = (path: Json) =>
    withValueAt(dossier, ['consistency'], [...(valueAt(dossier, ['consistency']) as readonly Json[]), path])
  const newer = [formatConsistency({ ...log.head(7), path: added.path })]
  const broken = formatConsistency({ ...added, path: added.path.toReversed() })
  return [
    build(
      'fork-newer-head-shown-by-dossier',
      'The dossier shows that its head continues the common one.',
      withProof(formatConsistency(added)),
      [forkProof(scene)],
      HOLDS,
    ),
    build(
      'fork-newer-head-shown-by-proof',
      'The proof shows that the answer’s head continues the common one.',
      dossier,
      [forkProof(scene, COMMON_SIZE, { newer })],
      HOLDS,
    ),
    build(
      'fork-newer-head-not-shown',
      'Nothing shows that the answer’s head continues the common one.',
      dossier,
      [forkProof(scene)],
      REFUTED,
    ),
    build(
      'fork-newer-head-falsely-shown',
      'The dossier’s proof from the common head is wrong.',
      withProof(broken),
      [forkProof(scene)],
      REFUTED,
    ),
    build(
      'fork-of-a-third-history',
      'The answer’s head is of a history that parts from both before the common head ends.',
      thirdHistory(scene),
      [forkProof(scene)],
      REFUTED,
    ),
  ]
}

/** The dossier of the answer in a log that parts right after it, with a proof from that log’s own head of the common size. */
function thirdHistory(scene: Scene): Json {
  const log = forkAfter(scene, scene.index + 1)
  const dossier = sceneDossier({ ...scene, log })
  const cited = valueAt(dossier, ['consistency', 0])
  return withValueAt(dossier, ['consistency'], [cited, formatConsistency(log.consistency(COMMON_SIZE))])
}

/** The answer is common, and what it leads to is not. */
function linkedCases(): readonly VerdictCase[] {
  const late = buildScene({ acceptedLate: true })
  const proof = forkProof(late, late.index + 1)
  const scene = buildScene()
  const elsewhere = scene.log.checkpoint(6)
  const statements = valueAt(sceneDossier(scene, elsewhere, 6), ['statements'])
  const refutes = (check: string) => [NOT_RUN, 'independence/owners', check]
  return [
    verdictCase('fork-before-the-acceptance', 'The acceptance stands beyond the common history.', {
      trust: late.trustText,
      dossier: sceneDossier(late),
      misbehaviour: [proof],
      expect: expectRows({ accountable: 'refuted' }, refutes('accountable/acceptance'), 'accountable/acceptance'),
    }),
    verdictCase(
      'fork-linked-head-not-shown',
      'Linked statements stand under a head that nothing joins to the common one.',
      {
        trust: scene.trustText,
        dossier: withValueAt(sceneDossier(scene), ['statements'], statements),
        misbehaviour: [forkProof(scene)],
        expect: expectRows(
          { model: 'refuted', accountable: 'refuted' },
          ['model/deployment', NOT_RUN, 'independence/owners', 'accountable/deployment', 'accountable/acceptance'],
          'model/deployment',
        ),
      },
    ),
  ]
}
