/** How an answer ended, and the statement about it. */
import {
  type CommittedSubject,
  type ErrorCode,
  type InferencePredicate,
  type PriceLine,
  SIGNATURE_COVERAGE,
  type SignatureScheme,
  utf8,
} from '@countersign/verify'
import type { Reservation } from '../access/budgets.ts'
import type { RelayDeployment } from '../deployments/deployments.ts'
import type { AnswerFacts } from '../dialects/answer-facts.ts'
import { readParameters } from '../dialects/dialect.ts'
import { scanObject } from '../dialects/json-scan.ts'
import type { Promised } from '../log/commit-thread.ts'
import type { Charge, FirstAnswerRow, UpstreamObject } from '../log/sequencer.ts'
import { NO_CURRENCY, sumMicros } from '../prices/prices.ts'
import { commitmentTo, conclude } from '../recording/recording.ts'
import { settleTokens } from './admission.ts'
import { type AdmittedRequest, NO_KEY } from './admitted-request.ts'
import { answerEvent } from './answer-report.ts'
import { noteAttempt, sentRequest } from './attempts.ts'
import { isCredible } from './estimate.ts'
import type { Answered, Ending, Exchange } from './exchange.ts'
import { gatherSignature } from './provider-signature.ts'

/** A try that ended so never reached the upstream, which has nothing to charge for. Of all others nobody knows. */
const NEVER_SENT: ReadonlySet<string> = /* @__PURE__ */ new Set([
  'upstream/unreachable',
  'upstream/busy',
  'place/not-shown',
])

/**
 * Puts the answer on record, and settles what it cost. When this rejects, no more of it may leave.
 *
 * @throws {CountersignError} what {@link conclude} throws
 */
export async function concludeExchange(exchange: Exchange, ending: Ending): Promise<Promised> {
  const { services, recording } = exchange
  const { answered, facts } = ending
  if (answered?.repeated !== undefined) exchange.observations.add('cache-hit')
  else if (answered !== undefined) {
    const { reason, by, code } = ending.finish
    const failed = (reason === 'error' || reason === 'interrupted') && by !== 'gateway'
    // What the gateway could not take or pass on, the upstream had answered.
    noteAttempt(
      exchange,
      answered,
      failed ? 'failed' : 'answered',
      failed ? (code as ErrorCode | undefined) : undefined,
    )
  }
  const signature =
    answered?.upstream.answerSignature === undefined ? undefined : await gatherSignature(exchange, ending)
  const ended = services.log.clock.readClamped()
  if (recording.wasClamped || ended.clamped) exchange.observations.add('clock-clamped')
  const bill = billOf(exchange, ending)
  const { commitments, content } = commitmentsOf(exchange, ending, signature)
  const concludedMs = performance.now()
  let promised: Promised | undefined
  try {
    promised = await conclude(services.recording, recording, {
      predicate: {
        model: modelOf(exchange, ending),
        ...(answered?.upstream.served === undefined ? {} : { engine: answered.upstream.served.engine }),
        parameters: parametersOf(exchange, ending),
        usage: facts?.usage ?? 'unknown',
        finish: ending.finish,
        price: bill.lines,
        attempts: exchange.attempts,
        ...reportedOf(facts, signature === undefined ? undefined : answered?.upstream.answerSignature?.scheme),
        ...(answered?.repeated === undefined ? {} : { repeats: answered.repeated.receipt }),
        observations: [...exchange.observations],
        ...coveringOf(answered),
        parents: [],
        endedAtMs: ended.timeMs,
      },
      commitments,
      content,
      charge: bill.charge,
      objects: objectsOf(exchange, ending),
      first: firstOf(exchange, ending),
    })
    return promised
  } finally {
    settle(exchange, bill)
    services.telemetry.observeAnswer(answerEvent(exchange, ending, concludedMs, promised?.index))
  }
}

function modelOf({ admitted }: Exchange, { answered, facts }: Ending): InferencePredicate['model'] {
  const requested = admitted.facts.model
  const served = answered?.upstream.served
  if (served !== undefined) {
    return { requested, served: served.name, digestSource: 'loaded-file', digest: served.digest }
  }
  return { requested, served: facts?.servedModel ?? answered?.model ?? requested, digestSource: 'unknown' }
}

/** What is on record of the place that answered. An answer from the cache came from none now. */
function coveringOf(answered: Answered | undefined): Pick<InferencePredicate, 'appraisal' | 'evidence'> {
  return answered?.answer.covering ?? { evidence: [] }
}

/** Those of the request as it is sent: what the deployment changes is the same for every target. */
function parametersOf({ admitted }: Exchange, { answered }: Ending): InferencePredicate['parameters'] {
  const { dialect, scanned, deployment, facts, route } = admitted
  const [target] = route
  if (scanned === undefined || deployment.changes.length === 0 || target === undefined) return facts.parameters
  const sent = answered?.sent.patch === undefined ? sentRequest(admitted, target) : answered.sent
  return readParameters(dialect.parameters, scanObject(sent.bytes))
}

function reportedOf(
  facts: AnswerFacts | undefined,
  scheme: SignatureScheme | undefined,
): Pick<InferencePredicate, 'reported'> {
  const { responseId, systemFingerprint } = facts ?? {}
  if (responseId === undefined && systemFingerprint === undefined && scheme === undefined) return {}
  return {
    reported: {
      ...(responseId === undefined ? {} : { id: responseId }),
      ...(systemFingerprint === undefined ? {} : { systemFingerprint }),
      ...(scheme === undefined ? {} : { signature: SIGNATURE_COVERAGE[scheme] }),
    },
  }
}

function commitmentsOf(exchange: Exchange, ending: Ending, signature: Uint8Array | undefined) {
  const { answered, received, delivered, content, receivedContent } = ending
  const { services, recording, admitted, observations } = exchange
  const commitments: [Exclude<CommittedSubject, 'request-received'>, string][] = []
  const kept = new Map<string, Uint8Array>([['request', admitted.body]])
  // Nothing is sent for an answer from the cache.
  const sent = answered?.repeated === undefined ? answered?.sent : undefined
  if (sent?.patch === undefined) {
    if (sent !== undefined) commitments.push(['request-sent', recording.requestCommitment])
  } else {
    const patch = utf8(sent.patch)
    commitments.push(['request-sent', commitmentTo(services.recording, recording, 'request-sent', sent.bytes)])
    commitments.push(['request-patch', commitmentTo(services.recording, recording, 'request-patch', patch)])
    kept.set('request-sent', sent.bytes)
    kept.set('request-patch', patch)
    observations.add('request-changed')
  }
  if (received !== undefined) commitments.push(['response-received', received])
  if (delivered !== undefined) commitments.push(['response-delivered', delivered])
  if (signature !== undefined) {
    const commitment = commitmentTo(services.recording, recording, 'provider-signature', signature)
    commitments.push(['provider-signature', commitment])
    kept.set('provider-signature', signature)
  }
  if (content !== undefined) kept.set('response', content)
  if (receivedContent !== undefined) kept.set('response-received', receivedContent)
  return { commitments, content: kept }
}

interface Bill {
  readonly lines: readonly PriceLine[]
  /** What the answer counts for in the key's rate. */
  readonly tokens: number | 'unknown'
  readonly charge: Charge
}

/** What the answer costs. Where nobody knows how much it was, what was set aside stands. */
function billOf({ services, admitted, recording, attempts }: Exchange, { answered, facts }: Ending): Bill {
  const { deployment, key, reservation } = admitted
  const usage = credibleUsage(admitted, facts)
  const price = deployment.priceOf(answered?.model ?? admitted.facts.model)
  const wasFree =
    answered === undefined
      ? attempts.every(({ code }) => code !== undefined && NEVER_SENT.has(code))
      : answered.repeated !== undefined || (usage === 'unknown' && saysItFailed(answered, facts))
  const isPriced = !wasFree && price !== undefined && admitted.dialect.isFree !== true
  const known = isPriced ? deployment.linesFor(price, usage) : []
  const lines = known === 'unknown' ? estimateLines(deployment, reservation, services.config.operator.name) : known
  const counts = usage === 'unknown' ? {} : usage
  return {
    lines,
    tokens: usage === 'unknown' ? (wasFree ? 0 : 'unknown') : (usage.inputTokens ?? 0) + (usage.outputTokens ?? 0),
    charge: {
      keyId: key?.id ?? NO_KEY,
      day: reservation?.day ?? new Date(recording.startedAtMs).toISOString().slice(0, 10),
      currency: reservation?.currency ?? price?.currency ?? NO_CURRENCY,
      amountMicros: Math.min(Number.MAX_SAFE_INTEGER, sumMicros(lines)),
      inputTokens: counts.inputTokens ?? 0,
      outputTokens: counts.outputTokens ?? 0,
      isUsageUnknown: usage === 'unknown',
    },
  }
}

/** Usage as far as it can be true: far more than the request allows is none. */
function credibleUsage({ estimate }: AdmittedRequest, facts: AnswerFacts | undefined): InferencePredicate['usage'] {
  const usage = facts?.usage ?? 'unknown'
  if (usage === 'unknown' || estimate === undefined) return usage
  const { requestBytes, outputTokens } = estimate
  const { inputTokens, cachedInputTokens, outputTokens: answered } = usage
  const isTrue =
    isCredible(inputTokens, requestBytes) &&
    isCredible(cachedInputTokens, requestBytes) &&
    isCredible(answered, outputTokens)
  return isTrue ? usage : 'unknown'
}

/** Whether the upstream itself says that it failed. An answer that broke off, or that we could not take, may be charged. */
function saysItFailed({ answer }: Answered, facts: AnswerFacts | undefined): boolean {
  return answer.status >= 400 || facts?.hasError === true
}

/** What was set aside, with the price of the request itself apart: that is known. */
function estimateLines(
  { perRequest }: RelayDeployment,
  reservation: Reservation | undefined,
  payee: string,
): readonly PriceLine[] {
  if (reservation === undefined) return perRequest
  const amountMicros = reservation.amountMicros - sumMicros(perRequest)
  const { currency } = reservation
  return amountMicros > 0 ? [...perRequest, { item: 'estimate', amountMicros, currency, payee }] : perRequest
}

function settle({ services, admitted }: Exchange, { charge, tokens }: Bill): void {
  const { reservation } = admitted
  if (reservation !== undefined) services.access.budgets.settle(reservation, charge.amountMicros)
  settleTokens(services, admitted, tokens)
}

/** Failures of the moment: who sends the request again wants another answer. */
const NOT_REPEATED: ReadonlySet<number> = /* @__PURE__ */ new Set([408, 409, 429])

/** What is given again to a request with the same idempotency key: any answer but one that broke off, failed for now, or has an error in it. */
function firstOf({ mark }: Exchange, { answered, finish }: Ending): FirstAnswerRow | undefined {
  const status = answered?.answer.status ?? 500
  if (
    mark === undefined ||
    answered === undefined ||
    finish.reason === 'interrupted' ||
    (finish.reason === 'error' && status < 400) ||
    status >= 500 ||
    NOT_REPEATED.has(status)
  ) {
    return undefined
  }
  const type = answered.answer.headers.find(([name]) => name === 'content-type')?.[1]
  return { ...mark, status, contentType: type ?? 'application/octet-stream' }
}

/**
 * What the upstream keeps, and the same key may ask for again: the answer, and the conversation that it is in. That is the
 * one that was asked for, also when the answer broke off before it said so: some of it may have been read.
 */
function objectsOf({ admitted }: Exchange, { answered, facts }: Ending): readonly UpstreamObject[] {
  if (admitted.dialect.name !== 'openai-responses' || answered === undefined) return []
  const isRefused = answered.answer.status >= 300
  const conversations = isRefused ? [] : [...new Set([admitted.conversation, facts?.conversationId])]
  const named = [
    ['answer', facts?.responseId] as const,
    ...conversations.map((conversation) => ['conversation', conversation] as const),
  ]
  const by = { keyId: admitted.key?.id ?? NO_KEY, upstream: answered.upstream.name }
  return named.flatMap(([kind, id]) => (id === undefined ? [] : [{ kind, id, ...by }]))
}
