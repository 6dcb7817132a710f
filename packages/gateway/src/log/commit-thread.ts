/** What the gateway's main thread and its commit thread say to each other. */
import type { ErasureReason, ErrorCode } from '@countersign/verify'
import type { CitedRow, CosignedRow } from '../store/cosigned-heads.ts'
import type { VaultKey } from '../vault/key-store.ts'
import type { Committed, Draft, SignedHead } from './sequencer.ts'

/** What the thread needs to start. Key files are named, not sent. */
export interface CommitThreadData {
  readonly dataRoot: string
  readonly origin: string
  /** Wraps the vault's keys. */
  readonly vaultWrappingKey: Uint8Array
}

/** A draft, and the ticket by which its result comes back. */
export interface Ticketed {
  readonly ticket: number
  readonly draft: Draft
  /** Content to seal for an answer whose content is kept: under this key, with the receipt as associated data. */
  readonly seal?: { readonly key: VaultKey; readonly content: ReadonlyMap<string, Uint8Array> }
}

/** Work that needs the only writer of the database, beside appending. */
export type Task =
  /** Destroys the key and content of one receipt, and logs that. */
  | { readonly kind: 'erase'; readonly receipt: string; readonly reason: ErasureReason }
  /** Makes the receipt's secret worthless; the next one gets another. */
  | { readonly kind: 'revoke-secret'; readonly receipt: string }
  /** The key of a data subject, durable; made where there is none. */
  | { readonly kind: 'subject-key'; readonly tag: Uint8Array }
  /** Destroys the key of a data subject and the content of all receipts under it, and logs that. */
  | { readonly kind: 'erase-subject'; readonly tag: Uint8Array; readonly reason: ErasureReason }
  /** Keeps heads that witnesses have cosigned, and those that answers cite. */
  | { readonly kind: 'keep-heads'; readonly heads: readonly CosignedRow[]; readonly cited: readonly CitedRow[] }

/** What a task gives. */
export interface TaskResults {
  readonly erase: undefined
  readonly 'revoke-secret': undefined
  readonly 'subject-key': VaultKey
  /** How many receipts were erased. */
  readonly 'erase-subject': number
  readonly 'keep-heads': undefined
}

export type ToCommitThread =
  | { readonly type: 'append'; readonly drafts: readonly Ticketed[]; readonly timeMs: number }
  | { readonly type: 'task'; readonly ticket: number; readonly task: Task; readonly timeMs: number }
  | { readonly type: 'close' }

export type FromCommitThread =
  | {
      readonly type: 'ready'
      readonly size: number
      readonly head: SignedHead | undefined
      readonly lastTimeMs: number
      readonly publishedSize: number
    }
  | { readonly type: 'refused'; readonly code: ErrorCode; readonly message: string }
  | { readonly type: 'committed'; readonly results: readonly (Promised & { readonly ticket: number })[] }
  | { readonly type: 'failed'; readonly tickets: readonly number[]; readonly code: ErrorCode; readonly message: string }
  | { readonly type: 'head'; readonly head: SignedHead }
  | { readonly type: 'done'; readonly ticket: number; readonly result: TaskResults[Task['kind']] }
  /** The log must not go on; the gateway stops. */
  | { readonly type: 'halted'; readonly code: ErrorCode; readonly message: string }
  | { readonly type: 'closed' }

/** A committed statement with its signed promise. */
export interface Promised extends Omit<Committed, 'promiseText'> {
  /** Signed note. */
  readonly promise: string
}

/** Most statements in one transaction. */
export const MAX_BATCH = 512

/** Batches up to here are not divided. */
export const SMALL_BATCH = 16

/** Batches up to here have their promises signed by the commit thread itself. */
export const SIGNED_HERE = 64

/** Longest time from a commit to a signed head over it. */
export const HEAD_INTERVAL_MS = 200
