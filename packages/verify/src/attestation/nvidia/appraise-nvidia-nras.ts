/**
 * NVIDIA's Remote Attestation Service: signed tokens in which NVIDIA says what GPUs measured. NVIDIA compared the measurements
 * with its own reference values and asked for revoked certificates; this reads its word, and sees no evidence of a GPU itself.
 *
 * White space around the tokens is unsigned.
 *
 * @spec https://docs.nvidia.com/attestation/
 */
import { parseHex, toHex, utf8 } from '../../bytes/bytes.ts'
import type { Json } from '../../bytes/json.ts'
import { Fields } from '../../bytes/shape.ts'
import type { Crypto } from '../../crypto/crypto.ts'
import { CountersignError, quote } from '../../errors.ts'
import type { AppraisalInput, Appraised } from '../appraised.ts'
import { EvidenceChecks } from '../checks.ts'
import type { EvidenceItem } from '../evidence-file.ts'
import { NRAS_ISSUER } from '../issuers.ts'
import { readable } from '../readable.ts'
import { refused } from '../refusals.ts'
import type { Claims } from '../token/jws.ts'
import { hasFailed } from '../token/open-token.ts'
import {
  checkNonce,
  requireClaim,
  requireValidAt,
  shownClaims,
  type TokenTimes,
  timesOf,
} from '../token/token-claims.ts'
import { checkPins, checkSignatures, NRAS_PINS } from '../token/token-keys.ts'
import { tierOf } from '../trust-tier.ts'
import { MAX_DEVICES, parseDetachedEat, type UnverifiedDetachedEat } from './detached-eat.ts'

/** NVIDIA's own place for trying things out: its keys vouch for hardware of any state. */
export const NRAS_STAGING_ISSUER = 'https://nras.attestation-stg.nvidia.com'

const GENUINE_CHECKS = [
  'format',
  'staging-issuer',
  'issuer',
  'signature',
  'token-key',
  'validity',
  'same-nonce',
  'device-digests',
  'distinct-devices',
  'overall-result',
  'measurements',
  'debug',
  'secure-boot',
  'device-checks',
] as const
export const NRAS_CHECKS = [...GENUINE_CHECKS, 'nonce'] as const
type Checks = EvidenceChecks<(typeof NRAS_CHECKS)[number]>

/** The number of NVIDIA among makers of hardware. */
const NVIDIA = '5703'
const NONCE_BYTES = 32
const DEVICE_ID_BYTES = 20

/** What the service says of each device in all versions of its claims, and what must be true. */
const REQUIRED = [
  'arch-check',
  'attestation-report-parsed',
  'attestation-report-nonce-match',
  'attestation-report-signature-verified',
  'driver-rim-fetched',
  'driver-rim-schema-validated',
  'driver-rim-signature-verified',
  'driver-rim-measurements-available',
  'vbios-rim-fetched',
  'vbios-rim-schema-validated',
  'vbios-rim-signature-verified',
  'vbios-rim-measurements-available',
  'vbios-index-no-conflict',
].map((name) => `x-nvidia-gpu-${name}`)

/** Certificate chains that version 3 of the claims describes by an object each, and version 2 by one word. */
const CHAINS = [
  ['x-nvidia-gpu-attestation-report-cert-chain', 'x-nvidia-gpu-attestation-report-cert-chain-validated'],
  ['x-nvidia-gpu-driver-rim-cert-chain', 'x-nvidia-gpu-driver-rim-cert-validated'],
  ['x-nvidia-gpu-vbios-rim-cert-chain', 'x-nvidia-gpu-vbios-rim-cert-validated'],
] as const

const SHOWN_OF_DEVICE = [
  ...['ueid', 'hwmodel', 'oemid', 'measres', 'dbgstat', 'secboot', 'x-nvidia-gpu-driver-version'],
  ...['x-nvidia-gpu-vbios-version', 'x-nvidia-attestation-warning'],
]

interface Device {
  readonly name: string
  readonly text: string
  readonly claims: Fields
  readonly raw: Claims
}

/** What NVIDIA says of the GPUs, where its key signed it. See {@link NRAS_CHECKS} for what is checked. */
export function appraiseNvidiaNras({ content }: EvidenceItem, input: AppraisalInput): Appraised {
  const list: Checks = new EvidenceChecks('nvidia-nras', NRAS_CHECKS)
  const bundle = list.attempt('format', () => parseDetachedEat(content))
  const keyUntilMs = bundle === undefined ? undefined : openBundle(list, bundle, input)
  const isSigned = bundle !== undefined && keyUntilMs !== undefined
  const overall = new Fields(bundle?.overall.jws.claims ?? {}, 'token')
  const devices = (bundle?.devices ?? []).map((device) => readDevice(device))
  const times = isSigned ? checkTimes(list, [overall, ...devices.map(({ claims }) => claims)], input.atMs) : undefined
  if (isSigned) checkClaims(list, overall, devices, input)
  const isVouched = isSigned && list.passed('issuer', 'signature', 'token-key', 'device-digests')
  const isGenuine = list.passed(...GENUINE_CHECKS)
  const warnings = isVouched ? devices.flatMap(warningOf) : []
  return {
    kind: 'nvidia-nras',
    checks: list.list(),
    isGenuine,
    isKnownCode: isGenuine && input.policy !== undefined,
    measurements: {},
    boundData: isVouched && list.passed('same-nonce') ? parseHex(nonceOf(overall)) : undefined,
    deviceIds: isVouched ? devices.flatMap(({ claims }) => readable(() => [deviceIdOf(claims)]) ?? []) : [],
    madeAtMs: isVouched ? times?.issuedAtMs : undefined,
    currentUntilMs: isVouched && times !== undefined ? Math.min(times.expiresAtMs - 1, keyUntilMs) : undefined,
    answersNonce: isVouched && list.passed('same-nonce', 'nonce'),
    tier: tierOf(list.list(), isGenuine && input.policy !== undefined, warnings.length > 0),
    claims: isVouched ? claimsShown(bundle.overall.jws.claims, devices) : {},
    notes: warnings,
  }
}

function readDevice({ name, text, jws }: UnverifiedDetachedEat['devices'][number]): Device {
  return { name, text, claims: new Fields(jws.claims, name), raw: jws.claims }
}

/**
 * Whose word it is. Until when certificates that the keys rest on are valid, milliseconds; `undefined` where no key is known to
 * have signed every token, or one of these checks failed.
 */
function openBundle(list: Checks, bundle: UnverifiedDetachedEat, input: AppraisalInput): number | undefined {
  const tokens = [bundle.overall, ...bundle.devices]
  const issuers = tokens.map(({ jws }) => jws.claims.iss)
  list.attempt('staging-issuer', () => {
    if (!issuers.includes(NRAS_STAGING_ISSUER)) return
    throw new CountersignError(
      'evidence/unsupported',
      "the token is of NVIDIA's staging service, which vouches for nothing",
    )
  })
  if (hasFailed(list, 'staging-issuer')) return undefined
  list.attempt('issuer', () => {
    if (issuers.every((issuer) => issuer === NRAS_ISSUER)) return
    throw new CountersignError('evidence/unsupported', `not every token is of ${NRAS_ISSUER}`)
  })
  if (hasFailed(list, 'issuer')) return undefined
  const keys = checkSignatures(list, input, tokens)
  if (keys === undefined) return undefined
  const untilMs = checkPins(list, input, keys, NRAS_PINS)
  return hasFailed(list, 'token-key') ? undefined : untilMs
}

/** The time in which all tokens are valid. */
function checkTimes(list: Checks, tokens: readonly Fields[], atMs: number): TokenTimes | undefined {
  return list.attempt('validity', () => {
    const all = tokens.map(timesOf)
    for (const times of all) requireValidAt(times, atMs)
    return {
      issuedAtMs: Math.min(...all.map(({ issuedAtMs }) => issuedAtMs)),
      notBeforeMs: Math.max(...all.map(({ notBeforeMs }) => notBeforeMs)),
      expiresAtMs: Math.min(...all.map(({ expiresAtMs }) => expiresAtMs)),
    }
  })
}

function checkClaims(list: Checks, overall: Fields, devices: readonly Device[], input: AppraisalInput): void {
  list.attempt('same-nonce', () => {
    const nonce = nonceOf(overall)
    const other = devices.find(({ claims }) => nonceOf(claims) !== nonce)
    if (other !== undefined) throw new CountersignError('evidence/mismatch', `${other.name} answers another challenge`)
  })
  if (hasFailed(list, 'same-nonce')) list.notChecked('nonce', 'the tokens do not answer one challenge')
  else checkNonce(list, () => [nonceOf(overall)], input.nonce)
  list.attempt('device-digests', () => requireDigests(input.crypto, overall, devices))
  list.attempt('distinct-devices', () => {
    const ids = new Set(devices.map(({ claims }) => deviceIdOf(claims)))
    if (ids.size === devices.length) return
    throw new CountersignError('evidence/mismatch', `${devices.length} tokens are about ${ids.size} devices`)
  })
  list.attempt('overall-result', () => requireClaim(overall, 'x-nvidia-overall-att-result', true))
  const ofEach = (what: Parameters<Checks['attempt']>[0], name: string, expected: string | boolean) =>
    list.attempt(what, () => {
      for (const { claims } of devices) requireClaim(claims, name, expected)
    })
  ofEach('measurements', 'measres', 'success')
  ofEach('debug', 'dbgstat', 'disabled')
  ofEach('secure-boot', 'secboot', true)
  list.attempt('device-checks', () => {
    for (const device of devices) requireDeviceChecks(device)
  })
}

function nonceOf(claims: Fields): string {
  return claims.hex('eat_nonce', NONCE_BYTES)
}

/** The first token has the digest of every device's token, and of no other. */
function requireDigests(crypto: Crypto, overall: Fields, devices: readonly Device[]): void {
  const submodules = overall.object('submods')
  const names = submodules.names(MAX_DEVICES)
  if (names.length !== devices.length) {
    throw new CountersignError('evidence/mismatch', `the token is about ${names.length} devices, not ${devices.length}`)
  }
  for (const { name, text } of devices) {
    const expected = toHex(crypto.sha256(utf8(text)))
    if (digestIn(submodules.required(name)) === expected) continue
    throw new CountersignError('evidence/mismatch', `the token of ${name} is not the one that the first token is about`)
  }
}

/** `["DIGEST", ["SHA-256", hexadecimal]]`. */
function digestIn(submodule: Json): Json | undefined {
  if (!Array.isArray(submodule) || submodule.length !== 2 || submodule[0] !== 'DIGEST') return undefined
  const [algorithm, digest, ...more] = Array.isArray(submodule[1]) ? (submodule[1] as readonly Json[]) : []
  return algorithm === 'SHA-256' && more.length === 0 ? digest : undefined
}

/** The number of a device, decimal in the token; hexadecimal as the serial number of its certificate. */
function deviceIdOf(claims: Fields): string {
  const text = claims.text('ueid', { maxLength: 64, pattern: /^[1-9][0-9]*$/ })
  const digits = BigInt(text).toString(16)
  return digits.padStart(DEVICE_ID_BYTES * 2, '0')
}

/** Every step of the service went well. A step that is not known here, and went badly, refuses as well. */
function requireDeviceChecks({ name: device, claims, raw }: Device): void {
  if (Object.keys(raw).some((name) => name.startsWith('x-nvidia-switch-'))) {
    throw new CountersignError('evidence/unsupported', `${device} is a switch, and GPUs alone are appraised`)
  }
  requireClaim(claims, 'oemid', NVIDIA)
  for (const name of REQUIRED) requireClaim(claims, name, true)
  for (const [chain, validated] of CHAINS) {
    if (!claims.has(chain)) requireClaim(claims, validated, true)
    else {
      requireClaim(claims.object(chain), 'x-nvidia-cert-status', 'valid')
      requireClaim(claims.object(chain), 'x-nvidia-cert-ocsp-status', 'good')
    }
  }
  const failed = Object.keys(raw).find((name) => name.startsWith('x-nvidia-') && raw[name] === false)
  if (failed !== undefined) throw refused(`${claims.at(failed)} is false`)
}

function warningOf({ name, raw }: Device): readonly string[] {
  const warning = raw['x-nvidia-attestation-warning']
  if (warning === undefined || warning === null) return []
  return [`${name}: NVIDIA warns: ${quote(typeof warning === 'string' ? warning : JSON.stringify(warning))}`]
}

function claimsShown(raw: Claims, devices: readonly Device[]): Claims {
  return {
    ...shownClaims(raw, ['iss', 'iat', 'nbf', 'exp', 'eat_nonce', 'x-nvidia-ver', 'x-nvidia-overall-att-result']),
    submods: Object.fromEntries(devices.map((device) => [device.name, shownClaims(device.raw, SHOWN_OF_DEVICE)])),
  }
}
