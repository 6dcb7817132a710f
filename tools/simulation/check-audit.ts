/**
 * A stranger to an audit checks it: from the auditor's two receipts, a trust file and the log's public tiles alone. Prints
 * what came of each selected entry; ends with an error where the auditor did not look where it had to.
 *
 * Usage: tsx check-audit.ts <folder of the audit> <trust file> <log url>
 */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import {
  FILE_LIMITS,
  type Json,
  openConfirmedHead,
  parseAuditResult,
  parseBundle,
  parseHex,
  parseJson,
  parseStatement,
  parseTrustFile,
  verifyAudit,
  verifyConsistency,
} from '@countersign/verify'
import { createNodeCrypto } from '@countersign/verify/crypto/node'
import { LogClient, proveConsistency } from '@countersign/watch'
import { openReceipt } from '../../packages/verify/dist/log/receipt.js'
import { readEpochLeaves } from '../../packages/watch/dist/auditor/epoch-leaves.js'

const crypto = createNodeCrypto()

async function check(folder: string, trustFile: string, logUrl: string): Promise<unknown> {
  const trust = parseTrustFile(crypto, readFileSync(trustFile))
  const [log] = trust.policy.logs
  if (log === undefined) throw new Error('the trust file has no log')
  const open = (name: string) => {
    const reply = parseJson(readFileSync(join(folder, name)), FILE_LIMITS) as { readonly bundle: Json }
    return openReceipt(crypto, parseBundle(reply.bundle), log.key)
  }
  const [commitment, result] = [open('commitment.receipt.json'), open('result.receipt.json')]
  const auditor = trust.parties.find(
    ({ roles, keys }) => roles.includes('auditor') && keys.some(({ keyId }) => keyId === result.keyId),
  )
  if (auditor === undefined) throw new Error('the trust file has no auditor with the key of this result')
  const { head, to } = parseAuditResult(parseStatement(result.payload))
  const stated = { size: head.size, root: parseHex(head.root, 32), confirmedAtSeconds: head.confirmedAtSeconds }
  const client = new LogClient({ baseUrl: logUrl })
  try {
    const published = openConfirmedHead(crypto, trust.policy, log.key.name, await client.fetchCheckpoint())
    if (published.confirmedAtSeconds === undefined) throw new Error('no quorum of witnesses confirmed the log’s head')
    if (stated.size !== published.size) {
      const path = await proveConsistency(client, crypto, stated.size, published.size)
      verifyConsistency(crypto, stated, published, path)
    }
    const leaves = await readEpochLeaves(client, crypto, { start: commitment.index, end: to }, head)
    const audit = verifyAudit(crypto, { commitment, result, head: stated, heads: [published], ...leaves })
    const { counts, bound } = audit.result
    return { auditor: auditor.name, counts, bound, entries: audit.entries }
  } finally {
    await client.close()
  }
}

const [folder = '', trustFile = '', logUrl = ''] = process.argv.slice(2)
console.log(JSON.stringify(await check(folder, trustFile, logUrl)))
