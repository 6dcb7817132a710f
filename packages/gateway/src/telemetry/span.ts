/** An answer as a span of OTLP in JSON. Pure. @spec OTLP/HTTP, "JSON Protobuf Encoding" */
import type { AnswerEvent } from './answer-event.ts'
import {
  ATTRIBUTE,
  CONVENTIONS_VERSION,
  FINISH_NAME,
  OPERATION_NAME,
  OTHER_ERROR,
  OWN_PROVIDER_NAME,
  PROVIDER_NAME,
} from './genai-conventions.ts'

type Value =
  | { readonly stringValue: string }
  | { readonly boolValue: boolean }
  /** 64 bits, as decimal text. */
  | { readonly intValue: string }
  | { readonly doubleValue: number }
  | { readonly arrayValue: { readonly values: readonly Value[] } }

export interface Attribute {
  readonly key: string
  readonly value: Value
}

export interface Span {
  readonly traceId: string
  readonly spanId: string
  readonly parentSpanId?: string
  /** W3C trace flags. */
  readonly flags: number
  readonly name: string
  readonly kind: number
  readonly startTimeUnixNano: string
  readonly endTimeUnixNano: string
  readonly attributes: readonly Attribute[]
  readonly status: { readonly code?: number }
}

/** Random bytes, for ids. */
export type Random = (length: number) => Uint8Array

const KIND_INTERNAL = 1
const KIND_CLIENT = 3
const STATUS_ERROR = 2
const SAMPLED = 1
const INT64_MAX = 2n ** 63n - 1n
const INT64_MIN = -(2n ** 63n)
const DEFAULT_PORTS: { readonly [protocol: string]: number } = { 'http:': 80, 'https:': 443 }

/** The span of an answer: of the caller's trace where there is one, else the root of a new one. */
export function spanOf(event: AnswerEvent, random: Random): Span {
  const { trace, upstream } = event
  const errorType = errorTypeOf(event)
  return {
    traceId: trace?.traceId ?? hex(random(16)),
    spanId: hex(random(8)),
    ...(trace === undefined ? {} : { parentSpanId: trace.parentSpanId }),
    flags: SAMPLED,
    name: `${OPERATION_NAME[event.operation]} ${event.requestedModel}`,
    kind: upstream === undefined || upstream.kind === 'llama' ? KIND_INTERNAL : KIND_CLIENT,
    startTimeUnixNano: nanoseconds(event.startedAtMs),
    endTimeUnixNano: nanoseconds(event.startedAtMs + Math.max(0, event.durationMs)),
    attributes: [
      ...requestAttributes(event),
      ...responseAttributes(event),
      ...upstreamAttributes(event),
      ...text(ATTRIBUTE.errorType, errorType),
      ...text(ATTRIBUTE.receipt, event.receipt),
      ...integer(ATTRIBUTE.logIndex, event.logIndex),
      ...text(ATTRIBUTE.deployment, event.deployment),
      ...integer(ATTRIBUTE.attempts, event.attempts),
    ],
    status: errorType === undefined ? {} : { code: STATUS_ERROR },
  }
}

/** The body of one export. @spec OTLP/HTTP, ExportTraceServiceRequest */
export function exportRequest(spans: readonly Span[], version: string): string {
  const service = [...text('service.name', 'countersign'), ...text('service.version', version)]
  const scope = { name: 'countersign', version, attributes: text(ATTRIBUTE.conventions, CONVENTIONS_VERSION) }
  return JSON.stringify({ resourceSpans: [{ resource: { attributes: service }, scopeSpans: [{ scope, spans }] }] })
}

function requestAttributes({ operation, upstream, requestedModel, isStream, parameters }: AnswerEvent) {
  return [
    ...text(ATTRIBUTE.operation, OPERATION_NAME[operation]),
    ...text(ATTRIBUTE.provider, upstream === undefined ? OWN_PROVIDER_NAME : PROVIDER_NAME[upstream.kind]),
    ...text(ATTRIBUTE.requestModel, requestedModel),
    ...(isStream ? [{ key: ATTRIBUTE.requestStream, value: { boolValue: true } }] : []),
    ...seed(parameters.seed),
    ...decimal(ATTRIBUTE.requestTemperature, parameters.temperature),
    ...decimal(ATTRIBUTE.requestTopP, parameters.topP),
    ...integer(ATTRIBUTE.requestMaxTokens, parameters.maxTokens),
  ]
}

function responseAttributes({ responseId, servedModel, finish, isStream, firstByteMs, usage }: AnswerEvent) {
  const reason = FINISH_NAME[finish]
  const counts = usage === 'unknown' ? {} : usage
  return [
    ...text(ATTRIBUTE.responseId, responseId),
    ...text(ATTRIBUTE.responseModel, servedModel),
    ...(reason === undefined
      ? []
      : [{ key: ATTRIBUTE.finishReasons, value: { arrayValue: { values: [{ stringValue: reason }] } } }]),
    ...(isStream && firstByteMs !== undefined
      ? [{ key: ATTRIBUTE.timeToFirstChunk, value: { doubleValue: firstByteMs / 1000 } }]
      : []),
    ...integer(ATTRIBUTE.inputTokens, counts.inputTokens),
    ...integer(ATTRIBUTE.outputTokens, counts.outputTokens),
    ...integer(ATTRIBUTE.cachedInputTokens, counts.cachedInputTokens),
  ]
}

/** An engine of the gateway's own has a name, and no address. */
function upstreamAttributes({ upstream }: AnswerEvent): readonly Attribute[] {
  if (upstream === undefined) return []
  const named = text(ATTRIBUTE.upstream, upstream.name)
  const url = URL.canParse(upstream.origin) ? new URL(upstream.origin) : undefined
  if (url === undefined || url.hostname === '') return named
  const port = url.port === '' ? DEFAULT_PORTS[url.protocol] : Number(url.port)
  const address = url.hostname.replace(/^\[(.*)\]$/, '$1')
  return [...named, ...text(ATTRIBUTE.serverAddress, address), ...integer(ATTRIBUTE.serverPort, port)]
}

/** Few different values, none of which an upstream or a client writes. */
function errorTypeOf({ errorCode, status, finish }: AnswerEvent): string | undefined {
  if (errorCode !== undefined) return errorCode
  if (status >= 400) return String(status)
  if (finish === 'interrupted') return 'interrupted'
  return finish === 'error' ? OTHER_ERROR : undefined
}

function text(key: string, value: string | undefined): readonly Attribute[] {
  return value === undefined ? [] : [{ key, value: { stringValue: value } }]
}

function integer(key: string, value: number | undefined): readonly Attribute[] {
  return value === undefined || !Number.isSafeInteger(value) ? [] : [{ key, value: { intValue: String(value) } }]
}

/** A number of JSON that is beyond a double is left out. */
function decimal(key: string, value: string | undefined): readonly Attribute[] {
  const number = value === undefined ? Number.NaN : Number(value)
  return Number.isFinite(number) ? [{ key, value: { doubleValue: number } }] : []
}

/** Exact, or left out: a seed may have all of 64 bits. */
function seed(value: string | undefined): readonly Attribute[] {
  if (value === undefined || !/^-?\d{1,19}$/.test(value)) return []
  const number = BigInt(value)
  if (number > INT64_MAX || number < INT64_MIN) return []
  return [{ key: ATTRIBUTE.requestSeed, value: { intValue: String(number) } }]
}

function nanoseconds(timeMs: number): string {
  return String(BigInt(Math.round(timeMs * 1000)) * 1000n)
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex')
}
