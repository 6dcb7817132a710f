/** AMD's Key Distribution Service, or a mirror of it. @spec AMD publication 57230 */
import type { CollateralNeed } from '@countersign/verify'
import { type CollateralRequest, certificates, readPemChain } from './collateral-source.ts'
import { readCrl } from './intel-pcs.ts'

const MAX_CERTIFICATE_BYTES = 16 * 1024
const MAX_CHAIN_BYTES = 64 * 1024
const MAX_CRL_BYTES = 4 * 1024 * 1024

/** As the service spells them. */
const PRODUCTS = { milan: 'Milan', genoa: 'Genoa', turin: 'Turin' } as const

type AmdNeed = Extract<CollateralNeed, { kind: 'amd-vcek' | 'amd-vlek' }>

/** What to ask for a chip's certificate, or for the issuers of one that came along. @param kds without a slash at its end */
export function amdRequests(need: AmdNeed, kds: string): readonly CollateralRequest[] {
  const kind = need.kind === 'amd-vcek' ? 'vcek' : 'vlek'
  const base = `${kds}/${kind}/v1/${PRODUCTS[need.product]}`
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
function levels(tcb: Extract<CollateralNeed, { kind: 'amd-vcek' }>['tcb']): string {
  return LEVELS.flatMap(([component, name]) => {
    const level = tcb[component]
    return level === undefined ? [] : [`${name}=${String(level).padStart(2, '0')}`]
  }).join('&')
}

const LEVELS = [
  ['fmc', 'fmcSPL'],
  ['bootloader', 'blSPL'],
  ['tee', 'teeSPL'],
  ['snp', 'snpSPL'],
  ['microcode', 'ucodeSPL'],
] as const
