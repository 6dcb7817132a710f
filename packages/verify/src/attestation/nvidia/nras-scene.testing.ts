/** Answers of NVIDIA's service that hold under a policy, signed by keys of our own, and what each test changes of them. */
import { createHash } from 'node:crypto'
import { parseUtf8, utf8 } from '../../bytes/bytes.ts'
import type { Json } from '../../bytes/json.ts'
import { createMemory } from '../../bytes/memory.ts'
import { jsonBytes } from '../../fixture.testing.ts'
import type { AppraisalInput, Appraised } from '../appraised.ts'
import type { EvidenceItem } from '../evidence-file.ts'
import type { SweptEvidence } from '../sweep.testing.ts'
import {
  type ClaimChanges,
  keySet,
  signToken,
  testInput,
  testPolicy,
  testTokenKey,
  x5cOf,
} from '../token/token.testing.ts'
import { merged } from '../token/token-scenes.testing.ts'
import { createTestKey, issueChain, pinOf } from '../x509/pki.testing.ts'
import { appraiseNvidiaNras } from './appraise-nvidia-nras.ts'
import { unsignedRegions } from './detached-eat.ts'

export const NRAS_ISSUED_MS = Date.UTC(2026, 2, 1, 12)
const ISSUED = NRAS_ISSUED_MS / 1000
const NONCE_TEXT = '0102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f20'
export const NRAS_NONCE = Uint8Array.from({ length: 32 }, (_, i) => i + 1)

export const NRAS_KEY = testTokenKey('ES384', 'nv-eat-kid-test-1')
export const OTHER_NRAS_KEY = testTokenKey('ES384', 'nv-eat-kid-test-2')

export const NRAS_POLICY = {
  tee: 'tdx',
  measurements: { mrtd: ['00'.repeat(48)] },
  signers: { nras_key: [NRAS_KEY.thumbprint] },
  gpus: 2,
} satisfies Json

const COMMON = {
  iss: 'https://nras.attestation.nvidia.com',
  iat: ISSUED,
  nbf: ISSUED,
  exp: ISSUED + 3600,
  eat_nonce: NONCE_TEXT,
}

const CHAIN = {
  'x-nvidia-cert-status': 'valid',
  'x-nvidia-cert-ocsp-status': 'good',
  'x-nvidia-cert-expiration-date': '9999-12-31T23:59:59Z',
  'x-nvidia-cert-revocation-reason': null,
}

const STEPS = [
  ...['arch-check', 'attestation-report-parsed', 'attestation-report-nonce-match'],
  ...['attestation-report-signature-verified', 'driver-rim-fetched', 'driver-rim-schema-validated'],
  ...['driver-rim-signature-verified', 'driver-rim-measurements-available', 'vbios-rim-fetched'],
  ...['vbios-rim-schema-validated', 'vbios-rim-signature-verified', 'vbios-rim-measurements-available'],
  ...['vbios-index-no-conflict'],
]

const DEVICE = {
  ...COMMON,
  hwmodel: 'GH100 A01 GSP BROM',
  oemid: '5703',
  dbgstat: 'disabled',
  secboot: true,
  measres: 'success',
  'x-nvidia-gpu-driver-version': '550.90.07',
  'x-nvidia-gpu-vbios-version': '96.00.9F.00.01',
  'x-nvidia-attestation-warning': null,
  'x-nvidia-gpu-attestation-report-cert-chain': CHAIN,
  'x-nvidia-gpu-driver-rim-cert-chain': CHAIN,
  'x-nvidia-gpu-vbios-rim-cert-chain': CHAIN,
  ...Object.fromEntries(STEPS.map((step) => [`x-nvidia-gpu-${step}`, true])),
}

/** Version 2 of the claims has one word for each chain. */
export const VERSION_2: ClaimChanges = {
  'x-nvidia-gpu-attestation-report-cert-chain': undefined,
  'x-nvidia-gpu-driver-rim-cert-chain': undefined,
  'x-nvidia-gpu-vbios-rim-cert-chain': undefined,
  'x-nvidia-gpu-attestation-report-cert-chain-validated': true,
  'x-nvidia-gpu-driver-rim-cert-validated': true,
  'x-nvidia-gpu-vbios-rim-cert-validated': true,
}

export function chainClaims(changes: ClaimChanges): ClaimChanges {
  return { 'x-nvidia-gpu-vbios-rim-cert-chain': merged(CHAIN, changes) }
}

export interface NrasScene {
  /** Of the token about all. */
  readonly overall?: ClaimChanges
  /** Of the token of the second GPU. */
  readonly device?: ClaimChanges
  /** Of every token. */
  readonly all?: ClaimChanges
  readonly devices?: number
  readonly key?: typeof NRAS_KEY
  readonly deviceKey?: typeof NRAS_KEY
  readonly policy?: { readonly [name: string]: Json } | undefined
  readonly input?: Partial<AppraisalInput>
  /** Changes the bundle after it was made. */
  readonly change?: (bundle: readonly Json[]) => Json
}

/** A bundle as the service would answer it. */
function bundleOf({
  overall = {},
  device = {},
  all = {},
  devices = 2,
  key = NRAS_KEY,
  ...scene
}: NrasScene): readonly Json[] {
  const tokens = Array.from({ length: devices }, (_, i) => {
    const own = { ueid: String(478176379286082186618948445787393647364802107249n + BigInt(i)) }
    const changes = i === 1 ? { ...all, ...device } : all
    return [`GPU-${i}`, signToken(scene.deviceKey ?? key, merged({ ...DEVICE, ...own }, changes), { typ: undefined })]
  })
  const digests = tokens.map(([name, token]) => [name, ['DIGEST', ['SHA-256', sha256(token ?? '')]]])
  const claims = {
    ...COMMON,
    sub: 'NVIDIA-PLATFORM-ATTESTATION',
    'x-nvidia-ver': '3.0',
    'x-nvidia-overall-att-result': true,
    submods: Object.fromEntries(digests),
  }
  return [['JWT', signToken(key, merged(claims, { ...all, ...overall }))], Object.fromEntries(tokens)]
}

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex')
}

export function nrasEvidence(scene: NrasScene = {}): { readonly item: EvidenceItem; readonly input: AppraisalInput } {
  const bundle = bundleOf(scene)
  const chosen = 'policy' in scene ? scene.policy : NRAS_POLICY
  return {
    item: { kind: 'nvidia-nras', content: jsonBytes(scene.change?.(bundle) ?? bundle) },
    input: testInput({
      atMs: NRAS_ISSUED_MS + 60_000,
      collateral: keySet(NRAS_KEY, OTHER_NRAS_KEY),
      policy: chosen === undefined ? undefined : testPolicy(chosen),
      nonce: NRAS_NONCE,
      ...scene.input,
    }),
  }
}

export function appraiseNras(scene: NrasScene = {}): Appraised {
  const { item, input } = nrasEvidence(scene)
  return appraiseNvidiaNras(item, input)
}

/** The same by the certificate of the key, which the service's own authority issued: its key set has both, without the root. */
export function certifiedNras(changes: { readonly jwk?: ClaimChanges; readonly pin?: number } = {}): NrasScene {
  const chain = issueChain(
    { subject: 'test service root', key: createTestKey('p384', 'service root') },
    { subject: 'test service intermediate', key: createTestKey('p384', 'service intermediate') },
    { subject: 'test service', key: NRAS_KEY.key },
  ).slice(0, 2)
  const jwk = merged({ ...NRAS_KEY.jwk, x5c: x5cOf(chain) }, changes.jwk ?? {})
  return {
    policy: { ...NRAS_POLICY, signers: { nras_ca: [pinOf(chain[changes.pin ?? 1] ?? new Uint8Array(0))] } },
    input: { collateral: { items: [{ kind: 'jwks', content: jsonBytes({ keys: [jwk] }) }] } },
  }
}

/** A bundle with white space, which alone is unsigned. */
export function sweepCases(): readonly SweptEvidence[] {
  const { item, input } = nrasEvidence()
  const bytes = utf8(JSON.stringify(JSON.parse(parseUtf8(item.content)), null, 1))
  const toItem = (content: Uint8Array) => ({ ...item, content })
  const swept = { name: 'nvidia-nras', bytes, toItem, input: { ...input, memory: createMemory() } }
  return [{ ...swept, unsigned: unsignedRegions(bytes) }]
}
