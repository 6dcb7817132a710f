/** What the gateway reports about a request once it is over. Never content, a secret, a nonce, a subject or an address. */
import type { ErrorCode, InferencePredicate, ReceiptId } from '@countersign/verify'
import type { DialectName } from '../dialects/dialect.ts'
import type { UpstreamKind } from '../upstreams/upstream.ts'
import type { TraceContext } from './trace-context.ts'

export const OPERATIONS = [
  'chat',
  'responses',
  'completions',
  'embeddings',
  'messages',
  'count_tokens',
  'transcriptions',
  'translations',
  'infer',
] as const
export type Operation = (typeof OPERATIONS)[number]

/** The operation that each dialect asks for. */
export const OPERATION_OF: { readonly [dialect in DialectName]: Operation } = {
  'openai-chat': 'chat',
  'openai-responses': 'responses',
  'openai-completions': 'completions',
  'openai-embeddings': 'embeddings',
  'open-inference': 'infer',
  'anthropic-messages': 'messages',
  'anthropic-count-tokens': 'count_tokens',
  'openai-transcriptions': 'transcriptions',
  'openai-translations': 'translations',
}

/** One admitted request, when it has ended, well or badly. */
export interface AnswerEvent {
  readonly operation: Operation
  /** Name of the deployment, as it is configured. */
  readonly deployment: string
  /** As the client asked for it: any text that a statement takes. */
  readonly requestedModel: string
  /** As the upstream named it. */
  readonly servedModel?: string | undefined
  /** Who answered; missing where nobody did, and for models that the gateway runs itself. */
  readonly upstream?: { readonly name: string; readonly kind: UpstreamKind; readonly origin: string } | undefined
  /** Tries of upstreams, the last among them. */
  readonly attempts: number
  /** HTTP status that the client got, or would have got had it stayed. */
  readonly status: number
  readonly finish: InferencePredicate['finish']['reason']
  /** Our code, where it failed. */
  readonly errorCode?: ErrorCode | undefined
  readonly isStream: boolean
  readonly parameters: InferencePredicate['parameters']
  readonly usage: InferencePredicate['usage']
  /** Milliseconds since 1970. */
  readonly startedAtMs: number
  /** From the start to the first byte of the answer; missing where none left. */
  readonly firstByteMs?: number | undefined
  /** From the start to the end. */
  readonly durationMs: number
  /** How long the end of the answer waited for its statement to be durable. */
  readonly commitWaitMs?: number | undefined
  readonly receipt: ReceiptId
  /** Missing where the statement could not be committed. */
  readonly logIndex?: number | undefined
  /** The upstream's id of the answer. */
  readonly responseId?: string | undefined
  /** The caller's trace, where it sent one. */
  readonly trace?: TraceContext | undefined
}

/** A request that was refused, and left no record. Says nothing that a stranger chose. */
export interface RefusalEvent {
  /** `internal` for an error that is none of ours. */
  readonly code: ErrorCode | 'internal'
  readonly status: number
  readonly operation?: Operation | undefined
}
