/** Services whose tokens are read, by the issuer that they name. */
export const NRAS_ISSUER = 'https://nras.attestation.nvidia.com'
export const CONFIDENTIAL_SPACE_ISSUER = 'https://confidentialcomputing.googleapis.com'
