/** Ways for the record to hold, and to stay unproven. */
import { toBase64 } from '../bytes/base64.ts'
import { withValueAt } from '../bytes/json-edit.testing.ts'
import { logSigner, NOW_MS, TestLog } from '../fixture.testing.ts'
import { buildScene, logLine, type Scene, sceneDossier } from '../scene.testing.ts'
import { expectRows, PLAIN_FAILING, type VerdictCase, verdictCase } from './verdict-case.testing.ts'

const DAY_MS = 86_400_000
const NO_LOG_FAILING = ['record/log', 'record/key', 'record/checkpoint', 'record/promise']
const CLOCK_SKEW_MS = 300_000

export function recordCases(): readonly VerdictCase[] {
  const scene = buildScene()
  return [...holdingCases(scene), ...trustCases(scene), ...requirementCases(scene)]
}

function holdingCases(scene: Scene): readonly VerdictCase[] {
  const honest = sceneDossier(scene)
  const early = scene.log.checkpoint(scene.index + 1)
  const holds = (name: string, description: string, dossier = honest, notChecked: readonly string[] = []) =>
    verdictCase(name, description, {
      trust: scene.trustText,
      dossier,
      expect: expectRows({}, [...notChecked, ...PLAIN_FAILING]),
    })
  const first = buildScene({
    predicate: { checkpoint: { origin: scene.log.signer.key.name, size: 0, root: '00'.repeat(32) } },
  })
  return [
    holds('honest', 'An honest dossier: what was shown holds, all else is unproven.'),
    holds(
      'smallest-head',
      'The head covers the entry and nothing after it.',
      sceneDossier(scene, early, scene.index + 1),
    ),
    holds(
      'without-promise',
      'No promise is carried; the record holds without.',
      withValueAt(honest, ['promise'], undefined),
      ['record/promise'],
    ),
    holds('without-consistency', 'No proof from the cited head is carried.', withValueAt(honest, ['consistency'], []), [
      'record/consistency',
    ]),
    holds(
      'without-openings',
      'Nothing is opened: the record holds, and shows no content.',
      withValueAt(honest, ['openings'], []),
    ),
    {
      ...holds('cites-the-empty-log', 'The statement cites the empty log.', sceneDossier(first), [
        'record/consistency',
      ]),
      trust: first.trustText,
    },
    {
      name: 'misbehaviour-not-looked-for',
      description: 'Nobody supplied proofs of misbehaviour, so that is not checked.',
      atMs: NOW_MS,
      trust: scene.trustText,
      dossier: honest,
      expect: expectRows({}, ['record/misbehaviour', ...PLAIN_FAILING]),
    },
    holds(
      'evidence-is-not-read',
      'Evidence of a kind that this version does not read changes nothing.',
      withValueAt(honest, ['evidence'], [{ mediaType: 'application/octet-stream', content: 'AAAA' }]),
    ),
  ]
}

function trustCases(scene: Scene): readonly VerdictCase[] {
  const dossier = sceneDossier(scene)
  const { log, trustText: text, operator, index } = scene
  const unproven = (name: string, description: string, trust: string | undefined, failing: readonly string[]) =>
    verdictCase(name, description, {
      ...(trust === undefined ? {} : { trust }),
      dossier,
      expect: expectRows({ record: 'unproven' }, failing),
    })
  const ranged = (range: string) => text.replace(toBase64(operator.spki), `${toBase64(operator.spki)}\n    ${range}`)
  const otherLog = new TestLog(logSigner('example.org/another-log'))
  const aged = `${text}maximumAgeDays: 30\n`
  const plain = expectRows({}, PLAIN_FAILING)
  const at = (name: string, description: string, trust: string, atMs: number, expect = plain) =>
    verdictCase(name, description, { trust, dossier, atMs, expect })
  return [
    unproven('no-trust-file', 'No trust file is given.', undefined, [...NO_LOG_FAILING, 'record/quorum']),
    unproven('unknown-log', 'The trust file knows another log.', text.replace(logLine(log), logLine(otherLog)), [
      'record/log',
      'record/checkpoint',
      'record/promise',
    ]),
    unproven(
      'unknown-statement-key',
      'The trust file has another key for the operator.',
      text.replace('[operator]', '[auditor]'),
      ['record/key'],
    ),
    unproven('key-not-yet-valid', 'The key is trusted from a later index.', ranged(`fromIndex: ${index + 1}`), [
      'record/key',
    ]),
    unproven('key-no-longer-valid', 'The key is trusted up to this index.', ranged(`untilIndex: ${index}`), [
      'record/key',
    ]),
    at(
      'key-last-valid',
      'This is the last index that the key is trusted for.',
      ranged(`untilIndex: ${index + 1}`),
      NOW_MS,
    ),
    at('clock-skew-allowed', 'The operator’s clock was five minutes ahead.', text, NOW_MS + 3 - CLOCK_SKEW_MS),
    at(
      'from-the-future',
      'The answer says that it ended after the time that the verdict is for.',
      text,
      NOW_MS + 2 - CLOCK_SKEW_MS,
      expectRows({ record: 'unproven' }, ['record/age']),
    ),
    at('oldest-allowed', 'Exactly as old as the trust file allows.', aged, NOW_MS + 3 + 30 * DAY_MS),
    at(
      'stale',
      'A millisecond older than the trust file allows.',
      aged,
      NOW_MS + 4 + 30 * DAY_MS,
      expectRows({ record: 'unproven' }, ['record/age']),
    ),
  ]
}

/** The same dossier under trust files that require more of it. */
function requirementCases(scene: Scene): readonly VerdictCase[] {
  const dossier = sceneDossier(scene)
  const required = (name: string, description: string, require: string, satisfaction: 'satisfied' | 'unproven') =>
    verdictCase(name, description, {
      trust: `${scene.trustText}require:\n  ${require}\n`,
      dossier,
      expect: { ...expectRows({}, PLAIN_FAILING), satisfaction },
    })
  return [
    required('requirement-met', 'A required claim holds at its grade.', 'model: operator-asserted', 'satisfied'),
    required(
      'requirement-grade-unmet',
      'A required claim holds at a weaker grade.',
      'model: provider-signed',
      'unproven',
    ),
    required('requirement-claim-unmet', 'A required claim is unproven.', 'output: any', 'unproven'),
  ]
}
