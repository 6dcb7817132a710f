/** in-toto statements: the one form of every signed claim. @spec in-toto Statement v1 */
import { toHex, utf8 } from '../bytes/bytes.ts'
import { type Json, PAYLOAD_LIMITS, parseJson } from '../bytes/json.ts'
import { Fields, type Path, readHex, ShapeError } from '../bytes/shape.ts'
import type { Crypto } from '../crypto/crypto.ts'

const STATEMENT_TYPE = 'https://in-toto.io/Statement/v1'

/** Most subjects of one statement: an erasure may name this many receipts. */
export const MAX_SUBJECTS = 1024

/** Names of digest algorithms. */
const ALGORITHM = /^[a-z0-9][a-z0-9-]{0,63}$/

/** One thing a statement is about: a name, and one digest per algorithm, in hexadecimal. */
export interface Subject {
  readonly name: string
  readonly digest: { readonly [algorithm: string]: string }
}

/** A statement whose predicate has not been read yet. */
export interface Statement {
  readonly subjects: readonly Subject[]
  readonly predicateType: string
  readonly predicate: Json
}

/** SHA-256 of a statement's payload in hexadecimal: the name by which other statements refer to it. */
export type StatementDigest = string

/** The digest of a payload: what other statements name it by. */
export function statementDigest(crypto: Crypto, payload: Uint8Array): StatementDigest {
  return toHex(crypto.sha256(payload))
}

/**
 * Reads a signed payload as an in-toto statement. The predicate is read by the parser of its type.
 *
 * @throws {CountersignError} `json/*`, `bytes/*`, `shape/*`
 */
export function parseStatement(payload: Uint8Array): Statement {
  const fields = new Fields(parseJson(payload, PAYLOAD_LIMITS), 'statement')
  fields.literal('_type', STATEMENT_TYPE)
  const subjects = fields.list('subject', MAX_SUBJECTS, readSubject)
  const predicateType = fields.text('predicateType', { maxLength: 256 })
  const predicate = fields.required('predicate')
  fields.end()
  return { subjects, predicateType, predicate }
}

function readSubject(item: Json, path: Path): Subject {
  const fields = new Fields(item, path)
  const name = fields.text('name', { maxLength: 256 })
  const digests = fields.object('digest')
  const digest: { [algorithm: string]: string } = {}
  const algorithms = digests.names(8)
  if (algorithms.length === 0) throw new ShapeError('shape/missing-field', digests.path, 'expected a digest')
  for (const algorithm of algorithms) {
    if (!ALGORITHM.test(algorithm))
      throw new ShapeError('shape/bad-value', digests.path, 'not the name of an algorithm')
    digest[algorithm] = readHex(digests.required(algorithm), digests.at(algorithm), 32)
  }
  fields.end()
  return { name, digest }
}

/** A statement as compact JSON, fields in this order. Its UTF-8 bytes are the payload. */
export function statementText({ subjects, predicateType, predicate }: Statement): string {
  return JSON.stringify({ _type: STATEMENT_TYPE, subject: subjects, predicateType, predicate })
}

/** The payload of a statement. */
export function formatStatement(statement: Statement): Uint8Array {
  return utf8(statementText(statement))
}

/** The one subject of that name with that algorithm's digest, or `undefined` where none or several have it. */
export function subjectDigest(statement: Statement, name: string, algorithm: string): string | undefined {
  const named = statement.subjects.filter((subject) => subject.name === name)
  return named.length === 1 ? named[0]?.digest[algorithm] : undefined
}
