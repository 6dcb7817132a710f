/** Metrics, traces and logs, joined: whatever becomes of them, no request does. */
import type { Config } from '../config/config.ts'
import type { AnswerEvent, RefusalEvent } from './answer-event.ts'
import type { Metric } from './exposition.ts'
import type { Logger } from './logs.ts'
import { createMetrics, type MetricSources } from './metrics.ts'
import { startTraces } from './traces.ts'

export interface TelemetryOptions {
  readonly config: Pick<Config, 'telemetry' | 'deployments' | 'upstreams'>
  readonly version: string
  /** What metrics ask for at each scrape. */
  readonly sources: Omit<MetricSources, 'tracesExported' | 'tracesDropped' | 'residentBytes'>
  /** Counted elsewhere, shown with the others. */
  readonly more?: readonly Metric[]
  readonly notices: { info(message: string): void; error(message: string): void }
  /** Where access lines go; `undefined` for nowhere. */
  readonly logger?: Pick<Logger, 'observeAnswer' | 'observeRefusal'> | undefined
}

export interface Telemetry {
  /** Reports an admitted request that is over. Once for each. Never throws, never waits. */
  observeAnswer(event: AnswerEvent): void
  /** Reports a request that was refused. Never throws, never waits. */
  observeRefusal(event: RefusalEvent): void
  /** Text for `GET /metrics`, of type `METRICS_TYPE`; `undefined` where metrics are off. */
  renderMetrics(): string | undefined
  /** Exports what it can in a short time. Never rejects. */
  close(): Promise<void>
}

/** Reports nothing to nobody. */
export const NO_TELEMETRY: Telemetry = {
  observeAnswer() {},
  observeRefusal() {},
  renderMetrics: () => undefined,
  close: () => Promise.resolve(),
}

/** Telemetry as it is configured. Connects to nobody before there is something to export. */
export async function startTelemetry(options: TelemetryOptions): Promise<Telemetry> {
  const { config, version, sources, more = [], notices, logger } = options
  const traces = await startTraces({ otlpUrl: config.telemetry.otlpUrl, version, notices })
  const metrics = createMetrics({
    deployments: config.deployments.map(({ name }) => name),
    upstreams: config.upstreams.map(({ name }) => name),
    version,
    more,
    sources: {
      ...sources,
      residentBytes: () => process.memoryUsage.rss(),
      tracesExported: () => traces.exported,
      tracesDropped: () => traces.dropped,
    },
  })
  let hasFailed = false
  const guard = (observe: () => void) => {
    try {
      observe()
    } catch {
      if (!hasFailed) notices.error('telemetry failed; answers do not depend on it')
      hasFailed = true
    }
  }
  return {
    observeAnswer(event) {
      if (config.telemetry.metrics) guard(() => metrics.observeAnswer(event))
      guard(() => traces.observeAnswer(event))
      if (logger !== undefined) guard(() => logger.observeAnswer(event))
    },
    observeRefusal(event) {
      if (config.telemetry.metrics) guard(() => metrics.observeRefusal(event))
      if (logger !== undefined) guard(() => logger.observeRefusal(event))
    },
    renderMetrics: () => (config.telemetry.metrics ? metrics.render() : undefined),
    close: () => traces.close(),
  }
}
