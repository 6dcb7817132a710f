/**
 * What a place must be: the hardware, the code, the state that it is kept in. A policy that names no code accepts any
 * program of anybody, so it is an error. @spec spec/place-policy.md
 */
import type { Json } from '../bytes/json.ts'
import { Fields, type Path, readHex, readText, ShapeError } from '../bytes/shape.ts'
import { CountersignError, quote } from '../errors.ts'
import { FACTS, type FactName } from './facts.ts'
import { findPreset, type PresetName } from './presets.ts'
import { PROFILE_NAMES, type ProfileName } from './profile-names.ts'
import { TEE_KINDS, TEE_VOCABULARY, type TeeKind } from './vocabulary.ts'

export interface PlacePolicy {
  readonly tee: TeeKind
  /** How the serving key must be tied to the evidence. */
  readonly profile: ProfileName
  /** Allowed values by register, lower-case hexadecimal; every register that is named must have one of its values. */
  readonly measurements: { readonly [register: string]: readonly string[] }
  /** Allowed values by name of a signer or owner of the code: key digests, projects, keys of tokens. */
  readonly signers: { readonly [name: string]: readonly string[] }
  /** Least version by component. */
  readonly minimum: { readonly [component: string]: number }
  /** TCB states that are accepted, in the words of the hardware's maker. */
  readonly states: readonly string[]
  /** Security advisories that are accepted where the state has any. */
  readonly advisories: readonly string[]
  /** Named weaknesses that are accepted, see `TEE_VOCABULARY`; a preset adds its own. */
  readonly allow: readonly string[]
  /** Named properties that are refused although they are accepted by default. */
  readonly forbid: readonly string[]
  readonly preset: PresetName | undefined
  /** How many distinct GPUs must be shown; none when missing. */
  readonly gpus: number | undefined
  /** Facts that must be shown beside genuine hardware and known code. */
  readonly require: readonly FactName[]
  /** Oldest evidence that still covers an answer. */
  readonly maxAgeMs: number
  /** Who is trusted to keep hands off the hardware. */
  readonly physical: { readonly clouds: readonly Cloud[]; readonly chips: readonly string[] }
}

/** Operators of data centres that some kinds of evidence name. */
export const CLOUDS = ['aws', 'azure', 'gcp'] as const
export type Cloud = (typeof CLOUDS)[number]

/** A weakness of any kind of hardware that `allow` may name: evidence that answers no challenge and has no time of its own. */
export const NO_FRESHNESS = 'no-freshness'

const MAX_VALUES = 64
const MAX_NAMES = 64
const MAX_AGE_MINUTES = 366 * 24 * 60
const DEFAULT_AGE_MINUTES = 60
const MS_PER_MINUTE = 60_000
/** The longest are JSON that a guest measured of itself. */
const HEX_VALUE = /^([0-9a-f]{2}){1,256}$/
const ALL_ZERO = /^0+$/
/** Zero where nothing was measured, nothing given, or nobody signed. */
const MAY_BE_UNSET = /^(pcr[0-9]+|hostdata|idkeydigest|authorkeydigest)$/

/**
 * Reads a policy from parsed JSON or YAML.
 *
 * @throws {CountersignError} `place-policy/empty` when it names no code, `place-policy/malformed` for a word that the kind
 *   does not have, `shape/*`
 */
export function readPlacePolicy(value: Json, path: Path): PlacePolicy {
  const fields = new Fields(value, path)
  const tee = fields.oneOf('tee', TEE_KINDS)
  const words = TEE_VOCABULARY[tee]
  const presetName = fields.optional('preset', () => fields.text('preset'))
  const preset = presetName === undefined ? undefined : findPreset(tee, presetName)
  const policy: PlacePolicy = {
    tee,
    profile: fields.optional('profile', () => fields.oneOf('profile', PROFILE_NAMES)) ?? 'none',
    measurements: readValues(fields, 'measurements', words.measurements, HEX_VALUE),
    signers: readValues(fields, 'signers', words.signers, undefined),
    minimum: readMinimum(fields, words.minimum),
    states: readWords(fields, 'states', words.states) ?? words.defaultStates,
    advisories: fields.optional('advisories', () => readTexts(fields, 'advisories')) ?? [],
    allow: [...(readWords(fields, 'allow', [...words.allow, NO_FRESHNESS]) ?? []), ...(preset?.allow ?? [])],
    forbid: readWords(fields, 'forbid', words.forbid) ?? [],
    preset: preset?.name,
    gpus: fields.optional('gpus', () => fields.integer('gpus', 1, MAX_VALUES)),
    require: (readWords(fields, 'require', FACTS) ?? []) as readonly FactName[],
    maxAgeMs:
      (fields.optional('maxAgeMinutes', () => fields.integer('maxAgeMinutes', 1, MAX_AGE_MINUTES)) ??
        DEFAULT_AGE_MINUTES) * MS_PER_MINUTE,
    physical: fields.optional('physical', () => readPhysical(fields.object('physical'))) ?? { clouds: [], chips: [] },
  }
  fields.end()
  requireSomeCode(policy, path)
  return policy
}

/**
 * Refuses a policy that any program would pass: what is not compared with a value says nothing, and neither does a register that
 * may be zero, as one is into which nothing was measured. {@link readPlacePolicy} lets through no other.
 *
 * @throws {CountersignError} `place-policy/empty`
 */
export function requireSomeCode(policy: PlacePolicy, path: Path): void {
  const { identifying, vouching } = TEE_VOCABULARY[policy.tee]
  const named = Object.entries({ ...policy.measurements, ...policy.signers })
    .filter(([name, values]) => !(MAY_BE_UNSET.test(name) && values.some((value) => ALL_ZERO.test(value))))
    .map(([name]) => name)
  if (!named.some((name) => identifying.includes(name))) {
    throw new CountersignError(
      'place-policy/empty',
      `${path}: it names no code, so that any program would pass; give one of ${identifying.join(', ')}`,
    )
  }
  if (vouching !== undefined && !named.some((name) => vouching.includes(name))) {
    throw new CountersignError(
      'place-policy/empty',
      `${path}: it names nothing that vouches for those values, so that any program could make them up; give one of ${vouching.join(', ')}`,
    )
  }
}

function readValues(
  parent: Fields,
  name: 'measurements' | 'signers',
  known: readonly string[],
  pattern: RegExp | undefined,
): { readonly [name: string]: readonly string[] } {
  const fields = parent.optional(name, () => parent.object(name))
  const values: { [name: string]: readonly string[] } = {}
  for (const register of fields?.names(MAX_NAMES) ?? []) {
    requireKnown(register, known, parent.at(name))
    const list = fields?.list(register, MAX_VALUES, (item, path) =>
      readText(item, path, { maxLength: 512, ...(pattern === undefined ? {} : { pattern }) }),
    )
    if (list === undefined || list.length === 0) {
      throw new ShapeError('shape/bad-value', parent.at(name), `${register} has no value that would pass`)
    }
    values[register] = list
  }
  return values
}

function readMinimum(parent: Fields, known: readonly string[]): { readonly [component: string]: number } {
  const fields = parent.optional('minimum', () => parent.object('minimum'))
  const minimum: { [component: string]: number } = {}
  for (const component of fields?.names(MAX_NAMES) ?? []) {
    requireKnown(component, known, parent.at('minimum'))
    minimum[component] = fields?.integer(component) ?? 0
  }
  return minimum
}

function readWords(fields: Fields, name: string, known: readonly string[]): readonly string[] | undefined {
  return fields.optional(name, () => {
    const words = readTexts(fields, name)
    for (const word of words) requireKnown(word, known, fields.at(name))
    return words
  })
}

function readTexts(fields: Fields, name: string): readonly string[] {
  return fields.list(name, MAX_VALUES, (item, path) => readText(item, path, { maxLength: 128 }))
}

function requireKnown(word: string, known: readonly string[], path: Path): void {
  if (known.includes(word)) return
  const choices = known.length === 0 ? 'this hardware has none' : `known are ${known.join(', ')}`
  throw new CountersignError('place-policy/malformed', `${path}: ${quote(word)} is not known; ${choices}`)
}

function readPhysical(fields: Fields): PlacePolicy['physical'] {
  const physical = {
    clouds: (readWords(fields, 'clouds', CLOUDS) ?? []) as readonly Cloud[],
    chips: fields.optional('chips', () => fields.list('chips', 1024, (item, path) => readChip(item, path))) ?? [],
  }
  fields.end()
  return physical
}

function readChip(item: Json, path: Path): string {
  const text = readText(item, path, { maxLength: 256, pattern: HEX_VALUE })
  return readHex(text, path, text.length / 2)
}
