/** What a benchmark leaves: a JSON file with the machine, the method, the figures and the goals; and a table. */
import { mkdirSync, statfsSync, writeFileSync } from 'node:fs'
import { cpus, totalmem } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

export interface Goal {
  readonly min?: number
  readonly max?: number
}

export interface Benchmark {
  /** What is done, so that somebody else can do it again and knows what the figures mean. */
  readonly method: string
  /** Units stand last in a figure's name. `null`: could not be measured here, as the method says; misses no goal. */
  readonly figures: { readonly [figure: string]: number | null }
  readonly goals: { readonly [figure: string]: Goal }
}

const RESULTS = fileURLToPath(new URL('./results/', import.meta.url))

/** File systems that live in memory: what is synced there was never in danger. */
const MEMORY_FILE_SYSTEMS = new Set([0x01021994, 0x858458f6])

/** @throws {Error} where the folder is on a memory file system */
export function requireRealDisk(folder: string): void {
  if (MEMORY_FILE_SYSTEMS.has(statfsSync(folder).type)) {
    throw new Error(`${folder} is on a memory file system; set TMPDIR to a folder on a disk`)
  }
}

/** Writes `results/<name>.json`. */
export function writeResult(name: string, benchmark: Benchmark): void {
  mkdirSync(RESULTS, { recursive: true })
  const result = { name, date: new Date().toISOString(), machine: describeMachine(), ...benchmark }
  writeFileSync(join(RESULTS, `${name}.json`), `${JSON.stringify(result, null, 2)}\n`)
}

/** Prints the table; whether every goal was reached. */
export function printResult(name: string, benchmark: Benchmark): boolean {
  process.stdout.write(`\n${name}\n${benchmark.method}\n\n`)
  let isGood = true
  for (const [figure, value] of Object.entries(benchmark.figures)) {
    const goal = benchmark.goals[figure]
    const isMissed = goal !== undefined && value !== null && !reaches(value, goal)
    if (isMissed) isGood = false
    const text = goal === undefined ? '' : `goal ${describeGoal(goal)}${isMissed ? '   FALLS SHORT' : ''}`
    process.stdout.write(
      `  ${figure.padEnd(44)} ${(value === null ? 'missing' : format(value)).padStart(12)}   ${text}\n`,
    )
  }
  return isGood
}

function reaches(value: number, { min = Number.NEGATIVE_INFINITY, max = Number.POSITIVE_INFINITY }: Goal): boolean {
  return value >= min && value <= max
}

function describeGoal({ min, max }: Goal): string {
  return [min === undefined ? '' : `≥ ${format(min)}`, max === undefined ? '' : `≤ ${format(max)}`]
    .filter(Boolean)
    .join(', ')
}

function format(value: number): string {
  return Math.abs(value) >= 1000 ? Math.round(value).toLocaleString('en') : value.toFixed(3)
}

function describeMachine() {
  const [cpu] = cpus()
  return {
    cpu: cpu?.model ?? 'unknown',
    cores: cpus().length,
    memoryGiB: Math.round(totalmem() / 1024 ** 3),
    platform: `${process.platform} ${process.arch}`,
    node: process.version,
  }
}

/** The value below which a share of the sorted samples lies. */
export function percentile(samples: readonly number[], share: number): number {
  const sorted = [...samples].sort((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN
}

/** Rounds to three digits after the point. */
export function round(value: number): number {
  return Math.round(value * 1000) / 1000
}
