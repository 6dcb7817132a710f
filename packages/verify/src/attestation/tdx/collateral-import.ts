/**
 * Collateral as `dcap-qvl` and the tools around it keep it: one JSON file with the signed texts, their signatures and the
 * chains of their signers side by side.
 */
import { concat, equalBytes, parseHex, utf8 } from '../../bytes/bytes.ts'
import { FILE_LIMITS, parseJson } from '../../bytes/json.ts'
import { Fields } from '../../bytes/shape.ts'
import { CountersignError } from '../../errors.ts'
import type { CollateralBundle, CollateralItem, CollateralKind } from '../collateral.ts'
import { parsePemCertificates } from '../x509/certificate.ts'
import { asCollateral, parseIntelAnswer } from './intel-json.ts'

const CHAINS = ['pck_crl_issuer_chain', 'tcb_info_issuer_chain', 'qe_identity_issuer_chain'] as const
const MAX_CHAIN = 4
const MAX_TEXT = 1024 * 1024

/**
 * Makes a bundle of such a file. Texts and signatures are joined to the answers that Intel's service gives, byte for byte as
 * they were signed; nothing is verified. Of the platform's certificate, if the file has it, nothing is taken: a quote brings
 * its own. Files of older tools have no revocation lists, and then the bundle has none.
 *
 * @throws {CountersignError} `collateral/malformed`, `json/*`, `bytes/*`, `shape/*`
 */
export function importDcapCollateral(json: Uint8Array): CollateralBundle {
  const fields = new Fields(parseJson(json, FILE_LIMITS), 'collateral')
  const text = (name: string) => fields.text(name, { maxLength: MAX_TEXT, isMultiline: true })
  const certificates = CHAINS.flatMap((name) =>
    (fields.optional(name, () => asCollateral(name, () => parsePemCertificates(text(name), MAX_CHAIN))) ?? []).map(
      ({ bytes }) => bytes,
    ),
  )
  const list = (name: string) => fields.optional(name, () => [itemOf('crl', parseHex(text(name)))]) ?? []
  const items: readonly CollateralItem[] = [
    ...distinct(certificates).map((content) => itemOf('certificate', content)),
    ...list('root_ca_crl'),
    ...list('pck_crl'),
    itemOf('intel-tcb-info', joined('tcbInfo', text('tcb_info'), text('tcb_info_signature'))),
    itemOf('intel-qe-identity', joined('enclaveIdentity', text('qe_identity'), text('qe_identity_signature'))),
  ]
  fields.any('pck_certificate_chain')
  fields.end()
  return { items }
}

function itemOf(kind: CollateralKind, content: Uint8Array): CollateralItem {
  return { kind, content }
}

function distinct(certificates: readonly Uint8Array[]): readonly Uint8Array[] {
  return certificates.filter((each, i) => certificates.findIndex((other) => equalBytes(each, other)) === i)
}

/** The answer as it was served; a text that would read differently inside it is refused. */
function joined(member: 'tcbInfo' | 'enclaveIdentity', signed: string, signature: string): Uint8Array {
  const answer = concat(utf8(`{"${member}":`), utf8(signed), utf8(`,"signature":"${signature}"}`))
  const read = asCollateral(member, () => parseIntelAnswer(answer, member))
  if (equalBytes(read.signed, utf8(signed))) return answer
  throw new CountersignError('collateral/malformed', `${member} is not one JSON value`)
}
