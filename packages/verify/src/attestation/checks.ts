/** The checks behind an appraisal, each with its name and how it went, in a fixed order. */
import { CountersignError, type ErrorCode } from '../errors.ts'

/** `not-checked`: could not be looked at, or an earlier check that it rests on did not pass. */
export type EvidenceResult = 'pass' | 'fail' | 'not-checked'

export interface EvidenceCheck {
  /** `kind/what`, stable. */
  readonly name: string
  readonly result: EvidenceResult
  readonly code?: ErrorCode
  /** One sentence for people. There whenever the check did not pass. */
  readonly detail?: string
}

const NOT_REACHED = 'an earlier check that this one rests on did not pass'

/**
 * Collects the checks of one kind of evidence. Every name of the kind stands in the result once, in the order of the kind's
 * list; what was not reached is `not-checked`. Errors of ours become failed checks; others are bugs and pass on.
 */
export class EvidenceChecks<Name extends string> {
  readonly kind: string
  readonly #names: readonly Name[]
  readonly #results = new Map<Name, EvidenceCheck>()

  constructor(kind: string, names: readonly Name[]) {
    this.kind = kind
    this.#names = names
  }

  /** Runs a proof; its value, or `undefined` when it threw an error of ours. */
  attempt<T>(what: Name, prove: () => T): T | undefined {
    try {
      const value = prove()
      this.#add(what, { result: 'pass' })
      return value
    } catch (thrown) {
      if (!(thrown instanceof CountersignError)) throw thrown
      this.#add(what, { result: 'fail', code: thrown.code, detail: thrown.message })
      return undefined
    }
  }

  /** Notes something that was not looked at, and why. */
  notChecked(what: Name, detail: string): void {
    this.#add(what, { result: 'not-checked', detail })
  }

  /** Whether each of these passed. */
  passed(...names: readonly Name[]): boolean {
    return names.every((name) => this.#results.get(name)?.result === 'pass')
  }

  /** All checks of the kind, in its order. */
  list(): readonly EvidenceCheck[] {
    return this.#names.map(
      (name) => this.#results.get(name) ?? { name: `${this.kind}/${name}`, result: 'not-checked', detail: NOT_REACHED },
    )
  }

  #add(what: Name, check: Omit<EvidenceCheck, 'name'>): void {
    if (this.#results.has(what)) throw new Error(`the check ${what} was made twice`)
    this.#results.set(what, { name: `${this.kind}/${what}`, ...check })
  }
}
