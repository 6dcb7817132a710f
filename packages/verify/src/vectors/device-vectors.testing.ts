/** Evidence of enclaves and GPUs, and tokens: sound, and with one thing wrong. */
import {
  makeNitroDocument,
  type NitroChanges,
  nitroInput,
  nitroItem,
  TEST_PCRS,
} from '../attestation/nitro/nitro-evidence.testing.ts'
import { type NrasScene, nrasEvidence, OTHER_NRAS_KEY, VERSION_2 } from '../attestation/nvidia/nras-scene.testing.ts'
import {
  GPU_NONCE,
  type GpuChanges,
  gpuInput,
  gpuItem,
  makeGpu,
} from '../attestation/nvidia/nvidia-evidence.testing.ts'
import { signToken } from '../attestation/token/token.testing.ts'
import {
  ISSUED_MS,
  OTHER_KEY,
  type SceneKind,
  type TokenScene,
  tokenEvidence,
} from '../attestation/token/token-scenes.testing.ts'
import { createTestKey } from '../attestation/x509/pki.testing.ts'
import { utf8 } from '../bytes/bytes.ts'
import type { ErrorCode } from '../errors.ts'
import { type Built, evidenceVector, evidenceVectors, forged, unwanted } from './evidence-vectors.testing.ts'
import type { FormatVector, FormatVectors } from './format-vector.testing.ts'

export function deviceVectors(): readonly FormatVectors[] {
  return [
    evidenceVectors('nitro', 'Documents of AWS Nitro Enclaves', nitroCases()),
    evidenceVectors('nvidia-spdm', 'Reports of NVIDIA’s GPUs', gpuCases()),
    evidenceVectors('nvidia-nras', 'Answers of NVIDIA’s service', nrasCases()),
    evidenceVectors('tokens', 'Tokens of Confidential Space and Azure Attestation', tokenCases()),
  ]
}

function nitroCases(): readonly FormatVector[] {
  const built = (changes: NitroChanges = {}, atMs?: number): Built => {
    return { item: nitroItem(makeNitroDocument(changes)), input: nitroInput(atMs === undefined ? {} : { atMs }) }
  }
  const stranger = createTestKey('p384', 'x')
  const pcrs = (changes: { readonly [index: number]: number }) =>
    new Map([...TEST_PCRS].map(([i, value]) => [i, i in changes ? value.map(() => changes[i] ?? 0) : value]))
  const { atMs } = nitroInput()
  return [
    evidenceVector('a document', built()),
    forged(
      'algorithm: another',
      built({ protectedHeader: Uint8Array.of(0xa1, 1, 0x26) }),
      'nitro/algorithm',
      'evidence/unsupported',
    ),
    forged(
      'chain: another root',
      built({ chain: { root: { serial: '02' } } }),
      'nitro/chain',
      'certificate/wrong-chain',
    ),
    forged(
      'chain: judged three hours later',
      built({}, atMs + 3 * 3_600_000),
      'nitro/chain',
      'certificate/not-current',
    ),
    forged('signature: of another key', built({ signer: stranger }), 'nitro/signature', 'signature/invalid'),
    evidenceVector('debug: the first PCRs are zero', built({ fields: { pcrs: pcrs({ 0: 0, 1: 0, 2: 0 }) } }), {
      failing: { 'nitro/debug': 'evidence/refused', 'nitro/measurements': 'evidence/refused' },
      ...{ status: 'refused', isGenuine: false, isKnownCode: false },
    }),
    evidenceVector('nonce: of another challenge', built({ fields: { nonce: utf8('old') } }), {
      ...{ failing: { 'nitro/nonce': 'evidence/mismatch' }, status: 'refused' },
    }),
    unwanted(
      'measurements: other code',
      built({ fields: { pcrs: pcrs({ 0: 9 }) } }),
      'nitro/measurements',
      'evidence/refused',
    ),
  ]
}

/** What NVIDIA compares takes its services, so that no code is known by these. */
function gpuCases(): readonly FormatVector[] {
  const built = (...gpus: readonly GpuChanges[]): Built => ({ item: gpuItem(...gpus.map(makeGpu)), input: gpuInput() })
  const stranger = createTestKey('p384', 'stranger')
  const open = { status: 'unproven', isKnownCode: false } as const
  return [
    evidenceVector('Hopper', built({}), open),
    evidenceVector('Blackwell', built({ isBlackwell: true }), open),
    evidenceVector('a GPU and a switch', built({}, { isSwitch: true, device: 1 }), open),
    forged('format: other hardware', built({ arch: 'AMPERE' }), 'nvidia-spdm/format', 'evidence/unsupported'),
    forged(
      'chain: another root',
      built({ chain: { root: { serial: '02' } } }),
      'nvidia-spdm/chain',
      'certificate/wrong-chain',
    ),
    forged('signature: of another key', built({ signer: stranger }), 'nvidia-spdm/signature', 'signature/invalid'),
    forged('distinct: one GPU twice', built({}, {}), 'nvidia-spdm/distinct', 'evidence/mismatch'),
    evidenceVector('nonce: of another challenge', built({ nonce: GPU_NONCE.map((byte) => byte ^ 1) }), {
      ...{ failing: { 'nvidia-spdm/nonce': 'evidence/mismatch' }, status: 'refused', isKnownCode: false },
    }),
  ]
}

/** GPUs alone are no place: the policy is that of a processor beside them, which is not there. */
function nrasCases(): readonly FormatVector[] {
  const alone = { 'place/tee': 'evidence/refused' } as const
  const holds = (name: string, scene: NrasScene) =>
    evidenceVector(name, nrasEvidence(scene), { failing: alone, status: 'refused' })
  const wrong = (name: string, scene: NrasScene, check: string, code: ErrorCode) =>
    evidenceVector(name, nrasEvidence(scene), {
      ...{ failing: { ...alone, [`nvidia-nras/${check}`]: code, 'place/gpus': 'evidence/refused' }, status: 'refused' },
      ...{ isGenuine: false, isKnownCode: false },
    })
  return [
    holds('version 3 of the claims', {}),
    holds('version 2 of the claims', { device: VERSION_2, overall: { 'x-nvidia-ver': '2.0' } }),
    wrong('token-key: not pinned', { key: OTHER_NRAS_KEY }, 'token-key', 'signature/unknown-key'),
    wrong('same-nonce: two challenges', { device: { eat_nonce: '00'.repeat(32) } }, 'same-nonce', 'evidence/mismatch'),
    wrong(
      'distinct-devices: one twice',
      { device: { ueid: '478176379286082186618948445787393647364802107249' } },
      'distinct-devices',
      'evidence/mismatch',
    ),
    wrong('debug: firmware for debugging', { device: { dbgstat: 'enabled' } }, 'debug', 'evidence/refused'),
    wrong('measurements: not NVIDIA’s', { device: { measres: 'fail' } }, 'measurements', 'evidence/refused'),
  ]
}

function tokenCases(): readonly FormatVector[] {
  const wrong = (
    make: typeof forged,
    kind: SceneKind,
    name: string,
    scene: TokenScene,
    check: string,
    code: ErrorCode,
  ) => {
    const built = tokenEvidence(kind, scene)
    return make(`${built.item.kind}, ${check}: ${name}`, built, `${built.item.kind}/${check}`, code)
  }
  const space = 'confidential-space'
  const foreign = signToken(OTHER_KEY, { iss: 'https://confidentialcomputing.googleapis.com' })
  const late = { input: { atMs: ISSUED_MS + 3_600_000 } }
  return [
    evidenceVector('Confidential Space', withProfile(tokenEvidence(space))),
    evidenceVector('Azure Attestation, SEV-SNP', tokenEvidence('maa')),
    evidenceVector('Azure Attestation, a VM on TDX', tokenEvidence('maa-vm')),
    wrong(
      forged,
      'maa',
      'a debugged guest',
      { claims: { 'x-ms-sevsnpvm-is-debuggable': true } },
      'debug',
      'evidence/refused',
    ),
    wrong(
      unwanted,
      'maa',
      'other code',
      { claims: { 'x-ms-sevsnpvm-hostdata': '00'.repeat(32) } },
      'measurements',
      'evidence/refused',
    ),
    wrong(forged, 'maa', 'late', { input: { atMs: ISSUED_MS + 28_800_000 } }, 'validity', 'collateral/not-current'),
    spaceCase('token-key: not pinned', { token: foreign }, 'token-key', 'signature/unknown-key'),
    spaceCase('debug: a debug image', { claims: { dbgstat: 'enabled' } }, 'debug', 'evidence/refused'),
    spaceCase('validity: the second at which it expires', late, 'validity', 'collateral/not-current'),
  ]

  function spaceCase(name: string, scene: TokenScene, check: string, code: ErrorCode): FormatVector {
    return forged(`${space}, ${name}`, withProfile(tokenEvidence(space, scene)), `${space}/${check}`, code)
  }
}

/** Here keys are not bound; the policy of the scene asks for it. */
function withProfile({ item, input }: Built): Built {
  const { policy } = input
  return { item, input: { ...input, policy: policy && { ...policy, profile: 'none' } } }
}
