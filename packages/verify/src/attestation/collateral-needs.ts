/** What a verifier needs of the makers of hardware for one evidence file. Says it; fetches nothing. */
import { parseBase64, parseBase64Url } from '../bytes/base64.ts'
import { parseUtf8, toHex } from '../bytes/bytes.ts'
import { FILE_LIMITS, parseJson } from '../bytes/json.ts'
import { Fields } from '../bytes/shape.ts'
import { CountersignError } from '../errors.ts'
import { parseAzureEvidence } from './azure-vtpm/azure-evidence.ts'
import { parseHclReport } from './azure-vtpm/hcl-report.ts'
import type { CollateralItem } from './collateral.ts'
import type { EvidenceItem, UnverifiedEvidence } from './evidence-file.ts'
import type { EvidenceKind } from './evidence-kind.ts'
import { CONFIDENTIAL_SPACE_ISSUER, NRAS_ISSUER } from './issuers.ts'
import { parseSnpReport, type SnpReport } from './sev-snp/report.ts'
import { parseTcbVersion, type SnpProduct, type TcbVersion } from './sev-snp/tcb-version.ts'
import { parsePckExtension } from './tdx/pck-extension.ts'
import { parseTdxQuote } from './tdx/quote.ts'
import { parsePemCertificates } from './x509/certificate.ts'

/** One thing that its maker serves. Values come from evidence that nobody checked: they name what to ask for, and prove nothing. */
export type CollateralNeed =
  /** TCB information of a platform, identity of the quoting enclave, and the lists of revoked certificates. */
  | { readonly kind: 'intel-tcb'; readonly fmspc: string; readonly ca: 'platform' | 'processor' }
  /** The certificate of one chip at one level, its issuers, and the list of revoked ones. */
  | { readonly kind: 'amd-vcek'; readonly product: SnpProduct; readonly chipId: string; readonly tcb: TcbVersion }
  /** The issuers of a certificate that the evidence brings along, and the list of revoked ones. */
  | { readonly kind: 'amd-vlek'; readonly product: SnpProduct }
  /** Keys of a token's issuer. */
  | { readonly kind: 'jwks'; readonly issuer: string }

/** Reports before version 3 do not say their product: one of these. */
const OLD_PRODUCTS: readonly SnpProduct[] = ['milan', 'genoa']
/** Chips of Turin are known by fewer bytes. */
const TURIN_CHIP_BYTES = 8

/** Most certificates beside evidence, and characters of each. */
const MAX_ALONG = 8
const MAX_ALONG_TEXT = 16 * 1024

/** Most certificates in a quote. */
const MAX_CHAIN = 4
const PROCESSOR_CA = 'Intel SGX PCK Processor CA'

const NEEDS: { readonly [kind in EvidenceKind]?: (item: EvidenceItem) => readonly CollateralNeed[] } = {
  tdx: ({ content }) => needsOfQuote(content),
  'sev-snp': ({ content }) => needsOfReport(parseSnpReport(content)),
  'azure-vtpm': ({ content }) => needsOfAzure(content),
  'nvidia-nras': () => [{ kind: 'jwks', issuer: NRAS_ISSUER }],
  'confidential-space': () => [{ kind: 'jwks', issuer: CONFIDENTIAL_SPACE_ISSUER }],
  maa: ({ content }) => [{ kind: 'jwks', issuer: issuerOf(content) }],
}

/**
 * Certificates that a gateway's own evidence has beside it, for kinds whose maker serves them nowhere. Their signatures are checked
 * like those of any other.
 *
 * @throws {CountersignError} `bytes/bad-base64`
 */
export function collateralAlong({ beside }: UnverifiedEvidence): readonly CollateralItem[] {
  const { certificates } = beside
  if (!Array.isArray(certificates)) return []
  return certificates.slice(0, MAX_ALONG).flatMap((text: unknown) => {
    if (typeof text !== 'string' || text.length > MAX_ALONG_TEXT) return []
    return [{ kind: 'certificate', content: parseBase64(text) }]
  })
}

/**
 * What to ask the makers for, beside what a file brings along. Of an item that cannot be read nothing is needed: its appraisal
 * says what is wrong with it.
 */
export function collateralNeeds({ items }: UnverifiedEvidence): readonly CollateralNeed[] {
  return items.flatMap((item) => {
    try {
      return NEEDS[item.kind]?.(item) ?? []
    } catch (thrown) {
      if (thrown instanceof CountersignError) return []
      throw thrown
    }
  })
}

function needsOfQuote(content: Uint8Array): readonly CollateralNeed[] {
  const [pck] = parsePemCertificates(parseUtf8(parseTdxQuote(content).pckChain), MAX_CHAIN)
  if (pck === undefined) return []
  const ca = pck.issuerCommonName === PROCESSOR_CA ? 'processor' : 'platform'
  return [{ kind: 'intel-tcb', fmspc: parsePckExtension(pck).fmspc, ca }]
}

function needsOfReport({ product, signingKey, chipId, reportedTcb }: SnpReport): readonly CollateralNeed[] {
  const products = product === undefined ? OLD_PRODUCTS : [product]
  if (signingKey === 'vlek') return products.map((each) => ({ kind: 'amd-vlek', product: each }))
  return products.map((each) => ({
    kind: 'amd-vcek',
    product: each,
    chipId: toHex(each === 'turin' ? chipId.subarray(0, TURIN_CHIP_BYTES) : chipId),
    tcb: parseTcbVersion(reportedTcb, each),
  }))
}

/** The hardware's report, or the quote beside it where the hardware is TDX. */
function needsOfAzure(content: Uint8Array): readonly CollateralNeed[] {
  const { hclReport, hardwareQuote } = parseAzureEvidence(content)
  const { hardware, hardwareReport } = parseHclReport(hclReport)
  if (hardware === 'sev-snp') return needsOfReport(parseSnpReport(hardwareReport))
  return hardwareQuote === undefined ? [] : needsOfQuote(hardwareQuote)
}

/** Whom a token says that it is from. */
function issuerOf(token: Uint8Array): string {
  const [, payload = ''] = parseUtf8(token).trim().split('.')
  return new Fields(parseJson(parseBase64Url(payload), FILE_LIMITS), 'token').text('iss')
}
