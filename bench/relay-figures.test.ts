import assert from 'node:assert/strict'
import { test } from 'node:test'
import { CONNECTIONS, figuresOf, GOALS, type Measured } from './relay-figures.ts'
import type { TargetName } from './relay-targets.ts'

const NAMES: readonly TargetName[] = ['direct', 'on', 'off', 'bare', 'portkey']

/** Each target is worse than the one before it, by one or by half. */
function measured(names: readonly TargetName[]): Measured {
  const each = <T>(value: (place: number) => T) => new Map(names.map((name, i) => [name, value(i)]))
  const streams = each((i) => [{ firstEventMs: [1 + i], eachPerSecond: [200], allPerSecond: 6400 / 2 ** i }])
  return {
    latenciesMs: each((i) => [[1 + i], [1 + i, 1 + i]]),
    syncMs: [0.25, 0.25],
    throughput: new Map(CONNECTIONS.map((count) => [count, each((i) => [1000 / 2 ** i])])),
    paced: streams,
    unpaced: streams,
    residentMiB: [100, 110, 115, 117],
  }
}

test('each goal is of a figure that is there', () => {
  const figures = figuresOf(measured(NAMES))
  for (const goal of Object.keys(GOALS)) assert.equal(typeof figures[goal], 'number', goal)
  for (const [figure, value] of Object.entries(figures)) assert.ok(Number.isFinite(value), figure)
})

test('what the gateway adds is set against direct, sync and the others', () => {
  const figures = figuresOf(measured(NAMES))
  const expected = {
    sequential_on_added_p50_ms: 1,
    sequential_added_p50_over_sync_ms: 0.75,
    sequential_added_p99_over_sync_ms: 0.75,
    throughput_16_over_off: 2,
    throughput_16_over_bare: 4,
    throughput_64_over_portkey: 8,
    first_token_p50_over_bare_ms: -2,
    unpaced_tokens_over_bare: 4,
    resident_mib: 117,
    resident_growth_mib: 7,
  }
  for (const [figure, value] of Object.entries(expected)) assert.equal(figures[figure], value, figure)
})

test('figures of a gateway that is not there are missing, and no others', () => {
  const figures = figuresOf(measured(NAMES.filter((name) => name !== 'portkey')))
  for (const [figure, value] of Object.entries(figures)) {
    assert.equal(value === null, figure.includes('portkey'), figure)
  }
})
