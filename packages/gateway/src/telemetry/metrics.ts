/**
 * What the gateway counts, for Prometheus. Values of labels come from the configuration and from lists in the code;
 * whatever else somebody sends is counted under `other`, so that no stranger can make the metrics grow.
 */
import { ERROR_CODES } from '@countersign/verify'
import { type AnswerEvent, OPERATIONS, type RefusalEvent } from './answer-event.ts'
import { createCounter, createHistogram, createReading, type Metric, type Sample } from './exposition.ts'
import { FINISH_NAME } from './genai-conventions.ts'

/** What is asked for at each scrape. */
export interface MetricSources {
  requestsInFlight(): number
  bytesInFlight(): number
  /** Entries of the log under a signed head, and entries that are published. */
  logSize(): number
  publishedSize(): number
  journalSlotsInUse(): number
  breakers(): readonly { readonly upstream: string; readonly circuit: Circuit }[]
  residentBytes(): number
  tracesExported(): number
  tracesDropped(): number
}

export interface MetricsOptions {
  /** Names from the configuration: nothing else becomes a label. */
  readonly deployments: readonly string[]
  readonly upstreams: readonly string[]
  readonly version: string
  readonly sources: MetricSources
  /** Shown behind the others. */
  readonly more?: readonly Metric[]
}

export interface Metrics {
  observeAnswer(event: AnswerEvent): void
  observeRefusal(event: RefusalEvent): void
  /** Text for `GET /metrics`, of type `METRICS_TYPE`. */
  render(): string
}

const CIRCUITS = ['closed', 'half-open', 'open'] as const
type Circuit = (typeof CIRCUITS)[number]

/** Stands for every name that is not known. */
const OTHER = 'other'
/** No upstream had a part in the answer. */
const NONE = 'none'

const DURATION_SECONDS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600]
const FIRST_BYTE_SECONDS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60]
const COMMIT_SECONDS = [0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 5]

/** Counts from nothing. */
export function createMetrics({ deployments, upstreams, version, sources, more = [] }: MetricsOptions): Metrics {
  const counted = createCounted()
  const metrics = [...Object.values(counted), ...readings(sources, version, oneOf(upstreams)), ...more]
  const deploymentOf = oneOf(deployments)
  const upstreamOf = oneOf(upstreams)
  const operationOf = oneOf(OPERATIONS)
  const finishOf = oneOf(Object.keys(FINISH_NAME))
  const codeOf = oneOf([...ERROR_CODES, 'internal'])
  return {
    observeAnswer(event) {
      const deployment = deploymentOf(event.deployment)
      const operation = operationOf(event.operation)
      const status = statusClass(event.status)
      counted.requests.add(1, deployment, operation, status, finishOf(event.finish))
      counted.upstreamAnswers.add(1, event.upstream === undefined ? NONE : upstreamOf(event.upstream.name), status)
      counted.retries.add(event.attempts - 1, deployment)
      counted.duration.observe(event.durationMs / 1000, deployment, operation)
      if (event.firstByteMs !== undefined) counted.firstByte.observe(event.firstByteMs / 1000, deployment, operation)
      if (event.commitWaitMs !== undefined) counted.commitWait.observe(event.commitWaitMs / 1000)
      if (event.usage === 'unknown') {
        counted.usageUnknown.add(1, deployment)
        return
      }
      counted.tokens.add(event.usage.inputTokens ?? 0, deployment, 'input')
      counted.tokens.add(event.usage.cachedInputTokens ?? 0, deployment, 'cached_input')
      counted.tokens.add(event.usage.outputTokens ?? 0, deployment, 'output')
    },
    observeRefusal({ code, status }) {
      counted.refusals.add(1, codeOf(code), statusClass(status))
    },
    render: () => metrics.map((metric) => metric.render()).join(''),
  }
}

function createCounted() {
  const perRoute = ['deployment', 'operation']
  return {
    requests: createCounter({
      name: 'countersign_requests_total',
      help: 'Admitted requests that have ended.',
      labels: [...perRoute, 'status', 'finish'],
    }),
    upstreamAnswers: createCounter({
      name: 'countersign_upstream_answers_total',
      help: 'Answers by the upstream that gave them.',
      labels: ['upstream', 'status'],
    }),
    retries: createCounter({
      name: 'countersign_retries_total',
      help: 'Tries of upstreams beyond the first of each request.',
      labels: ['deployment'],
    }),
    refusals: createCounter({
      name: 'countersign_refusals_total',
      help: 'Requests that were refused, and left no record.',
      labels: ['code', 'status'],
    }),
    tokens: createCounter({
      name: 'countersign_tokens_total',
      help: 'Tokens as upstreams count them; cached input is part of the input.',
      labels: ['deployment', 'direction'],
    }),
    usageUnknown: createCounter({
      name: 'countersign_usage_unknown_total',
      help: 'Answers whose usage nobody knows.',
      labels: ['deployment'],
    }),
    duration: createHistogram(
      {
        name: 'countersign_request_duration_seconds',
        help: 'From arrival to the end of the answer.',
        labels: perRoute,
      },
      DURATION_SECONDS,
    ),
    firstByte: createHistogram(
      {
        name: 'countersign_first_byte_seconds',
        help: 'From arrival to the first byte of the answer.',
        labels: perRoute,
      },
      FIRST_BYTE_SECONDS,
    ),
    commitWait: createHistogram(
      { name: 'countersign_commit_wait_seconds', help: 'How long answers wait for a durable record.', labels: [] },
      COMMIT_SECONDS,
    ),
  }
}

function readings(sources: MetricSources, version: string, upstreamOf: (name: string) => string): readonly Metric[] {
  const single = (type: 'gauge' | 'counter', name: string, help: string, read: () => number) =>
    createReading({ name, help, labels: [] }, type, () => [{ labels: [], value: read() }])
  const circuits = (): readonly Sample[] =>
    sources
      .breakers()
      .flatMap(({ upstream, circuit }) =>
        CIRCUITS.map((state) => ({ labels: [upstreamOf(upstream), state], value: state === circuit ? 1 : 0 })),
      )
  const circuit = { name: 'countersign_upstream_circuit', help: '1 for the state that the circuit breaker is in.' }
  const build = { name: 'countersign_build_info', help: 'Always 1, with the version as a label.' }
  return [
    single('gauge', 'countersign_requests_in_flight', 'Requests under way.', sources.requestsInFlight),
    single('gauge', 'countersign_bytes_in_flight', 'Bytes of requests and held answers.', sources.bytesInFlight),
    single('gauge', 'countersign_log_entries', 'Entries of the log under its signed head.', sources.logSize),
    single('gauge', 'countersign_log_published_entries', 'Entries that are published.', sources.publishedSize),
    single('gauge', 'countersign_journal_slots_in_use', 'Intents that have no statement.', sources.journalSlotsInUse),
    createReading({ ...circuit, labels: ['upstream', 'state'] }, 'gauge', circuits),
    single('counter', 'countersign_traces_exported_total', 'Spans that a collector took.', sources.tracesExported),
    single('counter', 'countersign_traces_dropped_total', 'Spans that were dropped.', sources.tracesDropped),
    single('gauge', 'process_resident_memory_bytes', 'Resident memory of the process.', sources.residentBytes),
    createReading({ ...build, labels: ['version'] }, 'gauge', () => [{ labels: [version], value: 1 }]),
  ]
}

/** The name itself where it is one of those, else {@link OTHER}. */
function oneOf(names: readonly string[]): (name: string) => string {
  const known = new Set(names)
  return (name) => (known.has(name) ? name : OTHER)
}

function statusClass(status: number): string {
  return Number.isInteger(status) && status >= 100 && status < 600 ? `${Math.trunc(status / 100)}xx` : OTHER
}
