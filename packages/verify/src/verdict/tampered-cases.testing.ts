/** Dossiers that somebody changed: each must be refuted, by a check that says what was done. */
import { parseBase64, toBase64 } from '../bytes/base64.ts'
import { parseUtf8, utf8 } from '../bytes/bytes.ts'
import type { Json } from '../bytes/json.ts'
import { type JsonPath, valueAt, withValueAt } from '../bytes/json-edit.testing.ts'
import { createNobleCrypto } from '../crypto/noble-provider.ts'
import { logSigner, ORIGIN, statementSigner, witnessSigner } from '../fixture.testing.ts'
import { formatCheckpoint } from '../log/checkpoint.ts'
import { formatLeaf, parseLeaf } from '../log/leaf.ts'
import { formatNoteKey } from '../log/note.ts'
import { buildScene, logLine, type Scene, sceneDossier, trustText } from '../scene.testing.ts'
import { preAuthEncoding } from '../statement/dsse.ts'
import { expectRows, type VerdictCase, verdictCase, withPayloadValue } from './verdict-case.testing.ts'

const crypto = createNobleCrypto()

export const ENTRY: JsonPath = ['bundle', 'verificationMaterial', 'tlogEntries', 0]
export const PROOF: JsonPath = [...ENTRY, 'inclusionProof']
const PAYLOAD: JsonPath = ['bundle', 'dsseEnvelope', 'payload']
const SIGNATURE: JsonPath = ['bundle', 'dsseEnvelope', 'signatures', 0, 'sig']
const LEAF: JsonPath = [...ENTRY, 'canonicalizedBody']
const CHECKPOINT: JsonPath = [...PROOF, 'checkpoint', 'envelope']
const DIGEST: JsonPath = ['predicate', 'model', 'digest', 'sha256']

/** The seven ways to tamper with a dossier, some in several forms. */
export function tamperedCases(): readonly VerdictCase[] {
  const scene = buildScene()
  const honest = sceneDossier(scene)
  const refuted = (name: string, description: string, dossier: Json, failing: readonly string[], by = failing[0]) =>
    verdictCase(name, description, {
      trust: scene.trustText,
      dossier,
      expect: expectRows({ record: 'refuted' }, failing, by),
    })
  return [
    ...contentCases(honest, refuted),
    ...statementCases(scene, honest, refuted),
    ...proofCases(scene, honest, refuted),
    ...headCases(scene, honest, refuted),
    ...wordCases(scene, honest, refuted),
  ]
}

type Refuted = (
  name: string,
  description: string,
  dossier: Json,
  failing: readonly string[],
  by?: string,
) => VerdictCase

function contentCases(honest: Json, refuted: Refuted): readonly VerdictCase[] {
  const changed = (opening: number, from: string, to: string) => {
    const path: JsonPath = ['openings', opening, 'content']
    const content = parseUtf8(parseBase64(String(valueAt(honest, path)))).replace(from, to)
    return withValueAt(honest, path, toBase64(utf8(content)))
  }
  const otherSubject = withValueAt(honest, ['openings', 1, 'subjects'], ['response-received', 'parameters'])
  return [
    refuted(
      'changed-input',
      'The request that the dossier opens is not the one that was committed to.',
      changed(0, '1.5', '1.6'),
      ['record/opening-request-received', 'record/opening-request-sent'],
    ),
    refuted(
      'changed-output',
      'The response that the dossier opens is not the one that was committed to.',
      changed(1, '0.25', '0.75'),
      ['record/opening-response-received', 'record/opening-response-delivered'],
    ),
    refuted('opening-of-nothing', 'An opening names a subject that the statement does not commit to.', otherSubject, [
      'record/opening-parameters',
    ]),
    refuted(
      'receipt-under-another-id',
      'The dossier says that it is for another receipt than its statement.',
      withValueAt(honest, ['receipt'], 'ff0102030405060708090a0b0c0d0e0f'),
      ['record/receipt-id'],
    ),
  ]
}

function statementCases(scene: Scene, honest: Json, refuted: Refuted): readonly VerdictCase[] {
  const swapped = withPayloadValue(honest, PAYLOAD, DIGEST, 'ab'.repeat(32))
  const payload = parseBase64(String(valueAt(swapped, PAYLOAD)))
  const leaf = parseLeaf(scene.log.entry(scene.index).leaf)
  const withLeaf = (bytes: Uint8Array) => withValueAt(swapped, LEAF, toBase64(bytes))
  const stranger = statementSigner('stranger')
  const signature = stranger.sign(preAuthEncoding(payload))
  const payloadHash = crypto.sha256(payload)
  const resigned = withValueAt(
    withLeaf(formatLeaf({ payloadHash, signature, spki: stranger.spki })),
    SIGNATURE,
    toBase64(signature),
  )
  return [
    refuted('swapped-model', 'The signed payload names another model digest than was signed.', swapped, [
      'record/leaf',
    ]),
    refuted(
      'swapped-model-and-leaf',
      'The payload names another model digest, and the log entry was made to fit.',
      withLeaf(formatLeaf({ ...leaf, payloadHash })),
      ['record/signature', 'record/inclusion', 'record/promise'],
    ),
    refuted(
      'resigned-by-a-stranger',
      'The changed payload was signed again with another key, and the log entry was made to fit.',
      resigned,
      ['record/key', 'record/inclusion', 'record/promise'],
      'record/inclusion',
    ),
    refuted(
      'key-swapped-in-leaf',
      'The log entry names another key than the one that signed.',
      withValueAt(honest, LEAF, toBase64(formatLeaf({ ...leaf, spki: scene.accountable.spki }))),
      ['record/signature', 'record/key', 'record/inclusion', 'record/promise'],
    ),
    refuted(
      'statement-of-another-type',
      'The receipt is for the deployment, not for an answer.',
      withValueAt(honest, ['bundle'], scene.log.bundle(scene.linked[1] ?? 0)),
      ['record/statement'],
    ),
  ]
}

function proofCases({ log, index }: Scene, honest: Json, refuted: Refuted): readonly VerdictCase[] {
  const otherEntry = valueAt(log.bundle(index + 1), ENTRY.slice(1))
  const otherProof = valueAt(otherEntry, ['inclusionProof'])
  const proofSwapped = withValueAt(withValueAt(honest, PROOF, otherProof), [...ENTRY, 'logIndex'], String(index + 1))
  const path = valueAt(honest, [...PROOF, 'hashes']) as readonly Json[]
  return [
    refuted('another-statements-proof', "Index and inclusion proof are another entry's.", proofSwapped, [
      'record/inclusion',
      'record/promise',
    ]),
    refuted(
      'another-statements-entry',
      "The whole log entry is another statement's.",
      withValueAt(honest, ENTRY, otherEntry),
      ['record/leaf'],
    ),
    refuted(
      'proof-too-short',
      'The last hash of the inclusion proof is missing.',
      withValueAt(honest, [...PROOF, 'hashes'], path.slice(0, -1)),
      ['record/inclusion'],
    ),
    refuted(
      'proof-too-long',
      'The inclusion proof has a hash too many.',
      withValueAt(honest, [...PROOF, 'hashes'], [...path, path[0] ?? null]),
      ['record/inclusion'],
    ),
    refuted(
      'consistency-proof-changed',
      'The proof from the head that the statement cites does not lead to the head of the receipt.',
      withValueAt(honest, ['consistency', 0, 'path', 0], toBase64(new Uint8Array(32))),
      ['record/consistency'],
    ),
  ]
}

function headCases({ log, index }: Scene, honest: Json, refuted: Refuted): readonly VerdictCase[] {
  const withCheckpoint = (note: string) => withValueAt(honest, CHECKPOINT, note)
  const text = formatCheckpoint({ origin: ORIGIN, ...log.head() })
  const forger = logSigner(ORIGIN, 'forger')
  const trueId = log.signer.sign(text).split(' ')[2] ?? ''
  const forgedLine = forger.sign(text).split(' ')[2] ?? ''
  const grafted = toBase64(
    Uint8Array.of(...parseBase64(trueId.trim()).slice(0, 4), ...parseBase64(forgedLine.trim()).slice(4)),
  )
  const otherRoot = crypto.sha256(utf8('another root'))
  const rootText = formatCheckpoint({ origin: ORIGIN, size: log.size, root: otherRoot })
  const signature = log.signer.sign(text)
  return [
    refuted(
      'cut-log',
      'A genuine older checkpoint, which ends before the entry.',
      withValueAt(withValueAt(honest, ['bundle'], log.bundle(index, index)), ['consistency', 0], {
        ...(valueAt(honest, ['consistency', 0]) as object),
        path: [],
      }),
      ['record/coverage'],
    ),
    refuted(
      'forged-checkpoint-same-key-id',
      "Signed with another key, under the trusted key's id.",
      withCheckpoint(`${text}\n— ${ORIGIN} ${grafted}\n`),
      ['record/checkpoint'],
    ),
    refuted(
      'forged-checkpoint-own-key-id',
      'Signed with another key, under its own id.',
      withCheckpoint(`${text}\n${forger.sign(text)}`),
      ['record/checkpoint'],
    ),
    refuted(
      'changed-root',
      'The root was changed, in the checkpoint and in the bundle, and the signature kept.',
      withValueAt(withCheckpoint(`${rootText}\n${signature}`), [...PROOF, 'rootHash'], toBase64(otherRoot)),
      ['record/checkpoint'],
    ),
    refuted(
      'log-id-of-another-key',
      'The bundle names another log key than its checkpoint.',
      withValueAt(honest, [...ENTRY, 'logId', 'keyId'], toBase64(otherRoot)),
      ['record/checkpoint'],
    ),
    refuted(
      'two-heads-in-one-bundle',
      'The bundle names another tree size than its checkpoint.',
      withValueAt(honest, [...PROOF, 'treeSize'], String(log.size - 1)),
      ['record/checkpoint'],
    ),
  ]
}

/** Signed words that contradict the record: promises, cosignatures, cited heads. */
function wordCases(scene: Scene, honest: Json, refuted: Refuted): readonly VerdictCase[] {
  const { log, index, receiptId } = scene
  const promiseText = scene.promise.slice(0, scene.promise.indexOf('\n\n') + 1)
  const elsewhere = buildScene({
    predicate: { checkpoint: { origin: 'example.org/another-log', size: 3, root: '00'.repeat(32) } },
  })
  const cited = withValueAt(sceneDossier(elsewhere), ['consistency', 0, 'root'], toBase64(new Uint8Array(32)))
  const witness = witnessSigner('witness.example/a')
  const falseLine = witness.cosign('another text\n', 1_790_000_000)
  const badNote = log.checkpoint(log.size, [() => falseLine])
  return [
    refuted(
      'promise-for-another-place',
      'The promise is for another index.',
      withValueAt(honest, ['promise'], log.promise(index + 1, receiptId)),
      ['record/promise'],
    ),
    refuted(
      'promise-for-another-receipt',
      'The promise is for another receipt.',
      withValueAt(honest, ['promise'], log.promise(index, 'ff'.repeat(16))),
      ['record/promise'],
    ),
    refuted(
      'forged-promise',
      'The promise is signed with a key that is not the log’s.',
      withValueAt(honest, ['promise'], `${promiseText}\n${logSigner(ORIGIN, 'forger').sign(promiseText)}`),
      ['record/promise'],
    ),
    {
      ...refuted('cited-head-of-another-log', 'The statement cites a head of another log.', cited, [
        'record/consistency',
      ]),
      trust: elsewhere.trustText,
    },
    {
      ...refuted(
        'forged-cosignature',
        'A cosignature in the name of a trusted witness does not check.',
        sceneDossier(scene, badNote),
        ['record/quorum'],
      ),
      trust: trustText(`${logLine(log)}\nwitness a ${formatNoteKey(witness.key)}\nquorum none\n`, scene),
    },
  ]
}
