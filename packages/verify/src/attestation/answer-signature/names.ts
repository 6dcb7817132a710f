/** What others may use of the signatures of providers: the public face of the package hands these on. */
export type { AnswerBytes, AnswerSignature } from './answer-signature.ts'
export {
  type AppraisedSignature,
  appraiseAnswerSignature,
  verifyProviderSignature,
} from './appraise-answer-signature.ts'
export { SIGNATURE_COVERAGE } from './coverage.ts'
export {
  formatProviderSignature,
  PROVIDER_SIGNATURE_FORMAT,
  type ProviderSignature,
  parseProviderSignature,
  readProviderSignature,
  SIGNATURE_SCHEMES,
  type SignatureScheme,
} from './provider-signature.ts'
