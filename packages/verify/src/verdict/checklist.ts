/** The checks behind a claim, each with its name and how it went. */

import type { Fact } from '../attestation/facts.ts'
import { CountersignError, type ErrorCode } from '../errors.ts'
import type { ClaimName, Grade } from '../trust/requirement.ts'

/**
 * `fail`: shown to be false. `missing`: needed, and not shown. `not-checked`: could not be looked at, and not needed for
 * the grade given.
 */
export type CheckResult = 'pass' | 'fail' | 'missing' | 'not-checked'

export interface Check {
  /** `claim/what`, stable. */
  readonly name: string
  readonly result: CheckResult
  readonly code?: ErrorCode
  readonly detail?: string
}

export type ClaimStatus = 'holds' | 'refuted' | 'unproven'

/** One row of a verdict. */
export interface ClaimRow {
  readonly claim: ClaimName
  readonly status: ClaimStatus
  /** How well it holds; `null` unless it does. */
  readonly grade: Grade | null
  /** One sentence: why this status. */
  readonly reason: string
  readonly checks: readonly Check[]
  /** Statements and files that it rests on, by digest. */
  readonly basis: readonly string[]
  /** Whom one must trust for it. */
  readonly trusts: readonly string[]
  readonly doesNotProve: readonly string[]
  /** What evidence of the place showed, fact by fact; there when it was appraised. */
  readonly facts?: readonly Fact[]
}

/** Codes that say that something was not shown, as against shown to be false. */
const NOT_SHOWN: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  'signature/unknown-key',
  'policy/unknown-log',
  'policy/quorum-unmet',
  'opening/missing',
  'execution/unsupported',
  'execution/model-not-found',
  'execution/model-digest-mismatch',
  'execution/profile-unmet',
  'execution/failed',
  'execution/inexact',
  'evidence/unsupported',
  'collateral/missing',
  'place/not-shown',
])

/** Collects checks for one claim. Every error of ours becomes a check that did not pass; others are bugs and pass on. */
export class Checklist {
  readonly claim: ClaimName
  readonly checks: Check[] = []

  constructor(claim: ClaimName) {
    this.claim = claim
  }

  /** Runs a proof; its value, or `undefined` when it threw an error of ours. */
  attempt<T>(what: string, prove: () => T): T | undefined {
    try {
      const value = prove()
      this.#add(what, 'pass')
      return value
    } catch (thrown) {
      if (!(thrown instanceof CountersignError)) throw thrown
      this.#add(what, NOT_SHOWN.has(thrown.code) ? 'missing' : 'fail', thrown.message, thrown.code)
      return undefined
    }
  }

  /** Notes that something was shown, and how. */
  pass(what: string, detail: string): void {
    this.#add(what, 'pass', detail)
  }

  /** Notes something that is needed and not there. */
  missing(what: string, detail: string, code?: ErrorCode): void {
    this.#add(what, 'missing', detail, code)
  }

  /** Notes something that was not looked at. */
  notChecked(what: string, detail: string): void {
    this.#add(what, 'not-checked', detail)
  }

  get failed(): Check | undefined {
    return this.checks.find((check) => check.result === 'fail')
  }

  /** The row: refuted by any failed check, else unproven by any missing one, else holding at `held.grade`. */
  row(
    held: { grade: Grade; reason: string },
    rest: Pick<ClaimRow, 'basis' | 'trusts' | 'doesNotProve' | 'facts'>,
  ): ClaimRow {
    const { claim, checks } = this
    const missing = checks.find((check) => check.result === 'missing')
    const decisive = this.failed ?? missing
    if (decisive === undefined) return { claim, status: 'holds', ...held, checks, ...rest }
    const status = decisive === this.failed ? 'refuted' : 'unproven'
    const reason = `${decisive.name}: ${decisive.detail ?? decisive.result}`
    return { claim, status, grade: null, reason, checks, ...rest, trusts: [] }
  }

  #add(what: string, result: CheckResult, detail?: string, code?: ErrorCode): void {
    this.checks.push({
      name: `${this.claim}/${what}`,
      result,
      ...(code === undefined ? {} : { code }),
      ...(detail === undefined ? {} : { detail }),
    })
  }
}

/** A row for a claim that nothing was checked for. */
export function unprovenRow(claim: ClaimName, reason: string, doesNotProve: readonly string[] = []): ClaimRow {
  return { claim, status: 'unproven', grade: null, reason, checks: [], basis: [], trusts: [], doesNotProve }
}
