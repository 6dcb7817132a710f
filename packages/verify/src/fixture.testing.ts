/**
 * A small log in memory, with keys from fixed seeds and deterministic signatures, so that tests and vectors are the same
 * on every machine.
 */
import { ed25519 } from '@noble/curves/ed25519.js'
import { p256 } from '@noble/curves/nist.js'
import { toBase64 } from './bytes/base64.ts'
import { concat, parseHex, toHex, uint64BigEndian, utf8 } from './bytes/bytes.ts'
import type { Json } from './bytes/json.ts'
import { createNobleCrypto } from './crypto/noble-provider.ts'
import { type DossierOpening, formatDossier } from './dossier/dossier.ts'
import { formatInferenceResponse } from './execution/open-inference.ts'
import { formatBundle } from './log/bundle.ts'
import { cosignatureMessage, formatCheckpoint } from './log/checkpoint.ts'
import { formatLeaf, parseLeaf } from './log/leaf.ts'
import { emptyRoot, type Hash, hashChildren, hashLeaf, type TreeHead } from './log/merkle.ts'
import { consistencyRanges, hashRange, inclusionRanges, type ReadSubtree } from './log/merkle-ranges.ts'
import {
  formatNoteKey,
  fullKeyId,
  NOTE_COSIGNATURE,
  NOTE_ED25519,
  type NoteKey,
  noteKey,
  parseNote,
} from './log/note.ts'
import { formatPromise } from './log/promise.ts'
import { COMMITMENT_ALGORITHM, commit, saltFor } from './statement/commitment.ts'
import { ACCEPTANCE_TYPE, DEPLOYMENT_TYPE, type DeploymentPredicate } from './statement/deployment.ts'
import { preAuthEncoding } from './statement/dsse.ts'
import { type CommittedSubject, INFERENCE_TYPE, type InferencePredicate } from './statement/inference.ts'
import { modelStatement } from './statement/model.ts'
import { formatStatement, type Statement, statementDigest } from './statement/statement.ts'

const crypto = createNobleCrypto()

export const ORIGIN = 'example.org/countersign-test-log'
export const NOW_MS = 1_790_000_000_000

/** A P-256 signer whose signatures are deterministic. */
export interface StatementSigner {
  readonly spki: Uint8Array
  readonly keyId: string
  sign(message: Uint8Array): Uint8Array
}

/** An Ed25519 signer of notes. */
export interface NoteSigner {
  readonly key: NoteKey
  /** Signature bytes over a text, with its key id and name. */
  sign(text: string): string
}

export function statementSigner(seed: string): StatementSigner {
  const secret = crypto.sha256(utf8(`test statement key ${seed}`))
  const header = parseHex('3059301306072a8648ce3d020106082a8648ce3d030107034200')
  const spki = concat(header, p256.getPublicKey(secret, false))
  return {
    spki,
    keyId: toHex(crypto.sha256(spki)),
    sign: (message) => p256.sign(message, secret, { prehash: true, lowS: false, format: 'der' }),
  }
}

export function logSigner(name: string, seed = name): NoteSigner {
  const secret = crypto.sha256(utf8(`test log key ${seed}`))
  const key = noteKey(crypto, name, NOTE_ED25519, ed25519.getPublicKey(secret))
  return {
    key,
    sign: (text) => signatureLine(key, ed25519.sign(utf8(text), secret)),
  }
}

/** A witness; cosigns the text of a checkpoint at a time. */
export function witnessSigner(name: string) {
  const secret = crypto.sha256(utf8(`test witness key ${name}`))
  const key = noteKey(crypto, name, NOTE_COSIGNATURE, ed25519.getPublicKey(secret))
  return {
    key,
    cosign(text: string, timeSeconds: number): string {
      const signature = ed25519.sign(cosignatureMessage(timeSeconds, text), secret)
      return signatureLine(key, concat(uint64BigEndian(BigInt(timeSeconds)), signature))
    },
  }
}

function signatureLine(key: NoteKey, signature: Uint8Array): string {
  return `— ${key.name} ${toBase64(concat(key.id, signature))}\n`
}

/** An append-only log of statements. */
export class TestLog {
  readonly signer: NoteSigner
  readonly #entries: {
    readonly payload: Uint8Array
    readonly signature: Uint8Array
    readonly leaf: Uint8Array
    signer: StatementSigner
  }[] = []

  constructor(signer: NoteSigner = logSigner(ORIGIN)) {
    this.signer = signer
  }

  get size(): number {
    return this.#entries.length
  }

  /** Signs and appends; the entry's index and the statement's digest. */
  append(statement: Statement, signer: StatementSigner): { index: number; digest: string; leafHash: Hash } {
    return this.appendPayload(formatStatement(statement), signer)
  }

  appendPayload(payload: Uint8Array, signer: StatementSigner): { index: number; digest: string; leafHash: Hash } {
    const signature = signer.sign(preAuthEncoding(payload))
    const leaf = formatLeaf({ payloadHash: crypto.sha256(payload), signature, spki: signer.spki })
    this.#entries.push({ payload, signature, leaf, signer })
    return { index: this.size - 1, digest: statementDigest(crypto, payload), leafHash: hashLeaf(crypto, leaf) }
  }

  head(size = this.size): TreeHead {
    return { size, root: size === 0 ? emptyRoot(crypto) : hashRange(crypto, { start: 0, end: size }, this.#read) }
  }

  /** The checkpoint of a size, signed by the log and whoever else signs its text. */
  checkpoint(size = this.size, cosigners: readonly ((text: string) => string)[] = []): string {
    const text = formatCheckpoint({ origin: this.signer.key.name, ...this.head(size) })
    return `${text}\n${[this.signer.sign, ...cosigners].map((sign) => sign(text)).join('')}`
  }

  /** The receipt of an entry under the head of a size. */
  bundle(index: number, size = this.size, checkpoint = this.checkpoint(size)): Json {
    const entry = this.#entries[index]
    if (entry === undefined) throw new Error(`no entry ${index}`)
    const path = index < size ? inclusionRanges(index, size).map((range) => hashRange(crypto, range, this.#read)) : []
    return formatBundle({
      envelope: { payload: entry.payload, signature: entry.signature, keyId: entry.signer.keyId },
      keyHint: entry.signer.keyId,
      logKeyId: fullKeyId(crypto, this.signer.key),
      index,
      treeSize: size,
      root: this.head(size).root,
      path,
      checkpoint,
      leafBytes: entry.leaf,
    })
  }

  consistency(from: number, to = this.size) {
    const path = consistencyRanges(from, to).map((range) => hashRange(crypto, range, this.#read))
    return { ...this.head(from), path }
  }

  promise(index: number, receipt: string, coverBySeconds = NOW_MS / 1000 + 60): string {
    const entry = this.#entries[index]
    if (entry === undefined) throw new Error(`no entry ${index}`)
    const statement = statementDigest(crypto, entry.payload)
    const leafHash = hashLeaf(crypto, entry.leaf)
    const text = formatPromise({ origin: this.signer.key.name, receipt, statement, index, leafHash, coverBySeconds })
    return `${text}\n${this.signer.sign(text)}`
  }

  leaf(index: number) {
    return parseLeaf(this.#entries[index]?.leaf ?? new Uint8Array(0))
  }

  readonly #read: ReadSubtree = (height, index) => {
    const entry = this.#entries[index]
    if (height === 0 && entry !== undefined) return hashLeaf(crypto, entry.leaf)
    return hashChildren(crypto, this.#read(height - 1, index * 2), this.#read(height - 1, index * 2 + 1))
  }
}

export const DEADLINES = { acknowledgeBusinessDays: 1, respondDays: 30, decideDays: 60, appealDays: 180 }
export const MODEL_DIGEST = toHex(crypto.sha256(utf8('test model file')))
export const REQUEST = utf8('{"inputs":[{"name":"x","datatype":"FP32","shape":[1,2],"data":[1.5,2]}]}')
export const RESPONSE = formatInferenceResponse({
  modelName: 'credit',
  id: undefined,
  outputs: [{ name: 'y', datatype: 'FP32', shape: [1, 1], data: Float32Array.of(0.25) }],
})

/** The scene that most tests play in: one deployment, accepted, one answer, some entries around it. */
export interface Scene {
  readonly log: TestLog
  readonly operator: StatementSigner
  readonly accountable: StatementSigner
  readonly publisher: StatementSigner
  readonly receiptId: string
  readonly index: number
  readonly statement: string
  readonly deployment: string
  /** A trust file that knows everyone. */
  readonly trustText: string
  readonly openings: readonly DossierOpening[]
  readonly promise: string
  /** Indexes of the registration, the manifest, and the acceptance. */
  readonly linked: readonly number[]
}

export interface SceneOptions {
  /** Changes to the answer's predicate. */
  readonly predicate?: Partial<InferencePredicate>
  /** Whether the accountable party accepts. */
  readonly accepted?: boolean
  /** Whether the publisher, not the operator, registers the model. */
  readonly published?: boolean
}

export function buildScene({ predicate = {}, accepted = true, published = false }: SceneOptions = {}): Scene {
  const log = new TestLog()
  const operator = statementSigner('operator')
  const accountable = statementSigner('accountable')
  const publisher = statementSigner('publisher')
  const files = [{ name: 'credit.onnx', digest: MODEL_DIGEST }]
  const registration = log.append(modelStatement(crypto, 'credit', files), published ? publisher : operator)
  const deployment = log.append(deploymentStatement(registration.digest, accountable.keyId), operator)
  const acceptance = accepted ? [log.append(acceptanceStatement(deployment.digest), accountable).index] : []
  const receiptId = '000102030405060708090a0b0c0d0e0f'
  const seed = crypto.sha256(utf8('test salt seed'))
  const openings = [
    opening(['request-received', 'request-sent'], saltFor(crypto, seed, 'request'), REQUEST),
    opening(['response-received', 'response-delivered'], saltFor(crypto, seed, 'response'), RESPONSE),
  ]
  const cited = log.head()
  const answer = log.append(
    {
      subjects: openings.flatMap(({ subjects, ...rest }) =>
        subjects.map((name) => ({ name, digest: { [COMMITMENT_ALGORITHM]: commit(crypto, rest) } })),
      ),
      predicateType: INFERENCE_TYPE,
      predicate: {
        ...inferencePredicate(receiptId, deployment.digest),
        checkpoint: { origin: ORIGIN, size: cited.size, root: toHex(cited.root) },
        ...predicate,
      } as unknown as Json,
    },
    operator,
  )
  for (let i = 0; i < 5; i++) log.append(modelStatement(crypto, `other-${i}`, files), operator)
  return {
    log,
    operator,
    accountable,
    publisher,
    receiptId,
    index: answer.index,
    statement: answer.digest,
    deployment: deployment.digest,
    trustText: trustText(`log ${formatNoteKey(log.signer.key)}\nquorum none\n`, { operator, accountable, publisher }),
    openings,
    promise: log.promise(answer.index, receiptId),
    linked: [registration.index, deployment.index, ...acceptance],
  }
}

/** The dossier of a scene's answer, under one head. */
export function sceneDossier(scene: Scene, checkpoint = scene.log.checkpoint(), size = scene.log.size): Json {
  const { log } = scene
  return formatDossier({
    receiptId: scene.receiptId,
    bundle: log.bundle(scene.index, size, checkpoint),
    promise: parseNote(utf8(scene.promise)),
    openings: scene.openings,
    statements: scene.linked.map((index) => log.bundle(index, size, checkpoint)),
    consistency: [log.consistency(scene.index, size)],
    evidence: [],
  })
}

export function jsonBytes(value: Json): Uint8Array {
  return utf8(JSON.stringify(value))
}

function opening(subjects: readonly CommittedSubject[], salt: Uint8Array, content: Uint8Array): DossierOpening {
  return { subjects, salt, content }
}

export function trustText(
  policy: string,
  signers: { operator: StatementSigner; accountable: StatementSigner; publisher: StatementSigner },
  more = '',
): string {
  const indented = policy.replace(/^/gm, '  ').trimEnd()
  const party = (name: string, role: string, { spki }: StatementSigner) =>
    `- name: ${name}\n  owner: ${name} Ltd\n  roles: [${role}]\n  keys:\n  - spki: ${toBase64(spki)}\n`
  return [
    `format: countersign-trust/v1\npolicy: |\n${indented}\nparties:\n`,
    party('Example Operator', 'operator', signers.operator),
    party('Example Accountable', 'accountable', signers.accountable),
    party('Example Publisher', 'publisher', signers.publisher),
    more,
  ].join('')
}

function deploymentStatement(registration: string, accountableKeyId: string): Statement {
  const predicate: DeploymentPredicate = {
    name: 'credit',
    operator: { name: 'Example Operator', contact: 'operator@example.org' },
    models: [
      {
        name: 'credit',
        digest: { sha256: MODEL_DIGEST },
        registration,
        engine: { name: 'onnxruntime-node', version: '1.30.0', profile: 'served-profile' },
        referenceProfile: 'reference-profile',
        agreement: 'exact',
      },
    ],
    vault: 'content',
    onFailure: 'flag',
    prices: [],
    accountable: { party: 'Example Accountable', keyId: accountableKeyId, contact: 'appeals@example.org' },
    deadlines: DEADLINES,
    example: true,
  }
  return {
    subjects: [{ name: 'credit', digest: { sha256: MODEL_DIGEST } }],
    predicateType: DEPLOYMENT_TYPE,
    predicate: predicate as unknown as Json,
  }
}

export function acceptanceStatement(deployment: string): Statement {
  return {
    subjects: [{ name: 'credit', digest: { sha256: deployment } }],
    predicateType: ACCEPTANCE_TYPE,
    predicate: {
      deployment: { name: 'credit', statement: deployment },
      party: 'Example Accountable',
      contact: 'appeals@example.org',
      deadlines: DEADLINES,
      acceptedAtMs: NOW_MS,
    },
  }
}

function inferencePredicate(receipt: string, deployment: string): Omit<InferencePredicate, 'checkpoint'> {
  return {
    receipt,
    deployment: { name: 'credit', statement: deployment },
    model: { requested: 'credit', served: 'credit', digestSource: 'loaded-file', digest: { sha256: MODEL_DIGEST } },
    engine: { name: 'onnxruntime-node', version: '1.30.0', profile: 'served-profile' },
    parameters: {},
    usage: { rows: 1 },
    finish: { reason: 'complete' },
    price: [],
    attempts: [{ upstream: 'onnx', outcome: 'answered', startedAtMs: NOW_MS, endedAtMs: NOW_MS + 2 }],
    observations: [],
    evidence: [],
    parents: [],
    startedAtMs: NOW_MS,
    endedAtMs: NOW_MS + 3,
    epoch: '0000000000000001',
    sequence: 0,
  }
}
