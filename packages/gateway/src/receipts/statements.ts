/** Statements that others write: who may, how many, and of which kind. */
import {
  CountersignError,
  FILE_LIMITS,
  openEnvelope,
  parseEnvelope,
  parseJson,
  type StatementDigest,
  toHex,
} from '@countersign/verify'
import type { Writer } from '../deployments/deployments.ts'
import type { Services } from '../services.ts'
import { readForeignStatement } from './foreign-statements.ts'

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
 *   `json/*`, `dsse/*`, `statement/mismatch` when it is about nothing of this gateway
 */
async function acceptStatement(gateway: Services, body: Uint8Array): Promise<AcceptedStatement> {
  const envelope = parseEnvelope(parseJson(body, FILE_LIMITS))
  const writers = gateway.writers.filter((each) => each.keyId === envelope.keyId)
  const [first] = writers
  if (first === undefined) {
    throw new CountersignError(
      'writer/not-allowed',
      'this key may not write here; the operator lists keys under "writers"',
    )
  }
  const payload = openEnvelope(gateway.crypto, envelope, first.spki)
  const digest = toHex(gateway.crypto.sha256(payload))
  const known = gateway.statements.byDigest(digest)
  if (known !== undefined) return { statement: digest, index: known.index, isNew: false }
  const { kind, name, writer } = readForeignStatement(payload, gateway, writers)
  checkQuota(gateway, writer)
  const { signature } = envelope
  const { index } = await gateway.log.append({
    kind: 'foreign',
    type: kind,
    name,
    payload,
    signature,
    spki: writer.spki,
  })
  if (kind === 'audit-result') gateway.receipts.audits.add(index, name)
  return { statement: digest, index, isNew: true }
}

function checkQuota(gateway: Services, { spki, perDay }: Writer): void {
  const today = Math.floor(gateway.log.clock.read().timeMs / 1000 / SECONDS_PER_DAY) * SECONDS_PER_DAY
  if (gateway.statements.countSince(spki, today) >= perDay) {
    throw new CountersignError('writer/quota', `this key may write ${perDay} statements a day`)
  }
}
