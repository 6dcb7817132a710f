/** What is taken in of what others sign: each type with what it must agree with here. @spec spec/http.md */
import {
  ACCEPTANCE_TYPE,
  AUDIT_COMMITMENT_TYPE,
  AUDIT_RESULT_TYPE,
  CountersignError,
  equalBytes,
  PARTY_TYPE,
  parseAcceptance,
  parseAuditCommitment,
  parseAuditResult,
  parseParty,
  parseRevocation,
  parseStatement,
  quote,
  REVOCATION_TYPE,
  type Statement,
} from '@countersign/verify'
import type { WriterRole } from '../config/config.ts'
import type { Writer } from '../deployments/deployments.ts'
import type { ForeignKind } from '../log/sequencer.ts'
import type { Services } from '../services.ts'
import { auditResultName } from './audit-results.ts'

/** A statement that may be logged, with what it is found by. */
export interface ForeignStatement {
  readonly kind: ForeignKind
  readonly name: string
  /** As whom it is written. */
  readonly writer: Writer
}

type Here = Pick<Services, 'statements' | 'log'>

interface ForeignType {
  readonly kind: ForeignKind
  readonly role: WriterRole
  /** The party that it names, where it names one, and its name in the store. */
  read(
    statement: Statement,
    here: Here,
    key: Pick<Writer, 'spki' | 'keyId'>,
  ): { readonly party?: string; readonly name: string }
}

const TYPES: { readonly [predicateType: string]: ForeignType } = {
  [ACCEPTANCE_TYPE]: { kind: 'acceptance', role: 'accountable', read: readAcceptance },
  [PARTY_TYPE]: { kind: 'party', role: 'party', read: readParty },
  [AUDIT_COMMITMENT_TYPE]: { kind: 'audit-commitment', role: 'auditor', read: readCommitment },
  [REVOCATION_TYPE]: { kind: 'revocation', role: 'auditor', read: readRevocation },
  [AUDIT_RESULT_TYPE]: { kind: 'audit-result', role: 'auditor', read: readResult },
}

/**
 * Reads a statement that a key signed, by what the key is listed for: once, or several times. Whether an audit is what it says is not looked at: that is for whoever relies on
 * it.
 *
 * @throws {CountersignError} `statement/wrong-type`, `statement/mismatch`, `writer/not-allowed`, `shape/*`, `json/*`
 */
export function readForeignStatement(payload: Uint8Array, here: Here, writers: readonly Writer[]): ForeignStatement {
  const statement = parseStatement(payload)
  const type = Object.hasOwn(TYPES, statement.predicateType) ? TYPES[statement.predicateType] : undefined
  if (type === undefined) {
    throw new CountersignError(
      'statement/wrong-type',
      `taken in are statements of type ${Object.keys(TYPES).join(', ')}`,
    )
  }
  const [listed, ...others] = writers.filter(({ roles }) => roles.includes(type.role))
  if (listed === undefined) {
    throw new CountersignError('writer/not-allowed', `the key is not listed for this; its roles lack "${type.role}"`)
  }
  const { party = listed.party, name } = type.read(statement, here, listed)
  const writer = [listed, ...others].find((each) => each.party === party)
  if (writer !== undefined) return { kind: type.kind, name, writer }
  const why = `the statement names the party ${quote(party)}, for which this key is not listed; the name must be that of the gateway’s "writers"`
  throw new CountersignError('writer/not-allowed', why)
}

/** An acceptance is found by the name of its deployment. */
function readAcceptance(statement: Statement, { statements }: Here) {
  const { deployment, party } = parseAcceptance(statement)
  const row = statements.byDigest(deployment.statement)
  const [subject] = statement.subjects
  const isKnown = row?.kind === 'deployment' && row.name === deployment.name
  if (!isKnown || statement.subjects.length !== 1 || subject?.digest.sha256 !== deployment.statement) {
    throw new CountersignError('statement/mismatch', 'the acceptance is not about a manifest of this gateway')
  }
  return { party, name: deployment.name }
}

function readParty(statement: Statement, _: Here, { keyId }: Pick<Writer, 'keyId'>) {
  const { party, keys } = parseParty(statement)
  if (keys.includes(keyId)) return { party, name: party }
  throw new CountersignError(
    'statement/mismatch',
    'a party signs what it says of itself with a key that it names there',
  )
}

function readCommitment(statement: Statement, { log }: Here) {
  const { auditor, log: origin } = parseAuditCommitment(statement)
  if (origin === log.origin) return { party: auditor, name: auditor }
  throw new CountersignError('statement/mismatch', 'the audit is of another log')
}

/** A revocation names nobody: whoever signs it says it. What it is about need not have to do with this gateway. */
function readRevocation(statement: Statement) {
  return { name: parseRevocation(statement).what.kind }
}

/** A result is found by the entries that it is about. */
function readResult(statement: Statement, { log, statements }: Here, { spki }: Pick<Writer, 'spki'>) {
  const result = parseAuditResult(statement)
  const row = statements.byDigest(result.commitment)
  if (result.log !== log.origin || row?.kind !== 'audit-commitment' || !equalBytes(new Uint8Array(row.spki), spki)) {
    throw new CountersignError('statement/mismatch', 'the result is of no audit that this key has committed to here')
  }
  return { party: result.auditor, name: auditResultName(result) }
}
