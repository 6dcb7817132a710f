/** What signatures of each scheme cover: what a statement says of them, whoever checks them later. */
import type { SignatureCoverage } from '../../statement/signature-coverage.ts'
import type { SignatureScheme } from './provider-signature.ts'

export const SIGNATURE_COVERAGE: { readonly [scheme in SignatureScheme]: SignatureCoverage } = {
  opengradient: {
    scheme: 'opengradient',
    covers: ['request-members', 'answer-content', 'time'],
    doesNotCover: ['request-bytes', 'answer-bytes', 'nonce', 'usage', 'finish-reason', 'served-model'],
  },
  'near-ai': {
    scheme: 'near-ai',
    covers: ['request-bytes', 'answer-bytes'],
    doesNotCover: ['time', 'nonce', 'served-model'],
  },
  aci: {
    scheme: 'aci',
    covers: ['request-bytes', 'answer-bytes', 'time'],
    doesNotCover: ['nonce', 'usage', 'served-model'],
  },
}
