/** Most that is read of what a log or a witness serves: whoever runs it need not be honest. */

/** A checkpoint with its cosignatures; what a reader of notes takes. */
export const MAX_CHECKPOINT_BYTES = 64 * 1024

/** A full bundle of 256 entries, each with its length before it; tiles of hashes have 8 KiB. */
export const MAX_TILE_BYTES = 256 * (2 + 65_535)
