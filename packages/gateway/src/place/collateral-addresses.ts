/** Where collateral comes from: the makers' own addresses, or mirrors. */
import type { IntelAddresses } from './intel-pcs.ts'
import type { TokenAddresses } from './token-keys.ts'

export interface CollateralAddresses extends IntelAddresses, TokenAddresses {
  /** Without a slash at its end. */
  readonly kds: string
}

/** Where the makers themselves serve it. */
export const MAKERS: CollateralAddresses = {
  pcs: 'https://api.trustedservices.intel.com',
  rootCrl: 'https://certificates.trustedservices.intel.com/IntelSGXRootCA.der',
  kds: 'https://kdsintf.amd.com',
  nvidia: 'https://nras.attestation.nvidia.com/.well-known/jwks.json',
  google:
    'https://www.googleapis.com/service_accounts/v1/metadata/jwk/signer@confidentialspace-sign.iam.gserviceaccount.com',
  microsoft: [],
}
