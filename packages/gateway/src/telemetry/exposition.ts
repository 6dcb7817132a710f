/**
 * Counters and histograms, and their text as Prometheus reads it. Label values are the caller's to bound: each new
 * combination is kept for good.
 *
 * @spec Prometheus text exposition format 0.0.4
 */

export const METRICS_TYPE = 'text/plain; version=0.0.4; charset=utf-8'

export interface Sample {
  readonly labels: readonly string[]
  readonly value: number
}

export interface Family {
  readonly name: string
  /** One sentence. */
  readonly help: string
  readonly labels: readonly string[]
}

/** Something with a text of its own. */
export interface Metric {
  render(): string
}

export interface Counter extends Metric {
  add(amount: number, ...labels: string[]): void
}

export interface Histogram extends Metric {
  observe(value: number, ...labels: string[]): void
}

/** No value of a label has it. */
const SEPARATOR = '\u0000'

/** Grows only. Without labels it begins at 0, else with no series. */
export function createCounter(family: Family): Counter {
  const series = new Map<string, number>()
  if (family.labels.length === 0) series.set('', 0)
  return {
    add(amount, ...labels) {
      if (!(amount > 0)) return
      const key = labels.join(SEPARATOR)
      series.set(key, (series.get(key) ?? 0) + amount)
    },
    render() {
      const lines = [...series].map(([key, value]) => line(family.name, pairsOf(family, key), value))
      return block(family, 'counter', lines)
    },
  }
}

interface Distribution {
  /** Of each bucket alone; the last is for what is above all bounds. */
  readonly counts: number[]
  sum: number
}

/** Counts values by the bounds that they do not exceed. @param bounds Ascending. */
export function createHistogram(family: Family, bounds: readonly number[]): Histogram {
  const series = new Map<string, Distribution>()
  const empty = (): Distribution => ({ counts: new Array(bounds.length + 1).fill(0), sum: 0 })
  if (family.labels.length === 0) series.set('', empty())
  return {
    observe(value, ...labels) {
      if (!Number.isFinite(value) || value < 0) return
      const key = labels.join(SEPARATOR)
      const distribution = series.get(key) ?? empty()
      series.set(key, distribution)
      const bucket = bounds.findIndex((bound) => value <= bound)
      const place = bucket < 0 ? bounds.length : bucket
      distribution.counts[place] = (distribution.counts[place] ?? 0) + 1
      distribution.sum += value
    },
    render() {
      const lines = [...series].flatMap(([key, { counts, sum }]) => {
        const pairs = pairsOf(family, key)
        let total = 0
        const buckets = counts.map((count, i) => {
          total += count
          return line(
            `${family.name}_bucket`,
            [...pairs, ['le', numeral(bounds[i] ?? Number.POSITIVE_INFINITY)]],
            total,
          )
        })
        return [...buckets, line(`${family.name}_sum`, pairs, sum), line(`${family.name}_count`, pairs, total)]
      })
      return block(family, 'histogram', lines)
    },
  }
}

/** A gauge, or a counter that somebody else keeps: asked for its samples each time. */
export function createReading(family: Family, type: 'gauge' | 'counter', read: () => readonly Sample[]): Metric {
  return {
    render() {
      const lines = read().map(({ labels, value }) => line(family.name, pairsOf(family, labels.join(SEPARATOR)), value))
      return block(family, type, lines)
    },
  }
}

type Pairs = readonly (readonly [name: string, value: string])[]

function pairsOf({ labels }: Family, key: string): Pairs {
  const values = key.split(SEPARATOR)
  return labels.map((label, i) => [label, values[i] ?? ''])
}

/** A family without samples says nothing. */
function block({ name, help }: Family, type: string, lines: readonly string[]): string {
  if (lines.length === 0) return ''
  return `# HELP ${name} ${escaped(help)}\n# TYPE ${name} ${type}\n${lines.join('')}`
}

function line(name: string, pairs: Pairs, value: number): string {
  const labels = pairs.map(([label, text]) => `${label}="${escaped(text).replaceAll('"', '\\"')}"`).join(',')
  return `${name}${labels === '' ? '' : `{${labels}}`} ${numeral(value)}\n`
}

function escaped(text: string): string {
  return text.replaceAll('\\', '\\\\').replaceAll('\n', '\\n')
}

function numeral(value: number): string {
  if (value === Number.POSITIVE_INFINITY) return '+Inf'
  return value === Number.NEGATIVE_INFINITY ? '-Inf' : String(value)
}
