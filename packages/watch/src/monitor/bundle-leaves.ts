/** Takes an entry bundle apart and hashes its leaves, without copying them: most of a monitor's time goes here. */
import { CountersignError, type Crypto, formatTilePath, type Hash, TILE_WIDTH } from '@countersign/verify'

const LEAF_PREFIX = 0

/** Sees each entry with its hash. The entry's bytes are a view of the bundle. */
export type LeafVisitor = (leafHash: Hash, entry: Uint8Array, position: number) => void

/**
 * Visits the first `width` entries of a bundle, and spoils it: what stands before an entry becomes the prefix that it is
 * hashed with.
 *
 * @throws {CountersignError} `watch/bad-answer` when these are not whole entries, as many as were asked for or a full bundle
 */
export function visitLeaves(
  crypto: Crypto,
  bundle: Uint8Array,
  { index, width }: { readonly index: number; readonly width: number },
  visit: LeafVisitor,
): void {
  const ends = findEnds(bundle)
  const count = ends?.length
  if (ends === undefined || (count !== width && count !== TILE_WIDTH)) {
    const path = formatTilePath({ level: 'entries', index, width })
    const why = ends === undefined ? 'does not consist of whole entries' : `has ${count} entries instead of ${width}`
    throw new CountersignError('watch/bad-answer', `${path}: ${why}`)
  }
  let start = 0
  for (let position = 0; position < width; position++) {
    const end = ends[position] ?? 0
    bundle[start + 1] = LEAF_PREFIX
    visit(crypto.sha256(bundle.subarray(start + 1, end)), bundle.subarray(start + 2, end), position)
    start = end
  }
}

/** Where each entry ends; `undefined` when the bytes are not whole entries, or too many. */
function findEnds(bundle: Uint8Array): readonly number[] | undefined {
  const ends: number[] = []
  let offset = 0
  while (offset < bundle.length) {
    if (ends.length === TILE_WIDTH || offset + 2 > bundle.length) return undefined
    offset += 2 + (((bundle[offset] ?? 0) << 8) | (bundle[offset + 1] ?? 0))
    if (offset > bundle.length) return undefined
    ends.push(offset)
  }
  return ends
}
