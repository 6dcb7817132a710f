/** The platform's certificate: its chain to Intel's root, and that none of it is revoked. */
import { parseUtf8, toHex } from '../../bytes/bytes.ts'
import type { AppraisalInput } from '../appraised.ts'
import { type Certificate, parsePemCertificates } from '../x509/certificate.ts'
import { chainCurrentUntilMs, requireNotRevoked, verifyChain, verifyCrl } from '../x509/chain.ts'
import type { Crl } from '../x509/crl.ts'
import { type IntelCollateral, newestThat } from './intel-collateral.ts'
import { type PckPlatform, parsePckExtension } from './pck-extension.ts'
import type { UnverifiedTdxQuote } from './quote.ts'
import type { TdxChecks } from './tdx-checks.ts'

const ROOT_NAME = 'Intel SGX Root CA'
const PCK_NAMES = [
  ['Intel SGX PCK Certificate'],
  ['Intel SGX PCK Platform CA', 'Intel SGX PCK Processor CA'],
  [ROOT_NAME],
]
const MAX_CHAIN = 4

/** What was found of the platform; each part there only when its checks passed. */
export interface PckProof {
  readonly pck: Certificate | undefined
  /** From the platform's certificate to the root. */
  readonly chain: readonly Certificate[] | undefined
  readonly platform: PckPlatform | undefined
  /** A pinned root, out of the quote or the bundle. */
  readonly root: Certificate | undefined
  readonly rootCrl: Crl | undefined
  /** Last moment at which everything used here is current. */
  readonly currentUntilMs: number
}

/** Proves what it can of the platform's certificate, check by check. */
export function provePck(
  checks: TdxChecks,
  quote: UnverifiedTdxQuote | undefined,
  collateral: IntelCollateral,
  roots: readonly string[],
  input: AppraisalInput,
): PckProof {
  const { crypto, atMs, memory } = input
  const chain = quote && checks.attempt('pck-chain', () => proveChain(quote, roots, input))
  const [pck, authority] = chain ?? []
  const platform = pck && checks.attempt('pck-extension', () => parsePckExtension(pck))
  const root = chain?.[2] ?? findRoot(collateral.certificates.items, roots, input)
  const rootCrl = root && proveCrl(checks, 'root-crl', root, collateral, input)
  if (authority !== undefined && rootCrl !== undefined) {
    checks.attempt('pck-ca-revocation', () => requireNotRevoked(authority, rootCrl))
  }
  const pckCrl = authority && proveCrl(checks, 'pck-crl', authority, collateral, input)
  if (pck !== undefined && pckCrl !== undefined) {
    checks.attempt('pck-revocation', () => requireNotRevoked(pck, pckCrl))
  }
  const ends = [chain && chainCurrentUntilMs(chain), rootCrl?.nextUpdateMs, pckCrl?.nextUpdateMs]
  return {
    pck,
    chain,
    platform,
    root,
    rootCrl,
    currentUntilMs: Math.min(...ends.map((end) => end ?? Number.MAX_SAFE_INTEGER)),
  }

  function proveChain({ pckChain }: UnverifiedTdxQuote, pinned: readonly string[], { memory: known }: AppraisalInput) {
    const certificates = parsePemCertificates(parseUtf8(pckChain), MAX_CHAIN, known)
    verifyChain(crypto, certificates, { roots: pinned, atMs, names: PCK_NAMES }, memory)
    return certificates
  }
}

function findRoot(
  certificates: readonly Certificate[],
  roots: readonly string[],
  { crypto }: AppraisalInput,
): Certificate | undefined {
  const named = certificates.filter(({ commonName }) => commonName === ROOT_NAME)
  return named.find(({ bytes }) => roots.includes(toHex(crypto.sha256(bytes))))
}

/** The newest list of an issuer that verifies; where the bundle has none of it, the check is left open. */
function proveCrl(
  checks: TdxChecks,
  what: 'root-crl' | 'pck-crl',
  issuer: Certificate,
  { crls }: IntelCollateral,
  { crypto, atMs, memory }: AppraisalInput,
): Crl | undefined {
  const items = crls.items.filter((crl) => crl.issuer === issuer.subject)
  if (items.length === 0 && crls.unreadable.length === 0) {
    checks.notChecked(what, `the collateral has no revocation list of ${issuer.commonName}`)
    return undefined
  }
  return checks.attempt(what, () =>
    newestThat(
      { items, unreadable: crls.unreadable },
      ({ thisUpdateMs }) => thisUpdateMs,
      (crl) => {
        verifyCrl(crypto, crl, issuer, atMs, memory)
        return crl
      },
    ),
  )
}
