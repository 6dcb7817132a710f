/** What a party says of itself: who owns it, which keys are its, where it runs. @spec spec/party.md */
import type { Json } from '../bytes/json.ts'
import { Fields, type Path, readHex, readText, ShapeError } from '../bytes/shape.ts'
import { CountersignError } from '../errors.ts'
import { optionalField } from './inference.ts'
import type { Statement } from './statement.ts'

export const PARTY_TYPE = 'urn:countersign:party/v1'

/** Where and on what a party runs. Trust files state the same facts, and only theirs count. */
export interface PartyFacts {
  /** A cloud by name, or the number of an autonomous system. */
  readonly cloud?: string
  /** ISO 3166: a country, or a part of one. */
  readonly jurisdiction?: string
  readonly hardwareVendor?: string
  readonly software?: string
}

/** Self-declared, all of it: it counts for nothing until a trust file says the same. */
export interface PartyDeclaration extends PartyFacts {
  readonly party: string
  readonly owner: string
  /** SHA-256 of each statement key's SubjectPublicKeyInfo, hexadecimal. */
  readonly keys: readonly string[]
  /** Keys of its witnesses, as they are published. */
  readonly witnesses: readonly string[]
  /** The party's own clock, milliseconds since 1970. */
  readonly declaredAtMs: number
}

const NAME = { maxLength: 128 }
const JURISDICTION = { maxLength: 6, pattern: /^[A-Z]{2}(-[A-Z0-9]{1,3})?$/ }
const WITNESS = { maxLength: 512, pattern: /^[^+\s]{1,256}\+[0-9a-f]{8}\+[A-Za-z0-9+/]+=*$/ }
const MAX_KEYS = 256
const MAX_WITNESSES = 256
const MAX_TIME_MS = 8_640_000_000_000_000

/** The statement of a declaration. Its subject is the party, by its first key. */
export function partyStatement(declaration: PartyDeclaration): Statement {
  const { party, owner, keys, witnesses, cloud, jurisdiction, hardwareVendor, software, declaredAtMs } = declaration
  const facts = { cloud, jurisdiction, hardwareVendor, software }
  const stated = Object.entries(facts).filter((each): each is [string, string] => each[1] !== undefined)
  return {
    subjects: [{ name: party, digest: { sha256: keys[0] ?? '' } }],
    predicateType: PARTY_TYPE,
    predicate: { party, owner, keys, witnesses, ...Object.fromEntries(stated), declaredAtMs },
  }
}

/**
 * Reads a party statement. That one of its own keys signed it is for whoever opens the envelope to check.
 *
 * @throws {CountersignError} `statement/wrong-type`, `shape/*`
 */
export function parseParty(statement: Statement): PartyDeclaration {
  if (statement.predicateType !== PARTY_TYPE) {
    throw new CountersignError('statement/wrong-type', `expected a statement of type ${PARTY_TYPE}`)
  }
  const fields = new Fields(statement.predicate, 'predicate')
  const declaration: PartyDeclaration = {
    party: fields.text('party', NAME),
    owner: fields.text('owner', NAME),
    keys: readDistinct(fields, 'keys', MAX_KEYS, (item, path) => readHex(item, path, 32)),
    witnesses: readDistinct(fields, 'witnesses', MAX_WITNESSES, (item, path) => readText(item, path, WITNESS)),
    ...readPartyFacts(fields),
    declaredAtMs: fields.integer('declaredAtMs', 0, MAX_TIME_MS),
  }
  fields.end()
  if (declaration.keys.length === 0) throw new ShapeError('shape/bad-value', fields.at('keys'), 'expected a key')
  const [subject] = statement.subjects
  const isItsOwn = subject?.name === declaration.party && subject.digest.sha256 === declaration.keys[0]
  if (statement.subjects.length !== 1 || !isItsOwn || Object.keys(subject.digest).length !== 1) {
    throw new CountersignError('shape/bad-value', 'a party’s statement is about that party alone, by its first key')
  }
  return declaration
}

/** Reads where and on what a party runs; also used for trust files, so that the two can be compared. */
export function readPartyFacts(fields: Fields): PartyFacts {
  return {
    ...optionalField('cloud', fields, () => fields.text('cloud', NAME)),
    ...optionalField('jurisdiction', fields, () => fields.text('jurisdiction', JURISDICTION)),
    ...optionalField('hardwareVendor', fields, () => fields.text('hardwareVendor', NAME)),
    ...optionalField('software', fields, () => fields.text('software', NAME)),
  }
}

function readDistinct(
  fields: Fields,
  name: string,
  maxItems: number,
  readItem: (item: Json, path: Path) => string,
): readonly string[] {
  const items = fields.list(name, maxItems, readItem)
  if (new Set(items).size === items.length) return items
  throw new ShapeError('shape/bad-value', fields.at(name), 'an item stands twice')
}
