/**
 * Somebody's word that a device, a certificate, a measurement, a key or a state of the hardware is no longer to be trusted.
 * Whose word counts, the trust file says.
 *
 * @spec spec/revocation.md
 */
import { toHex, utf8 } from '../bytes/bytes.ts'
import type { Json } from '../bytes/json.ts'
import { Fields, type Path, readText, ShapeError } from '../bytes/shape.ts'
import type { Crypto } from '../crypto/crypto.ts'
import { CountersignError } from '../errors.ts'
import { type BoundKey, readBoundKey } from './bound-key.ts'
import { optionalField } from './inference.ts'
import type { Statement } from './statement.ts'

export const REVOCATION_TYPE = 'urn:countersign:revocation/v1'

/** Kinds of what can be revoked. */
export const REVOKED_KINDS = ['device', 'certificate', 'measurement', 'key', 'tcb'] as const

/** What is revoked. Values are lower-case hexadecimal, but for states and advisories, which are in their maker's words. */
export type Revoked =
  /** Devices by the ids that evidence names them by. */
  | { readonly kind: 'device'; readonly ids: readonly string[] }
  /** A certificate by the DER of its issuer's name and by its serial number. */
  | { readonly kind: 'certificate'; readonly issuer: string; readonly serial: string }
  /** A measured value in a register of one kind of hardware. */
  | { readonly kind: 'measurement'; readonly tee: string; readonly register: string; readonly value: string }
  | { readonly kind: 'key'; readonly key: BoundKey }
  /** Evidence in any of the states, or with any of the advisories; of one platform only where `fmspc` names it. */
  | {
      readonly kind: 'tcb'
      readonly tee: string
      readonly states?: readonly string[]
      readonly advisories?: readonly string[]
      readonly fmspc?: string
    }

export interface RevocationPredicate {
  readonly what: Revoked
  /** From when on it is not to be trusted, milliseconds since 1970; `null` when nobody knows: then it never was. */
  readonly since: number | null
  /** For people. */
  readonly reason: string
  /** Where it was made public, for people. */
  readonly source: string
}

const NAME = { maxLength: 128, pattern: /^[!-~]+$/ }
const TEXT = { maxLength: 1024 }
const MAX_ITEMS = 1024
const MAX_ID_BYTES = 128
const MAX_NAME_BYTES = 1024
const MAX_SERIAL_BYTES = 20
const MAX_VALUE_BYTES = 64
const MAX_TIME_MS = 8_640_000_000_000_000

/** The statement of a revocation. Its one subject is what it revokes, by kind and the SHA-256 of `what` as compact JSON. */
export function revocationStatement(crypto: Crypto, predicate: RevocationPredicate): Statement {
  const sha256 = toHex(crypto.sha256(utf8(JSON.stringify(predicate.what))))
  return {
    subjects: [{ name: predicate.what.kind, digest: { sha256 } }],
    predicateType: REVOCATION_TYPE,
    predicate: predicate as unknown as Json,
  }
}

/** @throws {CountersignError} `statement/wrong-type`, `shape/*` */
export function parseRevocation(statement: Statement): RevocationPredicate {
  if (statement.predicateType !== REVOCATION_TYPE) {
    throw new CountersignError('statement/wrong-type', `expected a statement of type ${REVOCATION_TYPE}`)
  }
  const fields = new Fields(statement.predicate, 'predicate')
  const revocation: RevocationPredicate = {
    what: readRevoked(fields.object('what')),
    since: fields.required('since') === null ? null : fields.integer('since', 0, MAX_TIME_MS),
    reason: fields.text('reason', TEXT),
    source: fields.text('source', TEXT),
  }
  fields.end()
  const [subject, ...others] = statement.subjects
  if (subject?.name !== revocation.what.kind || others.length > 0) {
    throw new ShapeError('shape/bad-value', 'subject', 'the one subject must be what is revoked')
  }
  return revocation
}

function readRevoked(fields: Fields): Revoked {
  const what = readByKind(fields)
  fields.end()
  return what
}

function readByKind(fields: Fields): Revoked {
  const kind = fields.oneOf('kind', REVOKED_KINDS)
  switch (kind) {
    case 'device':
      return { kind, ids: readSome(fields, 'ids', (item, path) => readHexUpTo(item, path, MAX_ID_BYTES)) }
    case 'certificate':
      return {
        kind,
        issuer: readHexUpTo(fields.required('issuer'), fields.at('issuer'), MAX_NAME_BYTES),
        serial: readHexUpTo(fields.required('serial'), fields.at('serial'), MAX_SERIAL_BYTES),
      }
    case 'measurement':
      return {
        kind,
        tee: fields.text('tee', NAME),
        register: fields.text('register', NAME),
        value: readHexUpTo(fields.required('value'), fields.at('value'), MAX_VALUE_BYTES),
      }
    case 'key':
      return { kind, key: readBoundKey(fields.required('key'), fields.at('key')) }
    case 'tcb':
      return readTcb(fields)
  }
}

function readTcb(fields: Fields): Revoked {
  const words = (name: string) => readSome(fields, name, (item, path) => readText(item, path, NAME))
  const tcb = {
    kind: 'tcb' as const,
    tee: fields.text('tee', NAME),
    ...optionalField('states', fields, () => words('states')),
    ...optionalField('advisories', fields, () => words('advisories')),
    ...optionalField('fmspc', fields, () => fields.hex('fmspc', 6)),
  }
  if (tcb.states === undefined && tcb.advisories === undefined && tcb.fmspc === undefined) {
    throw new ShapeError('shape/missing-field', fields.path, 'expected states, advisories or fmspc')
  }
  return tcb
}

function readSome(fields: Fields, name: string, readItem: (item: Json, path: Path) => string): readonly string[] {
  const items = fields.list(name, MAX_ITEMS, readItem)
  if (items.length > 0) return items
  throw new ShapeError('shape/bad-value', fields.at(name), 'expected at least one')
}

function readHexUpTo(item: Json, path: Path, maxBytes: number): string {
  return readText(item, path, { maxLength: 2 * maxBytes, pattern: /^([0-9a-f]{2})+$/ })
}
