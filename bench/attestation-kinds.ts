/** Kinds of evidence whose appraisal has a goal of its own: a new kind is a row here. */
import { type AppraisalInput, appraiseEvidence, createMemory, type UnverifiedEvidence } from '@countersign/verify'
import { createNodeCrypto } from '@countersign/verify/crypto/node'
import { azureToTime } from '../packages/verify/dist/attestation/azure-vtpm/azure-evidence.testing.js'
import {
  makeNitroDocument,
  nitroInput,
  nitroItem,
  TEST_NONCE,
} from '../packages/verify/dist/attestation/nitro/nitro-evidence.testing.js'
import {
  GPU_NONCE,
  gpuInput,
  gpuItem,
  makeGpu,
} from '../packages/verify/dist/attestation/nvidia/nvidia-evidence.testing.js'
import { snpToTime } from '../packages/verify/dist/attestation/sev-snp/sev-snp-evidence.testing.js'

export interface TimedKind {
  /** Name of its figure. */
  readonly figure: string
  readonly maxMs: number
  /** How many like pieces of evidence one run appraises. */
  readonly pieces: number
  /** Evidence made once; what it gives appraises it anew, and throws where that is not genuine. */
  build(): () => void
}

interface ToTime {
  readonly evidence: UnverifiedEvidence
  readonly input: AppraisalInput
}

const GPUS = 4

export const TIMED_KINDS: readonly TimedKind[] = [
  { figure: 'sev_snp_ms', maxMs: 8, pieces: 1, build: () => appraising(snpToTime()) },
  { figure: 'nitro_ms', maxMs: 8, pieces: 1, build: () => appraising(nitroToTime()) },
  { figure: 'azure_vtpm_ms', maxMs: 8, pieces: 1, build: () => appraising(azureToTime()) },
  { figure: 'nvidia_per_gpu_ms', maxMs: 4, pieces: GPUS, build: () => appraising(gpusToTime()) },
]

function nitroToTime(): ToTime {
  const items = [nitroItem(makeNitroDocument())]
  return { evidence: { profile: 'none', items, nonce: TEST_NONCE, beside: {} }, input: nitroInput() }
}

function gpusToTime(): ToTime {
  const gpus = Array.from({ length: GPUS }, (_, device) => makeGpu({ device }))
  return {
    evidence: { profile: 'none', items: [gpuItem(...gpus)], nonce: GPU_NONCE, beside: {} },
    input: gpuInput(),
  }
}

/** Appraises as if nothing had been seen before: no key, no certificate, no list. */
export function appraising({ evidence, input }: ToTime): () => void {
  return () => appraise(evidence, { ...input, crypto: createNodeCrypto(), memory: createMemory() })
}

/** Appraises with what earlier appraisals of the same machine left in memory. */
export function appraisingAgain({ evidence, input }: ToTime): () => void {
  const known = { ...input, crypto: createNodeCrypto(), memory: createMemory() }
  return () => appraise(evidence, known)
}

function appraise(evidence: UnverifiedEvidence, input: AppraisalInput): void {
  const { items, reason } = appraiseEvidence(evidence, input)
  if (items.length === 0 || !items.every(({ isGenuine }) => isGenuine)) throw new Error(`not genuine: ${reason}`)
}
