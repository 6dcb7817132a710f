/**
 * Delivers a stream, frame by frame as it comes. The last frame waits until the statement is durable; the promise goes
 * out as one comment right before it.
 */
import { CountersignError, codeOf, GatheredBytes, type InferencePredicate, utf8 } from '@countersign/verify'
import { createHolding, type Holding } from '../admission/holding.ts'
import { emptyFacts, type GrowingFacts } from '../dialects/answer-facts.ts'
import { errorFrame } from '../dialects/error-body.ts'
import { readFrame, stripOurComments } from '../dialects/sse-frames.ts'
import { SseSplitter } from '../dialects/sse-splitter.ts'
import { STATUS } from '../http/status.ts'
import {
  type GrowingCommitment,
  growingCommitment,
  promiseLine,
  receiptHeaders,
  whenDurable,
} from '../recording/recording.ts'
import { writable } from './backpressure.ts'
import { concludeExchange } from './ending.ts'
import { type Answered, type Exchange, isClientGone, noteFirstByte, writeHead } from './exchange.ts'
import { brokenFinish, releaseWhenGone, remember } from './held.ts'
import { standsInAnswer } from './provider-signature.ts'

/** Most bytes that are taken in behind the terminal frame. */
const MAX_TAIL_BYTES = 64 * 1024

/**
 * Bytes on their way that every stream may have in memory uncounted, so that a gateway that is full of large ones still
 * lets the small ones end.
 */
export const UNCOUNTED_BYTES = 64 * 1024

/** How long the end of the body is waited for behind the terminal frame. */
const TAIL_MS = 1000

/** Everything that a stream is on its way. */
interface Streaming {
  readonly exchange: Exchange
  readonly answered: Answered
  readonly splitter: SseSplitter
  readonly facts: GrowingFacts
  readonly received: GrowingCommitment
  readonly delivered: GrowingCommitment
  readonly kept: KeptBytes
  /** Bytes on their way: came and did not leave. */
  readonly onTheWay: Holding
  /** Frames from the terminal one on, not yet delivered. */
  readonly tail: GatheredBytes
  deliveredBytes: number
  hasEnded: boolean
  /** Whether what is delivered is not what was received. */
  hasDiverged: boolean
}

/** Delivers a stream. @throws {CountersignError} when it could not be recorded; then it has no end */
export async function deliverStream(exchange: Exchange, answered: Answered): Promise<void> {
  const { services, recording, response } = exchange
  const { answer } = answered
  const holding = createHolding(services)
  const onTheWay = createHolding(services)
  const streaming: Streaming = {
    exchange,
    answered,
    splitter: new SseSplitter(services.config.limits.streamFrameBytes),
    facts: emptyFacts(),
    received: growingCommitment(services.recording, recording, 'response-received'),
    delivered: growingCommitment(services.recording, recording, 'response'),
    kept: keptBytes(keptLimit(exchange, answered), holding),
    onTheWay,
    tail: new GatheredBytes(),
    deliveredBytes: 0,
    hasEnded: false,
    hasDiverged: false,
  }
  await whenDurable(services.recording, recording)
  writeHead(response, answer.status, answer.headers, receiptHeaders(recording), undefined)
  response.flushHeaders()
  noteFirstByte(exchange)
  let broken: unknown
  try {
    await pump(streaming)
  } catch (thrown) {
    broken = thrown
  }
  try {
    await finish(streaming, broken)
  } finally {
    holding.release()
    releaseWhenGone(response, onTheWay)
  }
}

/** Counts what is in memory of a stream beyond what every one may have. @throws {CountersignError} `queue/full` */
function countOnTheWay({ exchange, splitter, onTheWay, tail }: Streaming): void {
  const bytes = splitter.bufferBytes + tail.length + exchange.response.writableLength
  onTheWay.set(Math.max(0, bytes - UNCOUNTED_BYTES))
}

/** Content is kept for the vault, for the cache, and where its signature stands in it. */
function keptLimit({ services, admitted }: Exchange, { upstream }: Answered): number {
  const { deployment } = admitted
  const isKept = deployment.reference.vault === 'content' || deployment.cache !== undefined || standsInAnswer(upstream)
  return isKept ? services.config.limits.heldBytes : 0
}

/** Passes frames on until the terminal one; takes in what comes behind it, within limits. */
async function pump(streaming: Streaming): Promise<void> {
  const { exchange, answered } = streaming
  const { response } = exchange
  let timer: NodeJS.Timeout | undefined
  try {
    for await (const chunk of answered.answer.body as AsyncIterable<Uint8Array>) {
      streaming.received.update(chunk)
      passOn(streaming, streaming.splitter.push(chunk))
      countOnTheWay(streaming)
      if (streaming.hasEnded) {
        if (streaming.tail.length > MAX_TAIL_BYTES) break
        timer ??= setTimeout(() => answered.answer.body.destroy(), TAIL_MS)
      }
      const wait = writable(response)
      if (wait !== undefined) {
        await wait
        countOnTheWay(streaming)
      }
      if (response.destroyed) break
    }
  } catch (thrown) {
    // Whatever goes wrong behind the terminal frame takes nothing from the answer.
    if (!streaming.hasEnded) throw thrown
  } finally {
    clearTimeout(timer)
  }
  const rest = streaming.splitter.end()
  if (rest !== undefined) takeRest(streaming, cleaned(streaming, rest))
}

/** What came last may lack its blank line, or end with a CR that an LF could have followed. Most clients take it anyway. */
function takeRest(streaming: Streaming, bytes: Uint8Array): void {
  const { exchange, facts } = streaming
  const { dialect } = exchange.admitted
  if (!streaming.hasEnded) {
    const frame = readFrame(bytes)
    dialect.readFrameFacts(frame, facts)
    streaming.hasEnded = dialect.isTerminalFrame(frame)
  }
  hold(streaming, bytes)
}

function passOn(streaming: Streaming, frames: readonly Uint8Array[]): void {
  const { exchange, facts } = streaming
  const { dialect } = exchange.admitted
  const out: Uint8Array[] = []
  for (const each of frames) {
    const bytes = cleaned(streaming, each)
    if (streaming.hasEnded) {
      hold(streaming, bytes)
      continue
    }
    const frame = readFrame(bytes)
    dialect.readFrameFacts(frame, facts)
    if (dialect.isTerminalFrame(frame)) {
      streaming.hasEnded = true
      hold(streaming, bytes)
    } else {
      if (dialect.isClearFrame?.(frame) === false) throw unclear()
      if (bytes.length > 0) out.push(bytes)
    }
  }
  if (out.length > 0) deliver(streaming, out.length === 1 ? (out[0] as Uint8Array) : Buffer.concat(out))
}

function unclear(): CountersignError {
  return new CountersignError('upstream/malformed', 'an event of the stream is not one JSON object with each name once')
}

/** Removes comments that look like ours, so that nobody takes an upstream's word for the gateway's. */
function cleaned(streaming: Streaming, bytes: Uint8Array): Uint8Array {
  const { frame, stripped } = stripOurComments(bytes)
  if (stripped) {
    streaming.exchange.observations.add('upstream-comments-stripped')
    streaming.hasDiverged = true
  }
  return frame
}

function hold({ tail }: Streaming, bytes: Uint8Array): void {
  tail.add(bytes)
}

function deliver(streaming: Streaming, bytes: Uint8Array): void {
  const { exchange, delivered, kept } = streaming
  delivered.update(bytes)
  kept.add(bytes)
  streaming.deliveredBytes += bytes.length
  exchange.response.write(bytes)
}

/** Puts the stream on record, then lets its end out. */
async function finish(streaming: Streaming, broken: unknown): Promise<void> {
  const { exchange, answered, delivered, kept, tail } = streaming
  const { response, admitted, recording } = exchange
  const isGone = isClientGone(exchange)
  const isBroken =
    isGone || broken !== undefined || !(streaming.hasEnded || streaming.facts.isFinished || isPlain(streaming))
  if (isBroken && !isGone) {
    const code = codeOf(broken) ?? 'upstream/reset'
    const message = broken instanceof CountersignError ? broken.message : 'the upstream broke off'
    const error = { status: STATUS[code], code, message, receipt: recording.id }
    tail.clear()
    tail.add(errorFrame(admitted.dialect, error))
  }
  const end = isGone ? new Uint8Array(0) : tail.bytes()
  delivered.update(end)
  kept.add(end)
  const digest = delivered.digest()
  const promised = await concludeExchange(exchange, {
    answered,
    facts: streaming.facts,
    finish: isBroken ? brokenFinish(exchange, broken, streaming.deliveredBytes) : finishOfStream(streaming),
    // One commitment to both where they are the same: one salt opens it.
    received: streaming.hasDiverged || isBroken ? streaming.received.digest() : digest,
    delivered: digest,
    content: kept.bytes(),
  })
  const whole = kept.bytes()
  if (!isBroken && whole !== undefined) remember(exchange, answered, streaming.facts, whole)
  if (isGone) return
  response.write(utf8(`: countersign-promise ${promiseLine(promised)}\n\n`))
  response.end(end)
}

function finishOfStream({ answered, facts }: Streaming): InferencePredicate['finish'] {
  if (facts.hasError || answered.answer.status >= 400) return { reason: 'error', by: 'upstream' }
  return { reason: facts.finishReason }
}

/** A dialect whose streams have no terminal frame ends with its body. */
function isPlain({ exchange }: Streaming): boolean {
  return !exchange.admitted.dialect.canStream
}

/** Bytes kept for the vault, all of them or none. */
interface KeptBytes {
  add(bytes: Uint8Array): void
  bytes(): Uint8Array | undefined
}

function keptBytes(maxBytes: number, holding: Holding): KeptBytes {
  let gathered: GatheredBytes | undefined = new GatheredBytes()
  return {
    add(bytes) {
      if (gathered !== undefined && gathered.length + bytes.length > maxBytes) gathered = undefined
      if (gathered === undefined) return holding.release()
      try {
        holding.add(bytes.length)
        gathered.hold(bytes)
      } catch {
        // There is no room to keep it. The answer itself goes on.
        gathered = undefined
        holding.release()
      }
    },
    bytes: () => gathered?.bytes(),
  }
}
