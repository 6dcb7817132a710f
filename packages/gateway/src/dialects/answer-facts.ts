/**
 * What an answer says about itself, read out of bytes that nobody vouches for. Nothing here throws: what cannot be read
 * is not known.
 */
import { CountersignError, type FinishReason, type InferencePredicate } from '@countersign/verify'
import { type ScannedObject, scanItems, scanObject } from './json-scan.ts'

/** The upstream's claims about an answer. None of them is checked against anything. */
export interface AnswerFacts {
  readonly servedModel?: string | undefined
  readonly responseId?: string | undefined
  /** The conversation that it is in, where upstreams keep any. */
  readonly conversationId?: string | undefined
  readonly systemFingerprint?: string | undefined
  readonly usage: InferencePredicate['usage']
  /** `other` as long as the answer gives no reason that is known here. */
  readonly finishReason: FinishReason
  /** Whether there is an error object in the answer, or an error event in the stream. */
  readonly hasError: boolean
}

/** Facts that grow with each frame. Besides {@link AnswerFacts} it has what is needed to go on. */
export interface GrowingFacts extends AnswerFacts {
  servedModel: string | undefined
  responseId: string | undefined
  conversationId: string | undefined
  systemFingerprint: string | undefined
  usage: InferencePredicate['usage']
  finishReason: FinishReason
  hasError: boolean
  /** Frames with data so far. */
  dataFrames: number
  /** Whether `finishReason` is one that the answer gave. */
  isFinished: boolean
  /** Counts of tokens under the upstream's own names, the latest of each. */
  readonly counts: Map<string, number>
}

/** Which of an upstream's counts make up ours. */
export interface UsageNames {
  /** The first must be there; what is there of the others is added to it. */
  readonly input: readonly string[]
  readonly output: string
  readonly cached: string
  /** The object in `usage` that has the cached count, where that is not `usage` itself. */
  readonly cachedIn?: string
}

/** What the word for an ending in a dialect is in a statement. */
export type FinishNames = { readonly [name: string]: FinishReason }

/** Longest text that is taken over from an upstream, in UTF-16 units. */
export const MAX_TEXT_LENGTH = 256

/** A longer string is no name or id, and is not even decoded. */
const MAX_TEXT_BYTES = 4096

/** What a statement's reader refuses in a text: characters that show as something else, or as nothing. */
const UNPRINTABLE = /[\p{Cc}\p{Cf}\p{Cs}\p{Co}\p{Zl}\p{Zp}\u115f\u1160\u2800\u3164\uffa0]|(?! )\p{Zs}/gu
const PLAIN = /^[ -~]*$/

const COUNT = /^[0-9]{1,16}$/

/** Most tokens of one count that are believed; beyond, the count is not known. */
export const MAX_TOKEN_COUNT = 1_000_000_000

/** An id as a statement takes it over. What is not of this form may be content: an echo of what the client sent. */
const REPORTED_ID = /^[!-~]{1,128}$/

/** Facts of which none is known yet. */
export function emptyFacts(): GrowingFacts {
  return {
    servedModel: undefined,
    responseId: undefined,
    conversationId: undefined,
    systemFingerprint: undefined,
    usage: 'unknown',
    finishReason: 'other',
    hasError: false,
    dataFrames: 0,
    isFinished: false,
    counts: new Map(),
  }
}

/** A text from an upstream as a statement may hold it: without control and invisible characters, at most 256 long. */
export function boundedText(text: string): string {
  const short = text.slice(0, MAX_TEXT_BYTES)
  const printable = PLAIN.test(short) ? short : short.replace(UNPRINTABLE, '')
  const cut = printable.slice(0, MAX_TEXT_LENGTH)
  // The cut may have gone through a character.
  return cut.length < printable.length ? cut.replace(/[\ud800-\udbff]$/, '') : cut
}

/** The object that `bytes` is the text of, or `undefined` when it is none, or says a thing twice. */
export function objectIn(bytes: Uint8Array | undefined): ScannedObject | undefined {
  return bytes === undefined ? undefined : unlessRefused(() => scanObject(bytes))
}

/** The object that a member is. */
export function childOf(object: ScannedObject | undefined, name: string): ScannedObject | undefined {
  return object?.kindOf(name) === 'object' ? objectIn(object.bytesOf(name)) : undefined
}

/** The first items of the list that a member is, as bytes. */
export function itemsOf(object: ScannedObject, name: string, maxItems: number): readonly Uint8Array[] {
  const bytes = object.kindOf(name) === 'list' ? object.bytesOf(name) : undefined
  return (bytes && unlessRefused(() => scanItems(bytes, maxItems))) ?? []
}

/** A member's text, bounded; `undefined` for everything that is no text, or has nothing in it. */
export function textIn(object: ScannedObject | undefined, name: string): string | undefined {
  const text = shortTextIn(object, name)
  return (text && boundedText(text)) || undefined
}

/** A member that is an id. */
export function idIn(object: ScannedObject | undefined, name: string): string | undefined {
  return reportedId(shortTextIn(object, name))
}

function shortTextIn(object: ScannedObject | undefined, name: string): string | undefined {
  const span = object?.kindOf(name) === 'text' ? object.spanOf(name) : undefined
  if (span === undefined || span.end - span.start > MAX_TEXT_BYTES) return undefined
  return unlessRefused(() => object?.textOf(name))
}

/** A reported id, or `undefined` for a text that is not of an id's form: it is left out, never cut. */
export function reportedId(text: string | undefined): string | undefined {
  return text !== undefined && REPORTED_ID.test(text) ? text : undefined
}

/** Takes over the names an answer goes by. Those that are known stay. */
export function noteIdentity(facts: GrowingFacts, object: ScannedObject): void {
  facts.responseId ??= idIn(object, 'id')
  facts.servedModel ??= textIn(object, 'model')
  facts.systemFingerprint ??= idIn(object, 'system_fingerprint')
}

/** Takes over how the answer ended. A word that is not in the table counts as `other`. */
export function noteFinish(facts: GrowingFacts, names: FinishNames, name: string | undefined): void {
  if (name === undefined) return
  facts.isFinished = true
  if (facts.hasError) return
  facts.finishReason = (Object.hasOwn(names, name) ? names[name] : undefined) ?? 'other'
  if (facts.finishReason === 'error') facts.hasError = true
}

/** An error makes everything else that was said about the ending void. */
export function noteError(facts: GrowingFacts): void {
  facts.hasError = true
  facts.finishReason = 'error'
}

/** Whether the object has a member `error` with something in it. */
export function hasErrorIn(object: ScannedObject): boolean {
  const kind = object.kindOf('error')
  return kind === 'object' || kind === 'text'
}

/**
 * Takes over the counts in the member `usage`. Each count is the answer's total so far, so the latest one stands. Nothing
 * is guessed: a count that is missing, no integer or above {@link MAX_TOKEN_COUNT} is left out, and without any the usage is unknown.
 */
export function noteUsage(facts: GrowingFacts, names: UsageNames, object: ScannedObject): void {
  const usage = childOf(object, 'usage')
  if (usage === undefined) return
  for (const name of [...names.input, names.output]) noteCount(facts, usage, name)
  noteCount(facts, names.cachedIn === undefined ? usage : childOf(usage, names.cachedIn), names.cached)
  const input = sumOf(facts, names.input)
  const output = facts.counts.get(names.output)
  const cached = facts.counts.get(names.cached)
  if (input === undefined && output === undefined && cached === undefined) return
  facts.usage = {
    ...(input === undefined ? {} : { inputTokens: input }),
    ...(output === undefined ? {} : { outputTokens: output }),
    ...(cached === undefined ? {} : { cachedInputTokens: cached }),
  }
}

function noteCount(facts: GrowingFacts, usage: ScannedObject | undefined, name: string): void {
  const text = usage?.kindOf(name) === 'number' ? usage.numberTextOf(name) : undefined
  const count = text !== undefined && COUNT.test(text) ? Number(text) : undefined
  if (count !== undefined && count <= MAX_TOKEN_COUNT) facts.counts.set(name, count)
}

function sumOf(facts: GrowingFacts, names: readonly string[]): number | undefined {
  const [first = '', ...others] = names
  let sum = facts.counts.get(first)
  for (const name of others) if (sum !== undefined) sum += facts.counts.get(name) ?? 0
  return sum
}

/** What `read` gives, or `undefined` when the bytes are refused. */
function unlessRefused<T>(read: () => T): T | undefined {
  try {
    return read()
  } catch (thrown) {
    if (thrown instanceof CountersignError) return undefined
    throw thrown
  }
}
