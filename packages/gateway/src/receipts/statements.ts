/** Statements that others write: who may, how many, and of which kind. */
import {
  ACCEPTANCE_TYPE,
  CountersignError,
  FILE_LIMITS,
  openEnvelope,
  parseAcceptance,
  parseEnvelope,
  parseJson,
  parseStatement,
  type StatementDigest,
  toHex,
} from '@countersign/verify'
import type { Writer } from '../deployments/deployments.ts'
import type { Services } from '../services.ts'

export interface AcceptedStatement {
  readonly statement: StatementDigest
  readonly index: number
  /** False when the log had it already. */
  readonly isNew: boolean
}

const SECONDS_PER_DAY = 86_400

/** Takes statements in one after the other: what is known, and how many there were today, must not change meanwhile. */
export function createStatementIntake(gateway: Services): (body: Uint8Array) => Promise<AcceptedStatement> {
  let last: Promise<unknown> = Promise.resolve()
  return (body) => {
    const result = last.then(() => acceptStatement(gateway, body))
    last = result.catch(() => undefined)
    return result
  }
}

/**
 * Takes in a signed statement of an allow-listed key, and logs it. The same statement again is not logged again.
 *
 * @throws {CountersignError} `writer/not-allowed`, `writer/quota`, `signature/*`, `statement/wrong-type`, `shape/*`,
 *   `json/*`, `dsse/*`, `statement/mismatch` when it is about no deployment of this gateway
 */
async function acceptStatement(gateway: Services, body: Uint8Array): Promise<AcceptedStatement> {
  const envelope = parseEnvelope(parseJson(body, FILE_LIMITS))
  const writer = gateway.writers.find((each) => each.keyId === envelope.keyId)
  if (writer === undefined) {
    throw new CountersignError(
      'writer/not-allowed',
      'this key may not write here; the operator lists keys under "writers"',
    )
  }
  const payload = openEnvelope(gateway.crypto, envelope, writer.spki)
  const digest = toHex(gateway.crypto.sha256(payload))
  const known = gateway.statements.byDigest(digest)
  if (known !== undefined) return { statement: digest, index: known.index, isNew: false }
  const name = checkAcceptance(gateway, payload, writer)
  checkQuota(gateway, writer)
  const { signature } = envelope
  const { index } = await gateway.log.append({
    kind: 'foreign',
    type: 'acceptance',
    name,
    payload,
    signature,
    spki: writer.spki,
  })
  return { statement: digest, index, isNew: true }
}

/** Name of the deployment that is accepted. */
function checkAcceptance(gateway: Services, payload: Uint8Array, writer: Writer): string {
  const statement = parseStatement(payload)
  if (statement.predicateType !== ACCEPTANCE_TYPE) {
    throw new CountersignError('statement/wrong-type', `only statements of type ${ACCEPTANCE_TYPE} are taken in`)
  }
  const acceptance = parseAcceptance(statement)
  const { name, statement: manifest } = acceptance.deployment
  const row = gateway.statements.byDigest(manifest)
  const [subject] = statement.subjects
  const known = row?.kind === 'deployment' && row.name === name
  if (!known || statement.subjects.length !== 1 || subject?.digest.sha256 !== manifest) {
    throw new CountersignError('statement/mismatch', 'the acceptance is not about a manifest of this gateway')
  }
  if (acceptance.party !== writer.party) {
    throw new CountersignError('writer/not-allowed', 'the key is not listed for the party that the statement names')
  }
  return name
}

function checkQuota(gateway: Services, { spki, perDay }: Writer): void {
  const today = Math.floor(gateway.log.clock.read().timeMs / 1000 / SECONDS_PER_DAY) * SECONDS_PER_DAY
  if (gateway.statements.countSince(spki, today) >= perDay) {
    throw new CountersignError('writer/quota', `this key may write ${perDay} statements a day`)
  }
}
