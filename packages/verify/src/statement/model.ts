/**
 * A model's registration, in the shape of OpenSSF Model Signing, so that its tools can read it.
 *
 * @spec OpenSSF Model Signing v1.0
 */
import { concat, parseHex, toHex, utf8 } from '../bytes/bytes.ts'
import type { Json } from '../bytes/json.ts'
import { Fields, type Path } from '../bytes/shape.ts'
import type { Crypto } from '../crypto/crypto.ts'
import { CountersignError } from '../errors.ts'
import type { Statement } from './statement.ts'

export const MODEL_TYPE = 'https://model_signing/signature/v1.0'

const MAX_FILES = 4096

/** One file of a model: path relative to the model's folder, SHA-256 in hexadecimal. */
export interface ModelFile {
  readonly name: string
  readonly digest: string
}

/** A registered model: its files, and the root digest over theirs. */
export interface Model {
  readonly name: string
  readonly rootDigest: string
  readonly files: readonly ModelFile[]
}

/** SHA-256 over the digests of all files, ordered by name. */
export function modelRootDigest(crypto: Crypto, files: readonly ModelFile[]): string {
  const digests = sortByName(files).map((file) => parseHex(file.digest, 32))
  return toHex(crypto.sha256(concat(...digests)))
}

/** The registration statement of a model. */
export function modelStatement(crypto: Crypto, name: string, files: readonly ModelFile[]): Statement {
  const resources = sortByName(files).map((file) => ({ name: file.name, algorithm: 'sha256', digest: file.digest }))
  return {
    subjects: [{ name, digest: { sha256: modelRootDigest(crypto, files) } }],
    predicateType: MODEL_TYPE,
    predicate: {
      serialization: { method: 'files', hash_type: 'sha256', allow_symlinks: false, ignore_paths: [] },
      resources,
    },
  }
}

/**
 * Reads a registration and checks that the root digest covers the files.
 *
 * @throws {CountersignError} `statement/wrong-type`, `shape/*`
 */
export function parseModel(crypto: Crypto, statement: Statement): Model {
  if (statement.predicateType !== MODEL_TYPE) {
    throw new CountersignError('statement/wrong-type', `expected a statement of type ${MODEL_TYPE}`)
  }
  const fields = new Fields(statement.predicate, 'predicate')
  readSerialization(fields.object('serialization'))
  const files = fields.list('resources', MAX_FILES, readFile)
  fields.end()
  if (files.length === 0 || new Set(files.map((file) => file.name)).size !== files.length) {
    throw new CountersignError('shape/bad-value', 'a model has at least one file, and each file once')
  }
  const [subject] = statement.subjects
  const rootDigest = modelRootDigest(crypto, files)
  if (statement.subjects.length !== 1 || subject?.digest.sha256 !== rootDigest) {
    throw new CountersignError('shape/bad-value', 'the root digest does not cover the files that the statement lists')
  }
  return { name: subject.name, rootDigest, files }
}

function readSerialization(fields: Fields): void {
  fields.literal('method', 'files')
  fields.literal('hash_type', 'sha256')
  fields.literal('allow_symlinks', false)
  fields.optional('ignore_paths', () => fields.list('ignore_paths', 64, () => undefined))
  fields.end()
}

function readFile(item: Json, path: Path): ModelFile {
  const fields = new Fields(item, path)
  fields.literal('algorithm', 'sha256')
  const file = { name: fields.text('name', { maxLength: 512 }), digest: fields.hex('digest', 32) }
  fields.end()
  return file
}

function sortByName(files: readonly ModelFile[]): readonly ModelFile[] {
  return [...files].sort((a, b) => compareBytes(utf8(a.name), utf8(b.name)))
}

/** UTF-8 sorts as code points do, which is how others sort names; JavaScript's own order is another beyond U+FFFF. */
function compareBytes(a: Uint8Array, b: Uint8Array): number {
  for (let i = 0; i < Math.min(a.length, b.length); i++) {
    const difference = (a[i] ?? 0) - (b[i] ?? 0)
    if (difference !== 0) return difference
  }
  return a.length - b.length
}
