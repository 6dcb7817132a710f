/** Another verifier of TDX quotes, `@phala/dcap-qvl`, to compare with: its collateral made of ours, and what it gives in our words. */
import { parseUtf8, toHex } from '../../bytes/bytes.ts'
import { rawMember } from '../../bytes/json.ts'
import type { CollateralBundle } from '../collateral.ts'
import { pemOf } from '../x509/pki.testing.ts'
import type { TdxEvidence } from './tdx-evidence.testing.ts'

interface OracleCollateral {
  readonly [name: string]: string
}

export interface OracleReport {
  readonly status: string
  readonly advisory_ids: readonly string[]
  readonly report: unknown
}

export interface OracleModule {
  verify(quote: Uint8Array, collateral: OracleCollateral, atSeconds: number): OracleReport
  readonly QuoteVerifier: {
    newWithRootCa(root: Uint8Array): Pick<OracleModule, 'verify'>
  }
}

/** Its report, as far as we compare. */
export function oracleReport({ status, advisory_ids, report }: OracleReport) {
  const { data } = report as { data: { base?: { [name: string]: Uint8Array }; [name: string]: unknown } }
  const td = (data.base ?? data) as { mrTd: Uint8Array; reportData: Uint8Array }
  const [mrTd, reportData] = [toHex(td.mrTd), toHex(td.reportData)]
  return { status, advisoryIds: advisory_ids, mrTd, reportData }
}

/** The collateral of synthetic evidence in its form. */
export function oracleCollateral({ certificates }: TdxEvidence, { items }: CollateralBundle): OracleCollateral {
  const content = (kind: string) => items.filter((item) => item.kind === kind).map((item) => item.content)
  const chain = pemOf(certificates.tcbSigning, certificates.root)
  const [rootCrl = new Uint8Array(0), pckCrl = new Uint8Array(0)] = content('crl')
  const tcbInfo = parseUtf8(content('intel-tcb-info')[0] ?? new Uint8Array(0))
  const qeIdentity = parseUtf8(content('intel-qe-identity')[0] ?? new Uint8Array(0))
  return {
    pck_crl_issuer_chain: pemOf(certificates.pckCa, certificates.root),
    ...{ root_ca_crl: toHex(rootCrl), pck_crl: toHex(pckCrl) },
    ...{ tcb_info_issuer_chain: chain, qe_identity_issuer_chain: chain },
    tcb_info: rawMember(tcbInfo, 'tcbInfo') ?? '',
    tcb_info_signature: JSON.parse(rawMember(tcbInfo, 'signature') ?? '""'),
    qe_identity: rawMember(qeIdentity, 'enclaveIdentity') ?? '',
    qe_identity_signature: JSON.parse(rawMember(qeIdentity, 'signature') ?? '""'),
  }
}
