/** An upstream to which nothing is sent unless its place is shown, where that is demanded. */
import { CountersignError } from '@countersign/verify'
import { isAttested } from '../upstreams/shown-certificate.ts'
import type { Upstream, UpstreamAnswer } from '../upstreams/upstream.ts'
import type { Acceptance } from './place-state.ts'

/** What is known of a place at this moment: a look-up, no more. */
export interface PlaceStanding {
  readonly onFailure: 'refuse' | 'flag'
  /** Whether answers come from a server that shows a certificate, as the gateway's own engines do not. */
  readonly isServer: boolean
  /** Its acceptance, while it is current. */
  acceptance(): Acceptance | undefined
}

/**
 * Stands between whoever sends and the upstream, so that there is no other way to it. With `refuse`, a request goes to the
 * attested server or to none: none is, where the evidence binds no key of connections. With `flag` it goes in any case, and the answer
 * is covered when it came from there, or may be signed by a key that is bound.
 */
export function guardUpstream(upstream: Upstream, standing: PlaceStanding): Upstream {
  const { name, kind, origin, served, answerSignature } = upstream
  const mustBeShown = standing.onFailure === 'refuse'
  const isTied = ({ tls }: Acceptance) => !standing.isServer || tls !== undefined
  const current = () => {
    const acceptance = standing.acceptance()
    return acceptance === undefined || !mustBeShown || isTied(acceptance) ? acceptance : undefined
  }
  return {
    name,
    kind,
    origin,
    served,
    answerSignature,
    get circuit() {
      return upstream.circuit
    },
    get isWithheld() {
      return mustBeShown && current() === undefined
    },
    async send(request) {
      const acceptance = current()
      if (acceptance === undefined) {
        if (mustBeShown) throw notShown(name)
        return await upstream.send(request)
      }
      const answer = await upstream.send(mustBeShown ? { ...request, attested: acceptance.tls } : request)
      return isTied(acceptance) || answerSignature !== undefined ? covered(answer, acceptance) : answer
    },
    close: () => upstream.close(),
  }
}

function covered(answer: UpstreamAnswer, { tls, appraisal, evidence }: Acceptance): UpstreamAnswer {
  if (tls !== undefined && !isAttested(tls, answer.shown)) return answer
  return { ...answer, covering: { appraisal, evidence } }
}

/** @param place Name of an upstream, or of the gateway itself. */
export function notShown(place: string): CountersignError {
  return new CountersignError(
    'place/not-shown',
    `${place} has not shown where it runs, as it must before anything is sent`,
  )
}
