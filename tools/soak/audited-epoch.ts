/** One epoch of an audit, with an operator that cheats: what is drawn, decided and reported is the auditor's own code. */
import {
  AUDIT_OUTCOMES,
  type AuditCommitment,
  type AuditedEntry,
  type AuditOutcome,
  auditCommitmentStatement,
  type Crypto,
  createDraw,
  type Draw,
  type DrawnEntry,
  drawEntries,
  formatStatement,
  statementDigest,
  toHex,
  utf8,
} from '@countersign/verify'
import { type AuditReport, reportOn } from '../../packages/watch/dist/auditor/audit-report.js'
import { type AuditEvent, type AuditState, decideAudit } from '../../packages/watch/dist/auditor/decide-audit.js'

/** What does not depend on the run. */
export interface Scene {
  /** Of the epoch. Every tenth is no answer that can be compared. */
  readonly entries: number
  /** Share of the answers that can be compared. */
  readonly cheatMillionths: number
  readonly rateMillionths: number
  readonly confidenceMillionths: number
}

/** What is counted over all runs of a scene. */
export type Counted = 'entries sampled' | 'cheats sampled' | 'alarms' | 'bounds that hold'

/** What is done wrong on purpose, to see whether it is noticed. */
export interface Plant {
  readonly name: string
  readonly scene: Scene
  /** What must then be out of its limits. */
  readonly breaks: readonly Counted[]
  /** An auditor that draws in another way. */
  draw?(fair: Draw, isCheat: (index: number) => boolean): Draw
  /** Another rate than the one that was committed to. */
  readonly rateMillionths?: number
  /** An auditor that sees something else than what was there. */
  judge?(outcome: AuditOutcome, index: number): AuditOutcome
  /** An auditor that states another bound. */
  bound?(headline: AuditReport['headline']): number
}

/** What one run gave. */
export interface EpochFigures {
  readonly sampled: number
  readonly cheatsSampled: number
  readonly isAlarm: boolean
  /** Whether the true share is not above the one that the report does not exclude. */
  readonly isCovered: boolean
}

/** The commitment stands before it. */
const FIRST_INDEX = 1
const LOG = 'example.org/soak'
const COUNTED_OF_TEN = 9

/** How an operator cheats, in turn; all of them count against it. */
const CHEATS: readonly AuditOutcome[] = ['differed', 'refused', 'differed', 'evidence-missing']
const BESIDES: readonly AuditOutcome[] = ['not-an-answer', 'not-comparable']

/** How many answers of the epoch can be compared, and on how many of them the operator cheats. */
export function truthOf({ entries, cheatMillionths }: Scene): { readonly counted: number; readonly cheats: number } {
  const counted = Math.floor(entries / 10) * COUNTED_OF_TEN + Math.min(entries % 10, COUNTED_OF_TEN)
  return { counted, cheats: Math.floor((counted * cheatMillionths) / 1_000_000) }
}

/** What looking at an entry would give. Cheats are spread over the whole: the operator cannot tell what will be drawn. */
export function outcomeOf(scene: Scene, index: number): AuditOutcome {
  const place = index - FIRST_INDEX
  const ten = Math.floor(place / 10)
  if (place % 10 === COUNTED_OF_TEN) return BESIDES[ten % BESIDES.length] ?? 'not-an-answer'
  const counted = ten * COUNTED_OF_TEN + (place % 10)
  const cheatsBefore = (count: number) => Math.floor((count * scene.cheatMillionths) / 1_000_000)
  const nth = cheatsBefore(counted)
  return cheatsBefore(counted + 1) > nth ? (CHEATS[nth % CHEATS.length] ?? 'differed') : 'agreed'
}

/** Plays the run with that number: it makes the seed, and the leaves. */
export function playEpoch(crypto: Crypto, scene: Scene, run: number, plant?: Plant): EpochFigures {
  const seed = crypto.sha256(utf8(`soak: seed of run ${run}`))
  const isCheat = (index: number) => CHEATS.includes(outcomeOf(scene, index))
  const fair = createDraw(crypto, seed, plant?.rateMillionths ?? scene.rateMillionths)
  const draw = plant?.draw?.(fair, isCheat) ?? fair
  const drawn = drawEntries(draw, FIRST_INDEX, leafHashesOf(crypto, scene, run))
  const entries = drawn.map((each) => auditedEntry(each, plant?.judge ?? same, outcomeOf(scene, each.index)))
  const { headline, exitCode, exceptions } = report(crypto, scene, seed, entries)
  const { counted, cheats } = truthOf(scene)
  const bound = plant?.bound?.(headline) ?? headline.excludedAboveMillionths
  return {
    sampled: drawn.length,
    cheatsSampled: drawn.filter(({ index }) => isCheat(index)).length,
    isAlarm: exitCode !== 0 || headline.failures > 0 || exceptions.length > 0,
    isCovered: bound * counted >= cheats * 1_000_000,
  }
}

/** Each leaf has in it what became of its entry, so that a cheat has other leaves. */
function leafHashesOf(crypto: Crypto, scene: Scene, run: number): Uint8Array {
  const leafHashes = new Uint8Array(scene.entries * 32)
  const label = utf8('soak: a leaf')
  for (let place = 0; place < scene.entries; place++) {
    const index = FIRST_INDEX + place
    const content = Uint32Array.of(run, index, AUDIT_OUTCOMES.indexOf(outcomeOf(scene, index)))
    leafHashes.set(crypto.sha256(label, new Uint8Array(content.buffer)), place * 32)
  }
  return leafHashes
}

const same = (outcome: AuditOutcome) => outcome

function auditedEntry(
  { index, leafHash }: DrawnEntry,
  judge: (outcome: AuditOutcome, index: number) => AuditOutcome,
  outcome: AuditOutcome,
): AuditedEntry {
  const hex = toHex(leafHash)
  return { index, leafHash: hex, outcome: judge(outcome, index), statement: hex }
}

/** Takes the audit from its commitment to its report. */
function report(crypto: Crypto, scene: Scene, seed: Uint8Array, entries: readonly AuditedEntry[]): AuditReport {
  const signed = { payload: new Uint8Array(), signature: new Uint8Array() }
  const sampled = entries.map(({ index, leafHash }) => ({ index, leafHash }))
  const middle = Math.floor(entries.length / 2)
  const events: readonly AuditEvent[] = [
    { type: 'begun', epoch: epochOf(crypto, scene, seed) },
    { type: 'committed', index: FIRST_INDEX - 1 },
    {
      type: 'head-seen',
      head: { size: FIRST_INDEX + scene.entries, root: '00'.repeat(32), confirmedAtSeconds: 1 },
    },
    { type: 'epoch-read', sampled, nowMs: 1000 },
    // In two parts, the later one first: the order in which answers come is nobody's.
    ...[entries.slice(middle), entries.slice(0, middle)]
      .filter((part) => part.length > 0)
      .map((part) => ({ type: 'settled', entries: part, computeMs: part.length }) as const),
    { type: 'result-signed', result: signed, nowMs: 2000 },
    { type: 'reported', index: FIRST_INDEX + scene.entries },
  ]
  const state = events.reduce<AuditState>((before, event) => decideAudit(before, event).state, { phase: 'idle' })
  if (state.phase !== 'over') throw new Error(`the audit is ${state.phase} after its last event`)
  return reportOn({
    ...{ state, gateway: 'http://gateway.example', resultDigest: '00'.repeat(32) },
    ...{ confidenceMillionths: scene.confidenceMillionths, price: undefined, evidenceOf: () => undefined },
  })
}

function epochOf(crypto: Crypto, { entries, rateMillionths }: Scene, seed: Uint8Array) {
  const commitment: AuditCommitment = {
    ...{ auditor: 'Auditor', log: LOG, deployments: 'all', seedHash: toHex(crypto.sha256(seed)), rateMillionths },
    ...{ epoch: { entries }, answerWithinSeconds: 60, committedAtMs: 1 },
  }
  const payload = formatStatement(auditCommitmentStatement(commitment))
  const signed = { payload, signature: new Uint8Array(64) }
  return { seed: toHex(seed), commitment, digest: statementDigest(crypto, payload), signed }
}
