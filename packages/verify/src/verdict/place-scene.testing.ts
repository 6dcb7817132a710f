/** The scene of an answer whose place gave evidence: a machine that never was, with a PKI of its own. */
import type { AppraisalInput, TrustedRoots } from '../attestation/appraised.ts'
import { countersignReportData } from '../attestation/binding/countersign.ts'
import { type CollateralItem, formatCollateral } from '../attestation/collateral.ts'
import { type EvidenceItem, formatEvidence } from '../attestation/evidence-file.ts'
import {
  makeNitroDocument,
  type NitroChanges,
  nitroInput,
  nitroItem,
} from '../attestation/nitro/nitro-evidence.testing.ts'
import type { ProfileName } from '../attestation/profile-names.ts'
import {
  MEASUREMENT,
  AT as SNP_AT,
  type SnpOptions,
  snpEvidence,
} from '../attestation/sev-snp/sev-snp-evidence.testing.ts'
import { createTestKey, issue } from '../attestation/x509/pki.testing.ts'
import { toBase64 } from '../bytes/base64.ts'
import { concat, toHex, utf8 } from '../bytes/bytes.ts'
import type { Json } from '../bytes/json.ts'
import { createNobleCrypto } from '../crypto/noble-provider.ts'
import { COLLATERAL_MEDIA_TYPE, EVIDENCE_MEDIA_TYPE } from '../dossier/dossier.ts'
import { jsonBytes, NOW_MS, type StatementSigner, statementSigner } from '../fixture.testing.ts'
import { buildScene, type Scene, type SceneOptions, sceneDossier } from '../scene.testing.ts'
import { type AppraisalPredicate, appraisalStatement } from '../statement/appraisal.ts'
import type { InferencePredicate } from '../statement/inference.ts'
import type { ServedUpstream } from '../statement/routing.ts'
import { formatStatement, statementDigest } from '../statement/statement.ts'
import { upstreamScene } from './upstream-cases.testing.ts'

const crypto = createNobleCrypto()

/** When the place was asked for evidence, and when that was appraised. */
export const GATHERED_MS = NOW_MS - 60_000
export const NONCE = crypto.sha256(utf8('test challenge'))

/** A policy that sound evidence of the scene meets. */
export const PLACE_POLICY = { tee: 'sev-snp', profile: 'countersign', measurements: { measurement: [MEASUREMENT] } }
/** One that it does not meet. */
export const OTHER_POLICY = { ...PLACE_POLICY, measurements: { measurement: ['00'.repeat(48)] } }

export interface PlaceOptions {
  /** The key that the evidence binds, and the challenge; by default the operator's, and one. */
  readonly signer?: StatementSigner
  readonly nonce?: Uint8Array
  readonly snp?: SnpOptions
  /** Evidence of Nitro instead. */
  readonly nitro?: NitroChanges
  /** The manifest's policy; `null` for none. */
  readonly policy?: Json
  /** What the appraisal says, but for what is there; of files, `null` names none. */
  readonly logged?: Partial<AppraisalPredicate>
  readonly isUnavailable?: boolean
  readonly loggedBy?: StatementSigner
  /** Whether the answer names the appraisal. */
  readonly isNamed?: boolean
  /** Whether the answer came through an upstream whose key of connections is bound, instead of the gateway's own models. */
  readonly isUpstream?: boolean
  /** An upstream of this name answers instead, with the evidence of the gateway itself. */
  readonly upstreamCalled?: string
  /** SHA-256 of the key that signs the upstream's answers, where its evidence binds one. */
  readonly signing?: Uint8Array
  readonly attempt?: Partial<InferencePredicate['attempts'][number]>
  readonly predicate?: Partial<InferencePredicate>
  readonly openings?: SceneOptions['openings']
}

export interface PlaceScene {
  readonly scene: Scene
  readonly roots: TrustedRoots
  readonly evidence: Uint8Array
  readonly collateral: Uint8Array
  readonly appraisal: string
}

/** The certificate of the upstream, and another one with another key. */
const [TLS_KEY, OTHER_TLS_KEY] = [createTestKey('p256', 'tls'), createTestKey('p256', 'other tls')]
const certify = (key: typeof TLS_KEY) => issue({ subject: 'api.example.org', issuer: 'CA', key, signer: key })
export const TLS_CERTIFICATE = certify(TLS_KEY)
export const OTHER_TLS_CERTIFICATE = certify(OTHER_TLS_KEY)
export const sha256Hex = (bytes: Uint8Array) => toHex(crypto.sha256(bytes))

/** Plays the scene; the same options give the same bytes. */
export function buildPlaceScene(options: PlaceOptions = {}): PlaceScene {
  const { item, input, profile, beside, nonce } = options.nitro === undefined ? snpPlace(options) : nitroPlace(options)
  const evidence = jsonBytes(formatEvidence({ profile, items: [item], nonce, beside }))
  const collateral = jsonBytes(formatCollateral(input.collateral))
  const policy = options.policy === undefined ? defaultPolicy(options, profile) : options.policy
  const statement = appraisalStatement(crypto, loggedOf(options, policy, evidence, collateral))
  const appraisal = statementDigest(crypto, formatStatement(statement))
  const scene = buildScene({
    ...playedOptions(options, policy, appraisal),
    ...(options.openings === undefined ? {} : { openings: options.openings }),
    earlier: [statement],
    ...(options.loggedBy === undefined ? {} : { earlierSigner: options.loggedBy }),
  })
  return { scene, roots: input.roots ?? none(), evidence, collateral, appraisal }
}

interface Gathered {
  readonly item: EvidenceItem
  readonly input: Pick<AppraisalInput, 'collateral' | 'roots'>
  readonly profile: ProfileName
  readonly beside: { readonly [name: string]: Json }
  readonly nonce: Uint8Array
}

function snpPlace({ isUpstream = false, nonce = NONCE, signer, snp }: PlaceOptions): Gathered {
  const { spki } = signer ?? statementSigner('operator')
  const bound = isUpstream
    ? concat(crypto.sha256(TLS_KEY.spki), crypto.sha256(utf8('test hpke key')))
    : countersignReportData(crypto, spki, nonce)
  const edit = (report: Uint8Array) => {
    report.set(bound, SNP_AT.reportData)
    snp?.edit?.(report)
  }
  const { item, input } = snpEvidence({ ...snp, edit })
  if (isUpstream) return { item, input, profile: 'tinfoil', beside: {}, nonce: EMPTY }
  return { item, input, profile: 'countersign', beside: { signingKey: toBase64(spki) }, nonce }
}

const HOUR_MS = 3_600_000

function nitroPlace({ isUpstream = false, nonce = NONCE, signer, nitro, signing }: PlaceOptions): Gathered {
  const { spki } = signer ?? statementSigner('operator')
  const prefix = new Uint8Array(2)
  const signingKey = signing ?? concat(utf8('no key'), new Uint8Array(26))
  const fields = isUpstream
    ? { user_data: concat(prefix, crypto.sha256(TLS_CERTIFICATE), prefix, signingKey), public_key: undefined }
    : { public_key: spki }
  const chain = { leaf: { notBeforeMs: GATHERED_MS - HOUR_MS, notAfterMs: GATHERED_MS + 2 * HOUR_MS } }
  const content = makeNitroDocument({
    ...nitro,
    chain: { ...chain, ...nitro?.chain },
    fields: { timestamp: GATHERED_MS, nonce, ...fields, ...nitro?.fields },
  })
  const profile = isUpstream ? 'opengradient' : 'countersign'
  const beside: { readonly [name: string]: Json } = isUpstream ? {} : { signingKey: toBase64(spki) }
  return { item: nitroItem(content), input: nitroInput(), profile, beside, nonce }
}

const EMPTY = new Uint8Array(0)

function none(): never {
  throw new Error('the evidence has no roots of its own')
}

function defaultPolicy({ nitro, isUpstream }: PlaceOptions, profile: ProfileName): Json {
  if (nitro !== undefined) return { tee: 'nitro', profile, measurements: { pcr0: ['10'.repeat(48)] } }
  return isUpstream === true ? { ...PLACE_POLICY, profile, allow: ['no-freshness'] } : PLACE_POLICY
}

function loggedOf(
  { isUpstream = false, isUnavailable = false, logged }: PlaceOptions,
  policy: Json,
  evidence: Uint8Array,
  collateral: Uint8Array,
): AppraisalPredicate {
  const files = { evidence: sha256Hex(evidence), collateral: sha256Hex(collateral) }
  return {
    place: isUpstream ? UPSTREAM_PLACE : { name: 'gateway', origin: 'embedded' },
    policy: policy ?? PLACE_POLICY,
    profile: isUpstream ? 'tinfoil' : 'countersign',
    outcome: isUnavailable ? 'unavailable' : 'accepted',
    facts: [{ name: 'genuine-hardware', status: 'shown' }],
    keys: [],
    freshness: isUpstream ? 'none' : 'nonce',
    ...(isUnavailable ? {} : files),
    ...(isUpstream ? { tlsCertificate: toBase64(TLS_CERTIFICATE) } : {}),
    failed: [],
    gatheredAtMs: GATHERED_MS,
    appraisedAtMs: GATHERED_MS + 5,
    validUntilMs: NOW_MS + 3_600_000,
    ...logged,
  }
}

const UPSTREAM_PLACE = { name: 'provider', origin: 'https://api.example.org' }

function playedOptions(options: PlaceOptions, policy: Json, appraisal: string) {
  const named = options.isNamed === false ? {} : { appraisal }
  const place = policy === null ? {} : { place: { policy, onFailure: 'flag' as const } }
  const { isUpstream, upstreamCalled: name = UPSTREAM_PLACE.name } = options
  if (isUpstream !== true && options.upstreamCalled === undefined) {
    const attempts = [{ ...OWN_ATTEMPT, ...options.attempt }]
    return { predicate: { ...named, attempts, ...options.predicate }, deployment: place }
  }
  const upstream: ServedUpstream = {
    ...UPSTREAM_PLACE,
    name,
    kind: 'openai',
    model: 'large-1',
    weight: 1,
    rank: 0,
    ...place,
  }
  const attempts = [
    {
      ...OWN_ATTEMPT,
      upstream: name,
      model: 'large-1',
      tlsCertificate: sha256Hex(TLS_CERTIFICATE),
      ...options.attempt,
    },
  ]
  const base = upstreamScene({ ...named, attempts, ...options.predicate })
  return { ...base, deployment: { ...base.deployment, upstreams: [upstream] } }
}

const OWN_ATTEMPT: InferencePredicate['attempts'][number] = {
  ...{ upstream: 'onnxruntime-node', outcome: 'answered', startedAtMs: NOW_MS, endedAtMs: NOW_MS + 2 },
}

/** The dossier of the answer, with the files that the appraisal names, or fewer. */
export function placeDossier(
  { scene, evidence, collateral }: PlaceScene,
  {
    files = ['evidence', 'collateral'],
    checkpoint,
  }: { readonly files?: readonly string[]; readonly checkpoint?: string } = {},
): Json {
  const size = scene.log.size
  const dossier = sceneDossier(scene, checkpoint ?? scene.log.checkpoint(size), size) as {
    readonly [name: string]: Json
  }
  const all = [
    { mediaType: EVIDENCE_MEDIA_TYPE, content: toBase64(evidence), is: 'evidence' },
    { mediaType: COLLATERAL_MEDIA_TYPE, content: toBase64(collateral), is: 'collateral' },
  ]
  return { ...dossier, evidence: all.filter(({ is }) => files.includes(is)).map(({ is: _, ...file }) => file) }
}

/** A bundle of other items. */
export function collateralOf(items: readonly CollateralItem[]): Json {
  return formatCollateral({ items })
}
