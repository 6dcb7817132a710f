/** The file that carries a proof of misbehaviour from whoever found it to whoever should know. @spec spec/misbehaviour.md */
import { FILE_LIMITS, parseJson } from '../bytes/json.ts'
import { Fields } from '../bytes/shape.ts'
import { parseBundle, readHash, type UnverifiedReceipt } from '../log/bundle.ts'
import { MAX_PROOF_HASHES } from '../log/merkle.ts'
import { readNote } from '../log/note.ts'
import {
  MISBEHAVIOUR_KINDS,
  type UnverifiedHistory,
  type UnverifiedMisbehaviour,
  type UnverifiedPlace,
} from './misbehaviour.ts'

export const MISBEHAVIOUR_FORMAT = 'countersign-misbehaviour/v1'

/**
 * Reads a proof file; proves nothing.
 *
 * @throws {CountersignError} `json/*`, `bytes/*`, `shape/*`, `note/malformed`, `bundle/malformed`, `proof/bad-hash`
 */
export function parseMisbehaviour(bytes: Uint8Array): UnverifiedMisbehaviour {
  const fields = new Fields(parseJson(bytes, FILE_LIMITS), 'misbehaviour')
  fields.literal('format', MISBEHAVIOUR_FORMAT)
  const proof = readProof(fields)
  fields.end()
  return proof
}

function readProof(fields: Fields): UnverifiedMisbehaviour {
  const kind = fields.oneOf('kind', MISBEHAVIOUR_KINDS)
  switch (kind) {
    case 'two-heads-of-one-size':
      return { kind, heads: [readNote(fields, 'first'), readNote(fields, 'second')] }
    case 'head-of-another-history':
      return { kind, history: readHistory(fields) }
    case 'two-leaves-one-index': {
      const places = [readPlace(fields.object('first')), readPlace(fields.object('second'))] as const
      return { kind, index: fields.integer('index'), places }
    }
    case 'promise-other-leaf':
      return { kind, promise: readNote(fields, 'promise'), place: readPlace(fields.object('place')) }
    case 'promise-not-covered':
      return { kind, promise: readNote(fields, 'promise'), head: readNote(fields, 'head') }
    case 'two-statements-one-receipt':
    case 'two-statements-one-sequence-number':
      return { kind, receipts: [readReceipt(fields, 'first'), readReceipt(fields, 'second')] }
  }
}

function readReceipt(fields: Fields, name: string): UnverifiedReceipt {
  return parseBundle(fields.required(name), fields.at(name))
}

function readHistory(fields: Fields): UnverifiedHistory {
  return {
    older: readNote(fields, 'older'),
    newer: readNote(fields, 'newer'),
    root: readHash(fields.required('root'), fields.at('root')),
    path: fields.list('path', MAX_PROOF_HASHES, readHash),
  }
}

function readPlace(fields: Fields): UnverifiedPlace {
  const place = {
    leafHash: readHash(fields.required('leafHash'), fields.at('leafHash')),
    path: fields.list('path', MAX_PROOF_HASHES, readHash),
    head: readNote(fields, 'head'),
  }
  fields.end()
  return place
}
