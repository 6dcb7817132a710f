/** How an answer ended, and the statement about it. */
import {
  type CommittedSubject,
  type ErrorCode,
  type InferencePredicate,
  type PriceLine,
  utf8,
} from '@countersign/verify'
import type { AnswerFacts } from '../dialects/answer-facts.ts'
import type { Promised } from '../log/commit-thread.ts'
import type { Charge, FirstAnswerRow } from '../log/sequencer.ts'
import { sumMicros } from '../prices/prices.ts'
import { commitmentTo, conclude } from '../recording/recording.ts'
import { NO_KEY } from './admitted-request.ts'
import { answerEvent } from './answer-report.ts'
import { noteAttempt } from './attempts.ts'
import type { Ending, Exchange } from './exchange.ts'

/** A try that ended so never reached the upstream, which has nothing to charge for. Of all others nobody knows. */
const NEVER_SENT: ReadonlySet<string> = /* @__PURE__ */ new Set(['upstream/unreachable', 'upstream/busy'])

/** ISO 4217 for "no currency is involved". */
const NO_CURRENCY = 'XXX'

/**
 * Puts the answer on record, and settles what it cost. When this rejects, no more of it may leave.
 *
 * @throws {CountersignError} what {@link conclude} throws
 */
export async function concludeExchange(exchange: Exchange, ending: Ending): Promise<Promised> {
  const { services, recording, admitted } = exchange
  const { answered, facts } = ending
  if (answered?.repeated !== undefined) exchange.observations.add('cache-hit')
  else if (answered !== undefined) {
    const failed = ending.finish.reason === 'error' || ending.finish.reason === 'interrupted'
    noteAttempt(exchange, answered, failed ? 'failed' : 'answered', ending.finish.code as ErrorCode | undefined)
  }
  const ended = services.log.clock.read()
  if (recording.wasClamped || ended.clamped) exchange.observations.add('clock-clamped')
  const bill = billOf(exchange, ending)
  const { commitments, content } = commitmentsOf(exchange, ending)
  const concludedMs = performance.now()
  let promised: Promised | undefined
  try {
    promised = await conclude(services.recording, recording, {
      predicate: {
        model: modelOf(exchange, ending),
        ...(answered?.upstream.served === undefined ? {} : { engine: answered.upstream.served.engine }),
        parameters: admitted.facts.parameters,
        usage: facts?.usage ?? 'unknown',
        finish: ending.finish,
        price: bill.lines,
        attempts: exchange.attempts,
        ...reportedOf(facts),
        ...(answered?.repeated === undefined ? {} : { repeats: answered.repeated.receipt }),
        observations: [...exchange.observations],
        evidence: [],
        parents: [],
        endedAtMs: ended.timeMs,
      },
      commitments,
      content,
      charge: bill.charge,
      object: objectOf(exchange, ending),
      first: firstOf(exchange, ending),
    })
    return promised
  } finally {
    settle(exchange, bill.charge, facts)
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

function reportedOf(facts: AnswerFacts | undefined): Pick<InferencePredicate, 'reported'> {
  const { responseId, systemFingerprint } = facts ?? {}
  if (responseId === undefined && systemFingerprint === undefined) return {}
  return {
    reported: {
      ...(responseId === undefined ? {} : { id: responseId }),
      ...(systemFingerprint === undefined ? {} : { systemFingerprint }),
    },
  }
}

function commitmentsOf(exchange: Exchange, { answered, received, delivered, content, receivedContent }: Ending) {
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
  if (content !== undefined) kept.set('response', content)
  if (receivedContent !== undefined) kept.set('response-received', receivedContent)
  return { commitments, content: kept }
}

interface Bill {
  readonly lines: readonly PriceLine[]
  readonly charge: Charge
}

/** What the answer costs. Where nobody knows how much it was, what was set aside stands. */
function billOf({ services, admitted, recording, attempts }: Exchange, { answered, facts, finish }: Ending): Bill {
  const { deployment, key, reservation } = admitted
  const usage = facts?.usage ?? 'unknown'
  const price = deployment.priceOf(answered?.model ?? admitted.facts.model)
  const wasFree =
    answered === undefined
      ? attempts.every(({ code }) => code !== undefined && NEVER_SENT.has(code))
      : answered.repeated !== undefined || (finish.reason === 'error' && usage === 'unknown')
  const known = wasFree ? [] : price === undefined ? [] : deployment.linesFor(price, usage)
  const payee = services.config.operator.name
  const estimate =
    reservation === undefined
      ? []
      : [{ item: 'estimate', amountMicros: reservation.amountMicros, currency: reservation.currency, payee }]
  const lines = known === 'unknown' ? estimate : known
  const counts = usage === 'unknown' ? {} : usage
  return {
    lines,
    charge: {
      keyId: key?.id ?? NO_KEY,
      day: reservation?.day ?? new Date(recording.startedAtMs).toISOString().slice(0, 10),
      currency: reservation?.currency ?? price?.currency ?? NO_CURRENCY,
      amountMicros: sumMicros(lines),
      inputTokens: counts.inputTokens ?? 0,
      outputTokens: counts.outputTokens ?? 0,
      isUsageUnknown: usage === 'unknown',
    },
  }
}

function settle({ services, admitted }: Exchange, charge: Charge, facts: AnswerFacts | undefined): void {
  const { key, reservation, expectedTokens } = admitted
  const { budgets, rates } = services.access
  if (reservation !== undefined) budgets.settle(reservation, charge.amountMicros)
  const usage = facts?.usage
  if (key === undefined || usage === undefined || usage === 'unknown') return
  rates.settle(key, expectedTokens, (usage.inputTokens ?? 0) + (usage.outputTokens ?? 0))
}

/** What is given again to a request with the same idempotency key: any answer but one that broke off, or failed for now. */
function firstOf({ mark }: Exchange, { answered, finish }: Ending): FirstAnswerRow | undefined {
  const status = answered?.answer.status ?? 500
  if (
    mark === undefined ||
    answered === undefined ||
    finish.reason === 'interrupted' ||
    status >= 500 ||
    status === 429
  ) {
    return undefined
  }
  const type = answered.answer.headers.find(([name]) => name === 'content-type')?.[1]
  return { ...mark, status, contentType: type ?? 'application/octet-stream' }
}

/** Answers that the upstream keeps can be asked for again, by the same key. */
function objectOf({ admitted }: Exchange, { answered, facts }: Ending) {
  if (admitted.dialect.name !== 'openai-responses' || answered === undefined || facts?.responseId === undefined) {
    return undefined
  }
  return { id: facts.responseId, keyId: admitted.key?.id ?? NO_KEY, upstream: answered.upstream.name }
}
