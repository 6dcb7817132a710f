/** The log as an auditor follows it: heads that continue one another, and the leaves of an epoch. */
import {
  CountersignError,
  type Crypto,
  createDraw,
  drawEntries,
  equalBytes,
  formatLeaf,
  HASH_BYTES,
  hashLeaf,
  type OpenedReceipt,
  openConfirmedHead,
  parseHex,
  type Trust,
  toHex,
  type UnverifiedNote,
  verifyConsistency,
} from '@countersign/verify'
import type { LogClient } from '../log-client/log-client.ts'
import { proveConsistency } from '../log-client/tile-proofs.ts'
import type { AuditState, Epoch, SampledEntry, SeenHead } from './decide-audit.ts'
import { type EpochLeaves, readEpochLeaves } from './epoch-leaves.ts'
import { MAX_CLOCK_SKEW_MS, POLL_MS } from './limits.ts'
import { pause } from './pause.ts'

export interface LogWatchOptions {
  readonly crypto: Crypto
  readonly trust: Trust
  readonly log: LogClient
  readonly signal: AbortSignal
  readonly now: () => number
  readonly pollMs?: number
  /** A head is about to be told of: its note is what others will check it by. */
  onHead(note: UnverifiedNote): void
  onProgress(line: string): void
}

/** An epoch that was read out of the log. */
export interface ReadEpoch {
  readonly leaves: EpochLeaves
  readonly sampled: readonly SampledEntry[]
  /** The commitment as the log holds it. */
  readonly commitment: OpenedReceipt
}

interface FetchedHead {
  readonly head: SeenHead
  readonly note: UnverifiedNote
}

/** A place of an epoch whose end is known. */
interface EpochPlace {
  readonly epoch: Epoch
  readonly index: number
  readonly to: number
  readonly head: SeenHead
}

export class LogWatch {
  readonly #options: LogWatchOptions
  #read: { readonly key: string; readonly epoch: ReadEpoch } | undefined
  /** Since when heads are seen that do not reach the commitment. */
  #missingSinceMs: number | undefined

  constructor(options: LogWatchOptions) {
    this.#options = options
  }

  /** The name of the log that is served, which the trust file must know. @throws {CountersignError} `policy/unknown-log`, `watch/*` */
  async findOrigin(): Promise<string> {
    const { log, crypto, trust } = this.#options
    const note = await log.fetchCheckpoint()
    const origin = note.text.split('\n')[0] ?? ''
    openConfirmedHead(crypto, trust.policy, origin, note)
    return origin
  }

  /**
   * The next head that says something new: that has more entries, or was confirmed late enough to end the epoch. `undefined`
   * when it was told to stop.
   *
   * @throws {CountersignError} `proof/*`, `note/*`, `checkpoint/*` when the log contradicts itself; `gateway/refused` when it does
   *   not come to have the commitment where the gateway says that it is
   */
  async nextHead(state: Extract<AuditState, { phase: 'running' }>): Promise<SeenHead | undefined> {
    const { signal, onHead, pollMs = POLL_MS } = this.#options
    const { untilMs } = state.epoch.commitment.epoch
    for (; !signal.aborted; await pause(pollMs, signal)) {
      const fetched = await this.#fetchHead(state.epoch.commitment.log)
      if (fetched === undefined) continue
      const { head, note } = fetched
      await this.#requireContinuation(state.head, head)
      this.#requireReach(state, head)
      const isLate = untilMs !== undefined && head.confirmedAtSeconds * 1000 >= untilMs
      const isNews = state.to === undefined ? head.size > (state.head?.size ?? 0) || isLate : head.size >= state.to
      if (!isNews) continue
      onHead(note)
      return head
    }
    return undefined
  }

  /**
   * The epoch's leaves, proven, and what the seed selects of them. The first is the commitment: so all of them came after.
   *
   * @throws {CountersignError} `watch/*`, `proof/*`, `leaf/mismatch`
   */
  async readEpoch(place: EpochPlace, key: { readonly spki: Uint8Array; readonly keyId: string }): Promise<ReadEpoch> {
    const { crypto, log } = this.#options
    const { epoch, index, to, head } = place
    const name = `${epoch.digest} ${head.size} ${to}`
    if (this.#read?.key === name) return this.#read.epoch
    const leaves = await this.#untilReached(() => readEpochLeaves(log, crypto, { start: index, end: to }, head))
    const { payload, signature } = epoch.signed
    const leafHash = hashLeaf(crypto, formatLeaf({ payloadHash: crypto.sha256(payload), signature, spki: key.spki }))
    if (!equalBytes(leaves.leafHashes.subarray(0, HASH_BYTES), leafHash)) {
      throw new CountersignError(
        'leaf/mismatch',
        `entry ${index} is not the commitment, and the gateway says that it is`,
      )
    }
    const draw = createDraw(crypto, parseHex(epoch.seed, 32), epoch.commitment.rateMillionths)
    const drawn = drawEntries(draw, index + 1, leaves.leafHashes.subarray(HASH_BYTES))
    const sampled = drawn.map((each) => ({ index: each.index, leafHash: toHex(each.leafHash) }))
    const checkpoint = { origin: epoch.commitment.log, size: head.size, root: parseHex(head.root, 32) }
    const commitment = { payload, statement: epoch.digest, keyId: key.keyId, index, leafHash, checkpoint }
    const read = { leaves, sampled, commitment }
    this.#read = { key: name, epoch: read }
    return read
  }

  /** A place that the log never reaches would be an epoch that never ends. It has as long as the operator has to answer. */
  #requireReach({ index, epoch }: Extract<AuditState, { phase: 'running' }>, { size }: SeenHead): void {
    const nowMs = this.#options.now()
    this.#missingSinceMs = size > index ? undefined : (this.#missingSinceMs ?? nowMs)
    if (nowMs - (this.#missingSinceMs ?? nowMs) <= epoch.commitment.answerWithinSeconds * 1000) return
    const why = `the gateway says that the commitment is entry ${index}, and its log has ${size} entries`
    throw new CountersignError('gateway/refused', why)
  }

  /** A head that the policy's quorum confirmed; where it asks for none, one that was seen now. */
  async #fetchHead(origin: string): Promise<FetchedHead | undefined> {
    const { log, crypto, trust, now } = this.#options
    const note = await this.#untilReached(() => log.fetchCheckpoint())
    const { size, root, confirmedAtSeconds } = openConfirmedHead(crypto, trust.policy, origin, note)
    const isOpen = trust.policy.quorum === 'none'
    const at = isOpen ? Math.floor(now() / 1000) : confirmedAtSeconds
    if (at === undefined || at * 1000 > now() + MAX_CLOCK_SKEW_MS) return undefined
    return { head: { size, root: toHex(root), confirmedAtSeconds: at }, note }
  }

  async #requireContinuation(older: SeenHead | undefined, newer: SeenHead): Promise<void> {
    if (older === undefined || older.size === 0) return
    const { log, crypto } = this.#options
    const [first, second] = [older, newer].map(({ size, root }) => ({ size, root: parseHex(root, 32) }))
    if (first === undefined || second === undefined) return
    // A log behind several servers may show an older head; what it shows must still be of one history.
    const [early, late] = first.size <= second.size ? [first, second] : [second, first]
    if (early.size === 0) return
    const path = await this.#untilReached(() => proveConsistency(log, crypto, early.size, late.size))
    verifyConsistency(crypto, early, late, path)
  }

  /** Waits out a log that cannot be reached: an epoch does not end by that. */
  async #untilReached<T>(read: () => Promise<T>): Promise<T> {
    const { signal, pollMs = POLL_MS, onProgress } = this.#options
    for (let tries = 0; ; tries++) {
      try {
        return await read()
      } catch (thrown) {
        const isPassing = thrown instanceof CountersignError && thrown.code === 'watch/unreachable'
        if (!isPassing || signal.aborted) throw thrown
        if (tries === 0) onProgress(`the log cannot be reached (${thrown.message}); trying again`)
      }
      await pause(pollMs, signal)
    }
  }
}
