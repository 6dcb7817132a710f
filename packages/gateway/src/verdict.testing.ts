/** What a relying party does with what a gateway hands out. */
import assert from 'node:assert/strict'
import { createModelStore, reexecute } from '@countersign/engines'
import {
  decideRecord,
  decideVerdict,
  type ExecutionResult,
  formatNoteKey,
  type Inference,
  type NoteKey,
  openReceipt,
  PAYLOAD_LIMITS,
  parseBundle,
  parseDossier,
  parseInference,
  parseJson,
  parseStatement,
  parseTrustFile,
  planExecution,
  type Trust,
  toBase64,
  utf8,
  type Verdict,
} from '@countersign/verify'
import { createNodeCrypto } from '@countersign/verify/crypto/node'
import { loadLogKey, readP256PublicKey } from './data/keys.ts'
import { keysOf } from './gateway.testing.ts'
import type { Gateway } from './gateway.ts'

const crypto = createNodeCrypto()

/** The public key of the gateway's log. */
export function logKeyOf(gateway: Gateway): NoteKey {
  return loadLogKey(keysOf(gateway.dataRoot).log, gateway.log.origin, false).note
}

/** A trust file that knows the gateway's log, its operator, and the accountable party. `quorum`: lines of its policy. */
export function trustIn(gateway: Gateway, quorum: readonly string[] = ['quorum none']): Trust {
  const keys = keysOf(gateway.dataRoot)
  const party = (name: string, role: string, path: string) =>
    `- name: ${name}\n  owner: ${name}\n  roles: [${role}]\n  keys:\n  - spki: ${toBase64(readP256PublicKey(path))}\n`
  const text = [
    'format: countersign-trust/v1\n',
    `policy: |\n  log ${formatNoteKey(logKeyOf(gateway))}\n${quorum.map((line) => `  ${line}\n`).join('')}`,
    'parties:\n',
    party('Example Operator (demonstration)', 'operator', keys.statement),
    party('Example Lender (demonstration)', 'accountable', keys.exampleAccountable),
  ]
  return parseTrustFile(crypto, utf8(text.join('')))
}

/** The verdict on a dossier, after running the model again from the folder's files. */
export async function judge(trust: Trust, bytes: Uint8Array, modelFolder: string): Promise<Verdict> {
  const dossier = parseDossier(bytes)
  const input = { crypto, trust, atMs: Date.now() }
  const { answer } = decideRecord(dossier, input)
  const executions: ExecutionResult[] = []
  const models = createModelStore({ folders: [modelFolder] })
  try {
    if (answer !== undefined) executions.push(await reexecute(planExecution(answer), { models }))
    return decideVerdict(dossier, { ...input, executions })
  } finally {
    await models.close()
  }
}

/** `claim status` of each row. */
export function rowsOf(verdict: Verdict): readonly string[] {
  return verdict.claims.map(({ claim, status, grade }) => `${claim} ${status}${grade === null ? '' : ` ${grade}`}`)
}

/** The answer's statement in a receipt, after everything about it was checked. */
export function inferenceIn(gateway: Gateway, bundle: Uint8Array): Inference & { readonly index: number } {
  const opened = openReceipt(crypto, parseBundle(parseJson(bundle, PAYLOAD_LIMITS), 'bundle'), logKeyOf(gateway))
  assert.equal(
    opened.keyId,
    Buffer.from(crypto.sha256(readP256PublicKey(keysOf(gateway.dataRoot).statement))).toString('hex'),
  )
  return { ...parseInference(parseStatement(opened.payload)), index: opened.index }
}
