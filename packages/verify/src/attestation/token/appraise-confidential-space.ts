/**
 * Google Confidential Space: a token in which Google's verifier says which container runs on a machine that it looked at. It
 * is Google's word, signed by a key that a policy has to pin; the hardware's own evidence is not in it.
 *
 * Every byte of the token is signed, or part of the signature.
 *
 * @spec https://cloud.google.com/confidential-computing/confidential-space/docs/reference/token-claims
 */
import { utf8 } from '../../bytes/bytes.ts'
import type { Json } from '../../bytes/json.ts'
import { Fields } from '../../bytes/shape.ts'
import { CountersignError, quote } from '../../errors.ts'
import type { AppraisalInput, Appraised } from '../appraised.ts'
import { EvidenceChecks } from '../checks.ts'
import type { EvidenceItem } from '../evidence-file.ts'
import { CONFIDENTIAL_SPACE_ISSUER } from '../issuers.ts'
import type { PlacePolicy } from '../place-policy.ts'
import { refused } from '../refusals.ts'
import { tierOf } from '../trust-tier.ts'
import { hasFailed, openToken, type SignedToken, TOKEN_CHECKS, timesShown } from './open-token.ts'
import {
  checkListed,
  checkNonce,
  memberOf,
  NO_POLICY,
  objectOf,
  requireClaim,
  shownClaims,
  textsOf,
} from './token-claims.ts'

/** What Google makes of the machine. */
const GENUINE_CHECKS = ['debug', 'secure-boot', 'software', 'hardware'] as const

/** What a policy makes of the code and who runs it. */
const POLICY_CHECKS = [
  'memory-integrity',
  'support',
  'software-version',
  'image-digest',
  'image-signature',
  'overrides',
  'project',
  'service-account',
  'audience',
] as const

export const CONFIDENTIAL_SPACE_CHECKS = [...TOKEN_CHECKS, 'nonce', ...GENUINE_CHECKS, ...POLICY_CHECKS] as const
type Checks = EvidenceChecks<(typeof CONFIDENTIAL_SPACE_CHECKS)[number]>

/** The number of Google among makers of hardware. */
const GOOGLE = 11129

/** Machines, and the word of a policy that allows one whose memory is encrypted and not protected from changes. */
const HARDWARE: { readonly [model: string]: string | undefined } = {
  GCP_INTEL_TDX: undefined,
  GCP_AMD_SEV: 'sev',
  GCP_AMD_SEV_ES: 'sev-es',
}

/** Longest list or object that an override may be. */
const MAX_OVERRIDES = 1024

const SHOWN_CLAIMS = [
  ...['iss', 'aud', 'sub', 'iat', 'nbf', 'exp', 'hwmodel', 'oemid', 'swname', 'swversion', 'dbgstat', 'secboot'],
  ...['google_service_accounts', 'attester_tcb'],
]
const SHOWN_OF_CONTAINER = [
  ...['image_reference', 'image_digest', 'image_id', 'restart_policy', 'args', 'cmd_override', 'env_override'],
]
const SHOWN_OF_MACHINE = ['project_id', 'project_number', 'zone', 'instance_id', 'instance_name']

/** What the token says, where Google's key signed it. See {@link CONFIDENTIAL_SPACE_CHECKS} for what is checked. */
export function appraiseConfidentialSpace({ content }: EvidenceItem, input: AppraisalInput): Appraised {
  const list: Checks = new EvidenceChecks('confidential-space', CONFIDENTIAL_SPACE_CHECKS)
  const token = openToken(list, content, input, ['RS256'], (claims) =>
    list.attempt('issuer', () => requireIssuer(claims)),
  )
  const weaknesses = token === undefined ? [] : checkClaims(list, token.claims, input)
  const isGenuine = list.passed(...TOKEN_CHECKS, ...GENUINE_CHECKS)
  const isKnownCode =
    isGenuine &&
    token?.isVouched === true &&
    (list.passed('image-digest') || list.passed('image-signature')) &&
    list.passed('memory-integrity', 'support', 'overrides') &&
    !hasFailed(list, ...POLICY_CHECKS)
  return {
    kind: 'confidential-space',
    checks: list.list(),
    isGenuine,
    isKnownCode,
    ...partsShown(token),
    ...timesShown(token),
    deviceIds: [],
    answersNonce: token?.isVouched === true && list.passed('nonce'),
    tier: tierOf(list.list(), isKnownCode, weaknesses.length > 0),
    notes: weaknesses,
  }
}

function requireIssuer(claims: Fields): void {
  const issuer = claims.text('iss')
  if (issuer === CONFIDENTIAL_SPACE_ISSUER) return
  throw new CountersignError(
    'evidence/unsupported',
    `the token is of ${quote(issuer)}, not ${CONFIDENTIAL_SPACE_ISSUER}`,
  )
}

/** Everything that the claims say; the weaknesses among it that the policy allows, as sentences. */
function checkClaims(list: Checks, claims: Fields, input: AppraisalInput): readonly string[] {
  const { policy, nonce } = input
  checkNonce(list, () => textsOf(claims, 'eat_nonce'), nonce)
  list.attempt('debug', () => requireClaim(claims, 'dbgstat', 'disabled-since-boot'))
  list.attempt('secure-boot', () => requireClaim(claims, 'secboot', true))
  list.attempt('software', () => requireClaim(claims, 'swname', 'CONFIDENTIAL_SPACE'))
  const model = list.attempt('hardware', () => hardwareOf(claims))
  const weaknesses = [
    ...(model === undefined ? [] : checkIntegrity(list, model, policy)),
    ...checkOverrides(list, claims, policy),
  ]
  checkSupport(list, claims, policy)
  checkVersion(list, claims, policy)
  checkListed(list, 'image-digest', policy, 'image_digest', () => [containerOf(claims).text('image_digest')])
  checkImageSignature(list, claims, policy)
  checkListed(list, 'project', policy, 'project_id', () => [machineOf(claims).text('project_id')])
  checkListed(list, 'service-account', policy, 'service_account', () => textsOf(claims, 'google_service_accounts'))
  checkListed(list, 'audience', policy, 'audience', () => textsOf(claims, 'aud'))
  return weaknesses
}

function hardwareOf(claims: Fields): string {
  requireClaim(claims, 'oemid', GOOGLE)
  const model = claims.text('hwmodel')
  if (Object.hasOwn(HARDWARE, model)) return model
  throw new CountersignError(
    'evidence/unsupported',
    `${quote(model)} is no machine that keeps its memory from its host`,
  )
}

function checkIntegrity(list: Checks, model: string, policy: PlacePolicy | undefined): readonly string[] {
  const word = HARDWARE[model]
  if (word !== undefined && policy === undefined) {
    list.notChecked('memory-integrity', NO_POLICY)
    return []
  }
  list.attempt('memory-integrity', () => {
    if (word === undefined || policy?.allow.includes(word)) return
    throw refused(`${model} encrypts memory and does not keep its host from changing it; a policy may allow ${word}`)
  })
  return word === undefined ? [] : [`${model}: the host can change memory unseen, which the policy allows`]
}

/** A command line or environment that the operator chose makes another program of the same image. */
function checkOverrides(list: Checks, claims: Fields, policy: PlacePolicy | undefined): readonly string[] {
  if (policy === undefined) {
    list.notChecked('overrides', NO_POLICY)
    return []
  }
  const found = list.attempt('overrides', () => {
    const container = containerOf(claims)
    const overrides = [
      ...(sizeOf(container, 'cmd_override') > 0 ? ['cmd-override'] : []),
      ...(sizeOf(container, 'env_override') > 0 ? ['env-override'] : []),
    ]
    const other = overrides.find((word) => !policy.allow.includes(word))
    if (other !== undefined) throw refused(`the operator changed how the image runs; a policy may allow ${other}`)
    return overrides
  })
  return (found ?? []).map((word) => `${word}: the operator changed how the image runs, which the policy allows`)
}

/** Members of a list or object; none where it is missing. */
function sizeOf(fields: Fields, name: string): number {
  const value = fields.any(name)
  if (value === undefined || value === null) return 0
  if (Array.isArray(value)) return fields.list(name, MAX_OVERRIDES, (item) => item).length
  return fields.object(name).names(MAX_OVERRIDES).length
}

function checkSupport(list: Checks, claims: Fields, policy: PlacePolicy | undefined): void {
  if (policy === undefined) {
    list.notChecked('support', NO_POLICY)
    return
  }
  list.attempt('support', () => {
    const found = textsOf(objectOf(objectOf(claims, 'submods'), 'confidential_space'), 'support_attributes')
    if (found.some((each) => policy.states.includes(each))) return
    throw refused(`the image is ${found.join(', ') || 'not supported'}; the policy accepts ${policy.states.join(', ')}`)
  })
}

function checkVersion(list: Checks, claims: Fields, policy: PlacePolicy | undefined): void {
  const minimum = policy?.minimum.swversion
  if (minimum === undefined) {
    list.notChecked('software-version', policy === undefined ? NO_POLICY : 'the policy has no minimum.swversion')
    return
  }
  list.attempt('software-version', () => {
    const [version, ...more] = textsOf(claims, 'swversion')
    if (version === undefined || more.length > 0 || !/^[0-9]{1,12}$/.test(version)) {
      throw new CountersignError('evidence/malformed', 'the token does not have one version, in digits')
    }
    if (Number(version) < minimum)
      throw refused(`the software is of version ${version}; the policy asks for ${minimum}`)
  })
}

/** One signature by a key that the policy names is enough; whether it is right was Google's check. */
function checkImageSignature(list: Checks, claims: Fields, policy: PlacePolicy | undefined): void {
  const allowed = policy?.signers.image_signature_key
  if (allowed === undefined) {
    list.notChecked(
      'image-signature',
      policy === undefined ? NO_POLICY : 'the policy has no signers.image_signature_key',
    )
    return
  }
  list.attempt('image-signature', () => {
    const container = containerOf(claims)
    const keys = container.list('image_signatures', 64, (item, path) => new Fields(item, path).text('key_id'))
    if (keys.some((key) => allowed.includes(key))) return
    throw refused('no signature of the image is by a key that the policy names')
  })
}

function containerOf(claims: Fields): Fields {
  return claims.object('submods').object('container')
}

function machineOf(claims: Fields): Fields {
  return claims.object('submods').object('gce')
}

/** What may be shown of a token that Google is known to have signed; nothing of another. */
function partsShown(token: SignedToken | undefined): Pick<Appraised, 'measurements' | 'boundData' | 'claims'> {
  if (token?.isVouched !== true) return { measurements: {}, boundData: undefined, claims: {} }
  const submods = memberOf(token.raw, 'submods')
  const container = memberOf(submods, 'container')
  const digest = /^sha256:([0-9a-f]{64})$/.exec(String(container.image_digest))?.[1]
  const nonces = noncesShown(token.raw.eat_nonce)
  const [nonce, ...more] = nonces
  return {
    measurements: digest === undefined ? {} : { image_digest: digest },
    boundData: nonce === undefined || more.length > 0 ? undefined : utf8(nonce),
    claims: {
      ...shownClaims(token.raw, SHOWN_CLAIMS),
      ...shownClaims(container, SHOWN_OF_CONTAINER),
      ...shownClaims(memberOf(submods, 'gce'), SHOWN_OF_MACHINE),
      ...shownClaims(memberOf(submods, 'confidential_space'), ['support_attributes']),
      eat_nonce: nonces,
    },
  }
}

/** In the order of the token. */
function noncesShown(claim: Json | undefined): readonly string[] {
  const values = Array.isArray(claim) ? (claim as readonly Json[]) : [claim]
  return values.filter((each) => typeof each === 'string')
}
