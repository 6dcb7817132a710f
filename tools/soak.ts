/**
 * What `npm run soak` runs: kills a gateway under a load of tensors, chats and streams for many rounds, then opens many
 * images that power cuts could leave. Long forms of kill-rounds.test.ts and power-loss.test.ts, which say what is checked.
 * Then it counts what audits detect: see soak/detection.ts. Then it changes every byte of hardware evidence of every kind.
 * And it runs an honest operator among all roles for long.
 */
import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { createNodeCrypto } from '@countersign/verify/crypto/node'
import { checkImages, chooseImages } from '../packages/gateway/dist/crash/images.testing.js'
import { compileRecorder, record } from '../packages/gateway/dist/crash/recording.testing.js'
import { runRounds } from '../packages/gateway/dist/crash/rounds.testing.js'
import { sweepEvidence } from '../packages/verify/dist/attestation/sweep.testing.js'
import { allSweptEvidence } from '../packages/verify/dist/attestation/swept-evidence.testing.js'
import { checkScene, FAMILY_ERROR, isNoticed, isWithin, nameOf, PLANTS, SCENES, textOf } from './soak/detection.ts'

const HELP = `npm run soak -- [PART…] [--rounds N] [--images N] [--seed S]

  crash       kills of a gateway, and images of what a power cut may leave
  attestation every byte of evidence of every kind changed in three ways, every length cut: none may pass
  honest      an honest operator of 10,000 entries among all roles as processes: nobody has anything to say
  detection   200 audits in each of several scenes, with seeds that are always the same: what they detect must lie within
              exact limits, which all hold but for a chance of ${FAMILY_ERROR}; and what is done wrong on purpose must not

Without a part, all.

  --rounds N  kills of a gateway under load, on one data folder (default 1000)
  --images N  images of what a power cut may leave (default 2000)
  --seed S    chooses the moments; the same seed chooses the same ones (default: made up, and printed)

Exit code 0: nothing was lost, and nothing out of its limits. 1: something was, and is listed. 2: wrong usage.`

const PARTS = ['crash', 'detection', 'attestation', 'honest'] as const
type Part = (typeof PARTS)[number]

const DEFAULT_ROUNDS = 1000
const DEFAULT_IMAGES = 2000
const MAX_COUNT = 1_000_000

/** A new recording, with other moments, after so many images. */
const IMAGES_PER_RECORDING = 500
const PROGRESS_EVERY = 50

/** Of each scene. What is planted shows in so many; in fewer it may not. */
const AUDIT_RUNS = 200

interface Plan {
  readonly parts: readonly Part[]
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
  const crash = plan.parts.includes('crash') ? await soakCrash(plan) : 0
  const detection = plan.parts.includes('detection') ? soakDetection() : 0
  const attestation = plan.parts.includes('attestation') ? soakAttestation() : 0
  const honest = plan.parts.includes('honest') ? soakHonest() : 0
  return crash + detection + attestation + honest === 0 ? 0 : 1
}

async function soakCrash(plan: Plan): Promise<number> {
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
    return found
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

function readPlan(args: readonly string[]): Plan | 'help' | undefined {
  try {
    const text = { type: 'string' } as const
    const options = { rounds: text, images: text, seed: text, help: { type: 'boolean' } } as const
    const { values, positionals } = parseArgs({ args: [...args], options, allowPositionals: true })
    if (values.help === true) return 'help'
    const unknown = positionals.find((name) => !PARTS.some((part) => part === name))
    if (unknown !== undefined) throw new Error(`${unknown}: expected ${PARTS.join(' or ')}`)
    return {
      parts: positionals.length === 0 ? PARTS : PARTS.filter((part) => positionals.includes(part)),
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

function soakDetection(): number {
  const startedAt = Date.now()
  const crypto = createNodeCrypto()
  const options = { runs: AUDIT_RUNS, scenes: SCENES }
  console.log(`soak: ${AUDIT_RUNS} audits in each of ${SCENES.length} scenes, ${PLANTS.length} wrong ones`)
  let problems = 0
  for (const scene of SCENES) {
    const checks = checkScene(crypto, scene, options)
    console.log(`  ${nameOf(scene)}: ${checks.map(textOf).join(', ')}`)
    for (const check of checks.filter((each) => !isWithin(each))) {
      problems++
      console.error(`  ${nameOf(scene)}: ${textOf(check)}: OUT OF ITS LIMITS`)
    }
  }
  for (const plant of PLANTS) {
    const checks = checkScene(crypto, plant.scene, options, plant)
    const isSeen = isNoticed(plant, checks)
    const broken = checks.filter(({ what }) => plant.breaks.includes(what)).map(textOf)
    console.log(`  ${plant.name}: ${isSeen ? 'noticed' : 'NOT NOTICED'}, ${broken.join(', ')}`)
    if (!isSeen) problems++
  }
  const verdict = problems === 0 ? 'audits detect what they should' : `${problems} PROBLEMS`
  const audits = AUDIT_RUNS * (SCENES.length + PLANTS.length)
  console.log(`soak: ${verdict} in ${audits} audits; ${Math.round((Date.now() - startedAt) / 1000)} s`)
  return problems
}

function soakAttestation(): number {
  const startedAt = Date.now()
  let problems = 0
  let changes = 0
  for (const swept of allSweptEvidence()) {
    const report = sweepEvidence(swept, { step: 1 })
    for (const problem of report.problems) console.error(`  ${problem}`)
    console.log(`  ${swept.name}: ${report.changes} changes, at most ${report.slowestMs.toFixed(1)} ms for one`)
    problems += report.problems.length
    changes += report.changes
  }
  const verdict = problems === 0 ? 'no changed evidence passes' : `${problems} PROBLEMS`
  console.log(`soak: ${verdict} in ${changes} changes; ${Math.round((Date.now() - startedAt) / 1000)} s`)
  return problems
}

/** The long form of simulation/honest.test.ts. */
function soakHonest(): number {
  const test = fileURLToPath(new URL('./simulation/honest.test.ts', import.meta.url))
  const env = { ...process.env, COUNTERSIGN_HONEST_ENTRIES: '10000' }
  const { status } = spawnSync(process.execPath, ['--import', 'tsx', '--test', test], { env, stdio: 'inherit' })
  console.log(`soak: ${status === 0 ? 'nobody has anything to say about an honest operator' : 'A FALSE ALARM'}`)
  return status === 0 ? 0 : 1
}

process.exitCode = await main(process.argv.slice(2))
