/** What proofs of misbehaviour leave standing: the beginning of a log that is shown to be common to its histories. */
import { equalBytes } from '../bytes/bytes.ts'
import type { UnverifiedDossier } from '../dossier/dossier.ts'
import { CountersignError } from '../errors.ts'
import type { Checkpoint } from '../log/checkpoint.ts'
import type { Hash, TreeHead } from '../log/merkle.ts'
import { contestsEntries, type Misbehaviour } from '../misbehaviour/misbehaviour.ts'

/** Proves that one head continues another, or throws. */
export interface ConsistencyProver {
  verifyConsistency(older: TreeHead, head: TreeHead, path: readonly Hash[]): void
}

/** Judges entries of one dossier by the proofs of misbehaviour that were supplied. */
export class Standing {
  readonly #prover: ConsistencyProver
  readonly #dossier: UnverifiedDossier
  readonly #misbehaviour: readonly Misbehaviour[]

  constructor(prover: ConsistencyProver, dossier: UnverifiedDossier, misbehaviour: readonly Misbehaviour[] = []) {
    this.#prover = prover
    this.#dossier = dossier
    this.#misbehaviour = misbehaviour
  }

  /**
   * Refuses entry `index` under `head` where a proof contests entries of that log, unless each such proof shows that the
   * entry stands in the common beginning of all histories in it. That the head holds the entry is for an inclusion proof to show.
   *
   * @throws {CountersignError} `misbehaviour/proven`
   */
  require(head: Checkpoint, index: number): void {
    const contesting = this.#about(head.origin).filter(({ kind }) => contestsEntries(kind))
    const proven = contesting.find((each) => !this.#isCommon(each, head, index))
    if (proven === undefined) return
    const { kind, summary, commonSize } = proven
    const beyond =
      commonSize === 0 ? '' : `; the entry is not shown to be among the first ${commonSize}, which are common`
    throw new CountersignError('misbehaviour/proven', `this log misbehaved (${kind}): ${summary}${beyond}`)
  }

  /** What must be said beside an entry that stands although its log misbehaved. */
  caveats(origin: string): readonly string[] {
    return this.#about(origin).map(({ kind, commonSize, summary }) =>
      contestsEntries(kind)
        ? `that the log is honest: it is proven to have misbehaved (${kind}); this entry is among the first ${commonSize}, which all histories in the proof share`
        : `that the log keeps its promises: ${summary} (${kind}); a log that could not reach its witnesses looks the same`,
    )
  }

  #about(origin: string): readonly Misbehaviour[] {
    return this.#misbehaviour.filter((each) => each.log === origin)
  }

  /**
   * Where the head and the common tree agree, the shorter begins the longer, and an index below both sizes has one entry
   * in both.
   */
  #isCommon(proof: Misbehaviour, head: Checkpoint, index: number): boolean {
    const { commonSize, commonRoot, agreeing } = proof
    if (commonRoot === undefined || index >= commonSize || index >= head.size) return false
    const common = { size: commonSize, root: commonRoot }
    return agreeing.some((each) => isSame(each, head)) || this.#continues(common, head)
  }

  /** Whether the dossier shows that its own head continues the common one. */
  #continues(common: TreeHead, head: Checkpoint): boolean {
    const { receipt, consistency } = this.#dossier
    if (!isSame(head, { size: receipt.treeSize, root: receipt.root })) return false
    return consistency
      .filter((each) => isSame(each, common))
      .some(({ path }) => {
        try {
          this.#prover.verifyConsistency(common, head, path)
          return true
        } catch (thrown) {
          if (!(thrown instanceof CountersignError)) throw thrown
          return false
        }
      })
  }
}

function isSame(a: TreeHead, b: TreeHead): boolean {
  return a.size === b.size && equalBytes(a.root, b.root)
}
