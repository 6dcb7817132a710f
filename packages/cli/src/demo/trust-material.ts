/** What a relying party of the demonstration brings: trust files, public keys, and a trusted root for stock tools. */
import { join } from 'node:path'
import { formatPublicPem, readP256PublicKey, readTrustedRoot } from '@countersign/gateway'
import { toHex } from '@countersign/verify'
import { createNodeCrypto } from '@countersign/verify/crypto/node'
import { formatJson, writeOutput } from '../files.ts'
import { formatTrustFile, readGatewayKeys, type TrustedParty } from '../trust-file-text.ts'
import { trustedWitnesses, type WitnessProcess } from './witness-process.ts'

const OWNER = 'the demonstration'
const FACTS = { cloud: 'one machine', software: 'countersign' }

export const TRUST_FILE = 'trust.yaml'
export const TRUST_WITHOUT_WITNESSES = 'trust-without-witnesses.yaml'

const ONE_OWNER = `
# All of these parties are made up, and whoever runs the demonstration runs them all, on one machine. So they have one owner here,
# and three witnesses of the operator's own owner count for nothing: "independence" is unproven. Names like theirs would not change
# that, nor would anything that they say of themselves. An owner counts when you, who keep this file, know that it is another.
`

function required(record: string): string {
  return `
# What must hold, and how well.
require:
  record: ${record}
  model: any
  output: re-executed
  accountable: any
`
}

/**
 * Writes `trust.yaml`, `trusted-root.json` and `keys/<hint>.pem` from a gateway's data folder; and
 * `trust-without-witnesses.yaml`, which trusts the same parties and asks for no witness.
 */
export function writeTrustMaterial(dataFolder: string, witnesses: readonly WitnessProcess[], out: string): void {
  const crypto = createNodeCrypto()
  const { log, operator, accountablePath } = readGatewayKeys(dataFolder)
  const accountable = readP256PublicKey(accountablePath)
  for (const spki of [operator, accountable]) {
    writeOutput(join(out, 'keys', `${toHex(crypto.sha256(spki))}.pem`), formatPublicPem(spki))
  }
  writeOutput(join(out, 'trusted-root.json'), formatJson(readTrustedRoot(dataFolder)))
  const answering: readonly TrustedParty[] = [
    { name: 'Example Operator (demonstration)', owner: OWNER, role: 'operator', spki: operator, ...FACTS },
    { name: 'Example Lender (demonstration)', owner: OWNER, role: 'accountable', spki: accountable },
  ]
  const watching = witnesses.map(({ name }): TrustedParty => {
    return { name: `${name} (demonstration)`, owner: OWNER, witnesses: [name], ...FACTS }
  })
  const text = formatTrustFile(log, [...answering, ...watching], ONE_OWNER + required('witnessed'), {
    witnesses: trustedWitnesses(witnesses),
  })
  writeOutput(join(out, TRUST_FILE), text)
  writeOutput(join(out, TRUST_WITHOUT_WITNESSES), formatTrustFile(log, answering, required('any')))
}
