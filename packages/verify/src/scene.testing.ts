/** The scene that most tests play in: a model, a deployment, its acceptance, one answer, some entries around them. */
import { toBase64 } from './bytes/base64.ts'
import { toHex, utf8 } from './bytes/bytes.ts'
import type { Json } from './bytes/json.ts'
import { createNobleCrypto } from './crypto/noble-provider.ts'
import { type DossierOpening, formatDossier } from './dossier/dossier.ts'
import { formatInferenceResponse } from './execution/open-inference.ts'
import { NOW_MS, ORIGIN, type StatementSigner, statementSigner, TestLog } from './fixture.testing.ts'
import { formatNoteKey, parseNote } from './log/note.ts'
import { COMMITMENT_ALGORITHM, commit, saltFor } from './statement/commitment.ts'
import {
  ACCEPTANCE_TYPE,
  type AcceptancePredicate,
  DEPLOYMENT_TYPE,
  type DeploymentPredicate,
  type ServedModel,
} from './statement/deployment.ts'
import { type CommittedSubject, INFERENCE_TYPE, type InferencePredicate } from './statement/inference.ts'
import { modelStatement } from './statement/model.ts'
import type { Statement } from './statement/statement.ts'

const crypto = createNobleCrypto()

export const RECEIPT_ID = '000102030405060708090a0b0c0d0e0f'
export const DEADLINES = { acknowledgeBusinessDays: 1, respondDays: 30, decideDays: 60, appealDays: 180 }
export const MODEL_DIGEST = toHex(crypto.sha256(utf8('test model file')))
export const REQUEST = utf8('{"inputs":[{"name":"x","datatype":"FP32","shape":[1,2],"data":[1.5,2]}]}')
export const RESPONSE = formatInferenceResponse({
  modelName: 'credit',
  id: undefined,
  outputs: [{ name: 'y', datatype: 'FP32', shape: [1, 1], data: Float32Array.of(0.25) }],
})

/** Who signs what. */
export interface Signers {
  readonly operator: StatementSigner
  readonly accountable: StatementSigner
  readonly publisher: StatementSigner
}

export interface Scene extends Signers {
  readonly log: TestLog
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
  /** Whether something else than an engine of the operator's own gave the answer. */
  readonly withoutEngine?: boolean
  /** Changes to the manifest, and to the one model in it. */
  readonly deployment?: Partial<DeploymentPredicate>
  readonly model?: Partial<ServedModel>
  /** Changes to the acceptance; `null` for none. */
  readonly acceptance?: Partial<AcceptancePredicate> | null
  readonly accepter?: StatementSigner
  /** Whether the acceptance comes after the answer. */
  readonly acceptedLate?: boolean
  readonly registrar?: StatementSigner
  /** What the operator, or another, logs right before the answer; linked to it. */
  readonly earlier?: readonly Statement[]
  readonly earlierSigner?: StatementSigner
  /** What the statement commits to, instead of the usual request and answer. */
  readonly openings?: readonly DossierOpening[]
  /** The file that is registered. */
  readonly registered?: string
}

/** Plays the scene; the same options give the same bytes. */
export function buildScene(options: SceneOptions = {}): Scene {
  const log = new TestLog()
  const [operator, accountable, publisher] = ['operator', 'accountable', 'publisher'].map(statementSigner) as [
    StatementSigner,
    StatementSigner,
    StatementSigner,
  ]
  const files = [{ name: 'credit.onnx', digest: options.registered ?? MODEL_DIGEST }]
  const registration = log.append(modelStatement(crypto, 'credit', files), options.registrar ?? operator)
  const deployment = log.append(deploymentStatement(registration.digest, accountable.keyId, options), operator)
  const accept = () =>
    options.acceptance === null
      ? []
      : [log.append(acceptanceStatement(deployment.digest, options.acceptance), options.accepter ?? accountable).index]
  const early = options.acceptedLate ? [] : accept()
  const earlier = (options.earlier ?? []).map((each) => log.append(each, options.earlierSigner ?? operator).index)
  const openings = options.openings ?? sceneOpenings()
  const cited = log.head()
  const predicate = {
    ...inferencePredicate(RECEIPT_ID, deployment.digest, options),
    checkpoint: { origin: ORIGIN, size: cited.size, root: toHex(cited.root) },
    ...options.predicate,
  }
  const answer = log.append(inferenceStatement(openings, predicate), operator)
  const late = options.acceptedLate ? accept() : []
  for (let i = 0; i < 5; i++) log.append(modelStatement(crypto, `other-${i}`, files), operator)
  return {
    ...{ log, operator, accountable, publisher },
    receiptId: RECEIPT_ID,
    index: answer.index,
    statement: answer.digest,
    deployment: deployment.digest,
    trustText: trustText(`${logLine(log)}\nquorum none\n`, { operator, accountable, publisher }),
    openings,
    promise: log.promise(answer.index, RECEIPT_ID),
    linked: [registration.index, deployment.index, ...early, ...earlier, ...late],
  }
}

/** The policy line that trusts a log. */
export function logLine(log: TestLog): string {
  return `log ${formatNoteKey(log.signer.key)}`
}

/** The dossier of a scene's answer, under one head. */
export function sceneDossier(scene: Scene, checkpoint = scene.log.checkpoint(), size = scene.log.size): Json {
  const { log } = scene
  const covered = scene.linked.filter((index) => index < size)
  return formatDossier({
    receiptId: scene.receiptId,
    bundle: log.bundle(scene.index, size, checkpoint),
    promise: parseNote(utf8(scene.promise)),
    openings: scene.openings,
    statements: covered.map((index) => log.bundle(index, size, checkpoint)),
    consistency: [log.consistency(Math.min(scene.index, size), size)],
    evidence: [],
  })
}

function sceneOpenings(): readonly DossierOpening[] {
  return [
    sceneOpening('request', ['request-received', 'request-sent'], REQUEST),
    sceneOpening('response', ['response-received', 'response-delivered'], RESPONSE),
  ]
}

/** An opening with a salt from the scene's seed. */
export function sceneOpening(
  label: string,
  subjects: readonly CommittedSubject[],
  content: Uint8Array,
): DossierOpening {
  return { subjects, salt: saltFor(crypto, crypto.sha256(utf8('test salt seed')), label), content }
}

/** A trust file with the three parties of the scene and `more` lines after them. */
export function trustText(policy: string, signers: Signers, more = ''): string {
  const indented = policy.replace(/^/gm, '  ').trimEnd()
  return [
    `format: countersign-trust/v1\npolicy: |\n${indented}\nparties:\n`,
    partyText('Example Operator', 'operator', signers.operator),
    partyText('Example Accountable', 'accountable', signers.accountable),
    partyText('Example Publisher', 'publisher', signers.publisher),
    more,
  ].join('')
}

/** The trust file's lines for a party with one key. */
export function partyText(name: string, role: string, { spki }: StatementSigner, range = ''): string {
  return `- name: ${name}\n  owner: ${name} Ltd\n  roles: [${role}]\n  keys:\n  - spki: ${toBase64(spki)}\n${range}`
}

/** The statement of an answer with those commitments. */
export function inferenceStatement(openings: readonly DossierOpening[], predicate: InferencePredicate): Statement {
  return {
    subjects: openings.flatMap(({ subjects, ...rest }) =>
      subjects.map((name) => ({ name, digest: { [COMMITMENT_ALGORITHM]: commit(crypto, rest) } })),
    ),
    predicateType: INFERENCE_TYPE,
    predicate: predicate as unknown as Json,
  }
}

function deploymentStatement(registration: string, accountableKeyId: string, options: SceneOptions): Statement {
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
        ...options.model,
      },
    ],
    vault: 'content',
    onFailure: 'flag',
    prices: [],
    accountable: { party: 'Example Accountable', keyId: accountableKeyId, contact: 'appeals@example.org' },
    deadlines: DEADLINES,
    example: false,
    ...options.deployment,
  }
  return {
    subjects: [{ name: 'credit', digest: { sha256: MODEL_DIGEST } }],
    predicateType: DEPLOYMENT_TYPE,
    predicate: predicate as unknown as Json,
  }
}

/** An acceptance of the scene's deployment. */
export function acceptanceStatement(deployment: string, changes: Partial<AcceptancePredicate> = {}): Statement {
  const predicate: AcceptancePredicate = {
    deployment: { name: 'credit', statement: deployment },
    party: 'Example Accountable',
    contact: 'appeals@example.org',
    deadlines: DEADLINES,
    acceptedAtMs: NOW_MS,
    ...changes,
  }
  return {
    subjects: [{ name: 'credit', digest: { sha256: deployment } }],
    predicateType: ACCEPTANCE_TYPE,
    predicate: predicate as unknown as Json,
  }
}

function inferencePredicate(
  receipt: string,
  deployment: string,
  { withoutEngine = false }: SceneOptions,
): Omit<InferencePredicate, 'checkpoint'> {
  const engine = { name: 'onnxruntime-node', version: '1.30.0', profile: 'served-profile' }
  return {
    receipt,
    deployment: { name: 'credit', statement: deployment },
    model: { requested: 'credit', served: 'credit', digestSource: 'loaded-file', digest: { sha256: MODEL_DIGEST } },
    ...(withoutEngine ? {} : { engine }),
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
