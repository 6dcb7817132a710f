/** Talks to a gateway. */
import { CountersignError, type Json, quote } from '@countersign/verify'

export const DEFAULT_GATEWAY = 'http://127.0.0.1:8787'
const TIMEOUT_MS = 30_000

/** An answer with what came along in its headers. */
export interface ClientAnswer {
  readonly body: Uint8Array
  readonly receipt: string
  readonly secret: string
  readonly promise: string
}

/** A dossier, and what the gateway says of its head. */
export interface FetchedDossier {
  readonly dossier: Json
  /** Whether it has the cosignatures that its deployment's quorum asks for; `undefined` where it asks for none. */
  readonly isWitnessed: boolean | undefined
}

/** The address of a gateway as people write it, without a slash at its end. @throws {CountersignError} `usage/invalid` */
export function parseGatewayAddress(text: string): string {
  requireHttp(text)
  return text.replace(/\/+$/, '')
}

function requireHttp(url: string): void {
  if (/^https?:\/\//i.test(url) && URL.canParse(url)) return
  throw new CountersignError(
    'usage/invalid',
    `${quote(url)} is no address of a gateway; write it as in ${DEFAULT_GATEWAY}`,
  )
}

/**
 * Sends one inference, with the API key where the gateway asks for one.
 *
 * @throws {CountersignError} `gateway/unreachable`, `gateway/refused`
 */
export async function postInference(
  gateway: string,
  model: string,
  body: Uint8Array,
  apiKey?: string,
): Promise<ClientAnswer> {
  const response = await send(`${gateway}/v2/models/${encodeURIComponent(model)}/infer`, {
    method: 'POST',
    body,
    headers: apiKey === undefined ? {} : { authorization: `Bearer ${apiKey}` },
    onUnauthorized: '; its API key goes into COUNTERSIGN_API_KEY, or into the file that --api-key-file names',
  })
  const header = (name: string) => response.headers.get(name) ?? ''
  return {
    body: new Uint8Array(await response.arrayBuffer()),
    receipt: header('countersign-receipt'),
    secret: header('countersign-secret'),
    promise: header('countersign-promise'),
  }
}

/**
 * The dossier of an answer, as soon as a head covers it that is as `prefer` says. @spec spec/http.md, "Waiting"
 *
 * @throws {CountersignError} `gateway/*`, `receipt/not-yet-included`
 */
export async function fetchDossier(
  gateway: string,
  receipt: string,
  secret: string,
  prefer = 'wait=10, witnessed',
): Promise<FetchedDossier> {
  const headers = { authorization: `Bearer ${secret}`, prefer }
  const response = await send(`${gateway}/dossiers/${receipt}`, { headers })
  if (response.status === 202) {
    throw new CountersignError(
      'receipt/not-yet-included',
      'no signed head covers the answer yet; ask again in a second',
    )
  }
  const witnessed = response.headers.get('countersign-witnessed')
  return {
    dossier: (await response.json()) as Json,
    isWitnessed: witnessed === null ? undefined : witnessed === 'true',
  }
}

/** @throws {CountersignError} `gateway/unreachable`, `gateway/refused` */
export async function getJson(url: string): Promise<Json> {
  return (await (await send(url, {})).json()) as Json
}

/** A body of at most `maxBytes`; what is longer is not read on. @throws {CountersignError} `gateway/unreachable`, `gateway/refused` */
export async function getBytes(url: string, maxBytes: number): Promise<Uint8Array> {
  const { body } = await send(url, {})
  const chunks: Uint8Array[] = []
  let length = 0
  try {
    for await (const chunk of body ?? []) {
      length += chunk.length
      if (length > maxBytes) throw new CountersignError('gateway/refused', `the answer has more than ${maxBytes} bytes`)
      chunks.push(chunk)
    }
  } catch (thrown) {
    if (thrown instanceof CountersignError) throw thrown
    throw new CountersignError('gateway/unreachable', `the answer of ${new URL(url).origin} broke off`)
  }
  return Buffer.concat(chunks, length)
}

/** @throws {CountersignError} `gateway/unreachable`, `gateway/refused` */
export async function postJson(url: string, value: Json): Promise<Json> {
  const headers = { 'content-type': 'application/json' }
  return (await (await send(url, { method: 'POST', headers, body: Buffer.from(JSON.stringify(value)) })).json()) as Json
}

/** @throws {CountersignError} `gateway/unreachable`, `gateway/refused` */
export async function deleteJson(url: string, headers: { readonly [name: string]: string }): Promise<Json> {
  return (await (await send(url, { method: 'DELETE', headers })).json()) as Json
}

interface Sent {
  readonly method?: string
  readonly headers?: { readonly [name: string]: string }
  readonly body?: Uint8Array
  /** What the message of a 401 ends with. */
  readonly onUnauthorized?: string
}

async function send(url: string, { body, onUnauthorized = '', ...rest }: Sent): Promise<Response> {
  requireHttp(url)
  let response: Response
  try {
    const init = body === undefined ? rest : { ...rest, body: Buffer.from(body) }
    response = await fetch(url, { ...init, signal: AbortSignal.timeout(TIMEOUT_MS) })
  } catch {
    throw new CountersignError(
      'gateway/unreachable',
      `no gateway answers at ${new URL(url).origin}; start one with: countersign serve`,
    )
  }
  if (response.ok) return response
  const text = (await response.text()).slice(0, 500)
  const hint = response.status === 401 ? onUnauthorized : ''
  throw new CountersignError('gateway/refused', `the gateway answered ${response.status}: ${messageOf(text)}${hint}`)
}

function messageOf(text: string): string {
  try {
    const { error, code } = JSON.parse(text) as { error?: unknown; code?: unknown }
    return `${String(error)} (${String(code)})`
  } catch {
    return text
  }
}
