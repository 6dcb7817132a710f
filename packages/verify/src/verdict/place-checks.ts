/** The checks of `place`, from an appraisal that was made again. Each adds what a reader should know beside it. */
import type { AnswerSignature } from '../attestation/answer-signature/answer-signature.ts'
import {
  type AppraisedSignature,
  appraiseAnswerSignature,
} from '../attestation/answer-signature/appraise-answer-signature.ts'
import type { FactName } from '../attestation/facts.ts'
import { NO_FRESHNESS } from '../attestation/place-policy.ts'
import { isTeeKind } from '../attestation/vocabulary.ts'
import { parseCertificate } from '../attestation/x509/certificate.ts'
import { equalBytes, toHex } from '../bytes/bytes.ts'
import { CountersignError, type ErrorCode } from '../errors.ts'
import { MAX_CLOCK_SKEW_MS } from '../independence/confirmation.ts'
import { tlsCertificateOf } from '../statement/appraisal.ts'
import type { BoundKey } from '../statement/bound-key.ts'
import type { Attempt, CommittedSubject } from '../statement/inference.ts'
import { parseRevocation, REVOCATION_TYPE } from '../statement/revocation.ts'
import { GATEWAY_PLACE } from '../statement/served-place.ts'
import type { Checklist } from './checklist.ts'
import type { RecordedAnswer } from './evidence.ts'
import type { PlaceBasis } from './place-basis.ts'
import { isoTime } from './place-words.ts'
import { concerns, type Revocation } from './revocation.ts'

/** Kinds whose keys live for hours: who has such a key later can say anything of the time when it was valid. */
const SHORT_LIVED: readonly string[] = ['nitro']

const OPERATORS_TIME = 'that the evidence was appraised when the operator says'

/** The end of the interval in which the appraisal was logged, milliseconds; `undefined` where no witness bounds it. */
function loggedByMs({ loggedBy }: PlaceBasis): number | undefined {
  // A cosignature of a second may be from its last millisecond.
  return loggedBy === undefined ? undefined : loggedBy.timeSeconds * 1000 + 999
}

/**
 * Whether the time at which it was appraised is more than the operator's word: witnesses had seen the statement while
 * everything that the evidence rests on was still current. Whoever makes evidence up later cannot have that.
 */
export function checkTime(list: Checklist, basis: PlaceBasis): readonly string[] {
  const { logged, repeated } = basis
  const byMs = loggedByMs(basis)
  if (byMs !== undefined && logged.appraisedAtMs > byMs + MAX_CLOCK_SKEW_MS) {
    list.missing('time', `it says that it was made at ${isoTime(logged.appraisedAtMs)}, after witnesses had seen it`)
    return []
  }
  const isCurrent = byMs !== undefined && repeated.currentUntilMs !== undefined && repeated.currentUntilMs >= byMs
  if (isCurrent) {
    list.pass('time', `witnesses had seen it by ${isoTime(byMs)}, while all that it rests on was current`)
    return []
  }
  const why =
    byMs === undefined
      ? 'no witness bounds when it was logged: the time is the operator’s word'
      : `witnesses are shown to have seen it by ${isoTime(byMs)} only, when what it rests on was no longer current`
  if (repeated.items.some(({ kind }) => SHORT_LIVED.includes(kind))) {
    list.missing('time', `${why}; the certificates of such evidence live for hours`)
    return []
  }
  list.notChecked('time', why)
  return [OPERATORS_TIME]
}

/** Genuine hardware, known code, and all else that the policy asks for. */
export function checkFacts(list: Checklist, basis: PlaceBasis): readonly string[] {
  const { repeated, chosen, logged } = basis
  const isOperators = chosen.by === 'operator'
  // What the operator says of its own policy is shown to be false; what others ask for is only not shown.
  const isClaimed = logged.outcome === 'accepted'
  const isClaimedHere = isClaimed && isOperators && hasSamePolicy(basis)
  checkFact(list, basis, 'genuine-hardware', isClaimed)
  checkFact(list, basis, 'known-code', isClaimedHere)
  if (isOperators && !isClaimed) {
    const failed = logged.failed.length === 0 ? '' : `: ${logged.failed.join(', ')}`
    const here = `made again here, it is ${repeated.status}: ${repeated.reason}`
    const why = `the operator’s own appraisal says ${logged.outcome}${failed}; ${here}`
    list.missing('required-facts', why, 'place/not-shown')
  } else if (repeated.status === 'accepted') {
    list.pass('required-facts', repeated.reason)
  } else {
    const failed = repeated.checks.find(({ result }) => result === 'fail')
    throwInto(list, 'required-facts', (isClaimedHere && failed?.code) || 'place/not-shown', repeated.reason)
  }
  return []
}

/** Whether the appraisal was made by the policy of the manifest, word for word. */
function hasSamePolicy({ logged, place }: PlaceBasis): boolean {
  return JSON.stringify(logged.policy) === JSON.stringify(place.demanded?.policy)
}

function checkFact(list: Checklist, { repeated }: PlaceBasis, name: FactName, isClaimed: boolean): void {
  const fact = repeated.facts.find((each) => each.name === name)
  const isRefuted = fact?.status === 'refuted' && isClaimed
  if (fact?.status === 'shown') list.pass(name, fact.reason)
  else throwInto(list, name, isRefuted ? codeBehind(fact.reason, repeated) : 'place/not-shown', fact?.reason ?? '')
}

/** Whether that fails or is missing follows from the code. */
function throwInto(list: Checklist, what: string, code: ErrorCode, why: string): void {
  list.attempt(what, () => {
    throw new CountersignError(code, why)
  })
}

/** The code of the check that a reason begins with. */
function codeBehind(reason: string, { checks }: PlaceBasis['repeated']): ErrorCode {
  const failed = checks.find(({ name, result }) => result === 'fail' && reason.startsWith(`${name}:`))
  return failed?.code ?? 'evidence/refused'
}

/** How an answer is tied to the keys that the evidence binds. */
export interface ServingKey {
  /** Whether that is so only as the operator recorded the connection. */
  readonly isOperatorsWord: boolean
  readonly notes: readonly string[]
}

/** Whether the key that served the answer is one that the evidence binds. */
export function checkServingKey(list: Checklist, basis: PlaceBasis): ServingKey {
  const { place, answer, repeated } = basis
  if (repeated.keys.length === 0) {
    const fact = repeated.facts.find(({ name }) => name === 'serving-key-bound')
    list.missing('serving-key', fact?.reason ?? 'the evidence binds no key', 'place/not-shown')
    return { isOperatorsWord: false, notes: [] }
  }
  if (place.name === GATEWAY_PLACE) {
    list.attempt('serving-key', () => requireSigningKey(repeated.keys, answer.keyId))
    return { isOperatorsWord: false, notes: [] }
  }
  const signed = checkAnswerSignature(list, basis)
  if (signed !== undefined) {
    list.pass('serving-key', signed.reason)
    return { isOperatorsWord: false, notes: signed.doesNotProve }
  }
  list.attempt('serving-key', () => requireConnection(basis))
  return {
    isOperatorsWord: true,
    notes: ['that the answer came over the connection whose certificate the operator recorded: that is its word'],
  }
}

/** The provider's own signature on the answer, where the dossier opens it. One that does not check takes nothing away. */
function checkAnswerSignature(
  list: Checklist,
  { answer, input, repeated, place }: PlaceBasis,
): Pick<AppraisedSignature, 'reason' | 'doesNotProve'> | undefined {
  const [file, request, response] = (['provider-signature', 'request-sent', 'response-received'] as const).map(
    (subject) => answer.content.get(subject),
  )
  if (file === undefined) return undefined
  if (request === undefined || response === undefined) {
    list.notChecked('answer-signature', 'the dossier does not open the request and the answer that were signed')
    return undefined
  }
  const { signed, reason, doesNotProve } = appraiseAnswerSignature(
    input.crypto,
    repeated.keys,
    { request, response },
    file,
  )
  const open = signed === undefined ? reason : whyOfAnother(answer, place.attempt, signed)
  if (open !== undefined) {
    list.notChecked('answer-signature', open)
    return undefined
  }
  list.pass('answer-signature', reason)
  const isAsked = isSameContent(answer, 'request-received', 'request-sent')
  return { reason, doesNotProve: isAsked ? doesNotProve : [...doesNotProve, OTHER_REQUEST] }
}

const OTHER_REQUEST = 'that the request which was signed is the one that was received: the operator changed it'

/** Why a signature that checks is not about this answer: signed answers can be kept, and shown beside another one. */
function whyOfAnother(answer: RecordedAnswer, attempt: Attempt, { signedAtMs }: AnswerSignature): string | undefined {
  const { startedAtMs, endedAtMs } = servedIn(answer, attempt)
  if (!isSameContent(answer, 'response-received', 'response-delivered')) {
    return 'what was signed is not shown to be what was delivered'
  }
  const isThen =
    signedAtMs === undefined ||
    (signedAtMs >= startedAtMs - MAX_CLOCK_SKEW_MS && signedAtMs <= endedAtMs + MAX_CLOCK_SKEW_MS)
  return isThen ? undefined : `it was signed at ${isoTime(signedAtMs)}, when this answer did not come about`
}

/** Whether two commitments are shown to be to the same bytes. */
function isSameContent({ inference, content }: RecordedAnswer, a: CommittedSubject, b: CommittedSubject): boolean {
  if (inference.commitments[a] === inference.commitments[b]) return true
  const [one, other] = [content.get(a), content.get(b)]
  return one !== undefined && other !== undefined && equalBytes(one, other)
}

function requireSigningKey(keys: readonly BoundKey[], keyId: string): void {
  const bound = keys.filter((key) => key.use === 'signing-key')
  if (bound.some(({ sha256 }) => sha256 === keyId)) return
  if (bound.length === 0) throw notShown('the evidence binds no key that signs statements')
  throw new CountersignError(
    'evidence/mismatch',
    `the answer is signed with key ${keyId}, and the evidence binds another`,
  )
}

/** From a bound key to the certificate of the connection, directly or by the certificate that was seen with the evidence. */
function requireConnection({ place, logged, repeated, input }: PlaceBasis): void {
  const seen = place.attempt.tlsCertificate
  if (seen === undefined) throw notShown('the statement names no certificate of the connection that answered')
  const bound = repeated.keys.filter(({ use }) => use === 'tls-certificate' || use === 'tls-key')
  if (bound.length === 0) throw notShown('the evidence binds no key of a connection')
  const certificate = tlsCertificateOf(logged)
  const isRecorded = certificate !== undefined && toHex(input.crypto.sha256(certificate)) === seen
  const keyOf = () => certificate && toHex(input.crypto.sha256(readSpki(certificate)))
  const isBound = (key: BoundKey) =>
    key.use === 'tls-certificate' ? key.sha256 === seen : key.use === 'tls-key' && isRecorded && key.sha256 === keyOf()
  if (bound.some(isBound)) return
  const needsRecord = !isRecorded && bound.every(({ use }) => use === 'tls-key')
  if (needsRecord)
    throw notShown('the evidence binds a key, and the appraisal does not carry the certificate that answered')
  throw new CountersignError(
    'evidence/mismatch',
    `the answer came with certificate ${seen}, which the evidence does not bind`,
  )
}

/** What cannot be read here may well be a sound certificate. */
function readSpki(certificate: Uint8Array): Uint8Array {
  try {
    return parseCertificate(certificate).spki
  } catch (thrown) {
    if (!(thrown instanceof CountersignError)) throw thrown
    throw notShown(`the certificate cannot be read: ${thrown.message}`)
  }
}

/** An answer that takes longer is none that evidence from its beginning covers. */
const MAX_ANSWER_MS = 24 * 60 * 60 * 1000

/** When the place served, within the times of the answer itself: else an attempt could be as old as evidence that is shown again. */
function servedIn({ inference }: RecordedAnswer, attempt: Attempt) {
  const { startedAtMs: firstMs, endedAtMs } = inference
  return { startedAtMs: Math.min(Math.max(attempt.startedAtMs, firstMs), endedAtMs), endedAtMs }
}

/** Whether the evidence was young enough when the answer began. */
export function checkFreshness(list: Checklist, basis: PlaceBasis): readonly string[] {
  const { repeated, logged, chosen, place, time, answer } = basis
  const times = repeated.items.flatMap(({ madeAtMs }) => madeAtMs ?? [])
  const isOld = repeated.freshness === 'none'
  const allowsOld = chosen.policy.allow.includes(NO_FRESHNESS)
  // A time of the processor's own: one of a GPU says nothing of the machine beside it.
  const isSigned = repeated.items.every(({ kind, madeAtMs }) => madeAtMs !== undefined || !isTeeKind(kind))
  const madeAtMs = Math.min(logged.gatheredAtMs, ...times)
  const { startedAtMs, endedAtMs } = servedIn(answer, place.attempt)
  const ageMs = startedAtMs - madeAtMs
  const why =
    (isOld && !allowsOld && `nothing shows when the evidence was made; a policy may allow that (${NO_FRESHNESS})`) ||
    (ageMs > chosen.policy.maxAgeMs &&
      `it was ${minutes(ageMs)} old, the policy allows ${minutes(chosen.policy.maxAgeMs)}`) ||
    (startedAtMs > logged.validUntilMs && `the appraisal was good until ${isoTime(logged.validUntilMs)}`) ||
    (repeated.keysUntilMs !== undefined &&
      endedAtMs >= repeated.keysUntilMs &&
      `nothing may be accepted under its keys from ${isoTime(repeated.keysUntilMs)} on`) ||
    (endedAtMs - startedAtMs > MAX_ANSWER_MS && 'the answer took more than a day, by the operator’s own word') ||
    (ageMs < -MAX_CLOCK_SKEW_MS && 'the evidence was made after the answer began') ||
    (time.notBeforeMs !== null &&
      time.notBeforeMs > endedAtMs + MAX_CLOCK_SKEW_MS &&
      'by the word of witnesses the answer is later than the operator says')
  if (why) list.missing('freshness', why, 'place/not-shown')
  else list.pass('freshness', `it was ${minutes(Math.max(ageMs, 0))} old`)
  if (isOld) return ['that the evidence is not an old one: it answers no challenge and has no time of its own']
  return [
    ...(isSigned ? [] : ['that the challenge was new: the operator chose it, and says when']),
    ...(repeated.items.some(({ kind }) => kind === 'maa') ? [REPORT_OF_ANY_AGE] : []),
  ]
}

/** Its time and challenge are those of the token: it passes a challenge through, and asks a report for none. */
const REPORT_OF_ANY_AGE =
  'that the report behind the token was new when Azure’s service looked at it: it takes old ones, too'

/** Revocations that were supplied, or that the dossier carries, against what the evidence rests on. */
export function checkRevocations(list: Checklist, basis: PlaceBasis): readonly string[] {
  const { input, answer, repeated, place, time } = basis
  const { tlsCertificate } = place.attempt
  const keys: readonly BoundKey[] = [
    ...(tlsCertificate === undefined ? [] : [{ use: 'tls-certificate' as const, sha256: tlsCertificate }]),
    ...(place.name === GATEWAY_PLACE ? [{ use: 'signing-key' as const, sha256: answer.keyId }] : []),
  ]
  // Who fills the dossier chooses what it carries: that takes away, and shows nothing of what it leaves out.
  const about = [...(input.revocations ?? []), ...carriedRevocations(basis)].filter((each) =>
    concerns(each, answer.operator, { appraisal: repeated, keys }),
  )
  // By when the answer was seen, not its evidence: what was sound when it was appraised may have been broken when it served.
  const { notAfterMs } = time
  const isEarlier = ({ since }: Revocation) => since !== null && notAfterMs !== null && notAfterMs < since
  const revoked = about.find((each) => !isEarlier(each))
  if (revoked !== undefined) list.missing('revocation', describe(revoked), 'certificate/revoked')
  else if (input.revocations === undefined) list.notChecked('revocation', 'no revocations were supplied')
  else list.pass('revocation', 'nothing that it rests on was revoked for the time of the answer')
  return about.filter(isEarlier).map((each) => `that it would be accepted later: ${describe(each)}`)
}

/** Those in the dossier that count; others are passed over. */
function carriedRevocations({ answer, trust }: PlaceBasis): readonly Revocation[] {
  return answer.linked.ofType(REVOCATION_TYPE).flatMap((digest) => {
    for (const role of trust.revokers) {
      try {
        const signed = answer.linked.open(digest, [role])
        const revocation = answer.linked.read(signed, 'revocation', parseRevocation)
        return [{ ...revocation, statement: digest, by: signed.signer, role }]
      } catch (thrown) {
        if (!(thrown instanceof CountersignError)) throw thrown
      }
    }
    return []
  })
}

function describe({ what, since, by, reason }: Revocation): string {
  const from = since === null ? '' : ` from ${isoTime(since)} on`
  return `${by.name} revoked the ${what.kind === 'tcb' ? 'state of the platform' : what.kind}${from}: ${reason}`
}

function notShown(why: string): CountersignError {
  return new CountersignError('place/not-shown', why)
}

function minutes(ms: number): string {
  const count = Math.ceil(ms / 60_000)
  return count === 1 ? '1 minute' : `${count} minutes`
}
