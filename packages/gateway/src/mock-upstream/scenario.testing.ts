/**
 * What the mock upstream does, chosen by the model's name, so that any client can pick it. Names are joined by `+`:
 * `mock-tools+drip` calls tools, one byte at a time.
 */

/** What goes wrong on the way. */
export type Fault =
  | 'hang'
  | 'hang-mid-stream'
  | 'reset-before'
  | 'reset-mid-stream'
  | 'garbage-sse'
  | 'garbage-http'
  | 'short-body'
  | 'long-body'
  | 'error-in-stream'
  | 'huge-frame'
  | 'huge-headers'
  | 'no-done'

export interface Scenario {
  /** The name that was asked for. */
  readonly model: string
  /** The name that the answer gives; as asked unless it says otherwise. */
  readonly servedModel: string
  readonly says: 'text' | 'echo' | 'tools' | 'refusal'
  /** How many deltas the text has; one per word when not said. */
  readonly deltas: number | undefined
  readonly finish: 'complete' | 'length' | 'failed'
  readonly hasUsage: boolean
  readonly startDelayMs: number
  readonly deltaDelayMs: number
  readonly status: number
  /** Answers 503 so many times before it answers. */
  readonly failures: number
  readonly isErrorInside: boolean
  readonly fault: Fault | undefined
  readonly encoding: 'identity' | 'gzip' | 'gzip-bomb'
  readonly isForging: boolean
  readonly isDripping: boolean
  /** Sends one delta, and the rest when the test says so. */
  readonly isHeld: boolean
  readonly hasTrailers: boolean
  readonly closesConnection: boolean
}

type Change = Partial<Scenario>

interface ScenarioRow {
  /** Without `mock-`; an `N` stands for a number. */
  readonly name: string
  readonly about: string
  readonly max?: number
  readonly change: Change | ((count: number) => Change)
}

const PREFIX = 'mock-'
/** Longest name of a model, in characters, and most scenarios joined in one. */
const MAX_NAME_LENGTH = 200
const MAX_JOINED = 8
const MAX_DELTAS = 100_000
const MAX_DELAY_MS = 60_000
const LONG_DELTAS = 500

const PLAIN: Omit<Scenario, 'model' | 'servedModel'> = {
  says: 'text',
  deltas: undefined,
  finish: 'complete',
  hasUsage: true,
  startDelayMs: 0,
  deltaDelayMs: 0,
  status: 200,
  failures: 0,
  isErrorInside: false,
  fault: undefined,
  encoding: 'identity',
  isForging: false,
  isDripping: false,
  isHeld: false,
  hasTrailers: false,
  closesConnection: false,
}

export const SCENARIOS: readonly ScenarioRow[] = [
  { name: 'small', about: 'a short text', change: {} },
  { name: 'echo', about: 'the last text of the user', change: { says: 'echo' } },
  {
    name: 'tools',
    about: 'calls the tools of the request; a text once it has their results',
    change: { says: 'tools' },
  },
  { name: 'refusal', about: 'refuses', change: { says: 'refusal' } },
  { name: 'long', about: `a text of ${LONG_DELTAS} deltas`, change: { deltas: LONG_DELTAS } },
  { name: 'stream-N', about: 'a text of N deltas', max: MAX_DELTAS, change: (deltas) => ({ deltas }) },
  { name: 'incomplete', about: 'ends for its length', change: { finish: 'length' } },
  {
    name: 'failed',
    about: 'ends as failed; content_filter where the API has no such end',
    change: { finish: 'failed' },
  },
  { name: 'renamed', about: 'serves mock-small-2026-01-01', change: { servedModel: 'mock-small-2026-01-01' } },
  { name: 'no-usage', about: 'leaves the usage out', change: { hasUsage: false } },
  { name: 'slow-start-Nms', about: 'waits first', max: MAX_DELAY_MS, change: (startDelayMs) => ({ startDelayMs }) },
  {
    name: 'paced-Nms',
    about: 'waits after each delta',
    max: MAX_DELAY_MS,
    change: (deltaDelayMs) => ({ deltaDelayMs }),
  },
  { name: 'held', about: 'sends one delta, the rest upon release()', change: { isHeld: true } },
  { name: 'status-N', about: 'this status, with the body of the provider', max: 599, change: (status) => ({ status }) },
  { name: 'flaky-N', about: '503 N times, then a text', max: 1000, change: (failures) => ({ failures }) },
  { name: 'error-in-200', about: 'an error body with status 200', change: { isErrorInside: true } },
  { name: 'error-in-stream', about: 'an error event midway', change: { fault: 'error-in-stream' } },
  { name: 'hang', about: 'accepts, never answers', change: { fault: 'hang' } },
  { name: 'hang-mid-stream', about: 'goes silent midway', change: { fault: 'hang-mid-stream' } },
  { name: 'reset-before', about: 'resets the connection before the headers', change: { fault: 'reset-before' } },
  { name: 'reset-mid-stream', about: 'resets the connection midway', change: { fault: 'reset-mid-stream' } },
  { name: 'garbage-sse', about: 'frames that are none; no JSON', change: { fault: 'garbage-sse' } },
  { name: 'garbage-http', about: 'an answer that is no HTTP', change: { fault: 'garbage-http' } },
  { name: 'short-body', about: 'less than content-length says', change: { fault: 'short-body' } },
  { name: 'long-body', about: 'more than content-length says', change: { fault: 'long-body' } },
  { name: 'huge-frame', about: 'a frame of 40 MB without a blank line', change: { fault: 'huge-frame' } },
  { name: 'huge-headers', about: '64 KiB of headers', change: { fault: 'huge-headers' } },
  { name: 'no-done', about: 'a stream without its last frame', change: { fault: 'no-done' } },
  { name: 'gzip', about: 'gzip, whatever was asked', change: { encoding: 'gzip' } },
  { name: 'gzip-bomb', about: '1 GiB of zeros in about 1 MB', change: { encoding: 'gzip-bomb' } },
  { name: 'forges', about: 'headers and comments that look like ours', change: { isForging: true } },
  { name: 'drip', about: 'one byte per write; lines end in CRLF', change: { isDripping: true } },
  { name: 'trailers', about: 'HTTP trailers', change: { hasTrailers: true } },
  { name: 'close', about: 'closes the connection after the answer', change: { closesConnection: true } },
  { name: 'bench', about: 'chat completions from prebuilt bytes', change: {} },
  { name: 'bench-paced-Nms', about: 'the same; a stream waits after each chunk', max: MAX_DELAY_MS, change: {} },
]

/** The scenario of that model; `undefined` when there is no such model. */
export function findScenario(model: string): Scenario | undefined {
  if (!model.startsWith(PREFIX) || model.length > MAX_NAME_LENGTH) return undefined
  const names = model.slice(PREFIX.length).split('+')
  if (names.length > MAX_JOINED) return undefined
  let scenario: Scenario = { ...PLAIN, model, servedModel: model }
  for (const name of names) {
    const change = findChange(name)
    if (change === undefined) return undefined
    scenario = { ...scenario, ...change }
  }
  return scenario
}

/** A name for each row, with 3 for a number: what a list of models shows. */
export function modelNames(): readonly string[] {
  return SCENARIOS.map(({ name }) => `${PREFIX}${name.replace('status-N', 'status-503').replace('N', '3')}`)
}

function findChange(wanted: string): Change | undefined {
  for (const { name, max = 0, change } of SCENARIOS) {
    const count = numberIn(name, wanted)
    if (count === undefined || count > max) continue
    if (name === 'status-N' && count < 400) continue
    return typeof change === 'function' ? change(count) : change
  }
  return undefined
}

/** The number that stands for `N`, 0 where the name has none; `undefined` when `wanted` is another name. */
function numberIn(name: string, wanted: string): number | undefined {
  if (name === wanted) return name.includes('N') ? undefined : 0
  const [before = '', after] = name.split('N')
  if (after === undefined || !wanted.startsWith(before) || !wanted.endsWith(after)) return undefined
  const digits = wanted.slice(before.length, wanted.length - after.length)
  return /^\d{1,6}$/.test(digits) ? Number(digits) : undefined
}
