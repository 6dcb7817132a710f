/** Middleware for language models of the Vercel AI SDK: outcomes in the provider's metadata. */
import type { ClaimStatus, ErrorCode, ReceiptId } from '@countersign/verify'
import type { AnswerCheckName } from './answer-check.ts'
import type { Outcome } from './outcome.ts'
import type { ReceiptsFetch } from './receipts-fetch.ts'

/** What stands under `countersign` in `providerMetadata`. Plain JSON; no secret. */
export type ReceiptMetadata = {
  readonly receipt: ReceiptId | null
  /** The promise's one-line form: keep it until you have the receipt. */
  readonly promise: string | null
  readonly verdict: {
    readonly status: ClaimStatus
    readonly checks: { name: AnswerCheckName; status: ClaimStatus; code?: ErrorCode; reason?: string }[]
  }
}

/** What the middleware reads of a result; the AI SDK's own types have more. */
interface ModelResult {
  readonly response?: { readonly headers?: Readonly<Record<string, string>> }
}

/** Language model middleware in the form of `LanguageModelV3Middleware`. */
export interface ReceiptsMiddleware {
  readonly specificationVersion: 'v3'
  wrapGenerate<R extends ModelResult>(call: { doGenerate: () => PromiseLike<R> }): Promise<R>
  wrapStream<P extends { type: string }, R extends ModelResult & { stream: ReadableStream<P> }>(call: {
    doStream: () => PromiseLike<R>
  }): Promise<R>
}

/**
 * Puts `{ countersign: { receipt, promise, verdict } }` into the metadata of each answer that `fetch` fetched. The
 * answer, or the last part of a stream, waits for its checks; what comes before does not.
 */
export function receiptsMiddleware(fetch: Pick<ReceiptsFetch, 'outcomeOf'>): ReceiptsMiddleware {
  const outcomeOf = async ({ response }: ModelResult) =>
    fetch.outcomeOf(response?.headers?.['countersign-receipt'] ?? '')
  return {
    specificationVersion: 'v3',
    async wrapGenerate({ doGenerate }) {
      const result = await doGenerate()
      const outcome = await outcomeOf(result)
      return outcome === undefined ? result : withMetadata(result, outcome)
    },
    async wrapStream({ doStream }) {
      const result = await doStream()
      const annotated = new TransformStream({
        async transform(part: { type: string }, controller) {
          const outcome = part.type === 'finish' ? await outcomeOf(result) : undefined
          controller.enqueue(outcome === undefined ? part : withMetadata(part, outcome))
        },
      })
      return { ...result, stream: result.stream.pipeThrough(annotated) }
    },
  }
}

function withMetadata<T extends object>(value: T, { receipt, promiseLine, status, checks }: Outcome): T {
  const countersign: ReceiptMetadata = {
    receipt: receipt ?? null,
    promise: promiseLine ?? null,
    verdict: { status, checks: checks.map((check) => ({ ...check })) },
  }
  const before = 'providerMetadata' in value ? value.providerMetadata : undefined
  return { ...value, providerMetadata: { ...(before ?? {}), countersign } }
}
