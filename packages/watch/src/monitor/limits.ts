/** Bounds on what a monitor holds and does. @spec spec/monitor.md */

/** Signed heads that wait until the log reaches them, or until they can be compared. */
export const MAX_WAITING_HEADS = 1024

/** Heads below the verified one that are compared again in one round. */
export const MAX_COMPARED_PER_ROUND = 16

/** Promises that wait to be kept. */
export const MAX_WAITING_PROMISES = 2000

/**
 * Characters of notes that are kept of waiting heads, of waiting promises and of cosigned heads, each: a note may have 64 KiB,
 * and all of them must fit into the state that is read again.
 */
export const MAX_KEPT_NOTE_CHARACTERS = 4 * 1024 * 1024

/** Promises that are looked up in one round. */
export const MAX_PROMISES_PER_ROUND = 256

/** Findings that are open at a time. */
export const MAX_OPEN_FINDINGS = 256

/** Those among them that say nothing against the log. */
export const MAX_OPEN_WARNINGS = 128

/** Proofs of one kind; the first ones are as good as any. */
export const MAX_PROOFS_PER_KIND = 16

/** Heads with the time of a quorum, kept to disprove promises that come later. */
export const MAX_COSIGNED_HEADS = 256

/** Heads that are remembered for comparison with others of their size. */
export const MAX_SEEN_HEADS = 65_536

/** Problems with tiles that one pass over entries tells one by one. */
export const MAX_PROBLEMS = 16

/** Entry bundles that are asked for ahead, each with its tile. */
export const BUNDLES_AHEAD = 4

/** Full tiles of leaf hashes that are kept: the newest 2^20 entries, 32 MiB. Tiles above them are all kept. */
export const MAX_KEPT_LEAF_TILES = 4096

/** Bundles after which a pass over entries is made durable. */
export const BUNDLES_PER_SAVE = 256

/** A promise or cosignature is judged by another's clock only beyond this. */
export const CLOCK_SKEW_SECONDS = 60

/** Longest time before a head that nothing served leads to is tried again. */
export const MAX_STUCK_MS = 300_000

/** Alerts that wait to be delivered. */
export const MAX_WAITING_ALERTS = 256

/** Files of evidence in one folder, and in all. */
export const MAX_EVIDENCE_FILES = 100_000

/** Statements that are remembered, and those of them whose receipts are, for proofs. */
export const MAX_STATEMENTS = 1_000_000
export const MAX_KEPT_RECEIPTS = 20_000

/** Statements that are asked for in one round. */
export const MAX_STATEMENTS_PER_ROUND = 512

/** Most bytes of an answer to `GET /statements/{digest}`: a payload of 1 MiB in base64, twice, and what is around it. */
export const MAX_STATEMENT_BYTES = 4 * 1024 * 1024
