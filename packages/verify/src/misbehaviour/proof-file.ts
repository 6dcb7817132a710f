/** The file that carries a proof of misbehaviour from whoever found it to whoever should know. @spec spec/misbehaviour.md */
import { FILE_LIMITS, parseJson } from '../bytes/json.ts'
import { Fields } from '../bytes/shape.ts'
import { parseBundle, readHash, type UnverifiedReceipt } from '../log/bundle.ts'
import { readConsistency } from '../log/consistency-proof.ts'
import { MAX_PROOF_HASHES } from '../log/merkle.ts'
import { readNote } from '../log/note.ts'
import type { UnverifiedCommon } from './common-history.ts'
import {
  MISBEHAVIOUR_KINDS,
  type UnverifiedHistory,
  type UnverifiedMisbehaviour,
  type UnverifiedPlace,
} from './misbehaviour.ts'

export const MISBEHAVIOUR_FORMAT = 'countersign-misbehaviour/v1'

/** Most heads beside the proof's own that it may show to agree with the common one, in either direction. */
export const MAX_AGREEING_HEADS = 256

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
      return { kind, heads: [readNote(fields, 'first'), readNote(fields, 'second')], common: readCommon(fields, 2) }
    case 'head-of-another-history':
      return { kind, history: readHistory(fields), common: readCommon(fields, 2) }
    case 'two-leaves-one-index': {
      const places = [readPlace(fields.object('first')), readPlace(fields.object('second'))] as const
      return { kind, index: fields.integer('index'), places, common: readCommon(fields, 2) }
    }
    case 'promise-other-leaf': {
      const place = readPlace(fields.object('place'))
      return { kind, promise: readNote(fields, 'promise'), place, common: readCommon(fields, 1) }
    }
    case 'promise-not-covered': {
      const head = readNote(fields, 'head')
      return { kind, promise: readNote(fields, 'promise'), head, common: readCommon(fields, 1) }
    }
    case 'two-statements-one-receipt':
    case 'two-statements-one-sequence-number':
      return { kind, receipts: [readReceipt(fields, 'first'), readReceipt(fields, 'second')] }
  }
}

/** The common history, and how it leads to the one head or the two that the kind has. */
function readCommon(fields: Fields, heads: 1 | 2): UnverifiedCommon | undefined {
  return fields.optional('common', () => {
    const common = fields.object('common')
    const pathTo = (name: string) => common.list(name, MAX_PROOF_HASHES, readHash)
    const others = (name: string) =>
      common.optional(name, () => common.list(name, MAX_AGREEING_HEADS, readConsistency)) ?? []
    const read = {
      head: readNote(common, 'head'),
      paths: heads === 1 ? [pathTo('first')] : [pathTo('first'), pathTo('second')],
      older: others('older'),
      newer: others('newer'),
    }
    common.end()
    return read
  })
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
