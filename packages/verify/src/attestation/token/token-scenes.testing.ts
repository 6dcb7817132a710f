/** Tokens that hold under a policy, and what each test changes of them. */
import { utf8 } from '../../bytes/bytes.ts'
import type { Json } from '../../bytes/json.ts'
import { createMemory } from '../../bytes/memory.ts'
import type { AppraisalInput, Appraised } from '../appraised.ts'
import type { EvidenceItem } from '../evidence-file.ts'
import type { SweptEvidence } from '../sweep.testing.ts'
import { appraiseConfidentialSpace } from './appraise-confidential-space.ts'
import { appraiseMaa } from './appraise-maa.ts'
import { type ClaimChanges, keySet, signToken, testInput, testPolicy, testTokenKey } from './token.testing.ts'

export const ISSUED_MS = Date.UTC(2026, 2, 1, 12)
const ISSUED = ISSUED_MS / 1000
const IMAGE = `sha256:${'1a'.repeat(32)}`
export const NONCE = Uint8Array.from({ length: 32 }, (_, i) => i + 1)
const NONCE_TEXT = '0102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f20'

export const TOKEN_KEY = testTokenKey('RS256', 'service-key-1')
export const OTHER_KEY = testTokenKey('RS256', 'service-key-2')

/** Evidence with everything that it is appraised by. */
export interface TokenScene {
  readonly claims?: ClaimChanges
  readonly policy?: { readonly [name: string]: Json } | undefined
  readonly input?: Partial<AppraisalInput>
  /** The token, where it is not simply signed over the claims. */
  readonly token?: string
}

const CONTAINER = {
  image_reference: `registry.example/answers@${IMAGE}`,
  image_digest: IMAGE,
  restart_policy: 'Never',
  image_id: `sha256:${'2b'.repeat(32)}`,
  env: { PATH: '/bin', MULTILINE: 'a\nb' },
  args: ['/serve'],
  image_signatures: [{ key_id: 'aa11', signature: 'c2ln', signature_algorithm: 'ECDSA_P256_SHA256' }],
}

export const CONFIDENTIAL_SPACE_CLAIMS = {
  aud: 'https://verifier.example',
  iss: 'https://confidentialcomputing.googleapis.com',
  sub: 'https://www.googleapis.com/compute/v1/projects/answers/zones/europe-west4-a/instances/one',
  iat: ISSUED,
  nbf: ISSUED,
  exp: ISSUED + 3600,
  eat_nonce: NONCE_TEXT,
  secboot: true,
  oemid: 11129,
  hwmodel: 'GCP_INTEL_TDX',
  swname: 'CONFIDENTIAL_SPACE',
  swversion: ['250300'],
  attester_tcb: ['INTEL'],
  dbgstat: 'disabled-since-boot',
  google_service_accounts: ['serve@answers.iam.gserviceaccount.com'],
  submods: {
    confidential_space: { support_attributes: ['LATEST', 'STABLE', 'USABLE'] },
    container: CONTAINER,
    gce: { project_id: 'answers', project_number: '1', zone: 'europe-west4-a', instance_id: '7', instance_name: 'one' },
  },
} satisfies Json

export const CONFIDENTIAL_SPACE_POLICY = {
  tee: 'confidential-space',
  profile: 'confidential-space',
  signers: {
    token_key: [TOKEN_KEY.thumbprint],
    image_digest: [IMAGE],
    image_signature_key: ['aa11'],
    project_id: ['answers'],
    service_account: ['serve@answers.iam.gserviceaccount.com'],
    audience: ['https://verifier.example'],
  },
  minimum: { swversion: 250100 },
} satisfies Json

/** The claims with the container's, and the machine's, changed. */
export function containerClaims(changes: ClaimChanges): ClaimChanges {
  return { submods: { ...CONFIDENTIAL_SPACE_CLAIMS.submods, container: merged(CONTAINER, changes) } }
}

export function submoduleClaims(changes: ClaimChanges): ClaimChanges {
  return { submods: merged(CONFIDENTIAL_SPACE_CLAIMS.submods, changes) }
}

const MEASUREMENT = '3c'.repeat(48)
const HOST_DATA = '4d'.repeat(32)
const MAA_ISSUER = 'https://shared.eus2.attest.azure.net'

const SNP_HARDWARE = {
  'x-ms-attestation-type': 'sevsnpvm',
  'x-ms-compliance-status': 'azure-compliant-uvm',
  'x-ms-sevsnpvm-bootloader-svn': 4,
  'x-ms-sevsnpvm-chipid': '5e'.repeat(64),
  'x-ms-sevsnpvm-guestsvn': 2,
  'x-ms-sevsnpvm-hostdata': HOST_DATA,
  'x-ms-sevsnpvm-is-debuggable': false,
  'x-ms-sevsnpvm-launchmeasurement': MEASUREMENT,
  'x-ms-sevsnpvm-microcode-svn': 210,
  'x-ms-sevsnpvm-migration-allowed': false,
  'x-ms-sevsnpvm-reportdata': '6f'.repeat(64),
  'x-ms-sevsnpvm-snpfw-svn': 24,
  'x-ms-sevsnpvm-tee-svn': 0,
}

const TDX_HARDWARE = {
  'x-ms-attestation-type': 'tdxvm',
  'x-ms-compliance-status': 'azure-compliant-cvm',
  attester_tcb_status: 'UpToDate',
  dbgstat: 'disabled',
  tdx_mrtd: MEASUREMENT,
  tdx_report_data: '6f'.repeat(64),
  tdx_rtmr0: '00'.repeat(48),
  tdx_td_attributes: '0000001000000000',
  tdx_td_attributes_debug: false,
}

const MAA_TIMES = { iat: ISSUED, nbf: ISSUED, exp: ISSUED + 28_800 }
const MAA_HEAD = { iss: MAA_ISSUER, ...MAA_TIMES, 'x-ms-ver': '1.0', 'x-ms-policy-hash': 'policy-1' }

/** A container group, whose policy is in the host data. */
const MAA_SNP_CLAIMS = { ...MAA_HEAD, ...SNP_HARDWARE, nonce: NONCE_TEXT }

/** A VM on TDX, whose guest had its PCR values attested. */
const MAA_VM_CLAIMS = {
  ...MAA_HEAD,
  secureboot: true,
  'x-ms-attestation-type': 'azurevm',
  'x-ms-azurevm-kerneldebug-enabled': false,
  'x-ms-azurevm-attested-pcr-values': { pcr4: 'BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc=' },
  'x-ms-isolation-tee': TDX_HARDWARE,
  'x-ms-runtime': { 'client-payload': { nonce: Buffer.from(NONCE_TEXT).toString('base64') } },
}

export const MAA_POLICY = {
  tee: 'maa',
  signers: { token_key: [TOKEN_KEY.thumbprint], issuer: [MAA_ISSUER], policy_hash: ['policy-1'] },
  measurements: { hostdata: [HOST_DATA], measurement: [MEASUREMENT] },
  minimum: { snp: 24, microcode: 200 },
} satisfies Json

export const MAA_VM_POLICY = {
  tee: 'maa',
  signers: { token_key: [TOKEN_KEY.thumbprint], issuer: [MAA_ISSUER] },
  measurements: { pcr4: ['07'.repeat(32)], mrtd: [MEASUREMENT] },
} satisfies Json

/** The claims of a VM with those about its hardware changed. */
export function vmHardware(changes: ClaimChanges): ClaimChanges {
  return { 'x-ms-isolation-tee': merged(TDX_HARDWARE, changes) }
}

const KINDS = {
  'confidential-space': {
    appraise: appraiseConfidentialSpace,
    claims: CONFIDENTIAL_SPACE_CLAIMS,
    policy: CONFIDENTIAL_SPACE_POLICY,
  },
  maa: { appraise: appraiseMaa, claims: MAA_SNP_CLAIMS, policy: MAA_POLICY },
  'maa-vm': { appraise: appraiseMaa, claims: MAA_VM_CLAIMS, policy: MAA_VM_POLICY },
} as const
export type SceneKind = keyof typeof KINDS

/** Evidence of that kind, and what it is appraised by: all is well, but for what the scene changes. */
export function tokenEvidence(
  kind: SceneKind,
  scene: TokenScene = {},
): { readonly item: EvidenceItem; readonly input: AppraisalInput } {
  const { claims, policy } = KINDS[kind]
  const token = scene.token ?? signToken(TOKEN_KEY, merged(claims, scene.claims ?? {}))
  const chosen = 'policy' in scene ? scene.policy : policy
  return {
    item: { kind: kind === 'maa-vm' ? 'maa' : kind, content: utf8(token) },
    input: testInput({
      atMs: ISSUED_MS + 60_000,
      collateral: keySet(TOKEN_KEY, OTHER_KEY),
      policy: chosen === undefined ? undefined : testPolicy(chosen),
      nonce: NONCE,
      ...scene.input,
    }),
  }
}

export function appraiseScene(kind: SceneKind, scene: TokenScene = {}): Appraised {
  const { item, input } = tokenEvidence(kind, scene)
  return KINDS[kind].appraise(item, input)
}

/** Every byte of a token is signed. */
export function sweepCases(): readonly SweptEvidence[] {
  return (Object.keys(KINDS) as SceneKind[]).map((name) => {
    const { item, input } = tokenEvidence(name)
    const toItem = (content: Uint8Array) => ({ ...item, content })
    return { name, bytes: item.content, toItem, input: { ...input, memory: createMemory() }, unsigned: [] }
  })
}

/** `undefined` takes a claim away. */
export function merged(claims: ClaimChanges, changes: ClaimChanges): { readonly [name: string]: Json } {
  const all = Object.entries({ ...claims, ...changes })
  return Object.fromEntries(all.filter((entry): entry is [string, Json] => entry[1] !== undefined))
}
