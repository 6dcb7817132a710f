/** The gateway's own place: asked like any other, and answering others. */
import {
  CountersignError,
  GATEWAY_PLACE,
  type PlacePolicy,
  parseHex,
  type UnverifiedEvidence,
} from '@countersign/verify'
import type { AskedPlace } from './appraisal-round.ts'
import { NONCE_BYTES } from './evidence-sources.ts'
import { gatherOwnEvidence, type OwnEvidenceOptions } from './own-evidence.ts'

/** Most bytes of a challenge, and least: shorter ones could be guessed beforehand. */
export const MAX_NONCE_BYTES = 64
export const MIN_NONCE_BYTES = 16

/** Most requests for evidence at a time: hardware answers one after the other. */
const MAX_AT_ONCE = 4

/** The place where models of the gateway's own run. */
export function askOwnPlace(options: OwnEvidenceOptions, policy: PlacePolicy): AskedPlace {
  return {
    place: { name: GATEWAY_PLACE, origin: 'embedded' },
    policy,
    nonceBytes: NONCE_BYTES,
    gather: async (nonce, signal) => ({ evidence: await gatherOwnEvidence(options, nonce, signal), shown: undefined }),
  }
}

export type OwnAttester = (nonce: string) => Promise<UnverifiedEvidence>

/**
 * Evidence for whoever asks, with their challenge in hexadecimal.
 *
 * The function that it gives throws `request/malformed` for what is no challenge, `request/not-found` where there is no
 * evidence, `queue/full`, `place/unreachable`, `evidence/unsupported`.
 */
export function createOwnAttester(options: OwnEvidenceOptions): OwnAttester {
  let underWay = 0
  return async (text) => {
    if (options.source.kind === 'none') {
      throw new CountersignError('request/not-found', 'this gateway has no evidence of where it runs')
    }
    const nonce = readNonce(text)
    if (underWay >= MAX_AT_ONCE)
      throw new CountersignError('queue/full', 'evidence is being made for others; try again')
    underWay++
    try {
      return await gatherOwnEvidence(options, nonce)
    } finally {
      underWay--
    }
  }
}

function readNonce(text: string): Uint8Array {
  if (/^([0-9a-f]{2})+$/.test(text) && text.length >= 2 * MIN_NONCE_BYTES && text.length <= 2 * MAX_NONCE_BYTES) {
    return parseHex(text)
  }
  const why = `send a challenge of ${MIN_NONCE_BYTES} to ${MAX_NONCE_BYTES} bytes as ?nonce= in lower-case hexadecimal`
  throw new CountersignError('request/malformed', why)
}
