/** An operator's statements in a log, receipts of them, and a gateway that shows them to some. */
import { sign } from 'node:crypto'
import { createServer, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import {
  formatBundle,
  formatDossier,
  formatEnvelope,
  formatLeaf,
  formatStatement,
  fullKeyId,
  INFERENCE_TYPE,
  type Json,
  MODEL_TYPE,
  parseHex,
  preAuthEncoding,
  type Statement,
  statementDigest,
  toHex,
  utf8,
} from '@countersign/verify'
import { createNodeCrypto } from '@countersign/verify/crypto/node'
import type { TestLog, TestStatementSigner } from '../log-client/log-server.testing.ts'

const crypto = createNodeCrypto()

/** A statement in the log. */
export interface LoggedStatement {
  readonly index: number
  readonly digest: string
  readonly isPublic: boolean
  readonly envelope: Json
}

/** What tells two answers apart here. */
export interface AnswerNames {
  readonly receipt: string
  readonly sequence: number
  readonly deployment?: string
  readonly epoch?: string
  /** Makes two statements of the same names differ. */
  readonly requested?: string
}

export class Operator {
  readonly #log: TestLog
  readonly #signer: TestStatementSigner
  readonly logged: LoggedStatement[] = []

  constructor(log: TestLog, signer: TestStatementSigner) {
    this.#log = log
    this.#signer = signer
  }

  answer({ receipt, sequence, deployment = 'credit', epoch = '0000000000000001', requested = 'm' }: AnswerNames) {
    const atMs = 1_790_000_000_000
    return this.#append(
      {
        subjects: [{ name: 'request-received', digest: { 'countersign-commitment-v1': '00'.repeat(32) } }],
        predicateType: INFERENCE_TYPE,
        predicate: {
          receipt,
          deployment: { name: deployment, statement: '11'.repeat(32) },
          model: { requested, served: 'm', digestSource: 'unknown' },
          ...{ parameters: {}, usage: 'unknown', finish: { reason: 'complete' }, price: [], observations: [] },
          attempts: [{ upstream: 'u', outcome: 'answered', startedAtMs: atMs, endedAtMs: atMs }],
          checkpoint: { origin: this.#log.signer.key.name, size: 0, root: toHex(crypto.sha256(new Uint8Array(0))) },
          ...{ evidence: [], parents: [], startedAtMs: atMs, endedAtMs: atMs, epoch, sequence },
        },
      },
      false,
    )
  }

  /** A statement that everyone may read. */
  publish(name: string): LoggedStatement {
    const subjects = [{ name, digest: { sha256: '22'.repeat(32) } }]
    return this.#append({ subjects, predicateType: MODEL_TYPE, predicate: { name } }, true)
  }

  #append(statement: Statement, isPublic: boolean): LoggedStatement {
    const payload = formatStatement(statement)
    const signature = new Uint8Array(sign('sha256', preAuthEncoding(payload), this.#signer.privateKey))
    const { spki } = this.#signer
    const index = this.#log.tree.append(formatLeaf({ payloadHash: crypto.sha256(payload), signature, spki }))
    const envelope = formatEnvelope({ payload, signature, keyId: toHex(crypto.sha256(spki)) })
    const logged = { index, digest: statementDigest(crypto, payload), isPublic, envelope }
    this.logged.push(logged)
    return logged
  }

  /** The receipt of a statement under the head of a size of some tree of the log's key. */
  bundle({ index, envelope }: LoggedStatement, log = this.#log, size = log.tree.size): Json {
    const { tree, signer } = log
    const parsed = envelope as {
      readonly payload: string
      readonly signatures: readonly { readonly sig: string; keyid: string }[]
    }
    const [{ sig = '', keyid = '' } = {}] = parsed.signatures
    const bytes = (text: string) => new Uint8Array(Buffer.from(text, 'base64'))
    return formatBundle({
      envelope: { payload: bytes(parsed.payload), signature: bytes(sig), keyId: keyid },
      keyHint: keyid,
      logKeyId: fullKeyId(crypto, signer.key),
      ...{ index, treeSize: size, root: tree.root(size), path: tree.path(index, size) },
      checkpoint: log.checkpoint(size),
      leafBytes: tree.entries[index] ?? new Uint8Array(0),
    })
  }

  dossier(receiptId: string, logged: LoggedStatement, others: readonly LoggedStatement[] = []): Json {
    const statements = others.map((each) => this.bundle(each))
    const nothing = { promise: undefined, openings: [], consistency: [], evidence: [] }
    return formatDossier({ receiptId, bundle: this.bundle(logged), statements, ...nothing })
  }
}

export const TEST_API_KEY = `csk_${'k'.repeat(43)}`

/** `GET /statements/{digest}` as a gateway has it. `misdeed` gives another status or body for a statement. */
export async function startStatementsEndpoint(
  operator: Operator,
  misdeed: (logged: LoggedStatement) => { readonly status: number; readonly body?: Json } | undefined = () => undefined,
) {
  const answer = (request: IncomingMessage): { readonly status: number; readonly body?: Json } => {
    const digest = /^\/statements\/([0-9a-f]{64})$/.exec(request.url ?? '')?.[1]
    const logged = operator.logged.find((each) => each.digest === digest)
    if (logged === undefined) return { status: 404 }
    if (!logged.isPublic && request.headers.authorization !== `Bearer ${TEST_API_KEY}`) return { status: 403 }
    const { index, envelope } = logged
    const honest = { statement: logged.digest, index, envelope, bundle: operator.bundle(logged) }
    return misdeed(logged) ?? { status: 200, body: honest }
  }
  const server = createServer((request, response) => {
    const { status, body } = answer(request)
    response.writeHead(status)
    response.end(body === undefined ? undefined : utf8(JSON.stringify(body)))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    stop: () =>
      new Promise<void>((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}

/** An id of a receipt, by number. */
export const receiptId = (number: number) => toHex(parseHex(number.toString(16).padStart(32, '0')))
