/** What is published of relayed requests: absolutes, ratios, and the goals. */
import type { StreamTimes } from './relay-load.ts'
import type { TargetName } from './relay-targets.ts'
import { type Goal, percentile, round } from './result.ts'

type Turns<T> = ReadonlyMap<TargetName, readonly T[]>

export interface Measured {
  readonly latenciesMs: Turns<readonly number[]>
  readonly syncMs: readonly number[]
  /** Answers per second, by the number of connections. */
  readonly throughput: ReadonlyMap<number, Turns<number>>
  readonly paced: Turns<StreamTimes>
  readonly unpaced: Turns<StreamTimes>
  /** Of the gateway, after each quarter of the requests. */
  readonly residentMiB: readonly number[]
}

/** `null` for a target that is missing. */
type Figures = { [figure: string]: number | null }

/** Numbers of connections at which throughput is measured; streams at one. */
export const CONNECTIONS = [1, 16, 64]
export const STREAM_CONNECTIONS = 16

const TARGETS: readonly TargetName[] = ['direct', 'on', 'off', 'bare', 'portkey']
const COMPARED: readonly TargetName[] = ['off', 'bare', 'portkey']

/** All of them with recording on. */
export const GOALS: { readonly [figure: string]: Goal } = {
  sequential_added_p50_over_sync_ms: { max: 0.4 },
  sequential_added_p99_over_sync_ms: { max: 2.5 },
  throughput_16_over_portkey: { min: 3 },
  throughput_64_over_portkey: { min: 3 },
  throughput_16_over_bare: { min: 0.35 },
  throughput_64_over_bare: { min: 0.35 },
  first_token_p50_over_bare_ms: { max: 1 },
  resident_mib: { max: 300 },
  resident_growth_mib: { max: 10 },
}

export function figuresOf(measured: Measured): Figures {
  return {
    ...latencyFigures(measured),
    ...throughputFigures(measured),
    ...streamFigures(measured),
    ...memoryFigures(measured),
  }
}

function latencyFigures({ latenciesMs, syncMs }: Measured): Figures {
  const at = (name: TargetName, share: number) => flat(latenciesMs.get(name), (turn) => turn, share)
  const [f50, f99] = [percentile(syncMs, 0.5), percentile(syncMs, 0.99)]
  const figures: Figures = {}
  for (const name of TARGETS) {
    figures[`sequential_${name}_p50_ms`] = rounded(at(name, 0.5))
    figures[`sequential_${name}_p99_ms`] = rounded(at(name, 0.99))
  }
  for (const name of TARGETS.slice(1)) {
    figures[`sequential_${name}_added_p50_ms`] = rounded(difference(at(name, 0.5), at('direct', 0.5)))
    figures[`sequential_${name}_added_p99_ms`] = rounded(difference(at(name, 0.99), at('direct', 0.99)))
  }
  return {
    ...figures,
    sync_p50_ms: rounded(f50),
    sync_p99_ms: rounded(f99),
    sequential_added_p50_over_sync_ms: rounded(difference(difference(at('on', 0.5), at('direct', 0.5)), f50)),
    sequential_added_p99_over_sync_ms: rounded(difference(difference(at('on', 0.99), at('direct', 0.99)), f99)),
  }
}

function throughputFigures({ throughput }: Measured): Figures {
  const figures: Figures = {}
  for (const [count, turns] of throughput) {
    const at = (name: TargetName) => median(turns.get(name))
    for (const name of TARGETS) figures[`throughput_${count}_${name}_per_second`] = rounded(at(name))
    for (const name of COMPARED) figures[`throughput_${count}_over_${name}`] = rounded(ratio(at('on'), at(name)))
  }
  return figures
}

function streamFigures({ paced, unpaced }: Measured): Figures {
  const figures: Figures = {}
  const firstOf = (turn: StreamTimes) => turn.firstEventMs
  for (const name of TARGETS) {
    figures[`first_token_${name}_p50_ms`] = rounded(flat(paced.get(name), firstOf, 0.5))
    figures[`first_token_${name}_p99_ms`] = rounded(flat(paced.get(name), firstOf, 0.99))
    figures[`paced_${name}_tokens_per_second`] = rounded(flat(paced.get(name), (turn) => turn.eachPerSecond, 0.5))
    figures[`unpaced_first_token_${name}_p50_ms`] = rounded(flat(unpaced.get(name), firstOf, 0.5))
    figures[`unpaced_first_token_${name}_p99_ms`] = rounded(flat(unpaced.get(name), firstOf, 0.99))
    figures[`unpaced_${name}_tokens_per_second`] = rounded(rateOf(unpaced, name))
  }
  for (const name of COMPARED) {
    const [on, other] = [flat(paced.get('on'), firstOf, 0.5), flat(paced.get(name), firstOf, 0.5)]
    figures[`first_token_p50_over_${name}_ms`] = rounded(difference(on, other))
    figures[`unpaced_tokens_over_${name}`] = rounded(ratio(rateOf(unpaced, 'on'), rateOf(unpaced, name)))
  }
  return figures
}

function rateOf(turns: Turns<StreamTimes>, name: TargetName): number | null {
  return median(turns.get(name)?.map(({ allPerSecond }) => allPerSecond))
}

function memoryFigures({ residentMiB }: Measured): Figures {
  const [first = NaN, half = NaN, third = NaN, full = NaN] = residentMiB
  return {
    resident_at_50000_mib: rounded(first),
    resident_at_100000_mib: rounded(half),
    resident_at_150000_mib: rounded(third),
    resident_mib: rounded(full),
    resident_growth_mib: rounded(full - half),
  }
}

/** A percentile of all samples of all turns. */
function flat<T>(turns: readonly T[] | undefined, pick: (turn: T) => readonly number[], share: number): number | null {
  return turns === undefined ? null : percentile(turns.flatMap(pick), share)
}

function median(samples: readonly number[] | undefined): number | null {
  return samples === undefined ? null : percentile(samples, 0.5)
}

function difference(value: number | null, from: number | null): number | null {
  return value === null || from === null ? null : value - from
}

function ratio(value: number | null, over: number | null): number | null {
  return value === null || over === null ? null : value / over
}

function rounded(value: number | null): number | null {
  return value === null ? null : round(value)
}
