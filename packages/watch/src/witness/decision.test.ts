import assert from 'node:assert/strict'
import { sign } from 'node:crypto'
import { type TestContext, test } from 'node:test'
import {
  type AddCheckpoint,
  cosignatureMessage,
  equalBytes,
  formatAddCheckpoint,
  openCosignature,
  parseNote,
  toHex,
  uint64BigEndian,
  utf8,
} from '@countersign/verify'
import fc from 'fast-check'
import {
  type Decision,
  type DecisionPorts,
  decideCheckpoint,
  openSubmission,
  type Reply,
  type Submission,
  type WitnessState,
} from './decision.ts'
import { crypto, GrowingLog, keyFrom, strangersLine } from './growing-log.testing.ts'

const SEED = Number(process.env.COUNTERSIGN_SEED ?? 20_261_121)
const NOW_MS = 1_790_000_000_000
const NEW: WitnessState = { head: undefined, lastSeconds: 0 }
const secret = keyFrom('witness')
const ports: DecisionPorts = {
  crypto,
  cosign(text, timeSeconds) {
    const time = uint64BigEndian(BigInt(timeSeconds))
    const signature = Buffer.concat([time, sign(null, cosignatureMessage(timeSeconds, text), secret)])
    return { name: 'w', id: new Uint8Array(4), signature }
  },
}

const log = new GrowingLog({ origin: 'example.org/log' })
const logs = new Map([[log.origin, { origin: log.origin, keys: [log.key] }]])

const open = (request: AddCheckpoint): Submission => openSubmission(crypto, logs, utf8(formatAddCheckpoint(request)))
const decide = (state: WitnessState, request: AddCheckpoint, nowMs = NOW_MS) =>
  decideCheckpoint(ports, state, { submission: open(request), nowMs })

function replyOf({ effects }: Decision): Reply {
  const last = effects.at(-1)
  assert.equal(last?.kind, 'reply')
  return last.reply
}

/** The state after heads of these sizes were cosigned, a second apart. */
function after(...sizes: readonly number[]): WitnessState {
  let state = NEW
  for (const [i, size] of sizes.entries()) {
    const decision = decide(state, log.request(state.head?.size ?? 0, size), NOW_MS - (sizes.length - i) * 1000)
    assert.equal(replyOf(decision).status, 200)
    state = decision.state
  }
  return state
}

test('what grew from the last head is persisted first, then cosigned', () => {
  const before = after(3)
  const decision = decide(before, log.request(3, 8))
  assert.deepEqual(
    decision.effects.map(({ kind }) => kind),
    ['persist', 'reply'],
  )
  const [persist] = decision.effects
  assert.ok(persist?.kind === 'persist')
  assert.equal(persist.previous, before.head)
  assert.equal(persist.next, decision.state.head)
  assert.ok(persist.next.note.endsWith(replyOf(decision).body))
  assert.deepEqual(decision.state, {
    head: { ...persist.next, size: 8, root: log.root(8), timeSeconds: NOW_MS / 1000 },
    lastSeconds: NOW_MS / 1000,
  })
})

test('whatever is refused changes nothing, and is refused as the specification says', () => {
  const state = after(5)
  const [hash = new Uint8Array(32)] = log.proof(5, 9)
  const request = log.request(5, 9)
  const fork = log.fork(2)
  const cases: readonly (readonly [string, AddCheckpoint, number])[] = [
    ['an old size above the checkpoint', log.request(5, 4), 400],
    ['an old size above the checkpoint that is not the last either', log.request(9, 4), 400],
    ['an old size of the past', log.request(3, 9), 409],
    ['none at all', log.request(0, 9), 409],
    ['one that was never cosigned', log.request(7, 9), 409],
    ['another root at the same size', { ...fork.request(5, 5), proof: [] }, 409],
    ['no proof', { ...request, proof: [] }, 422],
    ['a proof with one hash too many', { ...request, proof: [...request.proof, hash] }, 422],
    ['a proof of 63 hashes', { ...request, proof: Array(63).fill(hash) }, 422],
    ['a proof at the same size', { ...log.request(5, 5), proof: [hash] }, 422],
    ['another history', fork.request(5, 9), 422],
  ]
  for (const [name, refused, status] of cases) {
    const decision = decide(state, refused)
    assert.equal(replyOf(decision).status, status, name)
    assert.equal(decision.state, state, name)
    assert.ok(!decision.effects.some(({ kind }) => kind === 'persist'), name)
  }
  assert.deepEqual(replyOf(decide(state, log.request(3, 9))), {
    ...{ status: 409, contentType: 'text/x.tlog.size', body: '5\n' },
  })
})

test('from nothing there is nothing to prove', () => {
  assert.equal(replyOf(decide(NEW, log.request(0, 7))).status, 200)
  assert.equal(replyOf(decide(NEW, log.request(0, 0))).status, 200)
  assert.equal(replyOf(decide(NEW, { ...log.request(0, 7), proof: [log.root(1)] })).status, 422)
  assert.equal(replyOf(decide(NEW, log.request(2, 7))).status, 409)
  const empty = decide(NEW, log.request(0, 0)).state
  assert.equal(replyOf(decide(empty, log.request(0, 7))).status, 200)
})

test('a tree without entries has one root', () => {
  const text = log.text(1).replace('\n1\n', '\n0\n')
  const request = { oldSize: 0, proof: [], checkpoint: { text, signatures: [log.signature(text)] } }
  assert.equal(replyOf(decide(NEW, request)).status, 422)
})

test('two heads of one size are kept as proof', () => {
  const fork = log.fork(2)
  for (const oldSize of [0, 3, 5]) {
    const decision = decide(after(5), fork.request(oldSize, 5))
    assert.equal(replyOf(decision).status, 409)
    const [evidence] = decision.effects
    assert.ok(evidence?.kind === 'keep-evidence')
    assert.deepEqual(
      [evidence.first, evidence.second].map((note) => parseNote(utf8(note)).text),
      [log.text(5), fork.text(5)],
    )
  }
})

test('the same head again is cosigned anew, but costs no write within one second', () => {
  const { state } = decide(NEW, log.request(0, 5))
  const again = decide(state, log.request(5, 5), NOW_MS + 999)
  assert.deepEqual(
    again.effects.map(({ kind }) => kind),
    ['reply'],
  )
  const later = decide(state, log.request(5, 5), NOW_MS + 1000)
  assert.equal(later.state.lastSeconds, NOW_MS / 1000 + 1)
  assert.equal(later.effects.length, 2)
})

test('a clock that goes back a little is clamped, one that goes back further is not believed', () => {
  const { state } = decide(NEW, log.request(0, 5))
  const clamped = decide(state, log.request(5, 6), NOW_MS - 5000)
  assert.equal(clamped.state.head?.timeSeconds, NOW_MS / 1000)
  const refused = decide(state, log.request(5, 6), NOW_MS - 6000)
  assert.deepEqual([replyOf(refused).status, replyOf(refused).code], [503, 'clock/went-backwards'])
  assert.equal(refused.state, state)
})

test('the time of the latest cosignature counts, whichever log it was for', () => {
  const state = { head: undefined, lastSeconds: NOW_MS / 1000 }
  assert.equal(replyOf(decide(state, log.request(0, 6), NOW_MS - 6000)).status, 503)
})

test('who signed is looked at before anything else', () => {
  const request = log.request(0, 4)
  const stranger = new GrowingLog({ origin: 'elsewhere.example' })
  assert.throws(() => open(stranger.request(0, 4)), { code: 'policy/unknown-log' })
  const { text } = request.checkpoint
  const unsigned = { ...request, checkpoint: { text, signatures: [strangersLine(text, 'stranger')] } }
  assert.throws(() => open(unsigned), { code: 'note/no-known-signature' })
  const forged = { ...request, checkpoint: { text, signatures: [log.signature(log.text(3))] } }
  assert.throws(() => open(forged), { code: 'note/bad-signature' })
  const besides = { text, signatures: [log.signature(text), log.signature(log.text(3))] }
  assert.throws(() => open({ ...request, checkpoint: besides }), { code: 'note/bad-signature' })
  const noCheckpoint = 'hello\n'
  const note = { text: noCheckpoint, signatures: [log.signature(noCheckpoint)] }
  assert.throws(() => open({ ...request, checkpoint: note }), { code: 'checkpoint/malformed' })
})

test('a line that is repeated is checked once: else anyone could have a hundred signatures checked by a request', () => {
  let checks = 0
  const counting = {
    ...crypto,
    sha256: crypto.sha256.bind(crypto),
    ed25519Accepts: (...parts: Parameters<typeof crypto.ed25519Accepts>) => {
      checks++
      return crypto.ed25519Accepts(...parts)
    },
  }
  const { checkpoint, ...request } = log.request(0, 4)
  const [line] = checkpoint.signatures
  assert.ok(line)
  const signatures = Array.from({ length: 128 }, () => line)
  openSubmission(counting, logs, utf8(formatAddCheckpoint({ ...request, checkpoint: { ...checkpoint, signatures } })))
  assert.equal(checks, 1)
})

test('lines of others are left out, and repeated ones kept once', () => {
  const request = log.request(0, 4)
  const { text } = request.checkpoint
  const own = log.signature(text)
  const strangers = Array.from({ length: 98 }, (_, i) => strangersLine(text, `s${i}`))
  const { logLines } = open({ ...request, checkpoint: { text, signatures: [...strangers, own, own] } })
  assert.equal(logLines.length, 1)
})

// The model: an operator with several histories, who asks whatever it likes, in any order, with any clock.

const histories = [log, log.fork(3, 1), log.fork(6, 2), log.fork(0, 3)]
const step = fc.record({
  history: fc.oneof({ weight: 3, arbitrary: fc.constant(0) }, { weight: 1, arbitrary: fc.nat(histories.length - 1) }),
  /** Proof of another history than the checkpoint's. */
  proofOf: fc.option(fc.nat(histories.length - 1), { nil: undefined, freq: 4 }),
  /** Beyond what the witness holds; or any size at all. */
  growth: fc.option(fc.nat(3), { nil: undefined, freq: 3 }),
  anySize: fc.nat(12),
  /** The old size that the witness holds, or any. */
  oldSize: fc.option(fc.nat(12), { nil: undefined, freq: 4 }),
  clockMs: fc.integer({ min: -8000, max: 60_000 }),
})

type Decide = typeof decideCheckpoint

/** Runs any steps against a witness, and throws where it breaks its word. Gives how many it cosigned. */
function runSteps(
  decideWith: Decide,
  steps: readonly (typeof step extends fc.Arbitrary<infer T> ? T : never)[],
): number {
  const signed: { size: number; root: string; history: number; timeSeconds: number }[] = []
  let state = NEW
  let nowMs = NOW_MS
  for (const { history, proofOf = history, growth, anySize, oldSize = state.head?.size ?? 0, clockMs } of steps) {
    const size = growth === undefined ? anySize : (state.head?.size ?? 0) + growth
    nowMs += clockMs
    const [shown, proving] = [histories[history] ?? log, histories[proofOf] ?? log]
    const request = { ...shown.request(oldSize, size), proof: proving.proof(oldSize, size) }
    const decision = decideWith(ports, state, { submission: open(request), nowMs })
    const { status } = replyOf(decision)
    const persisted = decision.effects.filter(({ kind }) => kind === 'persist').length
    if (status !== 200) {
      assert.equal(decision.state, state, 'a refusal changes nothing')
      assert.equal(persisted, 0, 'a refusal writes nothing')
      continue
    }
    const last = signed.at(-1)
    const timeSeconds = decision.state.lastSeconds
    assert.ok(persisted === 1 || decision.state.head === state.head, 'what is new is persisted')
    if (last !== undefined) {
      assert.ok(size >= last.size, 'sizes never go back')
      assert.ok(timeSeconds >= last.timeSeconds, 'times never go back')
      assert.equal(toHex(shown.root(last.size)), last.root, 'each head has the one before in it')
    }
    for (const each of signed) {
      if (each.size === size) assert.equal(each.root, toHex(shown.root(size)), 'one size has one root')
    }
    signed.push({ size, root: toHex(shown.root(size)), history, timeSeconds })
    state = decision.state
  }
  return signed.length
}

function checkWitness(context: TestContext, decideWith: Decide): void {
  let signed = 0
  fc.assert(
    fc.property(fc.array(step, { minLength: 5, maxLength: 30, size: 'max' }), (steps) => {
      signed += runSteps(decideWith, steps)
    }),
    { seed: SEED, numRuns: 300, interruptAfterTimeLimit: 20_000, markInterruptAsFailure: false },
  )
  context.diagnostic(`seed ${SEED}, ${signed} cosignatures`)
  assert.ok(signed > 100)
}

test('whatever it is asked, a witness signs one history, forward', (t) => checkWitness(t, decideCheckpoint))

const because = (why: RegExp) => (thrown: Error) => why.test(String(thrown.cause))

test('control: the same steps catch a witness that is careless', (t) => {
  const proofless: Decide = (given, state, { submission, nowMs }) => {
    const isGrowth = submission.checkpoint.size > (state.head?.size ?? 0)
    const blind = isGrowth ? { head: undefined, lastSeconds: state.lastSeconds } : state
    const request = isGrowth ? { ...submission.request, oldSize: 0, proof: [] } : submission.request
    return decideCheckpoint(given, blind, { submission: { ...submission, request }, nowMs })
  }
  assert.throws(() => checkWitness(t, proofless), because(/each head has the one before in it/))
  const forgetful: Decide = (given, state, event) => ({ ...decideCheckpoint(given, state, event), state })
  assert.throws(
    () => checkWitness(t, forgetful),
    because(/each head has the one before|one size has one root|sizes never go back/),
  )
  const timeless: Decide = (given, state, event) => decideCheckpoint(given, { ...state, lastSeconds: 0 }, event)
  assert.throws(() => checkWitness(t, timeless), because(/times never go back/))
})

test('its line checks as a cosignature, over extension lines too', () => {
  const request = log.request(0, 4, 'Timestamp: 1689748607742585419\n')
  const line = ports.cosign(request.checkpoint.text, 5)
  const publicKey = keyFrom('witness').export({ format: 'jwk' }).x ?? ''
  const key = { name: 'w', id: new Uint8Array(4), type: 4, publicKey: Buffer.from(publicKey, 'base64url') }
  const note = { text: request.checkpoint.text, signatures: [line] }
  assert.equal(openCosignature(crypto, note, key)?.timeSeconds, 5)
  const { state } = decide(NEW, request)
  assert.ok(state.head !== undefined && equalBytes(state.head.root, log.root(4)))
  assert.equal(parseNote(utf8(state.head.note)).text, request.checkpoint.text)
})
