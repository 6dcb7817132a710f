/** Runs an audit: performs what {@link decideAudit} says, one epoch at a time. */
import { randomBytes } from 'node:crypto'
import type { ModelStore } from '@countersign/engines'
import {
  type AuditCommitment,
  auditCommitmentStatement,
  CountersignError,
  type Crypto,
  createMemory,
  formatEnvelope,
  formatStatement,
  openEnvelope,
  preAuthEncoding,
  type Statement,
  statementDigest,
  type Trust,
  toHex,
} from '@countersign/verify'
import type { LogClient } from '../log-client/log-client.ts'
import { type AskingOptions, settleEntries } from './asked-entries.ts'
import { type AuditReport, type CorePrice, reportOn } from './audit-report.ts'
import {
  type AuditEffect,
  type AuditEvent,
  type AuditState,
  decideAudit,
  type SampledEntry,
  type SignedPayload,
} from './decide-audit.ts'
import { evidenceFiles } from './evidence-files.ts'
import { type GatewayAccess, type GatewayReply, hasBundle, readPlace, refusalOf } from './gateway-access.ts'
import { FIRST_RETRY_MS, LATE_TIMEOUT_MS, MAX_PROOFS_REMEMBERED, MAX_RETRY_MS, RECEIPT_WAIT_MS } from './limits.ts'
import { LogWatch } from './log-watch.ts'
import { pause } from './pause.ts'
import { buildResult, type ResultTerms } from './result.ts'
import type { StateFolder } from './state-folder.ts'

/** Signs statements as the auditor: P-256. */
export interface AuditorKey {
  readonly spki: Uint8Array
  /** SHA-256 of the SPKI, hexadecimal. */
  readonly keyId: string
  /** DER signature. */
  sign(message: Uint8Array): Uint8Array
}

/** What the next epoch is to be. */
export interface AuditPlan extends Pick<AuditCommitment, 'deployments' | 'rateMillionths' | 'answerWithinSeconds'> {
  readonly entries: number
  /** Ends the epoch sooner. */
  readonly forMs?: number
}

export interface AuditorOptions {
  readonly crypto: Crypto
  readonly trust: Trust
  readonly key: AuditorKey
  /** The auditor's name, as the operator lists it. */
  readonly name: string
  /** Address of the gateway, for the report. */
  readonly gateway: string
  readonly access: GatewayAccess
  readonly log: LogClient
  readonly models: ModelStore
  readonly folder: StateFolder
  readonly plan: AuditPlan
  readonly confidenceMillionths: number
  readonly price?: CorePrice
  readonly signal: AbortSignal
  /** Lines for people, as it goes on. */
  onProgress(line: string): void
  readonly now?: () => number
  readonly pollMs?: number
}

/** How long a gateway has to take the commitment in. */
const COMMITTING_MS = 60_000

/**
 * Runs one epoch to its end, or goes on with the one that was interrupted; its report, or `undefined` when it was told to
 * stop. What it knows is in the state folder whenever it stops, however it stops.
 *
 * @throws {CountersignError} `gateway/refused` when the gateway takes no audit of ours; `proof/*`, `leaf/mismatch` when the
 *   log contradicts itself; `watch/*`, `disk/full`, `data/damaged`
 */
export async function runAudit(options: AuditorOptions): Promise<AuditReport | undefined> {
  const auditor = new Auditor(options)
  try {
    return await auditor.run()
  } catch (thrown) {
    // Who is told to stop need not hear that a question was cut short.
    if (options.signal.aborted) return passUnreachable(thrown)
    throw thrown
  }
}

class Auditor {
  readonly #options: AuditorOptions
  readonly #watch: LogWatch
  readonly #now: () => number
  #state: AuditState
  #report: AuditReport | undefined

  constructor(options: AuditorOptions) {
    this.#options = options
    this.#now = options.now ?? Date.now
    this.#watch = new LogWatch({ ...options, now: this.#now })
    this.#state = options.folder.load(options.crypto)
  }

  async run(): Promise<AuditReport | undefined> {
    const isNew = this.#state.phase === 'idle'
    let effects = this.#apply(isNew ? await this.#begin() : await this.#resume())
    while (effects.length > 0 && !this.#options.signal.aborted) {
      const events: AuditEvent[] = []
      for (const effect of effects) events.push(...(await this.#perform(effect)))
      effects = events.flatMap((event) => this.#apply(event))
    }
    return this.#report
  }

  #apply(event: AuditEvent): readonly AuditEffect[] {
    const { state, effects } = decideAudit(this.#state, event)
    this.#state = state
    // Before anything else is done: what is sent must be known after a crash.
    if (effects.some(({ kind }) => kind === 'save')) this.#options.folder.save(state)
    return effects.filter(({ kind }) => kind !== 'save')
  }

  /** Draws a seed, and finds out before it commits whether the gateway lets us ask. */
  async #begin(): Promise<AuditEvent> {
    const { crypto, access, name, plan, key } = this.#options
    const origin = await this.#watch.findOrigin()
    const allowed = await access.entry(0)
    if (allowed.status === 401 || allowed.status === 403) throw refusalOf(allowed, 'asking for an entry')
    const seed = new Uint8Array(randomBytes(32))
    const nowMs = this.#now()
    const { deployments, rateMillionths, answerWithinSeconds, entries, forMs } = plan
    const commitment: AuditCommitment = {
      ...{ auditor: name, log: origin, deployments, seedHash: toHex(crypto.sha256(seed)), rateMillionths },
      epoch: { entries, ...(forMs === undefined ? {} : { untilMs: nowMs + forMs }) },
      ...{ answerWithinSeconds, committedAtMs: nowMs },
    }
    const signed = signStatement(auditCommitmentStatement(commitment), key)
    const digest = statementDigest(crypto, signed.payload)
    return { type: 'begun', epoch: { seed: toHex(seed), commitment, digest, signed } }
  }

  /** @throws {CountersignError} `usage/invalid` when what was under way is of another log, or was signed with another key */
  async #resume(): Promise<AuditEvent> {
    const { crypto, key, onProgress } = this.#options
    if (this.#state.phase === 'idle') return { type: 'resumed', nowMs: this.#now() }
    const { commitment, signed } = this.#state.epoch
    const isOurs = isSignedWith(crypto, signed, key) && (await this.#watch.findOrigin()) === commitment.log
    if (!isOurs) {
      const what = `the state folder has an audit of ${commitment.log} under way`
      throw new CountersignError(
        'usage/invalid',
        `${what}, with another gateway or key; go on with those, or name another`,
      )
    }
    onProgress(`going on with the audit that was ${this.#state.phase}`)
    return { type: 'resumed', nowMs: this.#now() }
  }

  async #perform(effect: AuditEffect): Promise<readonly AuditEvent[]> {
    switch (effect.kind) {
      case 'save':
        return []
      case 'post-commitment':
        return await this.#commit(effect.epoch.signed)
      case 'watch-head':
        return await this.#watchHead()
      case 'read-epoch':
        return await this.#readEpoch()
      case 'ask':
        return await this.#ask(effect.entries, effect.deadlineMs)
      case 'sign-result':
        return await this.#signResult()
      case 'post-result':
        return await this.#postResult(effect.result, effect.deadlineMs)
      case 'report':
        return await this.#finish()
    }
  }

  async #commit(signed: SignedPayload): Promise<readonly AuditEvent[]> {
    this.#keepStatement('commitment', signed)
    const reply = await this.#post(signed, this.#now() + COMMITTING_MS)
    if (reply === undefined) return []
    if (reply.status >= 300) throw refusalOf(reply, 'the commitment')
    const index = readPlace(reply, statementDigest(this.#options.crypto, signed.payload))
    this.#options.onProgress(`committed as entry ${index}; the epoch begins behind it`)
    return [{ type: 'committed', index }]
  }

  async #watchHead(): Promise<readonly AuditEvent[]> {
    if (this.#state.phase !== 'running') return []
    const head = await this.#watch.nextHead(this.#state)
    return head === undefined ? [] : [{ type: 'head-seen', head }]
  }

  async #readEpoch(): Promise<readonly AuditEvent[]> {
    const { state } = this.#known('reading')
    const { sampled } = await this.#watch.readEpoch(state, this.#options.key)
    this.#options.onProgress(`the epoch is over: ${state.to - state.index - 1} entries, ${sampled.length} selected`)
    return [{ type: 'epoch-read', sampled, nowMs: this.#now() }]
  }

  async #ask(entries: readonly SampledEntry[], deadlineMs: number): Promise<readonly AuditEvent[]> {
    const { crypto, trust, models, access, signal, folder } = this.#options
    const { epoch } = this.#known('asking').state
    const { deployments, answerWithinSeconds } = epoch.commitment
    const leastMs = Math.min(LATE_TIMEOUT_MS, answerWithinSeconds * 1000)
    const judging = { crypto, trust, models, memory: createMemory(MAX_PROOFS_REMEMBERED), deployments, now: this.#now }
    const keep: AskingOptions['keep'] = (judgement, dossier) => {
      for (const [name, text] of evidenceFiles(judgement, dossier)) folder.write(`${this.#folderName()}/${name}`, text)
    }
    const effects: AuditEffect[] = []
    await settleEntries(entries, { judging, access, deadlineMs, leastMs, signal, keep }, (batch) => {
      const computeMs = batch.reduce((sum, each) => sum + each.computeMs, 0)
      effects.push(...this.#apply({ type: 'settled', entries: batch.map(({ entry }) => entry), computeMs }))
    })
    const events: AuditEvent[] = []
    for (const effect of effects) events.push(...(await this.#perform(effect)))
    return events
  }

  async #signResult(): Promise<readonly AuditEvent[]> {
    const { crypto, key, confidenceMillionths, price, folder } = this.#options
    const { state } = this.#known('signing')
    const evidence = await this.#watch.readEpoch(state, key)
    const terms: ResultTerms = { crypto, key, confidenceMillionths, price, nowMs: this.#now() }
    const { statement, resultsFile } = buildResult(state, evidence, terms)
    if (resultsFile !== undefined) folder.write(`${this.#folderName()}/entries.json`, resultsFile)
    return [{ type: 'result-signed', result: signStatement(statement, key), nowMs: this.#now() }]
  }

  async #postResult(result: SignedPayload, deadlineMs: number): Promise<readonly AuditEvent[]> {
    this.#keepStatement('result', result)
    const reply = await this.#post(result, deadlineMs)
    if (reply === undefined && this.#options.signal.aborted) return []
    if (reply === undefined || reply.status >= 300) {
      const why = reply === undefined ? 'it did not answer' : `${reply.status} ${reply.code}`
      this.#options.onProgress(`the gateway did not log the result (${why}); it is in the state folder`)
      return [{ type: 'reported', index: null }]
    }
    return [{ type: 'reported', index: readPlace(reply, statementDigest(this.#options.crypto, result.payload)) }]
  }

  /** Writes the report, and what receipts there are by now. */
  async #finish(): Promise<readonly AuditEvent[]> {
    const { crypto, folder, gateway, confidenceMillionths, price } = this.#options
    const { state } = this.#known('over')
    const name = this.#folderName()
    const resultDigest = statementDigest(crypto, state.result.payload)
    const evidenceOf = (index: number) => {
      const file = `${name}/evidence/${index}.dossier.json`
      return folder.has(file) ? `${folder.path}/${file}` : undefined
    }
    const report = reportOn({ state, gateway, resultDigest, confidenceMillionths, price, evidenceOf })
    folder.write(`${name}/report.json`, `${JSON.stringify(report, null, 2)}\n`)
    await this.#keepReceipt('commitment', state.epoch.digest)
    if (state.resultIndex !== null) await this.#keepReceipt('result', resultDigest)
    folder.clear()
    this.#report = report
    return []
  }

  /** Has a statement logged; `undefined` when there was no answer in time, or no time left. */
  async #post(signed: SignedPayload, deadlineMs: number): Promise<GatewayReply | undefined> {
    const { access, key, signal } = this.#options
    for (let delayMs = FIRST_RETRY_MS; !signal.aborted; delayMs = Math.min(delayMs * 2, MAX_RETRY_MS)) {
      const reply = await access.post(signed, key.keyId).catch(passUnreachable)
      const isPassing = reply === undefined || reply.status === 429 || reply.status >= 500
      const leftMs = deadlineMs - this.#now()
      if (!isPassing || leftMs <= 0) return reply
      await pause(Math.min(Math.max(delayMs, reply?.retryAfterMs ?? 0), leftMs), signal)
    }
    return undefined
  }

  #keepStatement(what: string, { payload, signature }: SignedPayload): void {
    const envelope = formatEnvelope({ payload, signature, keyId: this.#options.key.keyId })
    this.#options.folder.write(`${this.#folderName()}/${what}.json`, `${JSON.stringify(envelope)}\n`)
  }

  /**
   * Waits a little for a head that covers the statement. Not having the receipt is no failure: the statement is at hand, and
   * the receipt can be asked for again.
   */
  async #keepReceipt(what: string, digest: string): Promise<void> {
    const { access, folder, signal } = this.#options
    const deadlineMs = this.#now() + RECEIPT_WAIT_MS
    for (let delayMs = FIRST_RETRY_MS; !signal.aborted; delayMs *= 2) {
      const reply = await access.statement(digest).catch(passUnreachable)
      if (reply?.status !== 200) return
      if (hasBundle(reply)) {
        folder.write(`${this.#folderName()}/${what}.receipt.json`, Buffer.from(reply.body).toString('utf8'))
        return
      }
      const leftMs = deadlineMs - this.#now()
      if (leftMs <= 0) return
      await pause(Math.min(delayMs, leftMs), signal)
    }
  }

  /** Files of one audit stand together, by its commitment. */
  #folderName(): string {
    return `audits/${this.#state.phase === 'idle' ? '' : this.#state.epoch.digest.slice(0, 16)}`
  }

  #known<P extends AuditState['phase']>(phase: P): { readonly state: Extract<AuditState, { phase: P }> } {
    if (this.#state.phase === phase) return { state: this.#state as Extract<AuditState, { phase: P }> }
    throw new CountersignError('data/damaged', `the audit is ${this.#state.phase}, not ${phase}`)
  }
}

function isSignedWith(crypto: Crypto, { payload, signature }: SignedPayload, { spki, keyId }: AuditorKey): boolean {
  try {
    openEnvelope(crypto, { payload, signature, keyId }, spki)
    return true
  } catch {
    return false
  }
}

function passUnreachable(thrown: unknown): undefined {
  if (thrown instanceof CountersignError && thrown.code.startsWith('watch/')) return undefined
  throw thrown
}

function signStatement(statement: Statement, key: AuditorKey): SignedPayload {
  const payload = formatStatement(statement)
  return { payload, signature: key.sign(preAuthEncoding(payload)) }
}
