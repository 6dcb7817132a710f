/**
 * What `npm run soak` runs: kills a gateway under a load of tensors, chats and streams for many rounds, then opens many
 * images that power cuts could leave. Long forms of kill-rounds.test.ts and power-loss.test.ts, which say what is checked.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { checkImages, chooseImages } from '../packages/gateway/dist/crash/images.testing.js'
import { compileRecorder, record } from '../packages/gateway/dist/crash/recording.testing.js'
import { runRounds } from '../packages/gateway/dist/crash/rounds.testing.js'

const HELP = `npm run soak -- [--rounds N] [--images N] [--seed S]

  --rounds N  kills of a gateway under load, on one data folder (default 1000)
  --images N  images of what a power cut may leave (default 2000)
  --seed S    chooses the moments; the same seed chooses the same ones (default: made up, and printed)

Exit code 0: nothing was lost. 1: something was, and is listed. 2: wrong usage.`

const DEFAULT_ROUNDS = 1000
const DEFAULT_IMAGES = 2000
const MAX_COUNT = 1_000_000

/** A new recording, with other moments, after so many images. */
const IMAGES_PER_RECORDING = 500
const PROGRESS_EVERY = 50

interface Plan {
  readonly rounds: number
  readonly images: number
  readonly seed: number
}

async function main(args: readonly string[]): Promise<number> {
  const plan = readPlan(args)
  if (plan === undefined) return 2
  if (plan === 'help') {
    console.log(HELP)
    return 0
  }
  const startedAt = Date.now()
  console.log(`soak: ${plan.rounds} rounds, ${plan.images} images, seed ${plan.seed}`)
  const folder = mkdtempSync(join(tmpdir(), 'countersign-soak-'))
  try {
    const rounds = await soakRounds(folder, plan)
    const images = await soakImages(folder, plan)
    const seconds = Math.round((Date.now() - startedAt) / 1000)
    const found = rounds.problems + images.problems
    const verdict = found === 0 ? 'nothing was lost' : `${found} PROBLEMS`
    console.log(`soak: ${verdict} in ${rounds.done}, ${images.done}; seed ${plan.seed}, ${seconds} s`)
    return found === 0 ? 0 : 1
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

function readPlan(args: readonly string[]): Plan | 'help' | undefined {
  try {
    const text = { type: 'string' } as const
    const options = { rounds: text, images: text, seed: text, help: { type: 'boolean' } } as const
    const { values } = parseArgs({ args: [...args], options })
    if (values.help === true) return 'help'
    return {
      rounds: readCount('rounds', values.rounds, DEFAULT_ROUNDS, MAX_COUNT),
      images: readCount('images', values.images, DEFAULT_IMAGES, MAX_COUNT),
      seed: readCount('seed', values.seed, Date.now() % 2 ** 31, 2 ** 31),
    }
  } catch (thrown) {
    console.error(`${thrown instanceof Error ? thrown.message : String(thrown)}\n\n${HELP}`)
    return undefined
  }
}

function readCount(name: string, text: string | undefined, otherwise: number, maximum: number): number {
  if (text === undefined) return otherwise
  const value = Number(text)
  if (!/^[0-9]{1,10}$/.test(text) || value > maximum) throw new Error(`--${name}: expected a number up to ${maximum}`)
  return value
}

interface Soaked {
  readonly done: string
  readonly problems: number
}

async function soakRounds(folder: string, { rounds, seed }: Plan): Promise<Soaked> {
  if (rounds === 0) return { done: '0 rounds', problems: 0 }
  const onRound = (round: number, answers: number) => {
    if (round % PROGRESS_EVERY === 0) console.log(`  ${round} rounds, ${answers} answers`)
  }
  const report = await runRounds(join(folder, 'rounds'), { rounds, seed, onRound })
  for (const problem of report.problems) console.error(`  ${problem}`)
  const { answers, heads, killedAtStart, interrupted, cutByKill, whole } = report
  const kinds = `${killedAtStart} killed at start, ${interrupted} requests interrupted, ${cutByKill} of them mid-answer`
  const forms = `${whole.held} held, ${whole.stream} streamed and ${whole.large} large ones to the end`
  return {
    done: `${report.rounds} rounds (${answers} answers, ${forms}; ${heads} heads, ${kinds})`,
    problems: report.problems.length,
  }
}

async function soakImages(folder: string, { images, seed }: Plan): Promise<Soaked> {
  const recorder = images > 0 && process.platform === 'linux' ? compileRecorder(folder) : undefined
  if (recorder === undefined) return { done: images === 0 ? '0 images' : '0 images: no C compiler', problems: 0 }
  let problems = 0
  for (let done = 0; done < images; done += IMAGES_PER_RECORDING) {
    const part = join(folder, `recording-${done}`)
    const recording = await record(part, recorder, seed + done)
    const count = Math.min(IMAGES_PER_RECORDING, images - done)
    const onImage = (image: number) => {
      if (image % PROGRESS_EVERY === 0) console.log(`  ${done + image} images`)
    }
    const chosen = chooseImages(recording, count, seed + done)
    for (const broken of await checkImages(recording, chosen, join(part, 'image'), { onImage })) {
      problems += broken.problems.length
      const { at, loss, seed: imageSeed } = broken.image
      for (const problem of broken.problems) console.error(`  operation ${at}, ${loss}, seed ${imageSeed}: ${problem}`)
    }
    rmSync(part, { recursive: true, force: true })
  }
  return { done: `${images} images`, problems }
}

process.exitCode = await main(process.argv.slice(2))
