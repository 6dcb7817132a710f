/**
 * Runs the credit model on 10,000 applications and prints SHA-256 of all outputs. Arguments: profile, seed, folder.
 * A process of its own, so that nothing but the profile's engine is in it.
 */
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { loadModel } from './model.ts'
import { digestOf } from './onnx-model.testing.ts'
import { findProfile } from './profile.ts'

/** Rows in all, and per run; the sizes take turns. */
const ROWS = 10_000
const BATCH_SIZES = [1, 2, 3, 7, 16, 64, 129]

/** Values that no application has, and that a careless comparison or conversion would stumble over. */
const ODD_VALUES = [
  ...[Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, -0, 0.5, -1, 2 ** -149, -(2 ** -149)],
  ...[2 ** 31, -(2 ** 31), 2 ** 32, 3.4e38, -3.4e38, 16_777_217, 0.999_999_94, 1.000_000_1],
]

interface Feature {
  readonly minimum: number
  readonly maximum: number
}

/** A generator of uniform numbers from 0 to below 1. @spec Steele, Lea, Flood 2014, SplitMix; 32-bit variant */
function createRandom(seed: number): () => number {
  let state = seed | 0
  return () => {
    state = (state + 0x9e3779b9) | 0
    let mixed = Math.imul(state ^ (state >>> 16), 0x21f0aaad)
    mixed = Math.imul(mixed ^ (mixed >>> 15), 0x735a2d97)
    return ((mixed ^ (mixed >>> 15)) >>> 0) / 2 ** 32
  }
}

function readFeatures(folder: string): readonly Feature[] {
  const { features } = JSON.parse(readFileSync(join(folder, 'features.json'), 'utf8')) as {
    features: readonly { minimum?: number; maximum?: number; codes?: readonly unknown[] }[]
  }
  return features.map(({ minimum = 0, maximum, codes = [] }) => ({ minimum, maximum: maximum ?? codes.length - 1 }))
}

function drawValue(random: () => number, { minimum, maximum }: Feature): number {
  const kind = random()
  if (kind < 0.02) return ODD_VALUES[Math.floor(random() * ODD_VALUES.length)] ?? 0
  if (kind < 0.05) return minimum + (random() * 4 - 1.5) * (maximum - minimum + 1)
  return minimum + Math.floor(random() * (maximum - minimum + 1))
}

async function main(profileId: string, seed: number, folder: string): Promise<void> {
  const features = readFeatures(folder)
  const random = createRandom(seed)
  const bytes = readFileSync(join(folder, 'credit.onnx'))
  const model = await loadModel(findProfile(profileId), bytes, digestOf(bytes))
  const hasher = createHash('sha256')
  const distinct = new Set<string>()
  for (let row = 0, run = 0; row < ROWS; run++) {
    const count = Math.min(BATCH_SIZES[run % BATCH_SIZES.length] ?? 1, ROWS - row)
    const data = Float32Array.from({ length: count * features.length }, (_, i) => {
      const feature = features[i % features.length]
      return feature === undefined ? 0 : drawValue(random, feature)
    })
    const shape = [count, features.length]
    for (const output of await model.run([{ name: 'application', datatype: 'FP32', shape, data }])) {
      hasher.update(new Uint8Array(output.data.buffer, output.data.byteOffset, output.data.byteLength))
      for (const item of output.data) distinct.add(`${output.name} ${item}`)
    }
    row += count
  }
  await model.close()
  process.stdout.write(JSON.stringify({ digest: hasher.digest('hex'), distinct: distinct.size }))
}

const [profileId = '', seed = '', folder = ''] = process.argv.slice(2)
await main(profileId, Number(seed), folder)
