/** Structured logs: one JSON object per line. What stands in a line is named here; nothing else gets into one. */
import type { AnswerEvent, RefusalEvent } from './answer-event.ts'

/** From most to least. */
export const LOG_LEVELS = ['debug', 'info', 'warn', 'error'] as const
export type LogLevel = (typeof LOG_LEVELS)[number]

export interface LoggerOptions {
  /** Lines below it are not written. Answers and refusals are `info`, those with status 500 and above `warn`. */
  readonly level: LogLevel
  /** Takes one line with its line feed, for standard error. */
  readonly write: (line: string) => void
  readonly now?: () => number
}

/** Fits wherever notices go. */
export interface Logger {
  debug(message: string): void
  info(message: string): void
  warn(message: string): void
  error(message: string): void
  observeAnswer(event: AnswerEvent): void
  observeRefusal(event: RefusalEvent): void
}

/** Longest text of a line's field, in UTF-16 units. */
const MAX_TEXT_LENGTH = 2048

type Line = { readonly [name: string]: string | number | boolean | undefined }

/** A logger. It never throws: a line that cannot be written is lost. */
export function createLogger({ level, write, now = Date.now }: LoggerOptions): Logger {
  const least = LOG_LEVELS.indexOf(level)
  const log = (at: LogLevel, event: string, fields: () => Line) => {
    if (LOG_LEVELS.indexOf(at) < least) return
    try {
      write(`${JSON.stringify({ time: new Date(now()).toISOString(), level: at, event, ...fields() }, bounded)}\n`)
    } catch {
      // Whoever reads the log is gone. No answer fails for that.
    }
  }
  const notice = (at: LogLevel) => (message: string) => log(at, 'notice', () => ({ message }))
  return {
    debug: notice('debug'),
    info: notice('info'),
    warn: notice('warn'),
    error: notice('error'),
    observeAnswer: (event) => log(levelOf(event.status), 'answer', () => answerLine(event)),
    observeRefusal: ({ code, status, operation }) =>
      log(levelOf(status), 'refusal', () => ({ status, code, operation })),
  }
}

function levelOf(status: number): LogLevel {
  return status >= 500 ? 'warn' : 'info'
}

function answerLine(event: AnswerEvent): Line {
  const usage = event.usage === 'unknown' ? {} : event.usage
  return {
    receipt: event.receipt,
    logIndex: event.logIndex,
    deployment: event.deployment,
    operation: event.operation,
    model: event.requestedModel,
    servedModel: event.servedModel,
    upstream: event.upstream?.name,
    attempts: event.attempts,
    status: event.status,
    finish: event.finish,
    code: event.errorCode,
    stream: event.isStream,
    inputTokens: usage.inputTokens,
    outputTokens: usage.outputTokens,
    rows: usage.rows,
    firstByteMs: rounded(event.firstByteMs),
    commitWaitMs: rounded(event.commitWaitMs),
    durationMs: rounded(event.durationMs),
    traceId: event.trace?.traceId,
  }
}

/** To a thousandth. */
function rounded(timeMs: number | undefined): number | undefined {
  return timeMs === undefined ? undefined : Math.round(timeMs * 1000) / 1000
}

function bounded(_: string, value: unknown): unknown {
  return typeof value === 'string' && value.length > MAX_TEXT_LENGTH ? `${value.slice(0, MAX_TEXT_LENGTH)}…` : value
}
