/** OpenTelemetry traces: a span for each answer, where a collector is configured. */
import type { AnswerEvent } from './answer-event.ts'
import type { ExporterOptions } from './otlp-exporter.ts'

export interface TracesOptions extends Omit<ExporterOptions, 'otlpUrl'> {
  /** Base URL of a collector; `undefined` for no traces at all. */
  readonly otlpUrl: string | undefined
}

export interface Traces {
  /** Queues the span of an answer, unless its caller says that the trace is not recorded. Never throws, never waits. */
  observeAnswer(event: AnswerEvent): void
  /** Spans that a collector has taken, and spans that none will get. */
  readonly exported: number
  readonly dropped: number
  /** Sends what it can in a short time. Never rejects. */
  close(): Promise<void>
}

/** Loads what exports only when there is somewhere to export to. */
export async function startTraces({ otlpUrl, ...options }: TracesOptions): Promise<Traces> {
  if (otlpUrl === undefined) return { observeAnswer: () => undefined, exported: 0, dropped: 0, close: async () => {} }
  const { createSpanExporter } = await import('./otlp-exporter.ts')
  const exporter = createSpanExporter({ otlpUrl, ...options })
  return {
    observeAnswer(event) {
      if (event.trace?.isSampled !== false) exporter.add(event)
    },
    get exported() {
      return exporter.exported
    },
    get dropped() {
      return exporter.dropped
    },
    close: () => exporter.close(),
  }
}
