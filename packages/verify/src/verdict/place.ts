/**
 * The claim `place`: on what hardware did the answer come about, and whose key is there?
 *
 * The operator's appraisal is repeated from the evidence itself, as of the time at which it was logged.
 *
 * @spec spec/verdict.md
 */
import { type Appraisal, appraiseEvidence } from '../attestation/appraise.ts'
import { type CollateralBundle, parseCollateral } from '../attestation/collateral.ts'
import { parseEvidence } from '../attestation/evidence-file.ts'
import { toHex } from '../bytes/bytes.ts'
import {
  COLLATERAL_MEDIA_TYPE,
  EVIDENCE_MEDIA_TYPE,
  type EvidenceFile,
  type UnverifiedDossier,
} from '../dossier/dossier.ts'
import { CountersignError } from '../errors.ts'
import { type AppraisalPredicate, parseAppraisal } from '../statement/appraisal.ts'
import type { StatementDigest } from '../statement/statement.ts'
import type { Trust } from '../trust/trust-file.ts'
import { Checklist, type ClaimRow, unprovenRow } from './checklist.ts'
import type { RecordedAnswer, SignedStatement, VerdictInput } from './evidence.ts'
import { openDeployment } from './model.ts'
import type { PlaceBasis } from './place-basis.ts'
import { checkFacts, checkFreshness, checkRevocations, checkServingKey, checkTime } from './place-checks.ts'
import { findLatestTime } from './place-time.ts'
import { gradeOf, isoTime, nextToFacts, reasonOf, trustedFor } from './place-words.ts'
import { choosePolicy, findServingPlace, isDemanded, type ServingPlace } from './serving-place.ts'
import type { TimeInterval } from './time.ts'

const NOT_NAMED = 'the answer names no appraisal of the place that served it, so nothing shows where the model ran'
const NOT_NAMED_OPEN = ['that the manifest or its operator is right about where models run: evidence alone shows that']

/** A row, and the newest appraisal behind it: as of the time of the verdict where collateral of then was supplied. */
export interface PlaceDecision {
  readonly row: ClaimRow
  readonly appraisal: Appraisal | undefined
}

/** Decides `place` for an answer whose record holds. */
export function decidePlace(
  answer: RecordedAnswer,
  input: VerdictInput,
  dossier: UnverifiedDossier,
  trust: Trust,
  time: TimeInterval,
): PlaceDecision {
  const { inference } = answer
  const list = new Checklist('place')
  const digest = inference.appraisal
  if (digest === undefined) {
    if (!isAnythingDemanded(answer, trust)) {
      return { row: unprovenRow('place', NOT_NAMED, NOT_NAMED_OPEN), appraisal: undefined }
    }
    list.missing('appraisal', NOT_NAMED)
    return openRow(list)
  }
  const basis = gather(list, { answer, input, dossier, trust, time, digest })
  if (basis === undefined) return openRow(list)
  const today = input.collateral && appraiseAt(basis, input.atMs, input.collateral)
  const ofFacts = [...checkTime(list, basis), ...checkFacts(list, basis)]
  const key = checkServingKey(list, basis)
  const notes = [
    ...ofFacts,
    ...key.notes,
    ...checkFreshness(list, basis),
    ...checkRevocations(list, basis),
    ...(today === undefined ? [] : noteToday(list, basis.repeated, today)),
  ]
  const row = list.row(
    { grade: gradeOf(basis), reason: reasonOf(basis, key) },
    {
      basis: [`statement ${digest}`, `file ${basis.logged.evidence}`, `file ${basis.logged.collateral}`],
      trusts: trustedFor(basis, key),
      doesNotProve: [...nextToFacts(basis), ...notes],
      facts: basis.repeated.facts,
    },
  )
  return { row, appraisal: today ?? basis.repeated }
}

/** A row in which nothing was appraised: it cannot hold. */
function openRow(list: Checklist): PlaceDecision {
  const rest = { basis: [], trusts: [], doesNotProve: NOT_NAMED_OPEN }
  return { row: list.row({ grade: 'operator-asserted', reason: '' }, rest), appraisal: undefined }
}

function isAnythingDemanded(answer: RecordedAnswer, trust: Trust): boolean {
  try {
    return isDemanded(findServingPlace(answer.inference, openDeployment(answer)), answer.inference, trust)
  } catch (thrown) {
    if (!(thrown instanceof CountersignError)) throw thrown
    return false
  }
}

type Given = Pick<PlaceBasis, 'answer' | 'input' | 'dossier' | 'trust' | 'time'> & { readonly digest: StatementDigest }

/** Opens everything that the appraisal needs, and repeats it; `undefined` where something of it is not there. */
function gather(list: Checklist, given: Given): PlaceBasis | undefined {
  const { answer, input, dossier, trust, digest } = given
  const { inference } = answer
  const manifest = list.attempt('deployment', () => openDeployment(answer))
  const place = manifest && list.attempt('served-by', () => findServingPlace(inference, manifest))
  const opened = place && list.attempt('appraisal', () => openAppraisal(answer, digest, place))
  if (place === undefined || opened === undefined) return undefined
  const { signed, logged } = opened
  const evidence = list.attempt('evidence', () =>
    parseEvidence(findFile(input, dossier, EVIDENCE_MEDIA_TYPE, logged.evidence)),
  )
  const collateral = list.attempt('collateral', () => {
    const file = findFile(input, dossier, COLLATERAL_MEDIA_TYPE, logged.collateral)
    // The same object for the same bundle: what follows from it is remembered by it.
    const read = () => parseCollateral(file)
    return input.memory?.recall('collateral', logged.collateral ?? '', read, file.length) ?? read()
  })
  const chosen = list.attempt('policy', () => choosePolicy(place, inference, trust))
  if (evidence === undefined || collateral === undefined || chosen === undefined) return undefined
  const loggedBy = findLatestTime(dossier, answer, signed, trust, input)
  const repeated = appraiseAt({ input, evidence, chosen, logged }, logged.appraisedAtMs, collateral)
  return { ...given, place, signed, logged, loggedBy, evidence, collateral, chosen, repeated }
}

/**
 * The appraisal statement that the answer names.
 *
 * @throws {CountersignError} `statement/mismatch` where another operator's, or of another place; `place/not-shown` where it
 *   says that there was no evidence; and what opening the statement throws
 */
function openAppraisal(
  { linked, operator }: RecordedAnswer,
  digest: StatementDigest,
  place: ServingPlace,
): { readonly signed: SignedStatement; readonly logged: AppraisalPredicate } {
  const signed = linked.open(digest, ['operator'])
  if (signed.signer.name !== operator.name) {
    throw new CountersignError('statement/mismatch', 'the appraisal is another operator’s than the answer')
  }
  const logged = linked.read(signed, 'appraisal', parseAppraisal)
  if (logged.place.name !== place.name || logged.place.origin !== place.origin) {
    throw new CountersignError('statement/mismatch', 'the appraisal is of another place than the one that answered')
  }
  if (logged.outcome === 'unavailable') {
    throw new CountersignError('place/not-shown', 'the operator says that the place gave no evidence')
  }
  return { signed, logged }
}

/** @throws {CountersignError} `opening/missing` */
function findFile(
  { crypto, memory }: VerdictInput,
  { evidence }: UnverifiedDossier,
  mediaType: string,
  sha256: string | undefined,
): Uint8Array {
  const hashOf = ({ content }: EvidenceFile) => toHex(crypto.sha256(content))
  const file = evidence.find(
    (each) =>
      each.mediaType === mediaType &&
      (memory?.recallOf('evidence-hash', each, each, () => hashOf(each)) ?? hashOf(each)) === sha256,
  )
  if (file !== undefined) return file.content
  throw new CountersignError('opening/missing', `the dossier does not carry the file ${sha256} that was appraised`)
}

/** Many answers rest on one appraisal: it is made once per memory, time and collateral. */
function appraiseAt(
  { input, evidence, chosen, logged }: Pick<PlaceBasis, 'input' | 'evidence' | 'chosen' | 'logged'>,
  atMs: number,
  collateral: CollateralBundle,
): Appraisal {
  const { crypto, memory, roots } = input
  const { policy } = chosen
  // The operator's own challenge, where its appraisal says that it was: whether that makes the evidence new, freshness says.
  const nonce = logged.freshness === 'nonce' && evidence.nonce.length > 0 ? evidence.nonce : undefined
  const appraise = () =>
    appraiseEvidence(evidence, {
      ...{ crypto, atMs, collateral, policy, nonce, memory },
      ...(roots === undefined ? {} : { roots }),
    })
  const key = JSON.stringify([logged.evidence, logged.freshness, atMs, policy, roots ?? null])
  return memory?.recallOf(`appraisal ${key}`, collateral, collateral, appraise) ?? appraise()
}

/** What has changed since takes nothing from the claim, which is about the time of the answer; it is said beside it. */
function noteToday(list: Checklist, then: Appraisal, today: Appraisal): readonly string[] {
  const changes = changedChecks(then, today).map(({ name, before, after, detail }) => {
    return `${name} was ${before} and is ${after}${detail === undefined ? '' : ` (${detail})`}`
  })
  const when = isoTime(today.atMs)
  if (today.status === then.status && changes.length === 0) {
    list.pass('today', `appraised again as of ${when}: nothing has changed`)
    return []
  }
  const words = `appraised again as of ${when}, it is ${today.status}: ${today.reason}`
  list.notChecked('today', [words, ...changes].join('; '))
  return today.status === 'accepted' ? [] : [`that the place would be accepted now: ${words}`]
}

/** A check that came out in two ways. */
export interface ChangedCheck {
  readonly name: string
  readonly before: string
  readonly after: string
  readonly detail?: string
}

/** How checks of two appraisals of the same evidence differ. */
export function changedChecks(before: Appraisal, after: Appraisal): readonly ChangedCheck[] {
  return after.checks.flatMap(({ name, result, detail }, i) => {
    const was = before.checks[i]
    if (was?.name !== name || was.result === result) return []
    return [{ name, before: was.result, after: result, ...(detail === undefined ? {} : { detail }) }]
  })
}
