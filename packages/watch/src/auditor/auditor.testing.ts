/** An auditor with everything it needs, against a gateway that a test runs. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseTrustFile, utf8 } from '@countersign/verify'
import { createNodeCrypto } from '@countersign/verify/crypto/node'
import type { AuditReport } from './audit-report.ts'
import { type AuditedGateway, MODELS } from './audited-gateway.testing.ts'
import type { AuditorKey, AuditPlan } from './auditor.ts'
import { openAuditor } from './open-auditor.ts'

const crypto = createNodeCrypto()

/** Everything is selected, and there are two seconds to answer. */
export const WHOLE: AuditPlan = { deployments: 'all', rateMillionths: 1_000_000, answerWithinSeconds: 2, entries: 6 }

export interface AuditOptions {
  readonly plan?: Partial<AuditPlan>
  readonly folder: string
  readonly key: AuditorKey
  readonly trust?: string
  readonly apiKey?: string
  readonly modelFolders?: readonly string[]
  readonly timeoutMs?: number
  readonly signal?: AbortSignal
  onProgress?(line: string): void
}

export async function audit(gateway: AuditedGateway, options: AuditOptions): Promise<AuditReport | undefined> {
  const { folder: path, key, plan = {}, trust = gateway.trustText(), apiKey = gateway.apiKey } = options
  const { modelFolders = [MODELS], timeoutMs, signal = new AbortController().signal, onProgress } = options
  const auditor = openAuditor({
    ...{ crypto, trust: parseTrustFile(crypto, utf8(trust)), key, name: 'Auditor', gateway: gateway.url },
    ...{ apiKey, statePath: path, modelFolders, plan: { ...WHOLE, ...plan }, confidenceMillionths: 990_000 },
    ...{ price: { amountMicros: 50_000, currency: 'EUR' }, signal, pollMs: 20 },
    ...(timeoutMs === undefined ? {} : { entryTimeoutMs: timeoutMs }),
    onProgress: onProgress ?? (() => undefined),
  })
  try {
    return await auditor.run()
  } finally {
    await auditor.close()
  }
}

export function createFolder(): { readonly path: string; remove(): void } {
  const path = mkdtempSync(join(tmpdir(), 'countersign-auditor-'))
  return { path, remove: () => rmSync(path, { recursive: true, force: true }) }
}
