/** Virtual TPMs on TDX that never were: the same as on SEV-SNP, with a quote beside the machine's own report. */
import { toHex, utf8 } from '../../bytes/bytes.ts'
import type { Json } from '../../bytes/json.ts'
import { createMemory } from '../../bytes/memory.ts'
import { createNodeCrypto } from '../../crypto/node-provider.ts'
import { readPlacePolicy } from '../place-policy.ts'
import type { SweptEvidence } from '../sweep.testing.ts'
import { parseTdxQuote } from '../tdx/quote.ts'
import { buildTdx, planTdx, type TdxPlan } from '../tdx/tdx-evidence.testing.ts'
import { createTestKey } from '../x509/pki.testing.ts'
import {
  type AzureOptions,
  azureEvidence,
  type BuiltAzureEvidence,
  hclReport,
  NONCE,
  registerValue,
  runtimeOf,
  tpmQuote,
  tpmtSignature,
} from './azure-evidence.testing.ts'
import { formatAzureEvidence, unsignedRegions } from './azure-evidence.ts'
import { TD_REPORT_FIELDS } from './td-report.ts'

const crypto = createNodeCrypto()
const MRTD = '31'.repeat(48)

export interface AzureTdxOptions extends Omit<AzureOptions, 'snp' | 'hardwareQuote'> {
  /** Changes the trust domain before it is quoted. */
  readonly plan?: (plan: TdxPlan) => void
  /** Changes the machine's own report afterwards. */
  readonly ownReport?: (report: Uint8Array) => void
  readonly isWithoutQuote?: boolean
}

/** A sound virtual TPM on TDX unless told otherwise. */
export function azureTdxEvidence(options: AzureTdxOptions = {}): BuiltAzureEvidence {
  const key = createTestKey('rsa2048')
  const runtimeData = utf8(JSON.stringify(runtimeOf(options, key)))
  const plan = planTdx(4)
  const reportData = new Uint8Array(64)
  reportData.set(crypto.sha256(runtimeData))
  plan.report.reportData = reportData
  options.plan?.(plan)
  const { quote, input } = buildTdx(plan)
  const own = ownReportOf(quote)
  options.ownReport?.(own)
  const content = formatAzureEvidence({
    hclReport: hclReport(own, runtimeData, 4),
    quote: tpmQuote(options, key),
    hardwareQuote: options.isWithoutQuote ? undefined : quote,
  })
  return {
    item: { kind: 'azure-vtpm', content },
    input: { ...input, nonce: NONCE, policy: options.policy === null ? undefined : policyOf(options.policy) },
  }
}

function policyOf(more: { readonly [name: string]: Json } = {}) {
  const measurements = { mrtd: [MRTD], pcr0: [toHex(registerValue(0))] }
  return readPlacePolicy({ tee: 'azure-vtpm', preset: 'azure', measurements, ...more }, 'policy')
}

/** What the machine reports to itself, of what a quote says: with a MAC that nobody else can check. */
function ownReportOf(quote: Uint8Array): Uint8Array {
  const { report } = parseTdxQuote(quote)
  const own = new Uint8Array(1024)
  own[0] = 0x81
  for (const [, at, of] of TD_REPORT_FIELDS) own.set(of(report), at)
  own.fill(0x77, 224, 256)
  return own
}

/** Sound evidence on either hardware to change at every place, with the places that no signature covers. */
export function sweepCases(): readonly SweptEvidence[] {
  const few = { signature: tpmtSignature, quote: { selection: [0, 7, 11] } }
  const cases = [
    ['azure-vtpm on Milan', azureEvidence()],
    ['azure-vtpm, TPMT_SIGNATURE, few registers', azureEvidence(few)],
    ['azure-vtpm on TDX', azureTdxEvidence()],
  ] as const
  return cases.map(([name, { item, input }]) => ({
    ...{ name, bytes: item.content, unsigned: unsignedRegions(item.content) },
    toItem: (content) => ({ kind: 'azure-vtpm', content }),
    input: { ...input, memory: createMemory() },
  }))
}
