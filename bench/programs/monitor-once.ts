/** Follows a log from its beginning to its head, once: `monitor-once.ts <log url> <trust file> <state>`. Says what it took. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseTrustFile } from '@countersign/verify'
import { createNodeCrypto } from '@countersign/verify/crypto/node'
import { Monitor } from '@countersign/watch'

async function main([logUrl, trustPath, stateFolder]: readonly string[]): Promise<void> {
  if (logUrl === undefined || trustPath === undefined || stateFolder === undefined) throw new Error('three arguments')
  const crypto = createNodeCrypto()
  const monitor = new Monitor({
    ...{ crypto, trust: parseTrustFile(crypto, new Uint8Array(readFileSync(trustPath))), logUrl, stateFolder },
    ...{ proofFolder: join(stateFolder, 'proofs'), witnessUrls: [], evidence: [] },
    ...{ graceMs: 0, intervalMs: 1000, timeoutMs: 10_000, nowMs: () => Date.now() },
    onReport: () => undefined,
    onProgress: () => undefined,
  })
  const startMs = performance.now()
  const before = process.cpuUsage()
  await monitor.once()
  const { user, system } = process.cpuUsage(before)
  const seconds = (performance.now() - startMs) / 1000
  const { size, missing, proven, warnings } = monitor.summary()
  await monitor.close()
  if (missing + proven + warnings > 0) throw new Error('the monitor found something in an honest log')
  const residentMiB = process.resourceUsage().maxRSS / 1024
  process.stdout.write(`${JSON.stringify({ size, seconds, cpuSeconds: (user + system) / 1e6, residentMiB })}\n`)
}

await main(process.argv.slice(2))
