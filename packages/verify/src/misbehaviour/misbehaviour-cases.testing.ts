/** Proofs of misbehaviour of each kind, and for each kind honest pairs that look like one. */
import { toBase64 } from '../bytes/base64.ts'
import type { Json } from '../bytes/json.ts'
import { valueAt } from '../bytes/json-edit.testing.ts'
import { createNobleCrypto } from '../crypto/noble-provider.ts'
import type { ErrorCode } from '../errors.ts'
import { logSigner, NOW_MS, ORIGIN, statementSigner, TestLog, witnessSigner } from '../fixture.testing.ts'
import { hashLeaf } from '../log/merkle.ts'
import { formatNoteKey } from '../log/note.ts'
import { buildScene, inferenceStatement, logLine, RECEIPT_ID, type Scene, trustText } from '../scene.testing.ts'
import { type InferencePredicate, parseInference } from '../statement/inference.ts'
import { parseStatement } from '../statement/statement.ts'
import type { MisbehaviourKind } from './misbehaviour.ts'
import { MISBEHAVIOUR_FORMAT } from './proof-file.ts'

export interface MisbehaviourCase {
  readonly name: string
  readonly description: string
  /** The proof file. */
  readonly proof: Json
  /** Why it proves nothing; when missing, it does. */
  readonly error?: ErrorCode
  /** The kind that it proves, where that is not its name. */
  readonly kind?: MisbehaviourKind
  /** How many entries it shows to be common; none when missing. */
  readonly commonSize?: number
}

const crypto = createNobleCrypto()

export const COVER_BY_SECONDS = NOW_MS / 1000 + 60
const OTHER_RECEIPT = 'ff'.repeat(16)

export const witness = witnessSigner('witness.example/a')

/** A trust file that knows the log and one witness. */
export function misbehaviourTrust(): string {
  const scene = buildScene()
  return trustText(`${logLine(scene.log)}\nwitness a ${formatNoteKey(witness.key)}\nquorum a\n`, scene)
}

export function misbehaviourCases(): readonly MisbehaviourCase[] {
  const scene = buildScene()
  return [
    ...headCases(scene),
    ...historyCases(scene),
    ...placeCases(scene),
    ...leafCases(scene),
    ...coverCases(scene),
    ...twiceCases(),
  ]
}

export function proof(kind: MisbehaviourKind, parts: { readonly [name: string]: Json }): Json {
  return { format: MISBEHAVIOUR_FORMAT, kind, ...parts }
}

const NOT_PROVEN = 'misbehaviour/not-proven'

/** A log of the same key that tells another story of the same length. */
function forkOf(scene: Scene, signer = scene.log.signer): TestLog {
  const fork = new TestLog(signer)
  for (let i = 0; i < scene.log.size; i++) {
    fork.appendPayload(scene.log.entry((i + 1) % scene.log.size).payload, scene.operator)
  }
  return fork
}

function headCases(scene: Scene): readonly MisbehaviourCase[] {
  const { log } = scene
  const heads = (first: string, second: string) => proof('two-heads-of-one-size', { first, second })
  const forged = forkOf(scene, logSigner(ORIGIN, 'forger'))
  const another = forkOf(scene, logSigner('example.org/another-log'))
  return [
    {
      name: 'two-heads-of-one-size',
      description: 'The log signed two roots for one size.',
      proof: heads(log.checkpoint(), forkOf(scene).checkpoint()),
    },
    {
      name: 'two-heads-that-are-one',
      description: 'Twice the same head, cosigned once.',
      proof: heads(log.checkpoint(), log.checkpoint(log.size, [(text) => witness.cosign(text, COVER_BY_SECONDS)])),
      error: NOT_PROVEN,
    },
    {
      name: 'two-heads-of-a-growing-log',
      description: 'Heads of different sizes do not contradict each other.',
      proof: heads(log.checkpoint(log.size - 1), log.checkpoint()),
      error: NOT_PROVEN,
    },
    {
      name: 'two-heads-one-forged',
      description: 'The second head is signed with another key.',
      proof: heads(log.checkpoint(), forged.checkpoint()),
      error: 'note/no-known-signature',
    },
    {
      name: 'two-heads-of-two-logs',
      description: 'The second head is another log’s.',
      proof: heads(log.checkpoint(), another.checkpoint()),
      error: 'note/no-known-signature',
    },
    {
      name: 'two-heads-of-an-unknown-log',
      description: 'The trust file does not know the log.',
      proof: heads(another.checkpoint(), another.checkpoint()),
      error: 'policy/unknown-log',
    },
  ]
}

function historyCases(scene: Scene): readonly MisbehaviourCase[] {
  const { log } = scene
  const fork = forkOf(scene)
  const older = log.size - 3
  const history = (older: string, newer: string, { root, path }: ReturnType<TestLog['consistency']>) =>
    proof('head-of-another-history', { older, newer, root: toBase64(root), path: path.map(toBase64) })
  const own = fork.consistency(older)
  const forged = forkOf(scene, logSigner(ORIGIN, 'forger'))
  return [
    {
      name: 'head-of-another-history',
      description: 'The newer tree had another root when it was as large as the older head.',
      proof: history(log.checkpoint(older), fork.checkpoint(), own),
    },
    {
      name: 'head-of-the-same-history',
      description: 'The newer head continues the older one.',
      proof: history(log.checkpoint(older), log.checkpoint(), log.consistency(older)),
      error: NOT_PROVEN,
    },
    {
      name: 'history-of-one-head',
      description: 'Both heads have one size, for which there is another kind.',
      proof: history(log.checkpoint(), fork.checkpoint(), fork.consistency(log.size)),
      error: NOT_PROVEN,
    },
    {
      name: 'history-of-another-size',
      description: 'The path leads from another size than the older head’s.',
      proof: history(log.checkpoint(older - 1), fork.checkpoint(), own),
      error: 'proof/wrong-length',
    },
    {
      name: 'history-made-up',
      description: 'The root is one that the path does not lead from.',
      proof: history(log.checkpoint(older), log.checkpoint(), { ...log.consistency(older), root: own.root }),
      error: 'proof/root-mismatch',
    },
    {
      name: 'history-forged',
      description: 'The newer head is signed with another key.',
      proof: history(log.checkpoint(older), forged.checkpoint(), forged.consistency(older)),
      error: 'note/no-known-signature',
    },
  ]
}

/** Where a log holds an entry, under one of its heads. */
export function placeOf(log: TestLog, index: number, size = log.size): Json {
  const entry = valueAt(log.bundle(index, size), ['verificationMaterial', 'tlogEntries', 0])
  return {
    leafHash: toBase64(hashLeaf(crypto, log.entry(index).leaf)),
    path: valueAt(entry, ['inclusionProof', 'hashes']),
    head: log.checkpoint(size),
  }
}

function placeCases(scene: Scene): readonly MisbehaviourCase[] {
  const { log, index } = scene
  const fork = forkOf(scene)
  const places = (second: Json) => proof('two-leaves-one-index', { index, first: placeOf(log, index), second })
  return [
    {
      name: 'two-leaves-one-index',
      description: 'Under two heads of different sizes stand different entries at one index.',
      proof: places(placeOf(fork, index, fork.size - 1)),
    },
    {
      name: 'one-leaf-under-two-heads',
      description: 'The entry at the index is the same under both heads.',
      proof: places(placeOf(log, index, log.size - 1)),
      error: NOT_PROVEN,
    },
    {
      name: 'two-leaves-two-indexes',
      description: 'The second path is for another index.',
      proof: places(placeOf(log, index + 1)),
      error: 'proof/root-mismatch',
    },
    {
      name: 'two-leaves-one-forged',
      description: 'The second head is signed with another key.',
      proof: places(placeOf(forkOf(scene, logSigner(ORIGIN, 'forger')), index)),
      error: 'note/no-known-signature',
    },
  ]
}

function leafCases(scene: Scene): readonly MisbehaviourCase[] {
  const { log, index, promise } = scene
  const pair = (name: string, description: string, place: Json, note = promise, error: ErrorCode = NOT_PROVEN) => ({
    ...{ name, description, error },
    proof: proof('promise-other-leaf', { promise: note, place }),
  })
  const fork = placeOf(forkOf(scene), index)
  const { error: _, ...broken } = pair('promise-other-leaf', 'The log holds another entry at the promised index.', fork)
  const forger = logSigner(ORIGIN, 'forger')
  const text = promise.slice(0, promise.indexOf('\n\n') + 1)
  return [
    broken,
    pair('promise-kept', 'The log holds what was promised.', placeOf(log, index)),
    pair(
      'promise-for-another-index',
      'The path is for another index.',
      placeOf(log, index + 1),
      promise,
      'proof/root-mismatch',
    ),
    pair(
      'promise-forged',
      'The promise is signed with another key.',
      fork,
      `${text}\n${forger.sign(text)}`,
      'note/no-known-signature',
    ),
    pair(
      'promise-that-is-a-head',
      'A head stands in the place of the promise.',
      fork,
      log.checkpoint(),
      'policy/unknown-log',
    ),
  ]
}

function coverCases({ log, index, promise }: Scene): readonly MisbehaviourCase[] {
  const stranger = witnessSigner('witness.example/stranger')
  const head = (size: number, seconds: number, signer = witness) =>
    proof('promise-not-covered', { promise, head: log.checkpoint(size, [(text) => signer.cosign(text, seconds)]) })
  const late = COVER_BY_SECONDS + 1
  return [
    {
      name: 'promise-not-covered',
      description: 'After the promised time a witness saw a head that does not reach the index.',
      proof: head(index, late),
    },
    {
      name: 'promise-covered-late',
      description: 'The head covers the index, whenever it was cosigned.',
      proof: head(index + 1, late),
      error: NOT_PROVEN,
    },
    {
      name: 'promise-not-yet-due',
      description: 'The short head was cosigned in the last second of the promised time.',
      proof: head(index, COVER_BY_SECONDS),
      error: NOT_PROVEN,
    },
    {
      name: 'promise-without-witness',
      description: 'Only a witness outside the policy cosigned the short head.',
      proof: head(index, late, stranger),
      error: NOT_PROVEN,
    },
    {
      name: 'promise-silence',
      description: 'Nobody cosigned the short head, so its time is unknown.',
      proof: proof('promise-not-covered', { promise, head: log.checkpoint(index) }),
      error: NOT_PROVEN,
    },
  ]
}

function twiceCases(): readonly MisbehaviourCase[] {
  const scene = buildScene()
  const { log, index, openings, operator } = scene
  const { commitments: _, ...predicate } = parseInference(parseStatement(log.entry(index).payload))
  const again = (changes: Partial<InferencePredicate>, signer = operator) =>
    log.append(inferenceStatement(openings, { ...predicate, ...changes }), signer).index
  const sameReceipt = again({ sequence: 1 })
  const sameSequence = again({ receipt: OTHER_RECEIPT })
  const neither = again({ receipt: OTHER_RECEIPT, sequence: 2 })
  const otherEpoch = again({ receipt: OTHER_RECEIPT, epoch: '0000000000000002' })
  const stranger = again({ sequence: 3 }, statementSigner('stranger'))
  const copy = log.appendPayload(log.entry(index).payload, operator).index
  const pair = (kind: 'two-statements-one-receipt' | 'two-statements-one-sequence-number', second: number) =>
    proof(kind, { first: log.bundle(index), second: log.bundle(second) })
  const receipts = 'two-statements-one-receipt'
  const numbers = 'two-statements-one-sequence-number'
  const refused = (name: string, description: string, file: Json) => ({
    ...({ name, description, error: NOT_PROVEN } as const),
    proof: file,
  })
  return [
    {
      name: receipts,
      description: `Two statements are for receipt ${RECEIPT_ID}.`,
      proof: pair(receipts, sameReceipt),
    },
    { name: numbers, description: 'Two answers have one sequence number.', proof: pair(numbers, sameSequence) },
    refused('one-receipt-logged-twice', 'One statement in the log twice is no contradiction.', pair(receipts, copy)),
    refused('two-receipts', 'Two statements for two receipts.', pair(receipts, neither)),
    refused('two-sequence-numbers', 'Two statements with two sequence numbers.', pair(numbers, neither)),
    refused('sequence-number-of-another-epoch', 'Each epoch counts from 0.', pair(numbers, otherEpoch)),
    refused('second-statement-by-a-stranger', 'The second statement is not the operator’s.', pair(receipts, stranger)),
    refused('second-statement-is-no-answer', 'The second statement is a manifest.', pair(receipts, 1)),
  ]
}
