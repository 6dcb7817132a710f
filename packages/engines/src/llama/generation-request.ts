/** What a language model is asked for, and within which bounds. */
import { randomInt } from 'node:crypto'
import { CountersignError } from '@countersign/verify'
import type { SamplingOptions } from './library.ts'

export interface GenerationRequest {
  readonly prompt: string
  /** Most tokens of the answer; the context may end it sooner. */
  readonly maxTokens: number
  /** 0 takes the likeliest token each time. */
  readonly temperature: number
  /** Share of the probability to draw from: 1, all of it, unless told. */
  readonly topP?: number
  /** With the same one, the same request gives the same answer. Drawn when it is not given. */
  readonly seed?: bigint
  /** Texts at which the answer ends; they are not part of it. */
  readonly stop?: readonly string[]
  readonly signal?: AbortSignal
}

export const MAX_TEMPERATURE = 2
export const MAX_STOPS = 16
export const MAX_STOP_LENGTH = 256

/** Seeds of the sampler are below this one, which asks it for a random seed. */
const SEED_COUNT = 2 ** 32 - 1

/**
 * How the engine is to draw tokens for a request.
 *
 * Seeds are reduced modulo 2^32 − 1, as the sampler's are 32 bits: two that differ by a multiple of it are the same.
 *
 * @throws {CountersignError} `request/malformed`
 */
export function samplingOf({ maxTokens, temperature, topP = 1, seed, stop = [] }: GenerationRequest): SamplingOptions {
  if (!Number.isSafeInteger(maxTokens) || maxTokens < 1)
    throw malformed('maxTokens: a whole number from 1 on is needed')
  if (!(temperature >= 0 && temperature <= MAX_TEMPERATURE)) {
    throw malformed(`temperature: a number from 0 to ${MAX_TEMPERATURE} is needed`)
  }
  if (!(topP > 0 && topP <= 1)) throw malformed('topP: a number above 0 and up to 1 is needed')
  if (stop.length > MAX_STOPS) throw malformed(`stop: at most ${MAX_STOPS} texts are possible`)
  if (!stop.every(isStop)) throw malformed(`stop: texts of 1 to ${MAX_STOP_LENGTH} characters are needed`)
  return { temperature, topK: 0, topP, minP: 0, seed: seed === undefined ? randomInt(SEED_COUNT) : reduce(seed) }
}

function isStop(text: string): boolean {
  const isWhole = Buffer.from(text, 'utf8').toString('utf8') === text
  return text.length > 0 && text.length <= MAX_STOP_LENGTH && isWhole
}

function reduce(seed: bigint): number {
  const count = BigInt(SEED_COUNT)
  return Number(((seed % count) + count) % count)
}

function malformed(message: string): CountersignError {
  return new CountersignError('request/malformed', message)
}
