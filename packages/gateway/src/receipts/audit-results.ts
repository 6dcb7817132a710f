/** Which results of audits say something of an entry. @spec spec/dossier.md */
import { type AuditResult, parseAuditResult, parseStatement } from '@countersign/verify'
import type { StatementReader, StatementRow } from '../store/statement-reader.ts'

/** Most results that a dossier carries. */
export const MAX_DOSSIER_RESULTS = 4

/** Most results that are read for one dossier; those that were logged last come first. */
const MAX_READ = 16

/** Results whose entries are remembered, those not used for longest forgotten. */
const MAX_REMEMBERED = 64

interface Range {
  /** Where the result itself stands. */
  readonly index: number
  readonly from: number
  readonly to: number
}

/** What a result is found by in the store: the entries that it is about. */
export function auditResultName({ from, to }: Pick<AuditResult, 'from' | 'to'>): string {
  return `${from}-${to}`
}

export class AuditResults {
  readonly #statements: StatementReader
  /** Read from the store when it is first asked for. */
  #ranges: Range[] | undefined
  readonly #listed = new Map<number, ReadonlySet<number>>()

  constructor(statements: StatementReader) {
    this.#statements = statements
  }

  /** The newest results that list entry `index` among what was run again or should have been. */
  listing(index: number): readonly StatementRow[] {
    const covering = this.#all().filter(({ from, to }) => index >= from && index < to)
    const newest = covering.toSorted((a, b) => b.index - a.index).slice(0, MAX_READ)
    const found = newest.filter((range) => this.#entriesOf(range).has(index)).slice(0, MAX_DOSSIER_RESULTS)
    return found.flatMap((range) => this.#statements.byIndex(range.index) ?? [])
  }

  /** Takes note of a result that was logged just now. */
  add(index: number, name: string): void {
    const range = readRange(index, name)
    if (range === undefined) return
    // They may have been read from the store since it was logged.
    if (this.#ranges?.every((each) => each.index !== index)) this.#ranges.push(range)
  }

  #all(): readonly Range[] {
    if (this.#ranges === undefined) {
      const named = [...this.#statements.named('audit-result')]
      this.#ranges = named.flatMap(({ index, name }) => readRange(index, name) ?? [])
    }
    return this.#ranges
  }

  #entriesOf({ index }: Range): ReadonlySet<number> {
    const known = this.#listed.get(index) ?? this.#read(index)
    this.#listed.delete(index)
    const [oldest] = this.#listed.keys()
    if (this.#listed.size >= MAX_REMEMBERED && oldest !== undefined) this.#listed.delete(oldest)
    this.#listed.set(index, known)
    return known
  }

  #read(index: number): ReadonlySet<number> {
    const row = this.#statements.byIndex(index)
    if (row === undefined) return new Set()
    return new Set(parseAuditResult(parseStatement(row.payload)).entries.map((entry) => entry.index))
  }
}

function readRange(index: number, name: string): Range | undefined {
  const [, from, to] = /^(\d+)-(\d+)$/.exec(name) ?? []
  return from === undefined ? undefined : { index, from: Number(from), to: Number(to) }
}
