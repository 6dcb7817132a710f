/** What a check of the data finds, and what it works on. */
import type { Crypto, NoteKey } from '@countersign/verify'
import type { DataFolder } from '../data/data-folder.ts'
import type { Sqlite } from '../store/database.ts'

/** What is checked; one finding names one of these. */
export type CheckName =
  | 'folder'
  | 'version'
  | 'integrity'
  | 'schema'
  | 'key'
  | 'index'
  | 'leaf'
  | 'signature'
  | 'statement'
  | 'lookup'
  | 'sequence'
  | 'receipt'
  | 'head'
  | 'published'
  | 'cosigned'
  | 'tile'
  | 'vault'
  | 'erasure'
  | 'evidence'
  | 'journal'

export interface Finding {
  readonly check: CheckName
  /** `note`: a crash may leave it, and the next start of the gateway deals with it. */
  readonly severity: 'error' | 'note'
  readonly detail: string
}

/** More are counted, not listed. */
export const MAX_FINDINGS = 1000

/** Gathers findings. */
export class Findings {
  readonly list: Finding[] = []
  #omitted = 0

  error(check: CheckName, detail: string): void {
    this.#add({ check, severity: 'error', detail })
  }

  note(check: CheckName, detail: string): void {
    this.#add({ check, severity: 'note', detail })
  }

  /** The value, or `undefined` and a finding when that fails in any way: damage throws what it likes. */
  attempt<T>(check: CheckName, what: string, read: () => T): T | undefined {
    try {
      return read()
    } catch (thrown) {
      this.error(check, `${what}: ${thrown instanceof Error ? thrown.message : String(thrown)}`)
      return undefined
    }
  }

  /** Everything found; a last line stands for what was not listed. */
  all(): readonly Finding[] {
    const detail = `there are ${this.#omitted} findings more`
    return this.#omitted === 0 ? this.list : [...this.list, { check: 'folder', severity: 'error', detail }]
  }

  #add(finding: Finding): void {
    if (this.list.length < MAX_FINDINGS) this.list.push(finding)
    else this.#omitted++
  }
}

/** What the single checks work on. */
export interface Fsck {
  readonly crypto: Crypto
  readonly folder: DataFolder
  readonly database: Sqlite
  readonly vaultKeys: Sqlite | undefined
  readonly findings: Findings
  readonly logKey: NoteKey | undefined
  /** Key that all statements of the gateway's own carry. */
  readonly statementSpki: Uint8Array | undefined
  readonly onProgress: (done: number, total: number) => void
}
