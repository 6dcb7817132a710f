/** Most that is read of what a log or a witness serves: whoever runs it need not be honest. */

/** A checkpoint with its cosignatures; what a reader of notes takes. */
export const MAX_CHECKPOINT_BYTES = 64 * 1024

/** A full bundle of 256 entries, each with its length before it; tiles of hashes have 8 KiB. */
export const MAX_TILE_BYTES = 256 * (2 + 65_535)

/** Time for one request, from its beginning to the last byte of its answer. */
export const REQUEST_TIMEOUT_MS = 10_000

/** Connections to one server at a time. */
export const MAX_CONNECTIONS = 8

/** Most bytes of an answer's headers. */
export const MAX_HEADER_BYTES = 16 * 1024

/** Tries of a request that the server puts off with 429 or 503, and the longest that one of them is put off. */
export const MAX_TRIES = 8
export const MAX_RETRY_AFTER_MS = 5_000
