/** What metrics, traces and logs are told of an answer. */
import type { ErrorCode } from '@countersign/verify'
import { STATUS } from '../http/status.ts'
import { type AnswerEvent, OPERATION_OF } from '../telemetry/answer-event.ts'
import { parseTraceparent } from '../telemetry/trace-context.ts'
import type { Ending, Exchange } from './exchange.ts'

/** @param concludedMs When its statement was on its way, of the clock of the exchange's timing. */
export function answerEvent(
  { admitted, recording, request, attempts, timing }: Exchange,
  { answered, facts, finish }: Ending,
  concludedMs: number,
  logIndex: number | undefined,
): AnswerEvent {
  const nowMs = performance.now()
  const errorCode = finish.code as ErrorCode | undefined
  const { upstream } = answered ?? {}
  const isOutside = upstream !== undefined && upstream.served === undefined
  return {
    operation: OPERATION_OF[admitted.dialect.name],
    deployment: admitted.deployment.name,
    requestedModel: admitted.facts.model,
    servedModel: facts?.servedModel,
    upstream: isOutside ? { name: upstream.name, kind: upstream.kind, origin: upstream.origin } : undefined,
    attempts: attempts.length,
    status: answered?.answer.status ?? (errorCode === undefined ? 500 : STATUS[errorCode]),
    finish: finish.reason,
    errorCode,
    isStream: admitted.facts.isStream,
    parameters: admitted.facts.parameters,
    usage: facts?.usage ?? 'unknown',
    startedAtMs: recording.startedAtMs,
    firstByteMs: timing.firstByteMs ?? (finish.by === 'client' ? undefined : nowMs - timing.startMs),
    durationMs: nowMs - timing.startMs,
    commitWaitMs: nowMs - concludedMs,
    receipt: recording.id,
    logIndex,
    responseId: facts?.responseId,
    trace: parseTraceparent(request.headers.traceparent),
  }
}
