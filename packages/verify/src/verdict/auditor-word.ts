/** What auditors say of an answer, where the relying party trusts them and they are not the operator's own. */
import { toHex } from '../bytes/bytes.ts'
import { CountersignError } from '../errors.ts'
import { AUDIT_RESULT_TYPE, parseAuditResult } from '../statement/audit-result.ts'
import type { AuditedEntry } from '../statement/audited-entry.ts'
import type { ServedModel } from '../statement/deployment.ts'
import type { StatementDigest } from '../statement/statement.ts'
import type { Party, Trust } from '../trust/trust-file.ts'
import type { RecordedAnswer, SignedStatement } from './evidence.ts'

/** One auditor's word about this answer. */
export interface AuditorWord {
  readonly auditor: Party
  readonly outcome: 'agreed' | 'differed'
  /** The result that says so. */
  readonly result: StatementDigest
}

/** What counts, and why the others do not. */
export interface AuditorWords {
  readonly words: readonly AuditorWord[]
  readonly passedOver: readonly CountersignError[]
}

/**
 * The word of every auditor whose result is in the dossier, lists exactly this entry of this log, and says that it ran
 * `model` in its reference profile.
 *
 * It is a word: nothing here shows that the model was run.
 */
export function findAuditorWords(answer: RecordedAnswer, model: ServedModel, trust: Trust): AuditorWords {
  const words: AuditorWord[] = []
  const passedOver: CountersignError[] = []
  for (const digest of answer.linked.ofType(AUDIT_RESULT_TYPE)) {
    try {
      const signed = answer.linked.open(digest, ['auditor'])
      requireIndependence(signed.signer, trust)
      const word = readWord(answer, model, signed)
      if (word !== undefined) words.push(word)
    } catch (thrown) {
      if (!(thrown instanceof CountersignError)) throw thrown
      passedOver.push(thrown)
    }
  }
  return { words, passedOver }
}

/** @throws {CountersignError} `signature/unknown-key` */
function requireIndependence({ name, owner }: Party, trust: Trust): void {
  const isOperators = trust.parties.some((party) => party.roles.includes('operator') && party.owner === owner)
  if (!isOperators) return
  throw new CountersignError('signature/unknown-key', `auditor ${name} has an operator’s owner, and counts for nothing`)
}

function readWord(answer: RecordedAnswer, model: ServedModel, signed: SignedStatement): AuditorWord | undefined {
  const result = answer.linked.read(signed, 'audit-result', parseAuditResult)
  if (result.log !== answer.head.origin) return undefined
  const entry = result.entries.find(({ index }) => index === answer.index)
  if (entry === undefined || !isOf(entry, answer) || entry.profile !== model.referenceProfile) return undefined
  const { outcome } = entry
  if (outcome !== 'agreed' && outcome !== 'differed') return undefined
  return { auditor: signed.signer, outcome, result: signed.digest }
}

function isOf(entry: AuditedEntry, { leafHash, statement }: RecordedAnswer): boolean {
  return entry.leafHash === toHex(leafHash) && entry.statement === statement
}
