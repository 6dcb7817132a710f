/** A monitor: observes a log and whoever else saw it, decides, and does what was decided. @spec spec/monitor.md */
import {
  type Crypto,
  codeOf,
  formatNoteKey,
  type NoteKey,
  parseNote,
  toHex,
  type UnverifiedNote,
  utf8,
} from '@countersign/verify'
import { LogClient } from '../log-client/log-client.ts'
import { pause } from '../log-client/pause.ts'
import { type CommonHead, headNotesOf } from './common-head.ts'
import { Comparer, type VerifiedTree } from './comparer.ts'
import { LOG_SOURCE } from './decide-heads.ts'
import { decideObservation } from './decide-observation.ts'
import { type EvidenceBatch, EvidenceDesk } from './evidence-desk.ts'
import { isMissing } from './finding.ts'
import { treeHeadOf } from './head-comparison.ts'
import { openAnswer, openHeadNote, quorumTimeOf, WitnessReader } from './head-reader.ts'
import { KeptTree } from './kept-tree.ts'
import { MAX_WAITING_PROMISES } from './limits.ts'
import { findLogKey, type MonitorOptions } from './monitor-options.ts'
import type { MonitorState, SignedHead, WaitingHead } from './monitor-state.ts'
import { MonitorStore } from './monitor-store.ts'
import type { Effect, Observation, ProofDraft } from './observation.ts'
import { makeProof, writeProof } from './proof-file.ts'
import { recheckTiles } from './tile-recheck.ts'
import type { TreeEdge } from './tree-edge.ts'
import { extendTree } from './tree-extension.ts'
import { Webhook } from './webhook.ts'

/** Waits of `once` between two looks while something is missing. */
const LOOK_AGAIN_MS = 1000
/** Time for alerts that are left when the monitor ends. */
const CLOSE_MS = 2000

/** Findings about a source that shows no head. */
interface SourceKinds {
  readonly silent: 'log-silent' | 'witness-silent'
  readonly invalid: 'checkpoint-invalid' | 'witness-invalid'
  readonly subject: string
}

/** What a monitor has to say for itself. */
export interface MonitorSummary {
  readonly origin: string
  readonly size: number
  /** Proofs of misbehaviour, ever. */
  readonly proven: number
  /** Findings that count, and warnings. */
  readonly missing: number
  readonly warnings: number
}

export class Monitor {
  readonly #options: MonitorOptions
  readonly #crypto: Crypto
  readonly #logKey: NoteKey
  readonly #store: MonitorStore
  readonly #client: LogClient
  readonly #witnesses: readonly WitnessReader[]
  readonly #desk: EvidenceDesk
  readonly #comparer: Comparer
  readonly #webhook: Webhook | undefined
  readonly #over = new AbortController()
  #state: MonitorState
  #edge: TreeEdge
  #progress: TreeEdge | undefined

  /** @throws {CountersignError} `usage/invalid`, `policy/unknown-log`, `data/*`, `file/unreadable`, `disk/full` */
  constructor(options: MonitorOptions) {
    this.#options = options
    this.#crypto = options.crypto
    this.#logKey = findLogKey(options)
    const { trust, logUrl, timeoutMs, witnessUrls, webhookUrl } = options
    this.#client = new LogClient({ baseUrl: logUrl, timeoutMs })
    const named = trust.policy.witnesses.flatMap(({ name, url }) => (url === undefined ? [] : [{ name, url }]))
    const others = witnessUrls.filter((url) => !named.some((each) => each.url === url))
    this.#witnesses = [...named, ...others.map((url) => ({ name: url, url }))].map(
      ({ name, url }) => new WitnessReader(this.#crypto, name, url, this.#logKey.name, timeoutMs),
    )
    this.#webhook =
      webhookUrl === undefined
        ? undefined
        : new Webhook({
            url: webhookUrl,
            log: this.#logKey.name,
            onDelivered: ({ id }) => {
              this.#state = decideObservation(this.#state, { kind: 'delivered', id }).state
            },
          })
    this.#store = MonitorStore.open(this.#crypto, options.stateFolder, formatNoteKey(this.#logKey))
    try {
      const kept = this.#store.load()
      this.#state = kept.state
      this.#edge = kept.edge
      this.#progress = kept.progress
      this.#desk = new EvidenceDesk({ ...options, store: this.#store, client: this.#client, logKey: this.#logKey })
      this.#comparer = new Comparer({ ...options, client: this.#client, desk: this.#desk })
    } catch (thrown) {
      this.#store.close()
      throw thrown
    }
  }

  get state(): MonitorState {
    return this.#state
  }

  summary(): MonitorSummary {
    const { verified, proven, findings } = this.#state
    return {
      origin: this.#logKey.name,
      size: verified.size,
      proven: proven.length,
      missing: findings.filter((finding) => finding.isDue && isMissing(finding)).length,
      warnings: findings.filter((finding) => !isMissing(finding)).length,
    }
  }

  /** Looks once; while something is missing, again and again until the grace is over. */
  async once(): Promise<void> {
    let leftBefore = Number.POSITIVE_INFINITY
    for (;;) {
      await this.round()
      const isOpen = this.#state.findings.some((finding) => !finding.isDue && isMissing(finding))
      const left = this.#coveredPromises(this.#state.verified.size)
      const hasMorePromises = (left > 0 || this.#desk.hasMoreFiles) && left !== leftBefore
      leftBefore = left
      const hasMore = this.#desk.hasMoreStatements(this.#edge.size) || hasMorePromises
      if (this.#over.signal.aborted || (!isOpen && !hasMore)) return
      if (!hasMore) await pause(Math.min(LOOK_AGAIN_MS, this.#options.intervalMs), this.#over.signal)
    }
  }

  /** Looks in intervals, until it is stopped. */
  async follow(): Promise<void> {
    while (!this.#over.signal.aborted) {
      await this.round()
      await pause(this.#options.intervalMs, this.#over.signal)
    }
  }

  /** Ends what is under way; what was found stays. */
  stop(): void {
    this.#over.abort()
    void this.#client.close()
  }

  async close(): Promise<void> {
    this.stop()
    await Promise.all([
      this.#webhook?.close(CLOSE_MS),
      this.#desk.close(),
      ...this.#witnesses.map((each) => each.close()),
    ])
    this.#save()
    this.#store.close()
  }

  /** One look at everything. @throws {CountersignError} `data/*`, `disk/full`, `file/unreadable`: for what is ours */
  async round(): Promise<void> {
    await this.#askLog()
    await this.#askWitnesses()
    const hasRoomFor = (more: number) => this.#coveredPromises(this.#state.servedSize) + more <= MAX_WAITING_PROMISES
    for (const batch of this.#desk.readFiles(hasRoomFor)) await this.#take(batch)
    await this.#observe({ kind: 'looked', atMs: this.#now() })
    await this.#observe({ kind: 'followed', atMs: this.#now() })
    for (const seen of await recheckTiles(this.#crypto, this.#client, this.#state.findings, this.#now())) {
      await this.#observe(seen)
    }
    await this.#take(await this.#desk.readStatements(this.#verifiedTree().kept, this.#over.signal))
    const { graceMs, maximumAgeMs, trust } = this.#options
    const terms = { graceMs, maximumAgeMs, hasQuorum: trust.policy.quorum !== 'none' }
    await this.#observe({ kind: 'tick', atMs: this.#now(), terms })
    this.#save()
    this.#webhook?.send(this.#state.alerts)
  }

  #now(): number {
    return this.#options.nowMs()
  }

  /** Promises that wait, and that a tree of that size covers. */
  #coveredPromises(size: number): number {
    return this.#state.promises.filter(({ index }) => index < size).length
  }

  async #askLog(): Promise<void> {
    const answer = await this.#client.fetchCheckpoint().catch((thrown: unknown) => thrown)
    await this.#hear(LOG_SOURCE, answer, { silent: 'log-silent', invalid: 'checkpoint-invalid', subject: 'log' })
  }

  /** What a witness says wrongly is the witness’s fault. */
  async #askWitnesses(): Promise<void> {
    const ask = (witness: WitnessReader) => witness.fetchCheckpoint().catch((thrown: unknown) => thrown)
    const answers = await Promise.all(this.#witnesses.map(ask))
    for (const [i, { name: subject }] of this.#witnesses.entries()) {
      const kinds = { silent: 'witness-silent', invalid: 'witness-invalid', subject } as const
      await this.#hear(`witness ${subject}`, answers[i], kinds)
    }
  }

  /** Takes in a note that somebody showed, or why there is none. */
  async #hear(source: string, answer: unknown, kinds: SourceKinds): Promise<void> {
    const { silent, invalid, subject } = kinds
    const opened = openAnswer(this.#crypto, answer, this.#logKey)
    if ('code' in opened) {
      const isSilent = opened.code === 'watch/unreachable' || opened.code === 'watch/not-found'
      const [finding, summary] = [isSilent ? silent : invalid, `${opened.code}: ${opened.message}`]
      await this.#observe({ kind: 'trouble', finding, subject, summary, atMs: this.#now() })
      return
    }
    for (const finding of [silent, invalid]) {
      await this.#observe({ kind: 'fine', finding, subject, atMs: this.#now() })
    }
    await this.#showHead(source, opened.head, opened.note)
  }

  async #showHead(source: string, head: SignedHead, note: UnverifiedNote): Promise<void> {
    const atMs = this.#now()
    const known = this.#store.headsOfSize(head.size)
    const same = known.find(({ root }) => root === head.root)
    if (same === undefined) this.#store.addHead(head)
    const rivals = known.filter(({ root }) => root !== head.root)
    const quorumSeconds = await this.#quorumSecondsOf(source, note, atMs)
    const isSettled = same?.isSettled ?? false
    await this.#observe({ kind: 'head', source, head, rivals, isSettled, quorumSeconds, atMs })
  }

  async #quorumSecondsOf(source: string, note: UnverifiedNote, atMs: number): Promise<number | undefined> {
    try {
      const { quorumSeconds, ahead } = quorumTimeOf(this.#crypto, note, this.#options.trust.policy, atMs)
      for (const subject of ahead) {
        const summary = `witness ${subject} signed a head at a time that has not come yet`
        await this.#observe({ kind: 'trouble', finding: 'cosignature-ahead', subject, summary, atMs })
      }
      await this.#observe({ kind: 'fine', finding: 'witness-invalid', subject: source, atMs })
      return quorumSeconds
    } catch (thrown) {
      if (codeOf(thrown) === undefined) throw thrown
      const summary = `${source} shows a head with a cosignature that does not check`
      await this.#observe({ kind: 'trouble', finding: 'witness-invalid', subject: source, summary, atMs })
      return undefined
    }
  }

  /** Takes in what a batch of evidence shows, and only then forgets to read it again. */
  async #take(batch: EvidenceBatch): Promise<void> {
    this.#store.transaction(() => {
      for (const { head } of batch.heads) this.#store.addHead(head)
    })
    for (const { source, head, note } of batch.heads) await this.#showHead(source, head, note)
    for (const observation of batch.observations) await this.#observe(observation)
    if (this.#over.signal.aborted) return
    this.#store.transaction(() => {
      this.#store.saveState(this.#state)
      batch.finish()
    })
  }

  async #observe(observation: Observation): Promise<void> {
    // What fails because we stop is nobody's fault.
    if (this.#over.signal.aborted) return
    const { state, effects } = decideObservation(this.#state, observation)
    this.#state = state
    await this.#perform(effects)
  }

  async #perform(effects: readonly Effect[]): Promise<void> {
    const settled = effects.flatMap((effect) => (effect.kind === 'settle' ? [effect.head] : []))
    if (settled.length > 0) {
      this.#store.transaction(() => {
        for (const head of settled) this.#store.settleHead(head)
      })
    }
    for (const effect of effects) {
      switch (effect.kind) {
        case 'extend':
          await this.#extend(effect.heads)
          break
        case 'compare':
          await this.#observe(await this.#comparer.compare(this.#verifiedTree(), effect.older, effect.newer))
          break
        case 'locate':
          for (const seen of await this.#comparer.locate(this.#verifiedTree(), effect.older, effect.newer)) {
            await this.#observe(seen)
          }
          break
        case 'check-promise':
          await this.#observe(await this.#comparer.checkPromise(this.#verifiedTree(), effect.promise))
          break
        case 'prove':
          await this.#prove(effect.draft)
          break
        case 'report':
          this.#options.onReport(effect.report)
          break
        case 'settle':
      }
    }
  }

  async #extend(heads: readonly WaitingHead[]): Promise<void> {
    const target = heads.at(-1)
    if (target === undefined) return
    const canGoOn = this.#progress !== undefined && heads.every(({ size }) => size > (this.#progress?.size ?? 0))
    const from = canGoOn && this.#progress !== undefined ? this.#progress : this.#edge
    const tiles: (readonly [Parameters<MonitorStore['addTile']>[0], Uint8Array])[] = []
    const keep = (edge: TreeEdge, progress: TreeEdge | undefined) => {
      this.#store.transaction(() => {
        for (const [name, bytes] of tiles) this.#store.addTile(name, bytes)
        this.#store.saveEdge(edge, progress)
        this.#store.saveState(this.#state)
      })
      tiles.length = 0
    }
    const extension = await extendTree({
      ...{ client: this.#client, crypto: this.#crypto, from, heads: heads.map(treeHeadOf), signal: this.#over.signal },
      onTile: (name, bytes) => tiles.push([name, bytes]),
      onProgress: (edge) => {
        this.#options.onProgress(edge.size, target.size)
        keep(this.#edge, edge)
      },
    })
    this.#options.onProgress(target.size, target.size)
    const { edge, verified, agreeing, differing, problems, failure } = extension
    this.#edge = verified ?? this.#edge
    const isClean = differing.length === 0 && !problems.some(({ kind }) => kind === 'entry-differs')
    this.#progress = isClean && edge.size > this.#edge.size ? edge : undefined
    const headOf = ({ size, root }: { readonly size: number; readonly root: Uint8Array }) =>
      heads.filter((head) => head.size === size && head.root === toHex(root))
    const found = {
      agreeing: agreeing.flatMap(headOf),
      differing: differing.flatMap(headOf),
      ...{ target, problems, failure, atMs: this.#now() },
    }
    if (this.#over.signal.aborted) {
      // The kept head and the kept tree go together.
      const last = found.agreeing.at(-1)
      if (last !== undefined) this.#state = { ...this.#state, verified: last }
      return keep(this.#edge, this.#progress)
    }
    const { state, effects } = decideObservation(this.#state, { kind: 'extended', ...found })
    this.#state = state
    keep(this.#edge, this.#progress)
    await this.#perform(effects)
    await this.#warnOfLeaves(extension.malformedLeaves)
  }

  async #warnOfLeaves(leaves: { readonly count: number; readonly firstIndex: number } | undefined): Promise<void> {
    if (leaves === undefined) return
    const summary = `${leaves.count} entries, from ${leaves.firstIndex} on, are not leaves of statements`
    await this.#observe({ kind: 'trouble', finding: 'leaf-malformed', subject: 'log', summary, atMs: this.#now() })
  }

  #verifiedTree(): VerifiedTree {
    return { head: this.#state.verified, kept: new KeptTree(this.#store, this.#edge) }
  }

  async #prove(draft: ProofDraft): Promise<void> {
    const atMs = this.#now()
    try {
      const proof = makeProof(this.#crypto, this.#options.trust, draft, await this.#commonOf(draft))
      writeProof(this.#options.proofFolder, proof)
      const { name: file, digest, misbehaviour } = proof
      const { kind, summary } = misbehaviour
      const proven = { kind, subject: draft.subject, summary, file, digest, atMs }
      await this.#observe({ kind: 'proven', misbehaviour: proven })
      this.#save()
      this.#webhook?.send(this.#state.alerts)
    } catch (thrown) {
      const code = codeOf(thrown)
      if (code === undefined || code === 'file/unreadable' || code === 'disk/full') throw thrown
      const summary = `a contradiction (${draft.kind}) could not be proven: ${code}`
      await this.#observe({ kind: 'trouble', finding: 'proof-failed', subject: draft.subject, summary, atMs })
    }
  }

  /** How far the histories of a proof are one, where trees that show it are to be had. */
  #commonOf(draft: ProofDraft): Promise<CommonHead | undefined> {
    const { notes, contested } = headNotesOf(draft)
    const heads = notes.map((note) => openHeadNote(this.#crypto, parseNote(utf8(note)), this.#logKey))
    const upTo = Math.min(
      contested ?? Number.MAX_SAFE_INTEGER,
      ...heads.map(({ size }) => size - (contested === undefined ? 1 : 0)),
    )
    return this.#comparer.findCommonHead(this.#verifiedTree(), heads, this.#store.settledHeads(upTo))
  }

  #save(): void {
    this.#store.transaction(() => this.#store.saveState(this.#state))
  }
}
