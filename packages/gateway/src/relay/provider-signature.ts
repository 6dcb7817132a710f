/** The signature that a provider gave on its answer: taken from the answer, or asked for once it has ended. */
import { setTimeout as pause } from 'node:timers/promises'
import {
  Fields,
  formatProviderSignature,
  GatheredBytes,
  type Json,
  PAYLOAD_LIMITS,
  type ProviderSignature,
  parseHex,
  parseJson,
  parseProviderSignature,
  parseUtf8,
  utf8,
} from '@countersign/verify'
import type { AnswerSignatureConfig } from '../config/config.ts'
import type { Upstream } from '../upstreams/upstream.ts'
import { headersFor } from './attempts.ts'
import type { Answered, Ending, Exchange } from './exchange.ts'

/** How long the end of an answer waits for its signature. */
export const SIGNATURE_WAIT_MS = 3000

/** Between two questions for a signature that is not made yet. */
const PAUSE_MS = 200
const NOT_YET: ReadonlySet<number> = /* @__PURE__ */ new Set([202, 404, 425])

const MAX_BYTES = PAYLOAD_LIMITS.maxBytes
const RECEIPT_ID = /^[!-~]{1,256}$/
const TEE_ID_BYTES = 32
const ETHEREUM_SIGNATURE_BYTES = 65
const DATA = 'data: '

/** Whether an upstream's signature stands in its answer, which must then be kept until it has ended. */
export function standsInAnswer({ answerSignature }: Upstream): boolean {
  return answerSignature?.scheme === 'opengradient'
}

/**
 * The file of the provider's signature on a whole answer; `undefined` where the upstream gives none, or it could not be had in
 * time. Checks nothing: whoever relies on it does. Never throws: an answer is recorded with its signature or without.
 */
export async function gatherSignature(exchange: Exchange, ending: Ending): Promise<Uint8Array | undefined> {
  const { answered, finish } = ending
  const config = answered?.upstream.answerSignature
  if (answered === undefined || config === undefined || answered.repeated !== undefined) return undefined
  if (finish.reason === 'error' || finish.reason === 'interrupted') return undefined
  try {
    const signature = await gather({ exchange, answered, ending, config })
    if (signature === undefined) return undefined
    const bytes = formatProviderSignature(signature)
    // What its reader would refuse is no signature.
    parseProviderSignature(bytes)
    return bytes
  } catch {
    return undefined
  }
}

interface Asked {
  readonly exchange: Exchange
  readonly answered: Answered
  readonly ending: Ending
  readonly config: AnswerSignatureConfig
}

async function gather(asked: Asked): Promise<ProviderSignature | undefined> {
  switch (asked.config.scheme) {
    case 'opengradient':
      return readOpenGradient(asked.config.publicKey, asked.ending.content)
    case 'near-ai':
      return await askNearAi(asked)
    case 'aci':
      return await askAci(asked)
  }
}

/** Members of the answer, or of the last piece of a stream. */
function readOpenGradient(publicKey: Uint8Array, content: Uint8Array | undefined): ProviderSignature | undefined {
  if (content === undefined) return undefined
  const text = parseUtf8(content)
  const pieces = text.split(/\r?\n/).filter((line) => line.startsWith(`${DATA}{`))
  const last = text.trimStart().startsWith('{') ? text : pieces.at(-1)?.slice(DATA.length)
  if (last === undefined) return undefined
  const fields = new Fields(parseJson(utf8(last), { ...PAYLOAD_LIMITS, maxBytes: content.length }), 'answer')
  return {
    scheme: 'opengradient',
    signature: fields.base64('tee_signature', 1024),
    publicKey,
    signedAtSeconds: fields.integer('tee_timestamp'),
    teeId: hexIn(fields, 'tee_id', TEE_ID_BYTES),
  }
}

async function askNearAi({ exchange, answered, ending }: Asked): Promise<ProviderSignature | undefined> {
  const id = ending.facts?.responseId
  if (id === undefined) return undefined
  const query = `model=${encodeURIComponent(answered.model)}&signing_algo=ecdsa`
  const answer = await ask(exchange, answered, `/v1/signature/${encodeURIComponent(id)}?${query}`)
  if (answer === undefined) return undefined
  const fields = new Fields(answer, 'signature')
  const text = fields.text('text', { maxLength: 512 })
  return { scheme: 'near-ai', text, signature: hexIn(fields, 'signature', ETHEREUM_SIGNATURE_BYTES) }
}

async function askAci({ exchange, answered }: Asked): Promise<ProviderSignature | undefined> {
  const id = answered.answer.headers.find(([name]) => name === 'x-receipt-id')?.[1]
  if (id === undefined || !RECEIPT_ID.test(id)) return undefined
  const receipt = await ask(exchange, answered, `/v1/aci/receipts/${encodeURIComponent(id)}`)
  return receipt === undefined ? undefined : { scheme: 'aci', receipt }
}

/** Asks the same upstream, on the terms of the answer: where its place must be shown, nobody else is asked. */
async function ask({ abort, request }: Exchange, { upstream }: Answered, path: string): Promise<Json | undefined> {
  const signal = AbortSignal.any([abort.signal, AbortSignal.timeout(SIGNATURE_WAIT_MS)])
  const headers = headersFor(request).filter(([name]) => name !== 'content-type')
  for (;;) {
    const sent = {
      method: 'GET',
      path,
      headers,
      body: undefined,
      dialect: undefined,
      facts: undefined,
      signal,
    } as const
    const { status, body } = await upstream.send(sent)
    if (status === 200) return parseJson(await readBounded(body), PAYLOAD_LIMITS)
    body.on('error', () => undefined).destroy()
    if (!NOT_YET.has(status)) return undefined
    await pause(PAUSE_MS, undefined, { signal })
  }
}

async function readBounded(body: AsyncIterable<Uint8Array>): Promise<Uint8Array> {
  const gathered = new GatheredBytes()
  for await (const chunk of body) {
    if (gathered.length + chunk.length > MAX_BYTES) throw new RangeError('the signature is too large')
    gathered.add(chunk)
  }
  return gathered.bytes()
}

/** Providers write `0x` before it, or capitals, or neither. */
function hexIn(fields: Fields, name: string, byteLength: number): Uint8Array {
  const text = fields.text(name, { maxLength: 2 + 2 * byteLength })
  return parseHex(text.replace(/^0x/, '').toLowerCase(), byteLength)
}
