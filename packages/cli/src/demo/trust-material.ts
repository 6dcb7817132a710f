/** What a relying party of the demonstration brings: a trust file, public keys, and a trusted root for stock tools. */
import { join } from 'node:path'
import {
  findIdentityAt,
  formatPublicPem,
  keyPaths,
  loadLogKey,
  readP256PublicKey,
  readTrustedRoot,
} from '@countersign/gateway'
import { formatNoteKey, toBase64, toHex } from '@countersign/verify'
import { createNodeCrypto } from '@countersign/verify/crypto/node'
import { formatJson, writeOutput } from '../files.ts'

/** Writes `trust.yaml`, `trusted-root.json` and `keys/<hint>.pem` from a gateway's data folder. */
export function writeTrustMaterial(dataFolder: string, out: string): void {
  const crypto = createNodeCrypto()
  const paths = keyPaths(join(dataFolder, 'keys'))
  const { origin } = findIdentityAt(dataFolder)
  const logKey = formatNoteKey(loadLogKey(paths.log, origin, false).note)
  const operator = readP256PublicKey(paths.statement)
  const accountable = readP256PublicKey(paths.exampleAccountable)
  for (const spki of [operator, accountable]) {
    writeOutput(join(out, 'keys', `${toHex(crypto.sha256(spki))}.pem`), formatPublicPem(spki))
  }
  writeOutput(join(out, 'trusted-root.json'), formatJson(readTrustedRoot(dataFolder)))
  writeOutput(join(out, 'trust.yaml'), trustFile(logKey, operator, accountable))
}

function trustFile(logKey: string, operator: Uint8Array, accountable: Uint8Array): string {
  return `# Whom the demonstration trusts. In earnest you get these keys from the parties themselves, not from a gateway.
format: countersign-trust/v1

# Which log, and whose confirmation a head of it needs: here nobody's but the operator's.
policy: |
  log ${logKey}
  quorum none

parties:
  - name: Example Operator (demonstration)
    owner: the demonstration
    roles: [operator]
    keys:
      - spki: ${toBase64(operator)}
  - name: Example Lender (demonstration)
    owner: the demonstration
    roles: [accountable]
    keys:
      - spki: ${toBase64(accountable)}

# What must hold, and how well.
require:
  record: any
  model: any
  output: re-executed
  accountable: any
`
}
