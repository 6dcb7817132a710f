/** What is counted of witnesses, for Prometheus. Labels are names of the configuration and words of the code. */
import { createCounter, createHistogram, createReading, type Metric } from '../telemetry/exposition.ts'
import { WITNESS_OUTCOMES, type WitnessStatus } from './asker.ts'
import type { QuorumStatus } from './quorum-clock.ts'

const LATENCY_SECONDS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10]

export interface WitnessSources {
  statuses(): readonly WitnessStatus[]
  /** By deployment. */
  quorums(): ReadonlyMap<string, QuorumStatus>
  unmetSeconds(): ReadonlyMap<string, number>
  /** Lines on the newest head that was cosigned. */
  publishedCosignatures(): number
}

export interface WitnessMetrics {
  observeAnswer(witness: string, outcome: string, latencyMs: number): void
  observeAlarm(witness: string): void
  /** None where there are no witnesses. */
  readonly all: readonly Metric[]
}

/** Counts from nothing. */
export function createWitnessMetrics(witnesses: readonly string[], sources: WitnessSources): WitnessMetrics {
  const names = new Set(witnesses)
  const outcomes: ReadonlySet<string> = new Set(WITNESS_OUTCOMES)
  const requests = createCounter({
    name: 'countersign_witness_requests_total',
    help: 'Requests to witnesses, by how they ended.',
    labels: ['witness', 'outcome'],
  })
  const alarms = createCounter({
    name: 'countersign_witness_alarms_total',
    help: 'How often a witness showed that it has seen another history of the log.',
    labels: ['witness'],
  })
  const latency = createHistogram(
    { name: 'countersign_witness_request_seconds', help: 'How long witnesses take.', labels: ['witness'] },
    LATENCY_SECONDS,
  )
  return {
    observeAnswer(witness, outcome, latencyMs) {
      if (!names.has(witness) || !outcomes.has(outcome)) return
      requests.add(1, witness, outcome)
      latency.observe(latencyMs / 1000, witness)
    },
    observeAlarm: (witness) => {
      if (names.has(witness)) alarms.add(1, witness)
    },
    all: names.size === 0 ? [] : [requests, alarms, latency, ...readings(sources)],
  }
}

function readings({ statuses, quorums, unmetSeconds, publishedCosignatures }: WitnessSources): readonly Metric[] {
  const perWitness = (name: string, help: string, read: (status: WitnessStatus) => number) =>
    createReading({ name, help, labels: ['witness'] }, 'gauge', () =>
      statuses().map((status) => ({ labels: [status.name], value: read(status) })),
    )
  const perDeployment = (name: string, help: string, read: () => Iterable<readonly [string, number]>) =>
    createReading({ name, help, labels: ['deployment'] }, 'gauge', () =>
      [...read()].map(([deployment, value]) => ({ labels: [deployment], value })),
    )
  const withStatus = (wanted: QuorumStatus) =>
    [...quorums()].map(([deployment, status]) => [deployment, status === wanted ? 1 : 0] as const)
  const lines = {
    name: 'countersign_log_cosignatures',
    help: 'Cosignatures on the newest head that has any.',
    labels: [],
  }
  return [
    perWitness('countersign_witness_size_entries', 'Entries that a witness cosigned last.', ({ size }) => size),
    perWitness(
      'countersign_witness_cosigned_timestamp_seconds',
      'Time of its last cosignature, by its clock.',
      ({ timeSeconds }) => timeSeconds,
    ),
    perWitness('countersign_witness_alarm', '1 for one that has seen another history.', (status) =>
      status.isAlarmed ? 1 : 0,
    ),
    perDeployment('countersign_quorum_met', '1 while a quorum is met in time.', () => withStatus('met')),
    perDeployment('countersign_quorum_overdue', '1 while a quorum is overdue.', () => withStatus('overdue')),
    perDeployment('countersign_quorum_unmet_seconds', 'How long entries wait for a quorum.', unmetSeconds),
    createReading(lines, 'gauge', () => [{ labels: [], value: publishedCosignatures() }]),
  ]
}
