/** A strict reader of Prometheus' text format: it refuses what a scraper might forgive. */
import assert from 'node:assert/strict'

export interface ReadSample {
  readonly name: string
  readonly labels: { readonly [name: string]: string }
  readonly value: number
}

export interface ReadFamily {
  readonly type: string
  readonly help: string
  readonly samples: ReadSample[]
}

const NAME = '[a-zA-Z_:][a-zA-Z0-9_:]*'
const COMMENT = new RegExp(`^# (HELP|TYPE) (${NAME}) (.+)$`)
const SAMPLE = new RegExp(`^(${NAME})(?:\\{(.*)\\})? (\\S+)$`)
const LABEL = /([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\\\|\\"|\\n)*)"(,|$)/y
const VALUE = /^(?:[+-]Inf|NaN|-?\d+(?:\.\d+)?(?:e[+-]\d+)?)$/

/** Families by name: each with help, then type, then samples that are all its own and all different. */
export function readExposition(text: string): Map<string, ReadFamily> {
  assert.ok(text.endsWith('\n'), 'the last line has no end')
  const families = new Map<string, ReadFamily>()
  const seen = new Set<string>()
  let help: readonly [name: string, text: string] | undefined
  let current: readonly [name: string, family: ReadFamily] | undefined
  for (const line of text.slice(0, -1).split('\n')) {
    const [, kind, name = '', rest = ''] = COMMENT.exec(line) ?? []
    if (kind === 'HELP') {
      assert.equal(help, undefined, `help without type before ${line}`)
      help = [name, rest]
    } else if (kind === 'TYPE') {
      assert.equal(help?.[0], name, `type without help: ${line}`)
      assert.equal(families.has(name), false, `${name} stands twice`)
      assert.match(rest, /^(counter|gauge|histogram)$/)
      current = [name, { type: rest, help: help?.[1] ?? '', samples: [] }]
      families.set(...current)
      help = undefined
    } else {
      const sample = readSample(line)
      assert.ok(current !== undefined && help === undefined, `a sample without a family: ${line}`)
      assert.ok(belongs(sample.name, current), `${line} is not of ${current[0]}`)
      const id = JSON.stringify([sample.name, Object.entries(sample.labels).sort()])
      assert.equal(seen.has(id), false, `twice: ${line}`)
      seen.add(id)
      current[1].samples.push(sample)
    }
  }
  for (const [name, family] of families) if (family.type === 'histogram') checkHistogram(name, family)
  return families
}

/** The one sample with these labels, or 0. */
export function sampleValue(
  families: Map<string, ReadFamily>,
  name: string,
  labels: ReadSample['labels'] = {},
): number {
  const family = families.get(name) ?? families.get(name.replace(/_(bucket|sum|count)$/, ''))
  const wanted = Object.entries(labels)
  const found = (family?.samples ?? []).filter(
    (sample) => sample.name === name && wanted.every(([label, value]) => sample.labels[label] === value),
  )
  assert.ok(found.length <= 1, `${found.length} samples of ${name}`)
  return found[0]?.value ?? 0
}

function readSample(line: string): ReadSample {
  const [, name, inside, value = ''] = SAMPLE.exec(line) ?? []
  assert.ok(name !== undefined, `not a line: ${JSON.stringify(line)}`)
  assert.match(value, VALUE, line)
  const labels: { [name: string]: string } = {}
  LABEL.lastIndex = 0
  while (inside !== undefined && LABEL.lastIndex < inside.length) {
    const match = LABEL.exec(inside)
    assert.ok(match !== null, `labels of ${JSON.stringify(line)}`)
    const [, label = '', text = ''] = match
    assert.equal(Object.hasOwn(labels, label), false, `${label} stands twice: ${line}`)
    labels[label] = text.replace(/\\(.)/g, (_, letter: string) => (letter === 'n' ? '\n' : letter))
  }
  return { name, labels, value: Number(value.replace('Inf', 'Infinity')) }
}

function belongs(sample: string, [name, { type }]: readonly [string, ReadFamily]): boolean {
  return type === 'histogram' ? [`${name}_bucket`, `${name}_sum`, `${name}_count`].includes(sample) : sample === name
}

/** Buckets rise to the count, which stands at +Inf. */
function checkHistogram(name: string, { samples }: ReadFamily): void {
  const distributions = new Map<string, ReadSample[]>()
  for (const sample of samples) {
    const { le: _, ...labels } = sample.labels
    const id = JSON.stringify(labels)
    distributions.set(id, [...(distributions.get(id) ?? []), sample])
  }
  for (const own of distributions.values()) {
    const buckets = own.filter((sample) => sample.name === `${name}_bucket`)
    const bounds = buckets.map(({ labels }) => Number((labels.le ?? '').replace('Inf', 'Infinity')))
    assert.deepEqual(
      bounds,
      [...bounds].sort((a, b) => a - b),
    )
    assert.equal(bounds.at(-1), Number.POSITIVE_INFINITY)
    const counts = buckets.map(({ value }) => value)
    assert.deepEqual(
      counts,
      [...counts].sort((a, b) => a - b),
    )
    assert.equal(own.find((sample) => sample.name === `${name}_count`)?.value, counts.at(-1))
    assert.ok(own.some((sample) => sample.name === `${name}_sum`))
  }
}
