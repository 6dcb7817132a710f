/**
 * One inference of a tensor model, step by step: id, intent, answer, statement, durability, promise. No answer leaves
 * before its record is durable.
 */
import {
  CountersignError,
  formatInferenceResponse,
  type InferencePredicate,
  type InferenceRequest,
  type PriceLine,
  parseInferenceRequest,
  type Tensor,
  utf8,
} from '@countersign/verify'
import type { Deployment, TensorDeployment } from '../deployments/deployments.ts'
import type { Promised } from '../log/commit-thread.ts'
import { begin, commitmentTo, conclude, type Recording, type RecordingServices } from '../recording/recording.ts'
import type { Covering } from '../upstreams/upstream.ts'
import { openCharge, type Payer, reservePayment } from './payment.ts'

export interface InferInput {
  readonly body: Uint8Array
  readonly nonce: string | undefined
  readonly subject: string | undefined
  /** Whose rate and budget it counts in, where a key was presented. */
  readonly payer?: Payer | undefined
  /** What is on record of where the model runs. */
  readonly covering?: Covering | undefined
}

/** What goes back to the client. */
export interface InferAnswer {
  readonly status: 200 | 500
  readonly body: Uint8Array
  readonly recording: Recording
  readonly promised: Promised
  readonly usage: InferencePredicate['usage']
}

interface Outcome {
  readonly status: 200 | 500
  readonly body: Uint8Array
  readonly code: string | undefined
}

/**
 * Answers one request. Throws for requests that are refused, and then nothing is recorded; once admitted, whatever
 * happens is recorded, a failing engine too.
 *
 * @throws {CountersignError} `json/*`, `shape/*`, `tensor/*` for a bad request; `rate/limited`, `budget/*`; `queue/full`, `disk/full`, `log/closed`,
 *   `clock/went-backwards` when it cannot be recorded: then no answer leaves
 */
export async function infer(
  services: RecordingServices,
  deployment: TensorDeployment,
  { body, nonce, subject, payer, covering }: InferInput,
): Promise<InferAnswer> {
  const request = parseInferenceRequest(body)
  deployment.model.check(request.inputs, request.outputs)
  const usage = { rows: rowsOf(request.inputs) }
  const price = priceOf(deployment, usage.rows)
  const admitted = { deployment: deployment.reference, requested: deployment.name, body, nonce, subject }
  const payment = payer && reservePayment(services.log, payer, price)
  const recording = await begin(services, admitted, false).catch((thrown: unknown) => {
    payment?.giveBack()
    throw thrown
  })
  const outcome = await run(deployment, request)
  const ended = services.log.clock.readClamped()
  const response = commitmentTo(services, recording, 'response', outcome.body)
  const { served } = deployment
  const promised = await conclude(services, recording, {
    predicate: {
      model: { requested: deployment.name, served: served.name, digestSource: 'loaded-file', digest: served.digest },
      engine: served.engine,
      parameters: {},
      usage,
      finish:
        outcome.code === undefined ? { reason: 'complete' } : { reason: 'error', by: 'upstream', code: outcome.code },
      price,
      attempts: [attemptOf(served.engine.name, outcome, recording.startedAtMs, ended.timeMs)],
      observations: recording.wasClamped || ended.clamped ? ['clock-clamped'] : [],
      ...(covering ?? { evidence: [] }),
      parents: [],
      endedAtMs: ended.timeMs,
    },
    commitments: [
      ['request-sent', recording.requestCommitment],
      ['response-received', response],
      ['response-delivered', response],
    ],
    content: new Map([
      ['request', body],
      ['response', outcome.body],
    ]),
    charge: payment?.charge ?? openCharge(price, recording.startedAtMs),
  }).finally(() => payment?.pay())
  return { status: outcome.status, body: outcome.body, recording, promised, usage }
}

async function run(deployment: TensorDeployment, request: InferenceRequest): Promise<Outcome> {
  try {
    const outputs = await deployment.model.run(request.inputs, request.outputs)
    return {
      status: 200,
      body: formatInferenceResponse({ modelName: deployment.name, id: request.id, outputs }),
      code: undefined,
    }
  } catch (thrown) {
    const code = thrown instanceof CountersignError ? thrown.code : 'execution/failed'
    const body = utf8(JSON.stringify({ error: 'the model could not be run on this input', code }))
    return { status: 500, body, code }
  }
}

function attemptOf(upstream: string, { code, status }: Outcome, startedAtMs: number, endedAtMs: number) {
  return code === undefined
    ? { upstream, outcome: 'answered' as const, startedAtMs, endedAtMs }
    : { upstream, outcome: 'failed' as const, status, code, startedAtMs, endedAtMs }
}

/** A price beyond what a statement can carry is refused before anything is promised. */
function priceOf({ manifest }: Deployment, rows: number): readonly PriceLine[] {
  return manifest.prices.map(({ item, amountMicros, currency }) => {
    if (!Number.isSafeInteger(amountMicros * rows)) {
      throw new CountersignError('request/malformed', `the price of ${rows} rows is more than a statement can say`)
    }
    return { item, amountMicros: amountMicros * rows, currency, payee: manifest.operator.name }
  })
}

function rowsOf(inputs: readonly Tensor[]): number {
  return inputs[0]?.shape[0] ?? 0
}
