/** Proofs of misbehaviour that show how far the histories are one, and false showings of that. */
import { toBase64 } from '../bytes/base64.ts'
import type { Json } from '../bytes/json.ts'
import { withValueAt } from '../bytes/json-edit.testing.ts'
import type { ErrorCode } from '../errors.ts'
import { logSigner, ORIGIN, type TestLog } from '../fixture.testing.ts'
import { formatConsistency } from '../log/consistency-proof.ts'
import { buildScene, type Scene } from '../scene.testing.ts'
import type { MisbehaviourKind } from './misbehaviour.ts'
import { COVER_BY_SECONDS, type MisbehaviourCase, placeOf, proof, witness } from './misbehaviour-cases.testing.ts'

/** Entries that the two histories share; the scene's answer is the fourth. */
export const COMMON_SIZE = 5

/** A log of the same key that begins alike, and goes on with the same number of other entries. */
export function forkAfter({ log, operator }: Scene, size: number): TestLog {
  const fork = log.fork(size)
  for (let i = size; i < log.size; i++) fork.appendPayload(log.entry(i - size).payload, operator)
  return fork
}

/** The path from the head of `size` entries to a later one of the same log. */
export function pathBetween(log: TestLog, size: number, later = log.size): Json {
  return log.consistency(size, later).path.map(toBase64)
}

/** A proof that the scene's log forked, with the common history of `size` entries. */
export function forkProof(scene: Scene, size = COMMON_SIZE, more: { readonly [name: string]: Json } = {}): Json {
  const fork = forkAfter(scene, size)
  const common = {
    head: scene.log.checkpoint(size),
    first: pathBetween(scene.log, size),
    second: pathBetween(fork, size),
    ...more,
  }
  return proof('two-heads-of-one-size', { first: scene.log.checkpoint(), second: fork.checkpoint(), common })
}

export function commonCases(): readonly MisbehaviourCase[] {
  const scene = buildScene()
  return [
    ...forkCases(scene),
    ...historyCases(scene),
    ...placeCases(scene),
    ...promiseCases(scene),
    ...falseHeads(scene),
    ...falsePaths(scene),
  ]
}

function shows(
  name: string,
  kind: MisbehaviourKind,
  commonSize: number,
  description: string,
  file: Json,
): MisbehaviourCase {
  return { name, kind, commonSize, description, proof: file }
}

function forkCases(scene: Scene): readonly MisbehaviourCase[] {
  const { log } = scene
  const from = (size: number) => formatConsistency(log.consistency(size, COMMON_SIZE))
  const to = (size: number) => formatConsistency({ ...log.head(size), path: log.consistency(COMMON_SIZE, size).path })
  const kind = 'two-heads-of-one-size'
  return [
    shows('two-heads-common-prefix', kind, COMMON_SIZE, 'Both histories continue one signed head.', forkProof(scene)),
    shows('two-heads-common-first-entry', kind, 1, 'The common head has one entry.', forkProof(scene, 1)),
    shows(
      'two-heads-common-with-others',
      kind,
      COMMON_SIZE,
      'Other heads are shown to agree with the common one.',
      forkProof(scene, COMMON_SIZE, { older: [from(1), from(4), from(COMMON_SIZE)], newer: [to(6), to(log.size)] }),
    ),
  ]
}

function historyCases(scene: Scene): readonly MisbehaviourCase[] {
  const { log } = scene
  const fork = forkAfter(scene, COMMON_SIZE)
  const older = COMMON_SIZE + 2
  const { root, path } = fork.consistency(older)
  const common = {
    head: log.checkpoint(COMMON_SIZE),
    first: pathBetween(log, COMMON_SIZE, older),
    second: pathBetween(fork, COMMON_SIZE),
  }
  const history = { older: log.checkpoint(older), newer: fork.checkpoint(), root: toBase64(root) }
  return [
    shows(
      'another-history-common-prefix',
      'head-of-another-history',
      COMMON_SIZE,
      'The head that is not continued, and the one that does not continue it, both continue an older one.',
      proof('head-of-another-history', { ...history, path: path.map(toBase64), common }),
    ),
  ]
}

function placeCases(scene: Scene): readonly MisbehaviourCase[] {
  const { log } = scene
  const fork = forkAfter(scene, COMMON_SIZE)
  const size = fork.size - 1
  return [
    shows(
      'two-leaves-common-prefix',
      'two-leaves-one-index',
      COMMON_SIZE,
      'The two heads above the two leaves continue one signed head.',
      proof('two-leaves-one-index', {
        index: COMMON_SIZE,
        first: placeOf(log, COMMON_SIZE),
        second: placeOf(fork, COMMON_SIZE, size),
        common: {
          head: log.checkpoint(COMMON_SIZE),
          first: pathBetween(log, COMMON_SIZE),
          second: pathBetween(fork, COMMON_SIZE, size),
        },
      }),
    ),
  ]
}

function promiseCases(scene: Scene): readonly MisbehaviourCase[] {
  const { log, index, promise } = scene
  const fork = forkAfter(scene, index)
  const other = (size: number) =>
    proof('promise-other-leaf', {
      promise,
      place: placeOf(fork, index),
      common: { head: fork.checkpoint(size), first: pathBetween(fork, size) },
    })
  const late = log.checkpoint(index, [(text) => witness.cosign(text, COVER_BY_SECONDS + 1)])
  const uncovered = (size: number) =>
    proof('promise-not-covered', {
      promise,
      head: late,
      common: { head: log.checkpoint(size), first: pathBetween(log, size, index) },
    })
  return [
    shows('promise-other-leaf-common', 'promise-other-leaf', index, 'All before the promised index.', other(index)),
    shows('promise-not-covered-common', 'promise-not-covered', index - 1, 'A beginning of it.', uncovered(index - 1)),
    shows('promise-not-covered-whole', 'promise-not-covered', index, 'The short head itself.', uncovered(index)),
    {
      name: 'common-beyond-the-promised-index',
      description: 'The common head has the promised index, with the other entry.',
      proof: other(index + 1),
      error: 'proof/index-out-of-range',
    },
  ]
}

/** An honest common part with one thing about it changed. */
function refused(
  scene: Scene,
  [name, description]: readonly [string, string],
  error: ErrorCode,
  changes: { readonly [field: string]: Json | undefined },
): MisbehaviourCase {
  const changed = Object.entries(changes).reduce(
    (file, [field, to]) => withValueAt(file, ['common', field], to),
    forkProof(scene),
  )
  return { name, description, error, proof: changed }
}

const MISMATCH = 'proof/root-mismatch'
const OUT_OF_RANGE = 'proof/index-out-of-range'
const LATER = COMMON_SIZE + 1

function falseHeads(scene: Scene): readonly MisbehaviourCase[] {
  const { log } = scene
  const [forger, another] = [logSigner(ORIGIN, 'forger'), logSigner('example.org/another-log')]
  const signedBy = (signer: typeof forger) => {
    const text = `${log.checkpoint(COMMON_SIZE).split('\n\n')[0]}\n`
    return `${text}\n${signer.sign(text)}`
  }
  const unknown = 'note/no-known-signature'
  return [
    refused(scene, ['common-head-forged', 'Another key signed it.'], unknown, { head: signedBy(forger) }),
    refused(scene, ['common-head-of-another-log', 'Another log’s key.'], unknown, { head: signedBy(another) }),
    refused(scene, ['common-head-no-note', 'No signature at all.'], 'note/malformed', { head: 'no note' }),
    refused(scene, ['common-head-of-one-history', 'The head is of the first history alone.'], MISMATCH, {
      head: log.checkpoint(LATER),
      first: pathBetween(log, LATER),
      second: pathBetween(forkAfter(scene, COMMON_SIZE), LATER),
    }),
    refused(scene, ['common-head-empty', 'With the empty log all is consistent.'], OUT_OF_RANGE, {
      head: log.checkpoint(0),
    }),
    refused(scene, ['common-head-is-a-contradicting-one', 'The first head is no common one.'], OUT_OF_RANGE, {
      head: log.checkpoint(),
      first: [],
      second: [],
    }),
    refused(scene, ['common-unknown-field', 'A field that nobody knows.'], 'shape/unknown-field', { third: [] }),
  ]
}

function falsePaths(scene: Scene): readonly MisbehaviourCase[] {
  const { log } = scene
  const older = log.consistency(4, COMMON_SIZE)
  const { path } = log.consistency(COMMON_SIZE, LATER)
  const { root } = log.head(1)
  return [
    refused(scene, ['common-path-swapped', 'The path to the first head stands for the second.'], MISMATCH, {
      second: pathBetween(log, COMMON_SIZE),
    }),
    refused(scene, ['common-path-empty', 'No path leads to the second head.'], 'proof/wrong-length', { second: [] }),
    refused(scene, ['common-path-missing', 'It leads to one of the two heads.'], 'shape/missing-field', {
      second: undefined,
    }),
    refused(scene, ['common-older-head-false', 'An older head has another root.'], MISMATCH, {
      older: [formatConsistency({ ...older, root })],
    }),
    refused(scene, ['common-newer-head-false', 'A newer head has another root.'], MISMATCH, {
      newer: [formatConsistency({ size: LATER, root, path })],
    }),
    refused(scene, ['common-newer-head-is-older', 'An older head stands among the newer.'], OUT_OF_RANGE, {
      newer: [formatConsistency(older)],
    }),
  ]
}
