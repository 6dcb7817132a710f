/** Evidence of machines that never were, with a PKI of their own: for tests of whatever asks for evidence, or appraises it. */
export { makeNitroChain, makeNitroDocument, TEST_PCRS } from './nitro/nitro-evidence.testing.ts'
export { AT as SNP_AT, MEASUREMENT, type SnpOptions, snpEvidence } from './sev-snp/sev-snp-evidence.testing.ts'
export { createTestKey, issueCrl, pemOf, pinOf } from './x509/pki.testing.ts'
