/** AMD's Key Distribution Service, or a mirror of it. @spec AMD publication 57230 */
import type { AmdTcb, CollateralNeed } from '@countersign/verify'
import { type CollateralRequest, certificates, readPemChain } from './collateral-source.ts'
import { readCrl } from './intel-pcs.ts'

const MAX_CERTIFICATE_BYTES = 16 * 1024
const MAX_CHAIN_BYTES = 64 * 1024
const MAX_CRL_BYTES = 4 * 1024 * 1024

type AmdNeed = Extract<CollateralNeed, { kind: 'amd-vcek' | 'amd-vlek' }>

/** What to ask for a chip's certificate, or for the issuers of one that came along. @param kds without a slash at its end */
export function amdRequests(need: AmdNeed, kds: string): readonly CollateralRequest[] {
  const kind = need.kind === 'amd-vcek' ? 'vcek' : 'vlek'
  const base = `${kds}/${kind}/v1/${need.product}`
  const issuers: CollateralRequest = {
    what: 'the issuers of AMD’s certificates',
    url: `${base}/cert_chain`,
    maxBytes: MAX_CHAIN_BYTES,
    read: ({ body }) => certificates(readPemChain(Buffer.from(body).toString('latin1'))),
  }
  const revoked: CollateralRequest = {
    what: 'AMD’s list of revoked certificates',
    url: `${base}/crl`,
    maxBytes: MAX_CRL_BYTES,
    read: ({ body }) => readCrl(body),
  }
  if (need.kind === 'amd-vlek') return [issuers, revoked]
  const chip: CollateralRequest = {
    what: 'the certificate of the chip',
    url: `${base}/${need.chipId}?${levels(need.tcb)}`,
    maxBytes: MAX_CERTIFICATE_BYTES,
    read: ({ body }) => certificates([body]),
  }
  return [chip, issuers, revoked]
}

/** Levels as the service wants them: two digits at least. */
function levels({ fmc, bootloader, tee, snp, microcode }: AmdTcb): string {
  const named = [
    ...(fmc === undefined ? [] : [['fmcSPL', fmc] as const]),
    ['blSPL', bootloader] as const,
    ['teeSPL', tee] as const,
    ['snpSPL', snp] as const,
    ['ucodeSPL', microcode] as const,
  ]
  return named.map(([name, level]) => `${name}=${String(level).padStart(2, '0')}`).join('&')
}
