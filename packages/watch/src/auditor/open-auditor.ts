/** An auditor with everything that it needs opened. */
import { createModelStore } from '@countersign/engines'
import { LogClient } from '../log-client/log-client.ts'
import type { AuditReport } from './audit-report.ts'
import { type AuditorOptions, runAudit } from './auditor.ts'
import { GatewayAccess } from './gateway-access.ts'
import { StateFolder } from './state-folder.ts'

export interface OpenAuditorOptions extends Omit<AuditorOptions, 'access' | 'log' | 'models' | 'folder'> {
  /** API key with the right `audit`; it goes to the gateway alone. */
  readonly apiKey: string | undefined
  /** Where seed, statements and evidence are kept. */
  readonly statePath: string
  /** Folders with model files, found by digest. */
  readonly modelFolders: readonly string[]
  /** For one entry. */
  readonly entryTimeoutMs?: number
}

export interface OpenAuditor {
  /** Runs one epoch, or goes on with one: see {@link runAudit}. */
  run(): Promise<AuditReport | undefined>
  close(): Promise<void>
}

/** @throws {CountersignError} `usage/invalid`, `data/locked`, `data/damaged` */
export function openAuditor(options: OpenAuditorOptions): OpenAuditor {
  const { gateway, apiKey, statePath, modelFolders, entryTimeoutMs } = options
  const timeout = entryTimeoutMs === undefined ? {} : { timeoutMs: entryTimeoutMs }
  const access = new GatewayAccess({ baseUrl: gateway, apiKey, ...timeout })
  const log = new LogClient({ baseUrl: `${gateway.replace(/\/+$/, '')}/log` })
  const folder = new StateFolder(statePath)
  const models = createModelStore({ folders: modelFolders })
  return {
    run: () => runAudit({ ...options, access, log, models, folder }),
    async close() {
      folder.close()
      await models.close()
      await log.close()
      await access.close()
    },
  }
}
