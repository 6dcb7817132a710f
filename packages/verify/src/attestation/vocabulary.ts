/** The words of a place policy that each kind of hardware has. */
import type { EvidenceKind } from './evidence-kind.ts'

/** Kinds that a place can be required to be. GPUs come beside one of them. */
export const TEE_KINDS = [
  'tdx',
  'sev-snp',
  'nitro',
  'azure-vtpm',
  'confidential-space',
  'maa',
] as const satisfies readonly EvidenceKind[]
export type TeeKind = (typeof TEE_KINDS)[number]

export interface Vocabulary {
  /** Names of measured values. */
  readonly measurements: readonly string[]
  /** Names of who signed or owns the code. */
  readonly signers: readonly string[]
  /** Measurements and signers of which a policy must name one at least: alone, the others leave the code open. */
  readonly identifying: readonly string[]
  /**
   * Of these a policy must name one besides, where the identifying values are not the hardware's own: what measures them is
   * vouched for by these.
   */
  readonly vouching?: readonly string[]
  readonly minimum: readonly string[]
  readonly states: readonly string[]
  readonly defaultStates: readonly string[]
  readonly allow: readonly string[]
  readonly forbid: readonly string[]
}

const DSTACK_EVENTS = ['app-id', 'compose-hash', 'os-image-hash', 'key-provider', 'instance-id']

/**
 * Beside a processor that can have GPUs: keys of NVIDIA's service, whose tokens say what the GPUs are, by thumbprint; or who
 * issued their certificates, by SHA-256, since the keys themselves last two days.
 */
const GPU_SIGNERS = ['nras_key', 'nras_ca']

const TDX_STATES = [
  ...['UpToDate', 'SWHardeningNeeded', 'ConfigurationNeeded', 'ConfigurationAndSWHardeningNeeded'],
  ...['OutOfDate', 'OutOfDateConfigurationNeeded'],
]

const NITRO_PCRS = Array.from({ length: 16 }, (_, i) => `pcr${i}`)
const TPM_PCRS = Array.from({ length: 24 }, (_, i) => `pcr${i}`)

const NOTHING = {
  measurements: [],
  signers: [],
  identifying: [],
  minimum: [],
  states: [],
  defaultStates: [],
  allow: [],
  forbid: [],
} satisfies Vocabulary

export const TEE_VOCABULARY: { readonly [kind in TeeKind]: Vocabulary } = {
  tdx: {
    ...NOTHING,
    measurements: [
      ...['mrtd', 'rtmr0', 'rtmr1', 'rtmr2', 'rtmr3', 'mrconfigid', 'mrowner', 'mrownerconfig'],
      ...['mrseam', 'mrsignerseam', 'mrservicetd', ...DSTACK_EVENTS],
    ],
    signers: GPU_SIGNERS,
    // All others are the word of the host, or of what the measured firmware goes on to start.
    identifying: ['mrtd'],
    minimum: ['tcbEvaluationDataNumber'],
    states: [
      ...['UpToDate', 'SWHardeningNeeded', 'ConfigurationNeeded', 'ConfigurationAndSWHardeningNeeded'],
      ...['OutOfDate', 'OutOfDateConfigurationNeeded', 'TDRelaunchAdvised', 'TDRelaunchAdvisedConfigurationNeeded'],
    ],
    defaultStates: ['UpToDate'],
    allow: ['sept-ve', 'migration'],
    forbid: [],
  },
  'sev-snp': {
    ...NOTHING,
    measurements: ['measurement', 'hostdata'],
    signers: ['idkeydigest', 'authorkeydigest', ...GPU_SIGNERS],
    identifying: ['measurement', 'idkeydigest', 'authorkeydigest'],
    minimum: ['fmc', 'bootloader', 'tee', 'snp', 'microcode', 'guestsvn', 'fwmajor', 'fwminor', 'fwbuild'],
    allow: ['migration', 'any-vmpl'],
    forbid: ['smt', 'vlek', 'unchecked-aliases', 'unchecked-revocation'],
  },
  nitro: {
    ...NOTHING,
    measurements: NITRO_PCRS,
    // PCR1 is a kernel that many images share, PCR2 an application under any kernel: the whole image is PCR0, its signer PCR8.
    identifying: ['pcr0', 'pcr8'],
  },
  'azure-vtpm': {
    ...NOTHING,
    measurements: [...TPM_PCRS, 'mrtd', 'measurement'],
    signers: ['idkeydigest', ...GPU_SIGNERS],
    // What a guest can reset at will identifies nothing.
    identifying: TPM_PCRS.slice(0, 16),
    // Anybody's program on genuine hardware can play a TPM: only the measured paravisor is one.
    vouching: ['mrtd', 'measurement', 'idkeydigest'],
    minimum: [
      ...['tcbEvaluationDataNumber', 'fmc', 'bootloader', 'tee', 'snp', 'microcode', 'guestsvn'],
      ...['fwmajor', 'fwminor', 'fwbuild'],
    ],
    states: [
      ...['UpToDate', 'SWHardeningNeeded', 'ConfigurationNeeded', 'ConfigurationAndSWHardeningNeeded'],
      ...['OutOfDate', 'OutOfDateConfigurationNeeded'],
    ],
    defaultStates: ['UpToDate'],
    allow: ['sept-ve', 'migration'],
    forbid: ['smt', 'vlek', 'unchecked-aliases', 'unchecked-revocation'],
  },
  'confidential-space': {
    ...NOTHING,
    signers: [
      ...['image_digest', 'image_signature_key', 'project_id', 'service_account', 'audience', 'token_key', 'token_ca'],
      ...GPU_SIGNERS,
    ],
    identifying: ['image_digest', 'image_signature_key'],
    minimum: ['swversion'],
    states: ['LATEST', 'STABLE', 'USABLE'],
    defaultStates: ['STABLE'],
    allow: ['sev', 'sev-es', 'cmd-override', 'env-override'],
  },
  maa: {
    ...NOTHING,
    measurements: [...TPM_PCRS, 'mrtd', 'rtmr0', 'rtmr1', 'rtmr2', 'rtmr3', 'measurement', 'hostdata'],
    signers: ['token_key', 'token_ca', 'issuer', 'policy_hash', ...GPU_SIGNERS],
    identifying: [...TPM_PCRS.slice(0, 16), 'hostdata'],
    minimum: ['bootloader', 'tee', 'snp', 'microcode', 'guestsvn'],
    states: TDX_STATES,
    defaultStates: ['UpToDate'],
    allow: ['migration'],
  },
}

/** Whether evidence of that kind is about a processor, as against a GPU beside it. */
export function isTeeKind(kind: EvidenceKind): kind is TeeKind {
  return (TEE_KINDS as readonly EvidenceKind[]).includes(kind)
}
