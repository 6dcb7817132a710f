/** Delivers an answer that is not a stream: held whole until its statement is durable, or all but its end when it is large. */
import type { ServerResponse } from 'node:http'
import type { Readable } from 'node:stream'
import { CountersignError, codeOf, GatheredBytes, type InferencePredicate } from '@countersign/verify'
import { createHolding, type Holding } from '../admission/holding.ts'
import type { AnswerFacts } from '../dialects/answer-facts.ts'
import { commitmentTo, growingCommitment, promiseLine, receiptHeaders, whenDurable } from '../recording/recording.ts'
import { writable } from './backpressure.ts'
import { concludeExchange } from './ending.ts'
import { type Answered, type Exchange, isClientGone, noteFirstByte, writeHead } from './exchange.ts'

/** Delivers an answer. @throws {CountersignError} when it could not be recorded, or broke off before anything left */
export async function deliverHeld(exchange: Exchange, answered: Answered): Promise<void> {
  const { services, response } = exchange
  const { body } = answered.answer
  const held = createHolding(services)
  const gathered = new GatheredBytes()
  try {
    const isWhole = await readUpTo(body, services.config.limits.heldBytes, held, gathered).catch((thrown: unknown) => {
      noteReceivedPart(exchange, gathered)
      throw thrown
    })
    const bytes = gathered.bytes()
    if (isWhole) await deliverWhole(exchange, answered, bytes)
    else if (mayBeStream(exchange, answered)) {
      noteReceivedPart(exchange, gathered)
      throw new CountersignError('upstream/malformed', 'the answer is no event stream, and too large to be held')
    } else await deliverLarge(exchange, answered, bytes, held)
  } finally {
    releaseWhenGone(response, held)
  }
}

/** A client that asked for a stream may read one whatever its type says, and an end in the middle of it. */
function mayBeStream({ admitted }: Exchange, { answer }: Answered): boolean {
  return admitted.facts.isStream && answer.status < 400
}

/** What came before an answer broke off, of which nothing left. */
function noteReceivedPart(exchange: Exchange, gathered: GatheredBytes): void {
  const received = growingCommitment(exchange.services.recording, exchange.recording, 'response-received')
  received.update(gathered.bytes())
  exchange.receivedPart = received.digest()
}

/** A client that reads slowly leaves bytes in memory until it has them, or is gone. */
export function releaseWhenGone(response: ServerResponse, holding: Holding): void {
  if (response.writableFinished || response.destroyed || response.writableLength === 0) holding.release()
  else response.once('close', () => holding.release())
}

async function deliverWhole(exchange: Exchange, answered: Answered, bytes: Uint8Array): Promise<void> {
  const { services, recording, admitted, response } = exchange
  const { answer } = answered
  const facts = admitted.dialect.readAnswer(bytes)
  const commitment = commitmentTo(services.recording, recording, 'response', bytes)
  const promised = await concludeExchange(exchange, {
    answered,
    facts,
    finish: finishOf(answer.status, facts),
    received: commitment,
    delivered: commitment,
    content: bytes,
  })
  remember(exchange, answered, facts, bytes)
  if (isClientGone(exchange)) return
  const ours = [...receiptHeaders(recording), ['countersign-promise', promiseLine(promised)] as const]
  writeHead(response, answer.status, answer.headers, ours, bytes.length)
  response.end(bytes)
}

/** Keeps an answer that may be given again: a whole one, without an error. */
export function remember(exchange: Exchange, answered: Answered, facts: AnswerFacts, body: Uint8Array): void {
  const { services, admitted, recording } = exchange
  const { upstream, model, answer, repeated } = answered
  if (repeated !== undefined || facts.hasError || answer.status >= 300) return
  const { status, headers } = answer
  const atMs = recording.startedAtMs
  services.cache.keep(admitted, { receipt: recording.id, upstream, model, status, headers, body, facts, atMs })
}

/** How an answer of that status ended, as far as it says so itself. */
export function finishOf(status: number, facts: AnswerFacts): InferencePredicate['finish'] {
  if (status >= 400 || facts.hasError) return { reason: 'error', by: 'upstream' }
  return { reason: facts.finishReason }
}

/**
 * An answer that is too large to be held: its bytes pass through as they come, but for the last piece, which waits for
 * the statement. What it says about itself is not read, and its content is not kept.
 */
async function deliverLarge(
  exchange: Exchange,
  answered: Answered,
  start: Uint8Array,
  holding: Holding,
): Promise<void> {
  const { services, recording, response } = exchange
  const { answer } = answered
  const commitment = growingCommitment(services.recording, recording, 'response')
  const received = growingCommitment(services.recording, recording, 'response-received')
  received.update(start)
  await whenDurable(services.recording, recording)
  writeHead(response, answer.status, answer.headers, receiptHeaders(recording), undefined)
  noteFirstByte(exchange)
  let held: Uint8Array = start
  let delivered = 0
  const release = async () => {
    commitment.update(held)
    delivered += held.length
    response.write(held)
    await writable(response)
  }
  let broken: unknown
  try {
    for await (const chunk of answer.body as AsyncIterable<Uint8Array>) {
      received.update(chunk)
      await release()
      held = chunk
      holding.set(held.length)
    }
  } catch (thrown) {
    broken = thrown
  }
  const isBroken = broken !== undefined || isClientGone(exchange)
  if (!isBroken) commitment.update(held)
  const digest = commitment.digest()
  await concludeExchange(exchange, {
    answered,
    facts: undefined,
    finish: isBroken
      ? brokenFinish(exchange, broken, delivered)
      : answer.status >= 400
        ? { reason: 'error', by: 'upstream' }
        : { reason: 'other' },
    // One commitment to both where they are the same: one salt opens it.
    received: isBroken ? received.digest() : digest,
    delivered: digest,
    content: undefined,
  })
  // An answer that broke off must not look whole.
  if (isBroken) response.destroy()
  else response.end(held)
}

/** How an answer ended that broke off: by whom, and how many bytes had been released. */
export function brokenFinish(
  exchange: Exchange,
  thrown: unknown,
  deliveredBytes: number,
): InferencePredicate['finish'] {
  if (isClientGone(exchange)) return { reason: 'interrupted', by: whoLeft(exchange), deliveredBytes }
  const code = codeOf(thrown) ?? 'upstream/reset'
  return { reason: 'interrupted', by: whoFailed(code), code, deliveredBytes }
}

/** Whose failure a code is: the upstream's or the engine's where it is of theirs, else the gateway's own. */
export function whoFailed(code: string | undefined): 'upstream' | 'gateway' {
  return code !== undefined && /^(?:upstream|execution)\//.test(code) ? 'upstream' : 'gateway'
}

/** A connection that goes is the client's doing, unless the gateway is on its way down. */
export function whoLeft({ services }: Exchange): 'client' | 'gateway' {
  return services.isDraining ? 'gateway' : 'client'
}

/** Reads a body into `gathered`: whole, or as far as `maxBytes`, and then the rest is still to come. Whether it is whole. */
export async function readUpTo(
  body: Readable,
  maxBytes: number,
  held: Holding,
  gathered: GatheredBytes,
): Promise<boolean> {
  return await new Promise((resolve, reject) => {
    const settle = (isWhole: boolean) => {
      body.off('data', onData).off('end', onEnd).off('error', onError).off('close', onClose)
      resolve(isWhole)
    }
    const onData = (chunk: Uint8Array) => {
      gathered.add(chunk)
      try {
        held.add(chunk.length)
      } catch (thrown) {
        body.destroy()
        reject(thrown)
        return
      }
      if (gathered.length > maxBytes) {
        body.pause()
        settle(false)
      }
    }
    const onEnd = () => settle(true)
    const onError = (error: unknown) => reject(error)
    const onClose = () => reject(new CountersignError('upstream/reset', 'the upstream closed the connection'))
    // It may have broken off before, while another upstream was tried.
    if (body.errored) return onError(body.errored)
    if (body.destroyed) return onClose()
    body.on('data', onData).on('end', onEnd).on('error', onError).on('close', onClose)
  })
}
