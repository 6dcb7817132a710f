/** The key that an auditor signs with. It never leaves its machine. */
import { createPrivateKey, createPublicKey, sign } from 'node:crypto'
import { CountersignError, parseP256Spki, toHex } from '@countersign/verify'
import { createNodeCrypto } from '@countersign/verify/crypto/node'
import type { AuditorKey } from './auditor.ts'

const crypto = /* @__PURE__ */ createNodeCrypto()

/** A private P-256 key in PEM. @throws {CountersignError} `key/malformed` */
export function parseAuditorKey(pem: string): AuditorKey {
  try {
    const secret = createPrivateKey(pem)
    const spki = new Uint8Array(createPublicKey(secret).export({ format: 'der', type: 'spki' }))
    parseP256Spki(spki)
    const keyId = toHex(crypto.sha256(spki))
    return { spki, keyId, sign: (message) => new Uint8Array(sign('sha256', message, secret)) }
  } catch {
    throw new CountersignError('key/malformed', 'the file does not hold a private P-256 key in PEM')
  }
}
