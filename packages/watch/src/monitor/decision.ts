/** One step of a decision: the state as it becomes, and what is to be done. */
import type { Finding, MissingKind, WarningKind } from './finding.ts'
import { isLasting, isMissing } from './finding.ts'
import { MAX_OPEN_FINDINGS, MAX_OPEN_WARNINGS, MAX_PROOFS_PER_KIND, MAX_WAITING_ALERTS } from './limits.ts'
import type { Alert, MonitorState } from './monitor-state.ts'
import type { Effect, ProofDraft } from './observation.ts'

/** Collects what follows from one observation. Made for it, and thrown away with it. */
export class Decision {
  state: MonitorState
  readonly effects: Effect[] = []

  constructor(state: MonitorState) {
    this.state = state
  }

  set(changes: Partial<MonitorState>): void {
    this.state = { ...this.state, ...changes }
  }

  do(effect: Effect): void {
    this.effects.push(effect)
  }

  /** Opens a finding, unless it is open already. */
  open(kind: MissingKind | WarningKind, subject: string, summary: string, atMs: number, expected?: string): void {
    const { findings } = this.state
    if (findings.some((each) => each.kind === kind && each.subject === subject)) return
    if (kind !== 'limit-reached' && this.#isFull(kind)) {
      this.open('limit-reached', 'findings', 'more findings are open than are kept', atMs)
      return
    }
    const base = { kind, subject, summary, sinceMs: atMs, isDue: false }
    const finding: Finding = expected === undefined ? base : { ...base, expected }
    this.set({ findings: [...findings, finding] })
    this.do({ kind: 'report', report: { event: 'opened', finding, atMs } })
  }

  /**
   * One place is left to say that there are no more. What says nothing against the log takes no place from what does: anyone
   * may give a monitor files that cannot be read.
   */
  #isFull(kind: MissingKind | WarningKind): boolean {
    const { findings } = this.state
    const warnings = isMissing({ kind }) ? 0 : findings.filter((each) => !isMissing(each)).length
    return findings.length >= MAX_OPEN_FINDINGS - 1 || warnings >= MAX_OPEN_WARNINGS
  }

  /** Closes a finding, or with no subject all of that kind. What is about the past stays. */
  close(kind: MissingKind | WarningKind, subject: string | undefined, atMs: number): void {
    const isMeant = (each: Finding) => each.kind === kind && (subject === undefined || each.subject === subject)
    for (const finding of this.state.findings.filter(isMeant)) {
      if (isLasting(finding)) continue
      this.set({ findings: this.state.findings.filter((each) => each !== finding) })
      this.do({ kind: 'report', report: { event: 'closed', finding, atMs } })
      if (finding.isDue && isMissing(finding)) this.alert('resolved', finding, atMs)
    }
  }

  /** A finding that is open for longer than the grace counts, and whoever gets alerts is told. */
  age(graceMs: number, atMs: number): void {
    const findings = this.state.findings.map((finding) => {
      const isDue = finding.isDue || isLasting(finding) || atMs - finding.sinceMs >= graceMs
      return isDue === finding.isDue ? finding : { ...finding, isDue }
    })
    const fresh = findings.filter((finding, i) => finding.isDue && this.state.findings[i]?.isDue === false)
    this.set({ findings })
    for (const finding of fresh) {
      this.do({ kind: 'report', report: { event: 'due', finding, atMs } })
      if (isMissing(finding)) this.alert('evidence-missing', finding, atMs)
    }
  }

  /** Asks for a proof file, once for each subject, and not without end for one kind. */
  prove(draft: ProofDraft): void {
    const ofKind = this.state.proven.filter(({ kind }) => kind === draft.kind)
    if (ofKind.some(({ subject }) => subject === draft.subject) || ofKind.length >= MAX_PROOFS_PER_KIND) return
    this.do({ kind: 'prove', draft })
  }

  alert(level: Alert['level'], about: Omit<Alert, 'id' | 'level' | 'atMs'>, atMs: number): void {
    const { kind, subject, summary, sinceMs, file, digest } = about
    const proof = file === undefined || digest === undefined ? {} : { file, digest }
    const id = String(this.state.alertCount + 1)
    const alerts = [...this.state.alerts, { id, atMs, level, kind, subject, summary, sinceMs, ...proof }]
    this.set({ alerts, alertCount: this.state.alertCount + 1 })
    if (alerts.length <= MAX_WAITING_ALERTS) return
    // Of what is proven, nothing is dropped while there is something else.
    const dropped = alerts.find((each) => each.level !== 'misbehaviour') ?? alerts[0]
    if (dropped === undefined) return
    this.set({ alerts: alerts.filter((each) => each !== dropped) })
    this.do({ kind: 'report', report: { event: 'alert-dropped', alert: dropped, atMs } })
  }
}
