/** Detection in small epochs, over everything that can be drawn: no chance is estimated. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Crypto } from '../crypto/crypto.ts'
import { createNobleCrypto } from '../crypto/noble-provider.ts'
import { excludedFraud, samplesNeeded } from './binomial.ts'
import { createDraw, type Draw, drawEntries } from './selection.ts'

const MILLION = 1_000_000n
const WHOLE = 2n ** 64n
const SEED = new Uint8Array(32)

/** A share of the values that a keyed hash begins with, in parts of equal size: `selected` of `parts` are below the rate. */
interface Rate {
  readonly rateMillionths: number
  readonly selected: bigint
  readonly parts: bigint
  readonly entries: number
}

const RATES: readonly Rate[] = [
  { rateMillionths: 500_000, selected: 1n, parts: 2n, entries: 10 },
  { rateMillionths: 250_000, selected: 1n, parts: 4n, entries: 8 },
  { rateMillionths: 750_000, selected: 3n, parts: 4n, entries: 6 },
  { rateMillionths: 200_000, selected: 1n, parts: 5n, entries: 6 },
  { rateMillionths: 1_000_000, selected: 2n, parts: 2n, entries: 8 },
]

/** In the place of the keyed hash: of entry i it gives what `values` says, so that every draw can be had. */
function standIn(values: readonly bigint[]): Crypto {
  return {
    ...createNobleCrypto(),
    sha256: (_, message, leafHash) => {
      const digest = new Uint8Array(32)
      const view = new DataView(digest.buffer)
      // The inner hash hands on the index; the outer one has no leaf, and gives the value.
      if (leafHash !== undefined) digest.set(message ?? SEED, 24)
      else view.setBigUint64(0, values[Number(new DataView((message ?? SEED).buffer).getBigUint64(24))] ?? 0n)
      return digest
    },
  }
}

/** The least value in each part. */
const partsOf = (parts: bigint) =>
  Array.from({ length: Number(parts) }, (_, i) => (BigInt(i) * WHOLE + parts - 1n) / parts)

/** How often each set of entries is drawn, over all values that the epoch's keyed hashes can have. Sets are bit masks. */
function drawnSets({ rateMillionths, parts, entries }: Rate, change = (draw: Draw): Draw => draw): readonly bigint[] {
  const least = partsOf(parts)
  const leafHashes = new Uint8Array(32 * entries)
  const values = Array.from({ length: entries }, () => 0n)
  const draw = change(createDraw(standIn(values), SEED, rateMillionths))
  const times = Array.from({ length: 2 ** entries }, () => 0n)
  for (let all = 0; all < Number(parts) ** entries; all++) {
    for (let i = 0, rest = all; i < entries; i++, rest = Math.floor(rest / Number(parts))) {
      values[i] = least[rest % Number(parts)] ?? 0n
    }
    const set = drawEntries(draw, 0, leafHashes).reduce((mask, { index }) => mask | (1 << index), 0)
    times[set] = (times[set] ?? 0n) + 1n
  }
  return times
}

function sizeOf(set: number): number {
  let size = 0
  for (let rest = set; rest > 0; rest >>= 1) size += rest & 1
  return size
}

const totalOf = (times: readonly bigint[], isCounted: (set: number) => boolean) =>
  times.reduce((sum, count, set) => (isCounted(set) ? sum + count : sum), 0n)

test('of 2^64 values as many are selected as the rate says, and at most one more', () => {
  for (const rate of [1, 3, 9_999, 10_000, 123_457, 200_000, 250_000, 500_000, 999_999, 1_000_000]) {
    const selected = (BigInt(rate) * WHOLE + MILLION - 1n) / MILLION
    const isDrawn = (value: bigint) => createDraw(standIn([value]), SEED, rate)(0, new Uint8Array(32))
    assert.ok(isDrawn(0n) && isDrawn(selected - 1n), String(rate))
    if (rate < 1_000_000) assert.ok(!isDrawn(selected) && !isDrawn(WHOLE - 1n), String(rate))
    // So a cheat on k entries is missed with (1 − s)^k for s = selected/2^64: (1 − rate)^k, or less by up to k/2^64.
    for (const cheats of [1n, 2n, 50n]) {
      const missed = (WHOLE - selected) ** cheats * MILLION ** cheats
      const said = ((MILLION - BigInt(rate)) * WHOLE) ** cheats
      const whole = (WHOLE * MILLION) ** cheats
      assert.ok(missed <= said && (said - missed) * WHOLE <= cheats * whole, `${cheats} at ${rate}`)
    }
  }
})

for (const rate of RATES) {
  const { rateMillionths, selected, parts, entries } = rate
  test(`at ${rateMillionths} millionths, what is said of ${entries} entries holds for all that can be drawn`, () => {
    const times = drawnSets(rate)
    const all = parts ** BigInt(entries)
    for (let cheat = 0; cheat < times.length; cheat++) {
      const cheats = BigInt(sizeOf(cheat))
      const missed = (parts - selected) ** cheats * parts ** (BigInt(entries) - cheats)
      const seen = totalOf(times, (set) => (set & cheat) !== 0)
      assert.equal(seen, all - missed, cheat.toString(2))
    }
    for (const confidence of [500_000, 900_000, 950_000, 990_000]) {
      for (let cheats = 0; cheats <= entries; cheats++) {
        const holds = timesBoundHolds(times, { entries, cheats, confidence })
        assert.ok(holds * MILLION >= BigInt(confidence) * all, `${cheats} cheats at ${confidence}`)
      }
    }
  })
}

interface Cheated {
  readonly entries: number
  /** The first ones. */
  readonly cheats: number
  readonly confidence: number
}

/** How often the share of the cheats is not above what the sample does not exclude. */
function timesBoundHolds(times: readonly bigint[], { entries, cheats, confidence }: Cheated): bigint {
  const holds = Array.from({ length: entries + 1 }, (_, sampled) =>
    Array.from({ length: sampled + 1 }, (_, failures) => {
      const bound = BigInt(excludedFraud(sampled, failures, confidence))
      return bound * BigInt(entries) >= BigInt(cheats) * MILLION
    }),
  )
  return totalOf(times, (set) => holds[sizeOf(set)]?.[sizeOf(set & (2 ** cheats - 1))] === true)
}

test('a draw that passes over what it was asked to is seen, and one with another rate', () => {
  const [rate] = RATES as readonly [Rate]
  const fair = drawnSets(rate)
  const cheat = 0b11
  const seen = (times: readonly bigint[]) => totalOf(times, (set) => (set & cheat) !== 0)
  const skipping = drawnSets(rate, (draw) => (index, leaf) => index !== 0 && draw(index, leaf))
  assert.equal(seen(skipping), seen(fair) - rate.parts ** BigInt(rate.entries) / 4n)
  assert.notEqual(seen(drawnSets({ ...rate, rateMillionths: 500_001 })), seen(fair))
})

/** How many of all ordered picks of `count` out of `entries` have a cheat in them, and how many picks there are. */
function picks(entries: number, cheats: number, count: number, isReturned: boolean): readonly [bigint, bigint] {
  let [caught, all] = [0n, 0n]
  const pick = (picked: readonly number[]): void => {
    if (picked.length === count) {
      all++
      if (picked.some((entry) => entry < cheats)) caught++
      return
    }
    for (let entry = 0; entry < entries; entry++) if (isReturned || !picked.includes(entry)) pick([...picked, entry])
  }
  pick([])
  return [caught, all]
}

test('as many samples as are asked for show a cheat as often as they should, and one fewer does not', () => {
  for (const [entries, cheats, confidence] of [
    [4, 1, 750_000],
    [4, 2, 750_000],
    [5, 1, 600_000],
    [5, 2, 900_000],
    [8, 4, 984_375],
    [8, 5, 950_000],
    [10, 5, 900_000],
  ] as const) {
    const needed = samplesNeeded((cheats * 1_000_000) / entries, confidence)
    const isEnough = ([caught, all]: readonly [bigint, bigint]) => caught * MILLION >= BigInt(confidence) * all
    assert.ok(isEnough(picks(entries, cheats, needed, true)), `${needed} of ${entries}`)
    assert.ok(!isEnough(picks(entries, cheats, needed - 1, true)), `${needed - 1} of ${entries}`)
    // Nothing is drawn twice in truth, which shows as much or more.
    if (needed <= entries) assert.ok(isEnough(picks(entries, cheats, needed, false)), `${needed} of ${entries}`)
  }
})
