/** What a relying party of the demonstration brings: a trust file, public keys, and a trusted root for stock tools. */
import { join } from 'node:path'
import { formatPublicPem, readP256PublicKey, readTrustedRoot } from '@countersign/gateway'
import { toHex } from '@countersign/verify'
import { createNodeCrypto } from '@countersign/verify/crypto/node'
import { formatJson, writeOutput } from '../files.ts'
import { formatTrustFile, readGatewayKeys } from '../trust-file-text.ts'

const OWNER = 'the demonstration'

const REQUIRED = `
# What must hold, and how well.
require:
  record: any
  model: any
  output: re-executed
  accountable: any
`

/** Writes `trust.yaml`, `trusted-root.json` and `keys/<hint>.pem` from a gateway's data folder. */
export function writeTrustMaterial(dataFolder: string, out: string): void {
  const crypto = createNodeCrypto()
  const { log, operator, accountablePath } = readGatewayKeys(dataFolder)
  const accountable = readP256PublicKey(accountablePath)
  for (const spki of [operator, accountable]) {
    writeOutput(join(out, 'keys', `${toHex(crypto.sha256(spki))}.pem`), formatPublicPem(spki))
  }
  writeOutput(join(out, 'trusted-root.json'), formatJson(readTrustedRoot(dataFolder)))
  const parties = [
    { name: 'Example Operator (demonstration)', owner: OWNER, role: 'operator', spki: operator },
    { name: 'Example Lender (demonstration)', owner: OWNER, role: 'accountable', spki: accountable },
  ] as const
  writeOutput(join(out, 'trust.yaml'), formatTrustFile(log, parties, REQUIRED))
}
