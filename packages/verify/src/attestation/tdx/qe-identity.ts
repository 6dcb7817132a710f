/** Intel's identity of the quoting enclave for trust domains (TD QE). */
import { Fields } from '../../bytes/shape.ts'
import {
  asCollateral,
  type ComponentLevel,
  type ListDates,
  parseIntelAnswer,
  readAnyHex,
  readComponentLevels,
  readListDates,
  type UnverifiedList,
} from './intel-json.ts'

export interface QeIdentity extends ListDates {
  readonly miscSelect: Uint8Array
  readonly miscSelectMask: Uint8Array
  readonly attributes: Uint8Array
  readonly attributesMask: Uint8Array
  readonly mrSigner: Uint8Array
  readonly isvProdId: number
  readonly levels: readonly ComponentLevel[]
}

/** An identity, read and not verified. `undefined` in place of the identity where it is of another enclave of Intel's. */
export interface UnverifiedQeIdentity extends UnverifiedList {
  readonly identity: QeIdentity | undefined
}

/**
 * Reads an answer `{"enclaveIdentity":…,"signature":…}`, of version 2. What it says counts once the signature is verified
 * over `signed`, and its dates are looked at. Identities of other enclaves of Intel's have an `identity` of `undefined`.
 *
 * @throws {CountersignError} `collateral/malformed`
 */
export function parseQeIdentity(bytes: Uint8Array): UnverifiedQeIdentity {
  return asCollateral("the quoting enclave's identity", () => {
    const list = parseIntelAnswer(bytes, 'enclaveIdentity')
    const fields = new Fields(list.value, 'enclaveIdentity')
    const id = fields.oneOf('id', ['TD_QE', 'QE', 'QVE'])
    return { ...list, identity: id === 'TD_QE' ? readIdentity(fields) : undefined }
  })
}

function readIdentity(fields: Fields): QeIdentity {
  fields.integer('version', 2, 2)
  const identity = {
    ...readListDates(fields),
    miscSelect: readAnyHex(fields, 'miscselect', 4),
    miscSelectMask: readAnyHex(fields, 'miscselectMask', 4),
    attributes: readAnyHex(fields, 'attributes', 16),
    attributesMask: readAnyHex(fields, 'attributesMask', 16),
    mrSigner: readAnyHex(fields, 'mrsigner', 32),
    isvProdId: fields.integer('isvprodid', 0, 65_535),
    levels: readComponentLevels(fields),
  }
  fields.end()
  return identity
}
