/** Most that an auditor reads, keeps and waits for: the operator need not be honest. */

/** A dossier, as its readers take it. */
export const MAX_DOSSIER_BYTES = 64 * 1024 * 1024

/** Any other answer of a gateway: an error, a place in the log, a statement with its receipt. */
export const MAX_REPLY_BYTES = 4 * 1024 * 1024

/** Entries that are asked for at a time. Each may be a dossier in memory. */
export const MAX_ASKED_AT_ONCE = 2

/** Time for one entry, from the request to the last byte of its dossier. */
export const ENTRY_TIMEOUT_MS = 60_000

/** Time for one entry that is asked for when the time to answer is over, because others took so long. */
export const LATE_TIMEOUT_MS = 10_000

/** Between two looks for a newer head. */
export const POLL_MS = 1000

/** Wait before a question is put again, doubling; and the longest that an answer may put it off. */
export const FIRST_RETRY_MS = 250
export const MAX_RETRY_MS = 30_000

/** Wait for a head that covers a statement of ours, so that its receipt can be kept. */
export const RECEIPT_WAIT_MS = 30_000

/** Dossiers that are asked for again because they open nothing: an honest gateway gives none. */
export const MAX_BAD_DOSSIERS = 3

/** Entries that are settled between two savings, and most savings; what was not saved is asked for again after a crash. */
export const SAVED_EVERY = 32
export const MAX_SAVINGS = 64

/** How far ahead a witness's clock may be. */
export const MAX_CLOCK_SKEW_MS = 300_000

/** Entries that a report names one by one. */
export const MAX_REPORTED_ENTRIES = 1000

/** Proofs remembered between dossiers. */
export const MAX_PROOFS_REMEMBERED = 256
