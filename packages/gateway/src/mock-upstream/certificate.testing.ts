/** A key and a certificate that it signed itself, for a TLS server on loopback. */
import { generateKeyPairSync, sign } from 'node:crypto'

export interface SelfSigned {
  /** Both in PEM. */
  readonly key: string
  readonly cert: string
}

const SEQUENCE = 0x30
const SET = 0x31
const INTEGER = 0x02
const BIT_STRING = 0x03
const OCTET_STRING = 0x04
const OBJECT_IDENTIFIER = 0x06
const UTF8_STRING = 0x0c
const UTC_TIME = 0x17
const GENERALIZED_TIME = 0x18

const ECDSA_WITH_SHA256 = [0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02]
const COMMON_NAME = [0x55, 0x04, 0x03]
const SUBJECT_ALT_NAME = [0x55, 0x1d, 0x11]
const LOOPBACK = [127, 0, 0, 1]

/**
 * A new P-256 key and its certificate for `localhost` and 127.0.0.1, valid from 2025 to 9999. Nobody trusts it who was
 * not given it.
 *
 * @spec RFC 5280 §4.1
 */
export function selfSignedCertificate(): SelfSigned {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'prime256v1' })
  const algorithm = der(SEQUENCE, der(OBJECT_IDENTIFIER, ECDSA_WITH_SHA256))
  const name = der(
    SEQUENCE,
    der(SET, der(SEQUENCE, der(OBJECT_IDENTIFIER, COMMON_NAME), der(UTF8_STRING, Buffer.from('mock upstream')))),
  )
  const validity = der(
    SEQUENCE,
    der(UTC_TIME, Buffer.from('250101000000Z')),
    der(GENERALIZED_TIME, Buffer.from('99991231235959Z')),
  )
  const names = der(SEQUENCE, der(0x82, Buffer.from('localhost')), der(0x87, LOOPBACK))
  const extension = der(SEQUENCE, der(OBJECT_IDENTIFIER, SUBJECT_ALT_NAME), der(OCTET_STRING, names))
  const toBeSigned = der(
    SEQUENCE,
    der(0xa0, der(INTEGER, [2])),
    der(INTEGER, [1]),
    algorithm,
    name,
    validity,
    name,
    publicKey.export({ type: 'spki', format: 'der' }),
    der(0xa3, der(SEQUENCE, extension)),
  )
  const signature = der(BIT_STRING, [0], sign('sha256', toBeSigned, privateKey))
  const certificate = der(SEQUENCE, toBeSigned, algorithm, signature)
  const lines = certificate.toString('base64').replace(/.{64}/g, '$&\n')
  return {
    key: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
    cert: `-----BEGIN CERTIFICATE-----\n${lines}\n-----END CERTIFICATE-----\n`,
  }
}

/** An element of fewer than 65,536 bytes. */
function der(tag: number, ...contents: readonly (Uint8Array | readonly number[])[]): Buffer {
  const content = Buffer.concat(contents.map((each) => Uint8Array.from(each)))
  const { length } = content
  const size = length < 0x80 ? [length] : length < 0x100 ? [0x81, length] : [0x82, length >> 8, length & 0xff]
  return Buffer.concat([Uint8Array.of(tag, ...size), content])
}
