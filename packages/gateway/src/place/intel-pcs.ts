/** Intel's Provisioning Certification Service, version 4, or a mirror of it. @spec https://api.portal.trustedservices.intel.com */
import { type CollateralNeed, parseCrl } from '@countersign/verify'
import type { BoundedAnswer } from './bounded-request.ts'
import {
  type CollateralRequest,
  certificates,
  joined,
  jsonOf,
  malformed,
  memberOf,
  type ReadCollateral,
  readPemChain,
  timeIn,
} from './collateral-source.ts'

export interface IntelAddresses {
  /** Without a slash at its end. */
  readonly pcs: string
  /** Of the root's list of revoked certificates. */
  readonly rootCrl: string
}

const MAX_JSON_BYTES = 1024 * 1024
const MAX_CRL_BYTES = 4 * 1024 * 1024

/** Chains come in headers that had other names in older versions, which mirrors may still send. */
const CHAIN_HEADERS = {
  tcb: ['tcb-info-issuer-chain', 'sgx-tcb-info-issuer-chain'],
  identity: ['sgx-enclave-identity-issuer-chain', 'enclave-identity-issuer-chain'],
  crl: ['sgx-pck-crl-issuer-chain'],
} as const

/** What to ask for TCB information of a platform. */
export function intelRequests(
  { fmspc, ca }: Extract<CollateralNeed, { kind: 'intel-tcb' }>,
  { pcs, rootCrl }: IntelAddresses,
): readonly CollateralRequest[] {
  return [
    {
      what: 'TCB information of Intel',
      url: `${pcs}/tdx/certification/v4/tcb?fmspc=${fmspc}`,
      maxBytes: MAX_JSON_BYTES,
      read: (answer) => readSigned(answer, 'intel-tcb-info', 'tcbInfo', CHAIN_HEADERS.tcb),
    },
    {
      what: 'the identity of Intel’s quoting enclave',
      url: `${pcs}/tdx/certification/v4/qe/identity`,
      maxBytes: MAX_JSON_BYTES,
      read: (answer) => readSigned(answer, 'intel-qe-identity', 'enclaveIdentity', CHAIN_HEADERS.identity),
    },
    {
      what: 'Intel’s list of revoked platforms',
      url: `${pcs}/sgx/certification/v4/pckcrl?ca=${ca}&encoding=der`,
      maxBytes: MAX_CRL_BYTES,
      read: (answer) => joined([readCrl(answer.body), readChain(answer, CHAIN_HEADERS.crl)]),
    },
    {
      what: 'the list of revoked certificates of Intel’s root',
      url: rootCrl,
      maxBytes: MAX_CRL_BYTES,
      read: ({ body }) => readCrl(body),
    },
  ]
}

/** A JSON answer that Intel signed as it stands, with who signed it in a header. */
function readSigned(
  answer: BoundedAnswer,
  kind: 'intel-tcb-info' | 'intel-qe-identity',
  member: string,
  headers: readonly string[],
): ReadCollateral {
  const signed = memberOf(jsonOf(answer), member)
  const item = { items: [{ kind, content: answer.body }], currentUntilMs: timeIn(memberOf(signed, 'nextUpdate')) }
  return joined([item, readChain(answer, headers)])
}

function readChain({ headers }: BoundedAnswer, names: readonly string[]): ReadCollateral {
  const text = names.map((name) => headers[name]).find((value) => value !== undefined)
  if (text === undefined) throw malformed('it does not say who signed it')
  return certificates(readPemChain(decoded(text)))
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    throw malformed('the header with its certificates is not encoded as it should be')
  }
}

/** A list of revoked certificates, as an item. @throws {CountersignError} `der/malformed`, `certificate/malformed` */
export function readCrl(content: Uint8Array): ReadCollateral {
  return { items: [{ kind: 'crl', content }], currentUntilMs: parseCrl(content).nextUpdateMs }
}
