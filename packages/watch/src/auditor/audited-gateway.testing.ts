/** A gateway to be audited, over real sockets: a log with answers of the bundled credit model in it, and every lie. */
import { generateKeyPairSync } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import { fileURLToPath } from 'node:url'
import { createModelStore, REFERENCE_PROFILE } from '@countersign/engines'
import {
  COMMITMENT_ALGORITHM,
  commit,
  DEPLOYMENT_TYPE,
  type DossierOpening,
  formatBundle,
  formatDossier,
  formatEnvelope,
  formatInferenceResponse,
  formatLeaf,
  formatStatement,
  formatTensor,
  fullKeyId,
  INFERENCE_TYPE,
  type Json,
  modelStatement,
  parseEnvelope,
  parseJson,
  parseTilePath,
  preAuthEncoding,
  type Statement,
  saltFor,
  statementDigest,
  type Tensor,
  toHex,
  utf8,
} from '@countersign/verify'
import { createNodeCrypto } from '@countersign/verify/crypto/node'
import { createNoteSigner, TEST_ORIGIN, TestLog, trustTextOf } from '../log-client/log-server.testing.ts'
import type { AuditorKey } from './auditor.ts'
import { parseAuditorKey } from './auditor-key.ts'

const crypto = createNodeCrypto()

export const MODELS = fileURLToPath(new URL('../../../../models/', import.meta.url))
const MODEL_BYTES = new Uint8Array(readFileSync(`${MODELS}credit/credit.onnx`))
const MODEL_DIGEST = toHex(crypto.sha256(MODEL_BYTES))
const ENGINE = { name: 'onnxruntime-node', version: '1.30.0', profile: 'ort-node-1.30.0-cpu-disabled-1t' }
const INPUT: Tensor = { name: 'application', datatype: 'FP32', shape: [1, 17], data: new Float32Array(17).fill(1) }
const REQUEST = utf8(JSON.stringify({ inputs: [formatTensor(INPUT)] }))

/** What stands behind an entry. */
interface Entry {
  readonly payload: Uint8Array
  readonly signature: Uint8Array
  readonly spki: Uint8Array
  readonly answer?: { readonly receipt: string; readonly openings: readonly DossierOpening[] }
}

/** What is given instead of the honest answer about an entry. */
export type Evasion =
  | { readonly kind: 'refuse'; readonly status: number; readonly code: string }
  /** Nothing, for as long as it is waited for. */
  | { readonly kind: 'hang' }
  /** Other bytes than were committed to. */
  | { readonly kind: 'other-opening' }
  /** Honest in everything, and opens nothing. */
  | { readonly kind: 'no-opening' }
  /** The dossier of another entry. */
  | { readonly kind: 'other-entry'; readonly index: number }
  | { readonly kind: 'text'; readonly text: string }

export interface AnswerOptions {
  /** Whether it says something else than the model. */
  readonly isWrong?: boolean
  /** Whether it names a model that the manifest does not. */
  readonly isUnlisted?: boolean
  /** Whether an upstream gave it, as far as anybody can tell. */
  readonly isRelayed?: boolean
  /** What it commits to as the request, where that is none. */
  readonly request?: string
}

/** A key, with its PEM for another process. */
export function createKey(): AuditorKey & { readonly pem: string } {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const pem = privateKey.export({ format: 'pem', type: 'pkcs8' }).toString()
  return { ...parseAuditorKey(pem), pem }
}

export class AuditedGateway {
  readonly log: TestLog
  readonly operator = createKey()
  readonly apiKey = `csk_${'a'.repeat(43)}`
  /** Entries that were asked for, in order. */
  readonly asked: number[] = []
  evade: (index: number) => Evasion | undefined = () => undefined
  /** Whether statements are taken in; a status where they are not. */
  refusePosts: number | undefined
  /** How often a statement is given before a head is said to cover it. */
  coversAfter = 0
  /** What is said of the place of a statement that was taken in. */
  place = (index: number): number => index
  /** Lines of witnesses on the checkpoint. */
  cosign: readonly ((text: string) => string)[] = []
  url = ''
  readonly #entries: Entry[] = []
  readonly #output: readonly Tensor[]
  readonly #manifest: string
  #sequence = 0

  constructor(output: readonly Tensor[], agreement: 'exact' | 'tolerant', origin: string) {
    this.log = new TestLog(createNoteSigner(origin))
    this.#output = output
    const registration = this.append(modelStatement(crypto, 'credit', [{ name: 'credit.onnx', digest: MODEL_DIGEST }]))
    this.#manifest = this.append(manifest(registration.digest, agreement)).digest
  }

  /** A trust file that knows the operator, and witnesses where there are some. */
  trustText(witnesses: Parameters<typeof trustTextOf>[1] = {}): string {
    return trustTextOf(this.log.signer, { ...witnesses, operator: this.operator.spki })
  }

  append(statement: Statement): { readonly index: number; readonly digest: string } {
    const payload = formatStatement(statement)
    return this.#put({ payload, signature: this.operator.sign(preAuthEncoding(payload)), spki: this.operator.spki })
  }

  /** Puts an answer of the credit model into the log. */
  answer({ isWrong = false, isUnlisted = false, isRelayed = false, request }: AnswerOptions = {}): number {
    const receipt = toHex(crypto.sha256(utf8(`receipt ${this.#entries.length}`)).subarray(0, 16))
    const outputs = isWrong ? this.#output.map(wrong) : this.#output
    const response = formatInferenceResponse({ modelName: 'credit', id: undefined, outputs })
    const openings = openingsOf(receipt, response, request === undefined ? REQUEST : utf8(request))
    const digest = { sha256: isUnlisted ? 'ab'.repeat(32) : MODEL_DIGEST }
    const model = isRelayed
      ? { requested: 'credit', served: 'credit', digestSource: 'unknown' }
      : { requested: 'credit', served: 'credit', digestSource: 'loaded-file', digest }
    const statement = inference(receipt, openings, { model, ...(isRelayed ? {} : { engine: ENGINE }) }, this.#terms())
    const payload = formatStatement(statement)
    const signature = this.operator.sign(preAuthEncoding(payload))
    return this.#put({ payload, signature, spki: this.operator.spki, answer: { receipt, openings } }).index
  }

  #terms() {
    const cited = { origin: this.log.signer.key.name, size: 1, root: toHex(this.log.tree.root(1)) }
    return { manifest: this.#manifest, cited, sequence: this.#sequence++ }
  }

  #put(entry: Entry): { readonly index: number; readonly digest: string } {
    const { payload, signature, spki } = entry
    this.#entries.push(entry)
    const index = this.log.tree.append(formatLeaf({ payloadHash: crypto.sha256(payload), signature, spki }))
    return { index, digest: statementDigest(crypto, payload) }
  }

  /** Payload of an entry. */
  payload(index: number): Uint8Array {
    return this.#entry(index).payload
  }

  serve(request: IncomingMessage, response: ServerResponse): void {
    const path = request.url ?? ''
    const entry = /^\/audit\/entries\/(\d+)$/.exec(path)?.[1]
    const digest = /^\/statements\/([0-9a-f]{64})$/.exec(path)?.[1]
    if (path === '/log/checkpoint') reply(response, 200, this.log.checkpoint(this.log.tree.size, this.cosign))
    else if (path.startsWith('/log/')) this.#serveTile(path.slice('/log/'.length), response)
    else if (entry !== undefined) this.#serveEntry(Number(entry), request, response)
    else if (path === '/statements') void this.#takeIn(request, response)
    else if (digest !== undefined) this.#serveStatement(digest, response)
    else reply(response, 404, { code: 'request/not-found' })
  }

  #serveTile(path: string, response: ServerResponse): void {
    const tile = this.log.tree.tile(parseTilePath(path))
    if (tile === undefined) reply(response, 404, { code: 'request/not-found' })
    else response.end(tile)
  }

  #serveEntry(index: number, { headers }: IncomingMessage, response: ServerResponse): void {
    if (headers.authorization !== `Bearer ${this.apiKey}`) {
      reply(response, 401, { code: 'auth/unknown-key' })
      return
    }
    this.asked.push(index)
    const evasion = this.evade(index)
    if (evasion?.kind === 'hang') return
    if (evasion?.kind === 'refuse') reply(response, evasion.status, { error: 'no', code: evasion.code })
    else reply(response, 200, this.#evaded(index, evasion))
  }

  #evaded(index: number, evasion: Exclude<Evasion, { kind: 'hang' | 'refuse' }> | undefined): Json | string {
    switch (evasion?.kind) {
      case undefined:
        return this.#give(index)
      case 'other-opening':
        return this.#dossier(index, (opening) => ({ ...opening, content: utf8('{}') }))
      case 'no-opening':
        return this.#dossier(index, () => undefined)
      case 'other-entry':
        return this.#give(evasion.index)
      case 'text':
        return evasion.text
    }
  }

  async #takeIn(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(chunk as Buffer)
    const { payload, signature, keyId } = parseEnvelope(
      parseJson(new Uint8Array(Buffer.concat(chunks)), { maxBytes: 2 ** 20, maxDepth: 8 }),
    )
    const statement = statementDigest(crypto, payload)
    const known = this.#entries.findIndex((entry) => Buffer.from(entry.payload).equals(payload))
    const spki = this.writers.get(keyId)
    if (spki === undefined || this.refusePosts !== undefined) {
      reply(response, this.refusePosts ?? 403, { code: 'writer/not-allowed' })
      return
    }
    const index = known >= 0 ? known : this.#put({ payload, signature, spki }).index
    reply(response, known >= 0 ? 200 : 201, { statement, index: this.place(index) })
  }

  /** Keys that may write. */
  readonly writers = new Map<string, Uint8Array>()

  #serveStatement(digest: string, response: ServerResponse): void {
    const index = this.#entries.findIndex(({ payload }) => statementDigest(crypto, payload) === digest)
    if (index < 0) reply(response, 404, { code: 'receipt/not-found' })
    else if (this.coversAfter > 0) {
      this.coversAfter--
      reply(response, 200, { statement: digest, index })
    } else reply(response, 200, this.#give(index))
  }

  #give(index: number): Json {
    const entry = this.#entry(index)
    if (entry.answer !== undefined) return this.#dossier(index, (opening) => opening)
    const envelope = formatEnvelope({ ...entry, keyId: '' })
    return { statement: statementDigest(crypto, entry.payload), index, envelope, bundle: this.#bundle(index) }
  }

  #dossier(index: number, change: (opening: DossierOpening) => DossierOpening | undefined): Json {
    const { answer } = this.#entry(index)
    return formatDossier({
      receiptId: answer?.receipt ?? '',
      bundle: this.#bundle(index),
      promise: undefined,
      openings: (answer?.openings ?? []).flatMap((opening) => change(opening) ?? []),
      statements: [this.#bundle(0), this.#bundle(1)],
      consistency: [],
      evidence: [],
    })
  }

  #bundle(index: number): Json {
    const { payload, signature, spki } = this.#entry(index)
    const { tree, signer } = this.log
    return formatBundle({
      envelope: { payload, signature, keyId: toHex(crypto.sha256(spki)) },
      keyHint: '0',
      logKeyId: fullKeyId(crypto, signer.key),
      ...{ index, treeSize: tree.size, root: tree.root(), path: tree.path(index) },
      checkpoint: this.log.checkpoint(tree.size, this.cosign),
      leafBytes: formatLeaf({ payloadHash: crypto.sha256(payload), signature, spki }),
    })
  }

  #entry(index: number): Entry {
    const entry = this.#entries[index]
    if (entry === undefined) throw new Error(`no entry ${index}`)
    return entry
  }
}

let honestOutput: Promise<readonly Tensor[]> | undefined

/** What the credit model gives for the one question that is asked here. */
function runModel(): Promise<readonly Tensor[]> {
  honestOutput ??= (async () => {
    const models = createModelStore({ folders: [MODELS] })
    const output = await models.use(REFERENCE_PROFILE, MODEL_DIGEST, (model) => model.run([INPUT], []))
    await models.close()
    return output
  })()
  return honestOutput
}

export interface RunningGateway {
  readonly gateway: AuditedGateway
  stop(): Promise<void>
}

export async function startAuditedGateway(
  agreement: 'exact' | 'tolerant' = 'exact',
  origin = TEST_ORIGIN,
): Promise<RunningGateway> {
  const sockets = new Set<Socket>()
  const server = createServer((request, response) => gateway?.serve(request, response))
  server.on('connection', (socket) => {
    sockets.add(socket)
    socket.on('close', () => sockets.delete(socket))
  })
  let gateway: AuditedGateway | undefined
  // Before the model runs: with nothing open, Node.js waits until its WebAssembly is compiled, and does nothing else.
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  gateway = new AuditedGateway(await runModel(), agreement, origin)
  gateway.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const stop = () =>
    new Promise<void>((resolve) => {
      server.close(() => resolve())
      for (const socket of sockets) socket.destroy()
    })
  return { gateway, stop }
}

function reply(response: ServerResponse, status: number, body: Json | string): void {
  response.writeHead(status, { 'content-type': 'application/json' })
  response.end(typeof body === 'string' ? body : JSON.stringify(body))
}

function wrong(tensor: Tensor): Tensor {
  if (tensor.datatype !== 'FP32') return tensor
  return { ...tensor, data: Float32Array.from(tensor.data as Float32Array, (value) => value * 0.5 + 0.25) }
}

function openingsOf(receipt: string, response: Uint8Array, request: Uint8Array): readonly DossierOpening[] {
  const seed = crypto.sha256(utf8(`seed ${receipt}`))
  return [
    { subjects: ['request-received', 'request-sent'], salt: saltFor(crypto, seed, 'request'), content: request },
    {
      subjects: ['response-received', 'response-delivered'],
      salt: saltFor(crypto, seed, 'response'),
      content: response,
    },
  ]
}

function inference(
  receipt: string,
  openings: readonly DossierOpening[],
  served: Json,
  terms: { readonly manifest: string; readonly cited: Json; readonly sequence: number },
): Statement {
  const subjects = openings.flatMap((opening) =>
    opening.subjects.map((name) => ({ name, digest: { [COMMITMENT_ALGORITHM]: commit(crypto, opening) } })),
  )
  const nowMs = Date.now()
  const predicate = {
    receipt,
    deployment: { name: 'credit', statement: terms.manifest },
    ...(served as object),
    ...{ parameters: {}, usage: { rows: 1 }, finish: { reason: 'complete' }, price: [] },
    ...{ attempts: [], observations: [], evidence: [], parents: [], startedAtMs: nowMs, endedAtMs: nowMs },
    ...{ checkpoint: terms.cited, epoch: '0000000000000001', sequence: terms.sequence },
  } as Json
  return { subjects, predicateType: INFERENCE_TYPE, predicate }
}

function manifest(registration: string, agreement: 'exact' | 'tolerant'): Statement {
  const model = {
    ...{ name: 'credit', digest: { sha256: MODEL_DIGEST }, registration, engine: ENGINE },
    ...{ referenceProfile: REFERENCE_PROFILE.id, agreement },
  }
  const predicate = {
    name: 'credit',
    operator: { name: 'Operator', contact: 'operator@example.org' },
    models: [model],
    ...{ vault: 'content', onFailure: 'flag', prices: [] },
    accountable: { party: 'Lender', keyId: 'ab'.repeat(32), contact: 'appeals@example.org' },
    deadlines: { acknowledgeBusinessDays: 1, respondDays: 30, decideDays: 60, appealDays: 180 },
    example: false,
  } as Json
  return { subjects: [{ name: 'credit', digest: { sha256: MODEL_DIGEST } }], predicateType: DEPLOYMENT_TYPE, predicate }
}
