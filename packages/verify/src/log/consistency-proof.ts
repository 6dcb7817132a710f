/** Consistency proofs as files carry them: beside the one head that a proof is for, the other one by size and root. */
import { toBase64 } from '../bytes/base64.ts'
import { toHex } from '../bytes/bytes.ts'
import type { Json } from '../bytes/json.ts'
import { Fields, type Path } from '../bytes/shape.ts'
import { readHash } from './bundle.ts'
import { type Hash, MAX_PROOF_HASHES, type TreeHead } from './merkle.ts'

/** Joins a head that is named by size and root to one that is known from elsewhere. Nothing about it is checked yet. */
export interface ConsistencyProof extends TreeHead {
  readonly path: readonly Hash[]
}

/** @throws {CountersignError} `shape/*`, `bytes/bad-base64`, `proof/bad-hash` */
export function readConsistency(item: Json, path: Path): ConsistencyProof {
  const fields = new Fields(item, path)
  const proof = {
    size: fields.integer('size'),
    root: readHash(fields.required('root'), fields.at('root')),
    path: fields.list('path', MAX_PROOF_HASHES, readHash),
  }
  fields.end()
  return proof
}

/** The JSON form of a consistency proof. */
export function formatConsistency({ size, root, path }: ConsistencyProof): Json {
  return { size, root: toBase64(root), path: path.map(toBase64) }
}

/** Name of a consistency proof's other head, for looking it up. */
export function isProofFrom(proof: ConsistencyProof, size: number, rootHex: string): boolean {
  return proof.size === size && toHex(proof.root) === rootHex
}
