/** Keys of those who sign tokens about evidence. Only issuers that are known or configured are asked. */
import { CONFIDENTIAL_SPACE_ISSUER, type CollateralNeed, NRAS_ISSUER } from '@countersign/verify'
import { type CollateralRequest, jsonOf, malformed, memberOf } from './collateral-source.ts'

export interface TokenAddresses {
  /** NVIDIA's Remote Attestation Service: where its key set is. */
  readonly nvidia: string
  /** Google's key set for Confidential Space. */
  readonly google: string
  /** Instances of Microsoft Azure Attestation that are asked for their keys, as their tokens name them. */
  readonly microsoft: readonly string[]
}

const MAX_BYTES = 256 * 1024

/** What to ask for an issuer's keys; nothing where the issuer is none of those. */
export function tokenRequests(
  { issuer }: Extract<CollateralNeed, { kind: 'jwks' }>,
  addresses: TokenAddresses,
): readonly CollateralRequest[] {
  const url = addressOf(issuer, addresses)
  if (url === undefined) return []
  const read: CollateralRequest['read'] = (answer) => {
    const keys = memberOf(jsonOf(answer), 'keys')
    if (!Array.isArray(keys)) throw malformed('it is no key set')
    return { items: [{ kind: 'jwks', content: answer.body }], currentUntilMs: undefined }
  }
  return [{ what: 'the keys of a token’s issuer', url, maxBytes: MAX_BYTES, read }]
}

function addressOf(issuer: string, { nvidia, google, microsoft }: TokenAddresses): string | undefined {
  if (issuer === NRAS_ISSUER) return nvidia
  if (issuer === CONFIDENTIAL_SPACE_ISSUER) return google
  return microsoft.includes(issuer) ? `${issuer}/certs` : undefined
}
