/** An upstream as a place that is asked for evidence. */
import { CountersignError } from '@countersign/verify'
import type { UpstreamPlaceConfig } from '../config/place-config.ts'
import type { AskedPlace, Gathered } from './appraisal-round.ts'
import { requestBounded } from './bounded-request.ts'
import { EVIDENCE_SOURCES, MAX_ANSWER_BYTES, NONCE_BYTES } from './evidence-sources.ts'

export interface AskedUpstream {
  readonly name: string
  readonly baseUrl: string
  /** A model that is asked for there; `undefined` where no route names one. */
  readonly usualModel: string | undefined
  readonly place: UpstreamPlaceConfig
  /** Authorities that its certificate may be from, in PEM; the usual ones when `undefined`. */
  readonly ca: string | undefined
  /** Headers that carry its credential; none where it is not to be sent. */
  readonly credential: { readonly [name: string]: string }
}

/** For one answer. Hardware takes its time. */
const TIMEOUT_MS = 30_000

/** @throws {CountersignError} `config/malformed` where nobody knows the address to ask */
export function askUpstream({ name, baseUrl, usualModel, place, ca, credential }: AskedUpstream): AskedPlace {
  const { policy, evidenceModel: model = usualModel } = place
  const { origin } = new URL(baseUrl)
  const source = EVIDENCE_SOURCES[policy.profile]
  const address = place.evidenceUrl ?? (source.path === undefined ? undefined : `${origin}${source.path}`)
  if (address === undefined) {
    throw malformed(name, `the profile ${policy.profile} has no usual address of evidence; say "evidence: {url: …}"`)
  }
  if (address.includes('{model}') && model === undefined) {
    throw malformed(name, 'its evidence is asked for by model; say "evidence: {model: …}"')
  }
  // Who is sent no challenge answers none.
  const nonceBytes = source.answersNonce && address.includes('{nonce}') ? NONCE_BYTES : 0
  return {
    place: { name, origin },
    policy,
    nonceBytes,
    async gather(nonce: Uint8Array, signal: AbortSignal): Promise<Gathered> {
      const url = address
        .replaceAll('{nonce}', Buffer.from(nonce).toString('hex'))
        .replaceAll('{model}', encodeURIComponent(model ?? ''))
      const headers = { accept: '*/*', 'accept-encoding': 'identity', ...credential }
      const limits = { timeoutMs: TIMEOUT_MS, maxBytes: MAX_ANSWER_BYTES }
      const { body, shown } = await requestBounded({ url, headers, ca, signal, ...limits })
      const { items, beside } = source.read({ body, shown })
      return { evidence: { profile: policy.profile, items, nonce, beside }, shown }
    },
  }
}

function malformed(upstream: string, why: string): CountersignError {
  return new CountersignError('config/malformed', `upstreams.${upstream}.place: ${why}`)
}
