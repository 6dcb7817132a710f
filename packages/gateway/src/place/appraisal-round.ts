/** One round: a fresh challenge, the evidence that answers it, the collateral that it needs, and what they show together. */
import { randomBytes } from 'node:crypto'
import {
  APPRAISAL_LIMITS,
  type Appraisal,
  type AppraisalOutcome,
  type AppraisalPredicate,
  appraiseEvidence,
  CountersignError,
  type Crypto,
  collateralAlong,
  collateralNeeds,
  Fields,
  formatCollateral,
  formatEvidence,
  type Memory,
  NO_FRESHNESS,
  type PlacePolicy,
  parseCollateral,
  parseEvidence,
  type TrustedRoots,
  toBase64,
  type UnverifiedEvidence,
  utf8,
} from '@countersign/verify'
import type { ShownCertificate } from '../upstreams/shown-certificate.ts'
import type { CollateralFetcher } from './collateral-fetcher.ts'

export interface Gathered {
  readonly evidence: UnverifiedEvidence
  /** What the server showed that was asked; `undefined` where none was, or without TLS. */
  readonly shown: ShownCertificate | undefined
}

/** A place that is asked for evidence. */
export interface AskedPlace {
  /** As statements name it. */
  readonly place: AppraisalPredicate['place']
  readonly policy: PlacePolicy
  /** Length of the challenge; 0 where its evidence has no room for one. Where it has, evidence without the right one is old. */
  readonly nonceBytes: number
  /** @throws {CountersignError} `place/unreachable`, `evidence/*`, `json/*`, `shape/*`, `bytes/*` */
  gather(nonce: Uint8Array, signal: AbortSignal): Promise<Gathered>
}

export interface RoundTools {
  readonly crypto: Crypto
  readonly collateral: CollateralFetcher
  readonly memory: Memory
  readonly nowMs: () => number
  /** In place of the vendors' own: for tests with a PKI of their own. */
  readonly roots: TrustedRoots | undefined
}

/** What a round found, with the exact files. */
export interface Round {
  readonly outcome: AppraisalOutcome
  /** One sentence for the operator. Never what a server wrote. */
  readonly reason: string
  readonly failed: readonly string[]
  readonly appraisal: Appraisal | undefined
  readonly files: { readonly evidence: Uint8Array; readonly collateral: Uint8Array } | undefined
  readonly shown: ShownCertificate | undefined
  /** When the challenge was made. */
  readonly gatheredAtMs: number
  readonly appraisedAtMs: number
  readonly validUntilMs: number
}

/** No check of the verifier: that evidence is new is for whoever made the challenge to say. */
const FRESHNESS_CHECK = 'place/freshness'
/** A processor of two possible products, and tokens of its services. */
const MAX_NEEDS = 4
const MAX_SECONDS = 253_402_300_799

/** Never rejects for what a place or a maker does. */
export async function runRound(asked: AskedPlace, tools: RoundTools, signal: AbortSignal): Promise<Round> {
  const nonce = new Uint8Array(randomBytes(asked.nonceBytes))
  const gatheredAtMs = tools.nowMs()
  try {
    const { evidence, shown } = await asked.gather(nonce, signal)
    const file = utf8(JSON.stringify(formatEvidence(evidence)))
    // As whoever is given the file will read it.
    const read = parseEvidence(file)
    // What a place says that it needs is asked of others: no more than one machine can need.
    const needs = [...new Map(collateralNeeds(read).map((need) => [JSON.stringify(need), need])).values()]
    const { bundle } = await tools.collateral.fetch(needs.slice(0, MAX_NEEDS), signal)
    const collateral = utf8(JSON.stringify(formatCollateral({ items: [...collateralAlong(read), ...bundle.items] })))
    const appraisedAtMs = tools.nowMs()
    const { crypto, memory, roots } = tools
    const appraisal = appraiseEvidence(read, {
      crypto,
      atMs: appraisedAtMs,
      collateral: parseCollateral(collateral),
      policy: asked.policy,
      nonce: nonce.length === 0 ? undefined : nonce,
      memory,
      ...(roots === undefined ? {} : { roots }),
    })
    const times = { gatheredAtMs, appraisedAtMs }
    return {
      ...judge(asked, read, appraisal, times),
      appraisal,
      files: { evidence: file, collateral },
      shown,
      ...times,
    }
  } catch (thrown) {
    if (!(thrown instanceof CountersignError)) throw thrown
    return unavailable(thrown.message, gatheredAtMs, tools.nowMs())
  }
}

interface Times {
  readonly gatheredAtMs: number
  readonly appraisedAtMs: number
}

type Judged = Pick<Round, 'outcome' | 'reason' | 'failed' | 'validUntilMs'>

function judge(
  { policy, nonceBytes }: AskedPlace,
  read: UnverifiedEvidence,
  appraisal: Appraisal,
  times: Times,
): Judged {
  const failed = appraisal.checks.filter(({ result }) => result === 'fail').map(({ name }) => name)
  const { status, reason, freshness, currentUntilMs = Number.MAX_SAFE_INTEGER } = appraisal
  const nowMs = times.appraisedAtMs
  if (status !== 'accepted') return { outcome: status, reason, failed, validUntilMs: nowMs }
  if (nonceBytes > 0 && freshness !== 'nonce')
    return stale('it does not answer the challenge that was sent for it', nowMs)
  if (freshness === 'none' && !policy.allow.includes(NO_FRESHNESS)) {
    const why = `nothing shows when the evidence was made; a policy may allow that (${NO_FRESHNESS})`
    return { outcome: 'unproven', reason: why, failed: [], validUntilMs: nowMs }
  }
  const keysUntilMs = keySetUntilMs(read)
  const made = freshness === 'signed-time' ? appraisal.items.flatMap(({ madeAtMs }) => madeAtMs ?? []) : []
  const validUntilMs = Math.min(currentUntilMs, keysUntilMs, Math.min(times.gatheredAtMs, ...made) + policy.maxAgeMs)
  if (validUntilMs > nowMs) return { outcome: 'accepted', reason, failed: [], validUntilMs }
  return stale('it says itself that it is older than the policy allows', nowMs)
}

/** A key set says itself until when it may be used; that it is not over yet, its binding profile has checked. */
function keySetUntilMs({ profile, beside }: UnverifiedEvidence): number {
  if (profile !== 'aci') return Number.MAX_SAFE_INTEGER
  const epoch = new Fields(beside, 'beside').object('workload_keyset').object('keyset_epoch')
  return epoch.integer('not_after', 0, MAX_SECONDS) * 1000
}

function stale(why: string, nowMs: number): Judged {
  return { outcome: 'refused', reason: `${FRESHNESS_CHECK}: ${why}`, failed: [FRESHNESS_CHECK], validUntilMs: nowMs }
}

function unavailable(reason: string, gatheredAtMs: number, nowMs: number): Round {
  const nothing = { failed: [], appraisal: undefined, files: undefined, shown: undefined }
  return { outcome: 'unavailable', reason, ...nothing, gatheredAtMs, appraisedAtMs: nowMs, validUntilMs: nowMs }
}

/** The statement's words for a round. What a place shows without end is cut, so that none can make a statement unreadable. */
export function appraisalOf(
  { place, policy: { profile } }: AskedPlace,
  written: AppraisalPredicate['policy'],
  round: Round,
  digests: { readonly evidence: string; readonly collateral: string } | undefined,
): AppraisalPredicate {
  const { outcome, appraisal, failed, shown, gatheredAtMs, appraisedAtMs, validUntilMs } = round
  const certificate = shown === undefined ? undefined : toBase64(shown.der)
  const hasRoom = certificate !== undefined && certificate.length <= APPRAISAL_LIMITS.certificateText
  return {
    place,
    policy: written,
    profile,
    outcome,
    facts: appraisal?.facts.map(({ name, status }) => ({ name, status })) ?? [],
    keys: appraisal?.keys.slice(0, APPRAISAL_LIMITS.keys) ?? [],
    freshness: appraisal?.freshness ?? 'none',
    ...digests,
    ...(hasRoom ? { tlsCertificate: certificate } : {}),
    failed: [...new Set(failed)].slice(0, APPRAISAL_LIMITS.failed),
    gatheredAtMs,
    appraisedAtMs: Math.max(gatheredAtMs, appraisedAtMs),
    validUntilMs,
  }
}
