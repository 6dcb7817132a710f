/** What the fetchers of all makers share: what they ask for, and what they make of an answer. */
import { X509Certificate } from 'node:crypto'
import { type CollateralItem, CountersignError, FILE_LIMITS, type Json, parseJson } from '@countersign/verify'
import type { BoundedAnswer } from './bounded-request.ts'

/** One address, and how its answer is read. */
export interface CollateralRequest {
  /** Says in words what it is, for notices. */
  readonly what: string
  readonly url: string
  /** Of what a maker serves there at most. */
  readonly maxBytes: number
  /** @throws when the answer is not what it should be */
  read(answer: BoundedAnswer): ReadCollateral
}

export interface ReadCollateral {
  readonly items: readonly CollateralItem[]
  /** Last moment at which all of it is current, as it says itself; `undefined` where it does not say. */
  readonly currentUntilMs: number | undefined
}

/** Most certificates of one chain. */
const MAX_CHAIN = 8
const PEM_BLOCK = /^-----BEGIN CERTIFICATE-----\r?\n([A-Za-z0-9+/=\r\n]+)-----END CERTIFICATE-----\s*/

/** Certificates of a chain in PEM, with nothing between them. @throws {CountersignError} `collateral/malformed` */
export function readPemChain(text: string): readonly Uint8Array[] {
  const chain: Uint8Array[] = []
  for (let rest = text.trim(); rest !== ''; ) {
    const [whole = '', base64 = ''] = PEM_BLOCK.exec(rest) ?? []
    if (whole === '' || chain.length === MAX_CHAIN) throw malformed('its certificates are not a chain in PEM')
    chain.push(new Uint8Array(Buffer.from(base64, 'base64')))
    rest = rest.slice(whole.length)
  }
  if (chain.length === 0) throw malformed('there is no certificate in it')
  return chain
}

/** Certificates as items, and how long they are all valid. @throws {CountersignError} `collateral/malformed` */
export function certificates(chain: readonly Uint8Array[]): ReadCollateral {
  const until = chain.map((bytes) => {
    try {
      return Date.parse(new X509Certificate(bytes).validTo)
    } catch {
      throw malformed('what should be a certificate is none')
    }
  })
  return { items: chain.map((content) => ({ kind: 'certificate', content })), currentUntilMs: earliest(until) }
}

/** The JSON of an answer. @throws {CountersignError} `json/*` */
export function jsonOf({ body }: BoundedAnswer): Json {
  return parseJson(body, FILE_LIMITS)
}

/** A time that stands in JSON, in milliseconds. @throws {CountersignError} `collateral/malformed` */
export function timeIn(value: Json | undefined): number {
  const time = typeof value === 'string' ? Date.parse(value) : Number.NaN
  if (Number.isFinite(time)) return time
  throw malformed('it does not say until when it holds')
}

/** A member of a JSON object. @throws {CountersignError} `collateral/malformed` */
export function memberOf(value: Json | undefined, name: string): Json {
  const isObject = typeof value === 'object' && value !== null && !Array.isArray(value)
  const member = isObject && Object.hasOwn(value, name) ? (value as { readonly [key: string]: Json })[name] : undefined
  if (member !== undefined) return member
  throw malformed(`it has no ${name}`)
}

/** Joins what several answers, or parts of one, gave. */
export function joined(parts: readonly ReadCollateral[]): ReadCollateral {
  return {
    items: parts.flatMap(({ items }) => items),
    currentUntilMs: earliest(parts.flatMap(({ currentUntilMs }) => currentUntilMs ?? [])),
  }
}

export function malformed(why: string): CountersignError {
  return new CountersignError('collateral/malformed', why)
}

function earliest(times: readonly number[]): number | undefined {
  return times.length === 0 ? undefined : Math.min(...times)
}
