/**
 * The trust file: what the relying party brings. Keys found inside a dossier are never trusted; these are.
 *
 * @spec spec/trust-file.md
 */
import { equalBytes, toHex } from '../bytes/bytes.ts'
import type { Json } from '../bytes/json.ts'
import { Fields, type Path, readText } from '../bytes/shape.ts'
import { parseYaml } from '../bytes/yaml.ts'
import type { Crypto } from '../crypto/crypto.ts'
import { parseP256Spki } from '../crypto/keys.ts'
import { CountersignError, quote } from '../errors.ts'
import { parseTlogPolicy, type TlogPolicy } from '../log/tlog-policy.ts'
import { type PartyFacts, readPartyFacts } from '../statement/party.ts'
import { resolveOwners } from './owners.ts'
import { type PlaceDemand, readPlaceDemands } from './place-demand.ts'
import { parseRequirements, type Requirement } from './requirement.ts'

/** What a party's keys are trusted for. */
export const ROLES = ['operator', 'publisher', 'accountable', 'auditor', 'arbiter'] as const
export type Role = (typeof ROLES)[number]

/** Roles whose revocations may count, see spec/revocation.md. */
export const REVOKER_ROLES = ['auditor', 'publisher', 'operator'] as const satisfies readonly Role[]
export type RevokerRole = (typeof REVOKER_ROLES)[number]

/** A statement key, valid for entries of a range of log indexes. */
export interface PartyKey {
  /** The log whose indexes the range is of; any log of the policy when missing. */
  readonly log: string | undefined
  readonly spki: Uint8Array
  /** SHA-256 of the SPKI, hexadecimal. */
  readonly keyId: string
  readonly fromIndex: number
  /** First index that it is no longer valid for. */
  readonly untilIndex: number
}

/** A party, and where and on what it runs as far as the relying party knows. */
export interface Party extends PartyFacts {
  readonly name: string
  /** Who controls it in the end, as the relying party knows. Parties of one owner count once. */
  readonly owner: string
  readonly roles: readonly Role[]
  readonly keys: readonly PartyKey[]
  /** Names of its witnesses in the policy. */
  readonly witnesses: readonly string[]
}

export interface Trust {
  readonly policy: TlogPolicy
  readonly parties: readonly Party[]
  readonly requirements: readonly Requirement[]
  /** Oldest answer that still counts, in milliseconds; no limit when missing. */
  readonly maximumAgeMs: number | undefined
  /** Owners apart from the operator's that must confirm a record for `independence`. */
  readonly minimumOwners: number
  /** Most confirmations of one owner that count towards that. */
  readonly perOwner: number
  /** What places must be, in the order in which they are looked at; empty where the file demands nothing. */
  readonly places: readonly PlaceDemand[]
  /** Roles whose revocations count. An operator's count for its own answers alone. */
  readonly revokers: readonly RevokerRole[]
}

const FORMAT = 'countersign-trust/v1'
const MAX_PARTIES = 1024
const DEFAULT_MINIMUM_OWNERS = 2
const DEFAULT_PER_OWNER = 1
const MS_PER_DAY = 86_400_000

/**
 * Reads a trust file, YAML or JSON.
 *
 * @throws {CountersignError} `trust/malformed` with the place and the reason
 */
export function parseTrustFile(crypto: Crypto, bytes: Uint8Array): Trust {
  try {
    return readTrust(crypto, parseYaml(bytes))
  } catch (thrown) {
    throw new CountersignError(
      'trust/malformed',
      `trust file: ${thrown instanceof Error ? thrown.message : 'unreadable'}`,
    )
  }
}

function readTrust(crypto: Crypto, value: Json): Trust {
  const fields = new Fields(value, 'trust')
  fields.literal('format', FORMAT)
  const policy = parseTlogPolicy(crypto, fields.text('policy', { maxLength: 64 * 1024, isMultiline: true }))
  checkLogs(policy)
  const parties = fields.list('parties', MAX_PARTIES, (item, path) => readParty(crypto, policy, item, path))
  const requirements = fields.optional('require', () => readRequire(fields.object('require')))
  const days = fields.optional('maximumAgeDays', () => fields.integer('maximumAgeDays', 1, 100_000))
  const minimumOwners = fields.optional('minimumOwners', () => fields.integer('minimumOwners', 1, 1000))
  const perOwner = fields.optional('perOwner', () => fields.integer('perOwner', 1, 1000))
  const places = fields.optional('places', () => readPlaceDemands(fields))
  const revokers = fields.optional('revokers', () => fields.list('revokers', REVOKER_ROLES.length, readRevoker))
  fields.end()
  checkDistinct(parties)
  return {
    policy,
    parties: resolveOwners(parties),
    requirements: requirements ?? [],
    maximumAgeMs: days === undefined ? undefined : days * MS_PER_DAY,
    minimumOwners: minimumOwners ?? DEFAULT_MINIMUM_OWNERS,
    perOwner: perOwner ?? DEFAULT_PER_OWNER,
    places: places ?? [],
    // In that order, whatever the file's: the word of an operator that is an auditor as well counts as an auditor's.
    revokers: REVOKER_ROLES.filter((role) => revokers === undefined || revokers.includes(role)),
  }
}

/** Logs are looked up by name, and must not confirm themselves: more than the format of policies asks. */
function checkLogs({ logs, witnesses }: TlogPolicy): void {
  const names = logs.map(({ key }) => key.name)
  const twice = names.find((name, i) => names.indexOf(name) !== i)
  const own = witnesses.find(({ key }) => logs.some((log) => equalBytes(log.key.publicKey, key.publicKey)))
  const why =
    (logs.length === 0 && 'it names no log') ||
    (twice !== undefined && `it has two keys for log ${quote(twice)}`) ||
    (own !== undefined && `witness ${quote(own.name)} has the key of a log`)
  if (why) throw new CountersignError('trust/malformed', `trust.policy: ${why}`)
}

function readRequire(fields: Fields): readonly Requirement[] {
  const text = fields.names(16).map((claim) => {
    if (!/^[a-z]+$/.test(claim)) throw new CountersignError('require/malformed', `${quote(claim)} is not a claim`)
    return `${claim}:${fields.text(claim, { pattern: /^[a-z-]+$/ })}`
  })
  return parseRequirements(text.join(','))
}

function readParty(crypto: Crypto, policy: TlogPolicy, item: Json, path: Path): Party {
  const fields = new Fields(item, path)
  const party: Party = {
    name: fields.text('name', { maxLength: 128 }),
    owner: fields.text('owner', { maxLength: 128 }),
    roles: fields.optional('roles', () => fields.list('roles', ROLES.length, readRole)) ?? [],
    keys: fields.optional('keys', () => fields.list('keys', 256, (each, at) => readKey(crypto, each, at))) ?? [],
    witnesses:
      fields.optional('witnesses', () => fields.list('witnesses', 256, (each, at) => readText(each, at))) ?? [],
    ...readPartyFacts(fields),
  }
  fields.end()
  const unknown = party.witnesses.find((name) => !policy.witnesses.some((witness) => witness.name === name))
  if (unknown !== undefined) {
    throw new CountersignError('trust/malformed', `${path}.witnesses: ${quote(unknown)} is not in the policy`)
  }
  return party
}

const readRole = (item: Json, path: Path): Role => oneOf(ROLES, item, path)
const readRevoker = (item: Json, path: Path): RevokerRole => oneOf(REVOKER_ROLES, item, path)

function oneOf<T extends string>(known: readonly T[], item: Json, path: Path): T {
  const role = known.find((each) => each === item)
  if (role === undefined) throw new CountersignError('trust/malformed', `${path}: expected one of ${known.join(', ')}`)
  return role
}

function readKey(crypto: Crypto, item: Json, path: Path): PartyKey {
  const fields = new Fields(item, path)
  const spki = fields.base64('spki', 256)
  parseP256Spki(spki)
  const log = fields.optional('log', () => fields.text('log', { maxLength: 256 }))
  const fromIndex = fields.optional('fromIndex', () => fields.integer('fromIndex')) ?? 0
  const untilIndex = fields.optional('untilIndex', () => fields.integer('untilIndex')) ?? Number.MAX_SAFE_INTEGER
  fields.end()
  return { spki, keyId: toHex(crypto.sha256(spki)), log, fromIndex, untilIndex }
}

/** One name, one key, one witness for one party: else who signed would depend on the order of lines. */
function checkDistinct(parties: readonly Party[]): void {
  const all = [
    ...parties.map((party) => `party ${party.name}`),
    ...parties.flatMap((party) => party.keys.map((key) => `key ${key.keyId}`)),
    ...parties.flatMap((party) => party.witnesses.map((name) => `witness ${name}`)),
  ]
  const twice = all.find((name, i) => all.indexOf(name) !== i)
  if (twice !== undefined) throw new CountersignError('trust/malformed', `${quote(twice)} stands twice`)
}

/** A trusted key that is valid at `index` of the log `origin`, with its party; `undefined` for a key that the trust file does not know. */
export function findSigner(
  trust: Trust,
  keyId: string,
  role: Role,
  { origin, index }: { readonly origin: string; readonly index: number },
): { readonly party: Party; readonly key: PartyKey } | undefined {
  for (const party of trust.parties) {
    if (!party.roles.includes(role)) continue
    const key = party.keys.find((each) => each.keyId === keyId && isValidAt(each, origin, index))
    if (key !== undefined) return { party, key }
  }
  return undefined
}

/** The party whose key that is at `index` of the log `origin`, whatever it is trusted for. */
export function findKeyHolder(
  trust: Trust,
  keyId: string,
  { origin, index }: { readonly origin: string; readonly index: number },
): Party | undefined {
  return trust.parties.find(({ keys }) => keys.some((key) => key.keyId === keyId && isValidAt(key, origin, index)))
}

function isValidAt({ log, fromIndex, untilIndex }: PartyKey, origin: string, index: number): boolean {
  return (log === undefined || log === origin) && index >= fromIndex && index < untilIndex
}
