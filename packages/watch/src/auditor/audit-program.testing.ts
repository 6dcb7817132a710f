/** An auditor as a process, for tests that kill it. Says what it does, a line each. */
import { readFileSync } from 'node:fs'
import { parseTrustFile } from '@countersign/verify'
import { createNodeCrypto } from '@countersign/verify/crypto/node'
import { MODELS } from './audited-gateway.testing.ts'
import { parseAuditorKey } from './auditor-key.ts'
import { openAuditor } from './open-auditor.ts'

const crypto = createNodeCrypto()
const [, , gateway = '', folder = '', apiKey = ''] = process.argv
const auditor = openAuditor({
  ...{ crypto, trust: parseTrustFile(crypto, readFileSync(`${folder}/trust.yaml`)), gateway, apiKey, name: 'Auditor' },
  key: parseAuditorKey(readFileSync(`${folder}/auditor.pem`, 'utf8')),
  ...{ statePath: `${folder}/state`, modelFolders: [MODELS], confidenceMillionths: 990_000, pollMs: 20 },
  plan: { deployments: 'all', rateMillionths: 1_000_000, answerWithinSeconds: 30, entries: 8 },
  signal: new AbortController().signal,
  onProgress: (line) => process.stdout.write(`${line}\n`),
})
const report = await auditor.run()
process.stdout.write(`report ${JSON.stringify(report)}\n`)
await auditor.close()
