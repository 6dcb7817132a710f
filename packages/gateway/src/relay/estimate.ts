/** How much an answer can be, as far as that can be told of a request before it is sent. @spec spec/access.md */
import { CountersignError } from '@countersign/verify'
import { itemsOf } from '../dialects/answer-facts.ts'
import type { Dialect } from '../dialects/dialect.ts'
import { type ScannedObject, scanObject } from '../dialects/json-scan.ts'
import { DEFAULT_OUTPUT_TOKENS, TEMPLATE_TOKENS } from '../prices/prices.ts'
import type { AdmittedRequest, Estimate } from './admitted-request.ts'
import { sentRequest } from './attempts.ts'

/** Names by which some server or other limits an answer. Those that are not the dialect's own can but raise the limit. */
export const LIMITS = [
  'max_tokens',
  'max_completion_tokens',
  'max_output_tokens',
  'max_new_tokens',
  'n_predict',
] as const

/** Names by which several answers are asked for at once. */
export const CHOICES = ['n', 'best_of'] as const

/** Most prompts of one request, for a key. */
export const MAX_PROMPTS = 65_536

/** Most tokens that are counted beforehand against a key's rate: as many as one minute can ever have. */
const MAX_EXPECTED_TOKENS = 1_000_000_000

/** Usage that is more than so many times what the request allows, and {@link CREDIBLE_MARGIN}, cannot be true. */
const CREDIBLE_FACTOR = 16
const CREDIBLE_MARGIN = 1_000_000

type Request = Pick<AdmittedRequest, 'dialect' | 'body' | 'scanned' | 'deployment' | 'facts' | 'route'>

/**
 * Estimates by the bytes that will be sent, which are not the client's where the deployment changes them.
 *
 * @throws {CountersignError} `request/malformed` for more than {@link MAX_PROMPTS} prompts
 */
export function estimateRequest(request: Request): Estimate {
  const { dialect, body, deployment, route } = request
  const { scanned, length } = deployment.changes.length === 0 ? { ...request, length: body.length } : asSent(request)
  const longestModel = Math.max(...route.map(({ model }) => Buffer.byteLength(JSON.stringify(model ?? ''))))
  const outputTokens =
    dialect.tokens === 'of-request' ? 0 : outputLimit(dialect, scanned) * choicesOf(scanned) * promptsOf(scanned)
  return { requestBytes: length + longestModel, outputTokens }
}

/** Tokens that count against the key's rate until the answer says how many they were. */
export function expectedTokens({ tokens }: Dialect, { requestBytes, outputTokens }: Estimate): number {
  return tokens === 'none' ? 0 : Math.min(MAX_EXPECTED_TOKENS, requestBytes + TEMPLATE_TOKENS + outputTokens)
}

/** Whether a count of tokens can be true of a request that allows so many. */
export function isCredible(count: number | undefined, allowed: number): boolean {
  return count === undefined || count <= allowed * CREDIBLE_FACTOR + CREDIBLE_MARGIN
}

/** All targets get the same changes; only the model's name differs. */
function asSent(request: Request): { readonly scanned: ScannedObject | undefined; readonly length: number } {
  const [target] = request.route
  if (target === undefined || request.scanned === undefined) return { ...request, length: request.body.length }
  const { bytes } = sentRequest(request, target)
  return { scanned: scanObject(bytes), length: bytes.length }
}

/** The largest of all limits: nobody knows which one a server goes by. */
function outputLimit({ parameters }: Dialect, scanned: ScannedObject | undefined): number {
  const own: readonly string[] = parameters.maxTokens ?? []
  const limits = (names: readonly string[]) => names.flatMap((name) => countIn(scanned, name) ?? [])
  const known = limits(own)
  const others = limits(LIMITS.filter((name) => !own.includes(name)))
  return Math.max(...(known.length === 0 ? [DEFAULT_OUTPUT_TOKENS] : known), ...others)
}

/** How many answers a request asks for at once, each of which may be as long as it allows. */
function choicesOf(scanned: ScannedObject | undefined): number {
  return Math.max(1, ...CHOICES.flatMap((name) => countIn(scanned, name) ?? []))
}

/** Prompts that are answered each on its own. A list of numbers is one prompt, of tokens. */
function promptsOf(scanned: ScannedObject | undefined): number {
  if (scanned?.kindOf('prompt') !== 'list') return 1
  const items = itemsOf(scanned, 'prompt', MAX_PROMPTS + 1)
  const prompts = items.filter(([first = 0]) => first === QUOTE || first === OPEN_LIST).length
  if (prompts <= MAX_PROMPTS) return Math.max(1, prompts)
  throw new CountersignError('request/malformed', `prompt: expected at most ${MAX_PROMPTS}`)
}

const QUOTE = 0x22
const OPEN_LIST = 0x5b

/** A count as any server may read it: `1e5` is 100,000, and to some `"100000"` is, too. */
function countIn(scanned: ScannedObject | undefined, name: string): number | undefined {
  const kind = scanned?.kindOf(name)
  const text = kind === 'number' ? scanned?.numberTextOf(name) : kind === 'text' ? scanned?.textOf(name) : undefined
  if (text === undefined || text.trim() === '') return undefined
  const count = Math.ceil(Number(text))
  // `1e999` is infinite to us, and nothing times that would be no number at all.
  return count >= 0 ? Math.min(count, Number.MAX_SAFE_INTEGER) : undefined
}
