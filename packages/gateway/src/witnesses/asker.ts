/** Asks witnesses: the shell around {@link decideWitnesses}, in the publishing thread. */
import { type Crypto, formatAddCheckpoint, type Hash, parseNote, type TlogPolicy, utf8 } from '@countersign/verify'
import type { SignedHead } from '../log/sequencer.ts'
import { readAnswer, type WitnessAnswer } from './answer.ts'
import { type CosignedHead, withCosignatures } from './cosigned-head.ts'
import {
  decideWitnesses,
  firstWitnessesState,
  isGathered,
  newestFor,
  type WitnessEffect,
  type WitnessEvent,
  type WitnessesState,
} from './decide-witnesses.ts'
import { createWitnessClient, type WitnessClient } from './witness-client.ts'

/** Cosignatures that come so close together are told of together. */
const REPORT_DELAY_MS = 20

/** A head that was cosigned, and why it is kept: for a quorum, by its name, or `undefined` for the newest of all. */
export interface KeptHead {
  readonly quorum: string | undefined
  readonly head: SignedHead
}

/** What of a witness is shown. */
export interface WitnessStatus {
  readonly name: string
  readonly size: number
  readonly timeSeconds: number
  readonly failures: number
  readonly isAlarmed: boolean
}

/** How a request ended. */
export const WITNESS_OUTCOMES = ['cosigned', 'conflict', 'unprovable', 'refused', 'unavailable', 'unusable'] as const

export type FromAsker =
  | {
      readonly type: 'witness-answered'
      readonly witness: string
      readonly outcome: string
      readonly latencyMs: number
    }
  | { readonly type: 'witness-alarm'; readonly witness: string; readonly why: string }
  | { readonly type: 'witness-failing'; readonly witness: string; readonly why: string }
  | { readonly type: 'witness-recovered'; readonly witness: string }
  | { readonly type: 'cosigned'; readonly kept: readonly KeptHead[]; readonly witnesses: readonly WitnessStatus[] }

export interface AskerOptions {
  readonly crypto: Crypto
  readonly policy: TlogPolicy
  readonly quorums: readonly string[]
  /** Longest time that a publication waits. */
  readonly askMs: number
  readonly kept: readonly CosignedHead[]
  readonly consistencyPath: (older: number, newer: number) => readonly Hash[]
  readonly report: (message: FromAsker) => void
  /** A head has more cosignatures than before. */
  readonly onCosigned: (head: SignedHead) => void
  readonly nowSeconds?: () => number
  readonly requestTimeoutMs?: number
}

export class Asker {
  readonly #options: AskerOptions
  readonly #clients: ReadonlyMap<string, WitnessClient>
  readonly #timers = new Map<string, NodeJS.Timeout>()
  readonly #waiting = new Set<() => void>()
  #state: WitnessesState
  #reportTimer: NodeJS.Timeout | undefined
  #isClosed = false

  constructor(options: AskerOptions) {
    const { policy, quorums, kept, requestTimeoutMs } = options
    this.#options = options
    this.#state = firstWitnessesState(policy, quorums, kept)
    this.#clients = new Map(
      policy.witnesses.flatMap(({ name, url }) =>
        url === undefined ? [] : [[name, createWitnessClient(url, requestTimeoutMs)] as const],
      ),
    )
    this.#report()
  }

  /**
   * Has a head cosigned that is committed; resolves with the cosignatures that came in time. More may come later.
   * One after the other.
   */
  async gather(head: SignedHead): Promise<SignedHead> {
    this.#apply({ kind: 'head', head, nowMs: performance.now() })
    const deadline = performance.now() + this.#options.askMs
    while (!this.#isClosed && !isGathered(this.#state, head.size)) {
      const leftMs = deadline - performance.now()
      if (leftMs <= 0) break
      await this.#nextAnswer(leftMs)
    }
    this.#report()
    return withCosignatures(this.#state.heads.get(head.size) ?? { head, cosignatures: [] })
  }

  /** Begins to ask for a head; nobody waits. */
  begin(head: SignedHead): void {
    this.#apply({ kind: 'head', head, nowMs: performance.now() })
  }

  setQuorums(names: readonly string[]): void {
    this.#apply({ kind: 'quorums', names, nowMs: performance.now() })
    this.#report()
  }

  async close(): Promise<void> {
    this.#isClosed = true
    clearTimeout(this.#reportTimer)
    for (const timer of this.#timers.values()) clearTimeout(timer)
    for (const wake of [...this.#waiting]) wake()
    for (const client of this.#clients.values()) await client.close()
  }

  #nextAnswer(timeoutMs: number): Promise<void> {
    return new Promise((resolve) => {
      const wake = () => {
        clearTimeout(timer)
        this.#waiting.delete(wake)
        resolve()
      }
      const timer = setTimeout(wake, timeoutMs)
      this.#waiting.add(wake)
    })
  }

  #apply(event: WitnessEvent): void {
    if (this.#isClosed) return
    const { state, effects } = decideWitnesses(this.#state, event)
    this.#state = state
    for (const effect of effects) this.#perform(effect)
  }

  #perform(effect: WitnessEffect): void {
    const { report } = this.#options
    switch (effect.kind) {
      case 'ask':
        void this.#ask(effect)
        return
      case 'wake': {
        const { witness, afterMs } = effect
        clearTimeout(this.#timers.get(witness))
        const wake = () => this.#apply({ kind: 'due', witness, nowMs: performance.now() })
        // A timer may fire a moment early by the other clock.
        this.#timers.set(witness, setTimeout(wake, afterMs + 1))
        return
      }
      case 'cosigned':
        this.#reportTimer ??= setTimeout(() => this.#report(), REPORT_DELAY_MS)
        return
      case 'alarm':
        report({ type: 'witness-alarm', witness: effect.witness, why: effect.why })
        return
      case 'failing':
        report({ type: 'witness-failing', witness: effect.witness, why: effect.why })
        return
      case 'recovered':
        report({ type: 'witness-recovered', witness: effect.witness })
    }
  }

  /** One request to one witness, and what it leads to. Never rejects. */
  async #ask({ witness: name, oldSize, head }: Extract<WitnessEffect, { kind: 'ask' }>): Promise<void> {
    const startMs = performance.now()
    const answer = await this.#answer(name, oldSize, head).catch(
      (thrown: unknown): WitnessAnswer => ({
        kind: 'unusable',
        why: thrown instanceof Error ? thrown.message : 'failed',
      }),
    )
    if (this.#isClosed) return
    const nowMs = performance.now()
    this.#apply({ kind: 'answer', witness: name, answer, nowMs, random: Math.random() })
    this.#options.report({ type: 'witness-answered', witness: name, outcome: answer.kind, latencyMs: nowMs - startMs })
    if (answer.kind !== 'cosigned') this.#reportTimer ??= setTimeout(() => this.#report(), REPORT_DELAY_MS)
    for (const wake of [...this.#waiting]) wake()
  }

  async #answer(name: string, oldSize: number, head: SignedHead): Promise<WitnessAnswer> {
    const { crypto, policy, consistencyPath, nowSeconds = () => Math.floor(Date.now() / 1000) } = this.#options
    const client = this.#clients.get(name)
    const key = policy.witnesses.find((each) => each.name === name)?.key
    if (client === undefined || key === undefined) {
      return { kind: 'unavailable', why: 'it has no address', retryAfterMs: 0 }
    }
    const checkpoint = parseNote(utf8(head.note))
    const isProven = oldSize > 0 && oldSize < head.size
    const proof = isProven ? consistencyPath(oldSize, head.size) : []
    const reply = await client.addCheckpoint(formatAddCheckpoint({ oldSize, proof, checkpoint }))
    const lastTimeSeconds = this.#state.witnesses.get(name)?.timeSeconds ?? 0
    return readAnswer(crypto, { witness: key, checkpoint, lastTimeSeconds, nowSeconds: nowSeconds() }, reply)
  }

  #report(): void {
    clearTimeout(this.#reportTimer)
    this.#reportTimer = undefined
    if (this.#isClosed) return
    const names = [undefined, ...this.#state.quorums]
    const kept = names.flatMap((quorum) => {
      const found = newestFor(this.#state, quorum)
      return found === undefined ? [] : [{ quorum, head: withCosignatures(found) }]
    })
    const witnesses = [...this.#state.witnesses].map(([name, { size, timeSeconds, failures, isAlarmed }]) => ({
      name,
      size,
      timeSeconds,
      failures,
      isAlarmed,
    }))
    this.#options.report({ type: 'cosigned', kept, witnesses })
    for (const each of this.#state.heads.values()) {
      if (each.cosignatures.length > 0) this.#options.onCosigned(withCosignatures(each))
    }
  }
}
