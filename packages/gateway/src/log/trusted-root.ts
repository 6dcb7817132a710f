/** A log's Sigstore trusted root, for stock tools. @spec Sigstore trusted root v0.1 */
import { fullKeyId, type Json, toBase64 } from '@countersign/verify'
import { createNodeCrypto } from '@countersign/verify/crypto/node'
import { dataFolderAt } from '../data/data-folder.ts'
import { ed25519Spki, keyPaths, loadLogKey } from '../data/keys.ts'
import { findIdentityAt } from '../store/identity.ts'

/**
 * The trusted root of the log in a data folder. Holds no statement key: those go along as files.
 *
 * @throws {CountersignError} `data/damaged` where the folder holds no log
 */
export function readTrustedRoot(dataRoot: string): Json {
  const crypto = createNodeCrypto()
  const { origin } = findIdentityAt(dataRoot)
  const key = loadLogKey(keyPaths(dataFolderAt(dataRoot).keys).log, origin, false).note
  const publicKey = {
    rawBytes: toBase64(ed25519Spki(key.publicKey)),
    keyDetails: 'PKIX_ED25519',
    validFor: { start: '1970-01-01T00:00:00Z' },
  }
  const logId = { keyId: toBase64(fullKeyId(crypto, key)) }
  return {
    mediaType: 'application/vnd.dev.sigstore.trustedroot+json;version=0.1',
    tlogs: [{ baseUrl: `https://${origin}`, hashAlgorithm: 'SHA2_256', publicKey, logId }],
    certificateAuthorities: [],
    ctlogs: [],
    timestampAuthorities: [],
  }
}
