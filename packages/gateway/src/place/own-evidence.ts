/** Evidence of where this very process runs: from the kernel, or from a command that knows how to ask for it. */
import { createHash } from 'node:crypto'
import { CountersignError, type EvidenceItem, toBase64, type UnverifiedEvidence } from '@countersign/verify'
import { type Bound, runForEvidence } from './evidence-command.ts'
import { readTsmReport } from './tsm-report.ts'

/** Where the gateway has its own evidence from. */
export type OwnSource =
  | { readonly kind: 'configfs-tsm'; readonly path: string }
  | {
      readonly kind: 'command'
      readonly argv: readonly [string, ...string[]]
      readonly gives: 'tdx' | 'sev-snp' | 'nitro'
    }
  | { readonly kind: 'none' }

/** Where Linux has it, since 6.7. */
export const TSM_PATH = '/sys/kernel/config/tsm/report'

export interface OwnEvidenceOptions {
  readonly source: OwnSource
  /** SubjectPublicKeyInfo of the key that signs statements. */
  readonly statementKey: Uint8Array
}

/**
 * Evidence that binds the statement key and the nonce: its 64 bytes of report data are SHA-512 of the key's
 * SubjectPublicKeyInfo and the nonce, one after the other.
 *
 * @param nonce 1 to 64 bytes
 * @throws {CountersignError} `place/unreachable` where there is none, or it could not be had in time; `evidence/unsupported`
 *   for hardware that is not known here
 */
export async function gatherOwnEvidence(
  { source, statementKey }: OwnEvidenceOptions,
  nonce: Uint8Array,
  signal?: AbortSignal,
): Promise<UnverifiedEvidence> {
  const reportData = new Uint8Array(createHash('sha512').update(statementKey).update(nonce).digest())
  const { item, certificates } = await ask(source, { reportData, nonce, statementKey }, signal)
  const beside = {
    signingKey: toBase64(statementKey),
    ...(certificates.length === 0 ? {} : { certificates: certificates.map(toBase64) }),
  }
  return { profile: 'countersign', items: [item], nonce, beside }
}

interface Asked {
  readonly item: EvidenceItem
  /** Certificates that came with it, DER. */
  readonly certificates: readonly Uint8Array[]
}

async function ask(source: OwnSource, bound: Bound, signal: AbortSignal | undefined): Promise<Asked> {
  switch (source.kind) {
    case 'configfs-tsm':
      return await askKernel(source.path, bound, signal)
    case 'command': {
      const content = await runForEvidence(source.argv, bound, { signal })
      return { item: { kind: source.gives, content }, certificates: [] }
    }
    case 'none':
      throw new CountersignError('place/unreachable', 'this gateway has no evidence of where it runs')
  }
}

async function askKernel(path: string, { reportData }: Bound, signal: AbortSignal | undefined): Promise<Asked> {
  const { provider, report, certificates } = await readTsmReport(path, reportData, signal)
  if (provider === 'tdx_guest') return { item: { kind: 'tdx', content: report }, certificates: [] }
  if (provider === 'sev_guest') return { item: { kind: 'sev-snp', content: report }, certificates }
  throw new CountersignError('evidence/unsupported', 'the kernel reports hardware that is not known here')
}
