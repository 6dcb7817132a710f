/**
 * Whether audits detect as often as theory says: many epochs with seeds that are always the same, and counts that must lie
 * within exact limits. Then the same with something done wrong on purpose, which must be noticed.
 */
import { type Crypto, excludedFraud } from '@countersign/verify'
import { type Counted, type EpochFigures, type Plant, playEpoch, type Scene, truthOf } from './audited-epoch.ts'
import { binomialChances, binomialLimits, type Limits } from './binomial-limits.ts'

/** Chance that anything is reported though all is right, over everything that is counted together. */
export const FAMILY_ERROR = 1e-6

/** Counted in each scene: see {@link checksOf}. */
const CHECKS_PER_SCENE = 4

export interface Check {
  readonly what: Counted
  readonly count: number
  readonly trials: number
  /** What theory says of one trial. */
  readonly chance: number
  readonly limits: Limits
}

export interface DetectionOptions {
  readonly runs: number
  readonly scenes: readonly Scene[]
}

/** Plays all runs of a scene, and says what is counted in them, and what limits it has. */
export function checkScene(
  crypto: Crypto,
  scene: Scene,
  { runs, scenes }: DetectionOptions,
  plant?: Plant,
): readonly Check[] {
  const figures = Array.from({ length: runs }, (_, i) => playEpoch(crypto, scene, i + 1, plant))
  return checksOf(scene, figures, FAMILY_ERROR / (scenes.length * CHECKS_PER_SCENE))
}

/** Each of the checks has the same part of the error (Bonferroni). They need not be independent of one another. */
function checksOf(scene: Scene, figures: readonly EpochFigures[], error: number): readonly Check[] {
  const { entries, rateMillionths } = scene
  const rate = rateMillionths / 1_000_000
  const { cheats } = truthOf(scene)
  const count = (isCounted: (figure: EpochFigures) => boolean) => figures.filter(isCounted).length
  const sum = (value: (figure: EpochFigures) => number) => figures.reduce((total, each) => total + value(each), 0)
  const runs = figures.length
  const rows: readonly (readonly [Counted, number, number, number])[] = [
    ['entries sampled', sum(({ sampled }) => sampled), runs * entries, rate],
    ['cheats sampled', sum(({ cheatsSampled }) => cheatsSampled), runs * cheats, rate],
    // Without a cheat the chance is nought: one false alarm is too many.
    ['alarms', count(({ isAlarm }) => isAlarm), runs, -Math.expm1(cheats * Math.log1p(-rate))],
    ['bounds that hold', count(({ isCovered }) => isCovered), runs, coverage(scene)],
  ]
  return rows.map(([what, counted, trials, chance]) => {
    return { what, count: counted, trials, chance, limits: binomialLimits(trials, chance, error) }
  })
}

/** Terms below this are left out: there are too few to matter. */
const NEGLIGIBLE = 1e-18

/** The chance that the share of cheats is not above the bound: over all numbers of cheats and others that may be drawn. */
export function coverage(scene: Scene): number {
  const { counted, cheats } = truthOf(scene)
  const rate = scene.rateMillionths / 1_000_000
  const [bad, good] = [binomialChances(cheats, rate), binomialChances(counted - cheats, rate)]
  let missed = 0
  bad.chances.forEach((badChance, i) => {
    const failures = bad.from + i
    good.chances.forEach((goodChance, j) => {
      const chance = badChance * goodChance
      if (chance < NEGLIGIBLE) return
      const bound = excludedFraud(failures + good.from + j, failures, scene.confidenceMillionths)
      if (bound * counted < cheats * 1_000_000) missed += chance
    })
  })
  return 1 - missed
}

export function isWithin({ count, limits }: Check): boolean {
  return count >= limits.least && count <= limits.most
}

const ENTRIES = 5000
const CONFIDENCE = 950_000

function sceneOf(cheatMillionths: number, rateMillionths: number): Scene {
  return { entries: ENTRIES, cheatMillionths, rateMillionths, confidenceMillionths: CONFIDENCE }
}

/** Low rates put the detection to the test, where it is a matter of chance; high ones the bound. */
export const SCENES: readonly Scene[] = [
  sceneOf(50_000, 10_000),
  sceneOf(10_000, 20_000),
  sceneOf(50_000, 100_000),
  sceneOf(10_000, 100_000),
  sceneOf(0, 100_000),
]

/** What must be noticed, in {@link SCENES}. */
export const PLANTS: readonly Plant[] = [
  {
    name: 'a draw that passes over most cheats',
    scene: sceneOf(50_000, 10_000),
    breaks: ['cheats sampled', 'alarms'],
    draw: (fair, isCheat) => (index, leafHash) => !(isCheat(index) && index % 4 !== 0) && fair(index, leafHash),
  },
  {
    name: 'a rate that is a tenth too low',
    scene: sceneOf(50_000, 10_000),
    breaks: ['entries sampled'],
    rateMillionths: 9000,
  },
  {
    name: 'one honest answer in five hundred that is called wrong',
    scene: sceneOf(0, 100_000),
    breaks: ['alarms'],
    judge: (outcome, index) => (outcome === 'agreed' && index % 500 === 1 ? 'differed' : outcome),
  },
  {
    name: 'the share of the sample in the place of the bound',
    scene: sceneOf(10_000, 100_000),
    breaks: ['bounds that hold'],
    bound: ({ failures, sampled }) => Math.ceil((failures * 1_000_000) / Math.max(1, sampled)),
  },
]

/** Whether all that a plant must break is out of its limits. */
export function isNoticed({ breaks }: Plant, checks: readonly Check[]): boolean {
  return breaks.every((broken) => checks.some((check) => check.what === broken && !isWithin(check)))
}

const percent = (millionths: number) => `${millionths / 10_000} %`

/** "5 % cheated, 1 % sampled" */
export function nameOf({ cheatMillionths, rateMillionths }: Scene): string {
  return `${percent(cheatMillionths)} cheated, ${percent(rateMillionths)} sampled`
}

/** "188 of 200 alarms (152 to 198)" */
export function textOf({ what, count, trials, limits }: Check): string {
  return `${count} of ${trials} ${what} (${limits.least} to ${limits.most})`
}
