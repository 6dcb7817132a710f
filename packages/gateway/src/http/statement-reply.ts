/** A statement as it is handed out. @spec spec/http.md */
import { formatEnvelope, type Json, toHex } from '@countersign/verify'
import type { Services } from '../services.ts'
import type { StatementRow } from '../store/statement-reader.ts'

/** Its place, its envelope, and its receipt once a signed head covers it. */
export function statementReply(gateway: Services, row: StatementRow): Json {
  const covered = (gateway.log.head?.size ?? 0) > row.index
  const keyId = toHex(gateway.crypto.sha256(row.spki))
  return {
    statement: toHex(row.digest),
    index: row.index,
    envelope: formatEnvelope({ payload: row.payload, signature: row.signature, keyId }),
    ...(covered ? { bundle: gateway.receipts.bundle(row) } : {}),
  }
}
