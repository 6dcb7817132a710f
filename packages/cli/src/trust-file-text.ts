/** Trust files, written for a relying party to look through, compare and edit. */
import { join } from 'node:path'
import { findIdentityAt, keyPaths, listArchives, loadLogKey, readP256PublicKey } from '@countersign/gateway'
import { formatNoteKey, toBase64 } from '@countersign/verify'

/** A party of a trust file, with one key. */
export interface TrustedParty {
  readonly name: string
  readonly owner: string
  readonly role: 'operator' | 'accountable'
  readonly spki: Uint8Array
}

/** The public keys of a gateway, from its data folder. */
export function readGatewayKeys(dataFolder: string) {
  const paths = keyPaths(join(dataFolder, 'keys'))
  const { origin } = findIdentityAt(dataFolder)
  return {
    /** Of the log, in the form that policies take. */
    log: formatNoteKey(loadLogKey(paths.log, origin, false).note),
    operator: readP256PublicKey(paths.statement),
    accountablePath: paths.exampleAccountable,
    /** Of logs that ended, oldest first. */
    ended: listArchives(dataFolder).map(({ key }) => key),
  }
}

/** The text of a trust file. `more` is appended as it is. */
export function formatTrustFile(
  logKey: string,
  parties: readonly TrustedParty[],
  more = '',
  ended: readonly string[] = [],
): string {
  return `# Whom you trust. Get these keys from the parties themselves, not from the gateway that they are to check.
format: countersign-trust/v1

# Which log, and whose confirmation a head of it needs: "none" means that the operator's word is enough.
policy: |
  log ${logKey}
${ended.map(formatEnded).join('')}  quorum none

parties:
${parties.map(formatParty).join('')}${more}`
}

/** A log that ended stays trusted for what it holds; the first entry of the one that follows says how far it is whole. */
function formatEnded(key: string): string {
  return `  # This log has ended. Take the line away to stop relying on it.\n  log ${key}\n`
}

function formatParty({ name, owner, role, spki }: TrustedParty): string {
  return `  - name: ${JSON.stringify(name)}
    owner: ${JSON.stringify(owner)}
    roles: [${role}]
    keys:
      - spki: ${toBase64(spki)}
`
}
