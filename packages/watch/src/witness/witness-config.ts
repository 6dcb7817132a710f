/** Reads `witness.yaml`. @spec spec/witness.md */
import { readFileSync, statSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import {
  CountersignError,
  type Crypto,
  Fields,
  type Json,
  NOTE_ED25519,
  type NoteKey,
  type Path,
  parseNoteKey,
  parseYaml,
  quote,
  ShapeError,
} from '@countersign/verify'
import type { WatchedLog } from './decision.ts'
import type { Rate } from './rate-limit.ts'

export const WITNESS_CONFIG_FORMAT = 'countersign-witness/v1'

const MAX_BYTES = 1024 * 1024

/** Most logs of one witness, and keys of one log. */
export const MAX_LOGS = 1024
export const MAX_KEYS_OF_A_LOG = 8

export interface WitnessLimits {
  /** Connections open at a time; further ones are closed at once. */
  readonly connections: number
  /** A request that is not whole after so long is cut off. */
  readonly requestMs: number
}

export const DEFAULT_WITNESS_LIMITS: WitnessLimits = { connections: 256, requestMs: 10_000 }

/** A log asks once a second as a rule, and once more for each answer of 409. */
export const DEFAULT_RATE: Rate = { perSecond: 10, burst: 100 }

export interface WitnessConfig {
  /** Name of the witness's key. */
  readonly name: string
  readonly listen: { readonly host: string; readonly port: number; readonly prefix: string }
  /** Where logs reach the witness, for the line that goes into policies; without it, where it listens. */
  readonly url: string | undefined
  readonly dataRoot: string
  readonly keyFile: string
  /** By origin. */
  readonly logs: ReadonlyMap<string, WatchedLog>
  readonly rates: ReadonlyMap<string, Rate>
  readonly limits: WitnessLimits
}

/**
 * Reads a configuration file; relative paths in it are relative to its folder.
 *
 * @throws {CountersignError} `config/missing-file`, `config/malformed`
 */
export function readWitnessConfigFile(crypto: Crypto, path: string): WitnessConfig {
  let bytes: Uint8Array
  try {
    if (statSync(path).size > MAX_BYTES)
      throw new CountersignError('config/malformed', 'the configuration is too large')
    bytes = readFileSync(path)
  } catch (thrown) {
    if (thrown instanceof CountersignError) throw thrown
    throw new CountersignError('config/missing-file', `cannot read the configuration ${JSON.stringify(path)}`)
  }
  return parseWitnessConfig(crypto, bytes, dirname(resolve(path)))
}

/**
 * Reads a configuration.
 *
 * @throws {CountersignError} `config/malformed` with the place and what is expected there
 */
export function parseWitnessConfig(crypto: Crypto, bytes: Uint8Array, folder: string): WitnessConfig {
  try {
    return readConfig(crypto, new Fields(parseYaml(bytes), 'witness'), folder)
  } catch (thrown) {
    if (!(thrown instanceof CountersignError)) throw thrown
    throw new CountersignError('config/malformed', thrown.message)
  }
}

function readConfig(crypto: Crypto, fields: Fields, folder: string): WitnessConfig {
  fields.literal('format', WITNESS_CONFIG_FORMAT)
  const dataRoot = resolve(folder, fields.optional('data', () => fields.text('data')) ?? 'witness-data')
  const entries = fields.list('logs', MAX_LOGS, (item, path) => readLog(crypto, item, path))
  const config: WitnessConfig = {
    name: fields.text('name', { maxLength: 256, pattern: /^[^\s+]+$/ }),
    listen: readListen(fields.optional('listen', () => fields.object('listen'))),
    url: fields.optional('url', () => fields.text('url', { pattern: /^https?:\/\/[^\s?#]+$/ })),
    dataRoot,
    keyFile: resolve(folder, fields.optional('key', () => fields.text('key')) ?? join(dataRoot, 'witness.pem')),
    logs: joinKeys(entries),
    rates: new Map(entries.map(({ origin, rate }) => [origin, rate])),
    limits: readLimits(fields.optional('limits', () => fields.object('limits'))),
  }
  fields.end()
  return config
}

function readListen(fields: Fields | undefined): WitnessConfig['listen'] {
  const listen = {
    host: fields?.optional('host', () => fields.text('host', { maxLength: 255 })) ?? '127.0.0.1',
    port: fields?.optional('port', () => fields.integer('port', 0, 65_535)) ?? 8797,
    prefix: fields?.optional('prefix', () => fields.text('prefix', { pattern: /^(\/[A-Za-z0-9._~-]+)+$/ })) ?? '',
  }
  fields?.end()
  return listen
}

function readLimits(fields: Fields | undefined): WitnessLimits {
  const { connections, requestMs } = DEFAULT_WITNESS_LIMITS
  const limits = {
    connections: fields?.optional('connections', () => fields.integer('connections', 1, 65_536)) ?? connections,
    requestMs: fields?.optional('requestMs', () => fields.integer('requestMs', 100, 600_000)) ?? requestMs,
  }
  fields?.end()
  return limits
}

interface LogEntry {
  readonly path: Path
  readonly origin: string
  readonly key: NoteKey
  readonly rate: Rate
}

function readLog(crypto: Crypto, item: Json, path: Path): LogEntry {
  const fields = new Fields(item, path)
  const key = parseNoteKey(crypto, fields.text('key', { maxLength: 512 }))
  if (key.type !== NOTE_ED25519) {
    throw new ShapeError('shape/bad-value', fields.at('key'), 'this is the key of a witness; a log signs with type 01')
  }
  const perSecond = fields.optional('requestsPerSecond', () => fields.integer('requestsPerSecond', 1, 100_000))
  const burst = fields.optional('burst', () => fields.integer('burst', 1, 1_000_000))
  const origin = fields.optional('origin', () => fields.text('origin'))
  fields.end()
  const rate = { perSecond: perSecond ?? DEFAULT_RATE.perSecond, burst: burst ?? DEFAULT_RATE.burst }
  return { path, origin: origin ?? key.name, key, rate }
}

/** A log may have several keys; each stands in an entry of its own. */
function joinKeys(entries: readonly LogEntry[]): ReadonlyMap<string, WatchedLog> {
  const logs = new Map<string, WatchedLog>()
  for (const { path, origin, key } of entries) {
    const keys = [...(logs.get(origin)?.keys ?? []), key]
    const isTwice = keys.filter(({ name, id }) => name === key.name && String(id) === String(key.id)).length > 1
    if (isTwice || keys.length > MAX_KEYS_OF_A_LOG) {
      const why = isTwice ? `a key of ${quote(origin)} stands twice` : `${quote(origin)} has too many keys`
      throw new ShapeError('shape/bad-value', path, why)
    }
    logs.set(origin, { origin, keys })
  }
  return logs
}
