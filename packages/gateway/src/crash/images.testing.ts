/** What a power cut may leave, at any moment of a recording; opened with the gateway, and checked. */
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { join, relative } from 'node:path'
import { CountersignError } from '@countersign/verify'
import { dataFolderAt } from '../data/data-folder.ts'
import { Gateway } from '../gateway.ts'
import { checkLog } from '../log/fsck.ts'
import { crashConfig } from './crash-config.testing.ts'
import { Disk, LOSSES, type Loss } from './disk.testing.ts'
import type { Ledger } from './ledger.testing.ts'
import type { RecordedAnswer } from './placement.testing.ts'
import { findBroken } from './promises.testing.ts'
import { createRandom, type Random } from './random.testing.ts'
import type { Answer } from './received.testing.ts'
import type { Recording } from './recording.testing.ts'

/** One image: operations that came before the crash, what it loses, and the seed of the rest. */
export interface Image {
  readonly at: number
  readonly loss: Loss
  readonly seed: number
}

export interface Broken {
  readonly image: Image
  readonly problems: readonly string[]
}

export interface ImageOptions {
  /** A disk that lies about syncs of these files. */
  readonly ignoreSync?: (path: string) => boolean
  readonly onImage?: (done: number) => void
}

/** Answers of an image whose dossiers are read: the newest, some, and the newest of those without a promise. */
const THOROUGH_ANSWERS = 2
const THOROUGH_UNPROMISED = 12

/** Chooses images, in the order of time: anywhere, during starts, and right when an answer begins, is promised or ends. */
export function chooseImages({ operations, answers }: Recording, count: number, seed: number): readonly Image[] {
  const random = createRandom(seed)
  const starts = operations.flatMap((operation, at) =>
    operation.kind === 'open' && operation.path.endsWith('lock.db') ? [at] : [],
  )
  const momentOf = ({ begunAt, promisedAt, endedAt }: RecordedAnswer) =>
    random.pick([begunAt, begunAt, promisedAt ?? begunAt, endedAt ?? begunAt])
  const images = Array.from({ length: count }, () => {
    const where = random.below(3)
    const anywhere = random.below(operations.length + 1)
    const start = random.pick([0, ...starts]) + random.below(250)
    const at = where === 0 ? anywhere : where === 1 ? start : momentOf(random.pick(answers)) + random.below(2)
    return { at: Math.min(at, operations.length), loss: random.pick(LOSSES), seed: random.below(2 ** 31) }
  })
  return images.sort((a, b) => a.at - b.at)
}

/** Opens and checks each image in turn; what is broken, by image. */
export async function checkImages(
  recording: Recording,
  images: readonly Image[],
  folder: string,
  options: ImageOptions = {},
): Promise<readonly Broken[]> {
  const disk = new Disk(recording.root, options.ignoreSync)
  const broken: Broken[] = []
  let applied = 0
  for (const [number, image] of images.entries()) {
    for (const operation of recording.operations.slice(applied, image.at)) disk.apply(operation)
    applied = image.at
    const random = createRandom(image.seed)
    rmSync(folder, { recursive: true, force: true })
    disk.materialise(folder, image.loss, random)
    const problems = await checkImage(recording, image, folder, random)
    if (problems.length > 0) broken.push({ image, problems })
    options.onImage?.(number + 1)
  }
  return broken
}

async function checkImage(
  recording: Recording,
  image: Image,
  folder: string,
  random: Random,
): Promise<readonly string[]> {
  const dataRoot = join(folder, relative(recording.root, recording.dataRoot))
  const asked = recording.erasures.filter(({ askedAt }) => askedAt <= image.at)
  const confirmed = asked.filter(({ confirmedAt }) => confirmedAt < image.at)
  const ledger: Ledger = {
    answers: recording.answers.flatMap((each) => receivedBefore(each, image.at)),
    heads: new Set(recording.heads.filter(({ at }) => at < image.at).map(({ note }) => note)),
    erasures: new Map(asked.map((each) => [each.receipt, confirmed.includes(each) ? 'confirmed' : 'asked'])),
  }
  const problems: string[] = []
  for (const { receipt, wrappedKey } of confirmed) {
    const where = filesWith(join(dataFolderAt(dataRoot).vaultKeys, '..'), wrappedKey)
    if (where.length > 0) problems.push(`the key of the erased ${receipt} is in ${where.join(', ')}`)
  }
  try {
    mkdirSync(folder, { recursive: true })
    const gateway = await Gateway.start({ config: crashConfig(dataRoot, recording.upstreamUrl), notices: SILENT })
    try {
      problems.push(...(await findBroken(gateway.url, recording.keys, ledger, choose(ledger, random))))
    } finally {
      await gateway.close()
    }
    problems.push(...fsckProblems(dataRoot))
  } catch (thrown) {
    const why = thrown instanceof CountersignError ? `${thrown.code}: ${thrown.message}` : String(thrown)
    problems.push(`the gateway does not start: ${why}`)
  }
  return problems
}

/** What a client may have had of an answer after so many operations: nothing, a part, or all of it. */
function receivedBefore({ answer, begunAt, promisedAt, endedAt }: RecordedAnswer, at: number): readonly Answer[] {
  if (begunAt >= at) return []
  const isWhole = endedAt !== undefined && endedAt < at
  const hasPromise = promisedAt !== undefined && promisedAt < at
  // Where a part of it was out, nobody knows which.
  const response = isWhole ? answer.response : new Uint8Array(0)
  return [{ ...answer, isWhole, response, promise: hasPromise ? answer.promise : undefined }]
}

const SILENT = { info: () => undefined, error: () => undefined }

function choose({ answers, erasures }: Ledger, random: Random): readonly Answer[] {
  const newest = answers.slice(-THOROUGH_ANSWERS)
  const some = Array.from({ length: Math.min(answers.length, THOROUGH_ANSWERS) }, () => random.pick(answers))
  const unpromised = answers.filter(({ promise }) => promise === undefined).slice(-THOROUGH_UNPROMISED)
  return [...new Set([...newest, ...some, ...unpromised, ...answers.filter(({ receipt }) => erasures.has(receipt))])]
}

/** After a clean close, nothing may wait for a next start. Tiles above the published size are none of that. */
function fsckProblems(dataRoot: string): readonly string[] {
  const { findings } = checkLog(dataRoot)
  return findings
    .filter(({ check, severity }) => severity === 'error' || check !== 'tile')
    .map(({ check, severity, detail }) => `fsck ${severity}: ${check}: ${detail}`)
}

function filesWith(folder: string, bytes: Uint8Array): readonly string[] {
  if (!existsSync(folder)) return []
  return readdirSync(folder).filter((name) => readFileSync(join(folder, name)).includes(Buffer.from(bytes)))
}
