/** Asks for entries until each is settled, or the time is up. */
import { CountersignError } from '@countersign/verify'
import type { SampledEntry } from './decide-audit.ts'
import type { GatewayAccess, GatewayReply } from './gateway-access.ts'
import { type Judgement, type Judging, judgeReply, unanswered } from './judge-entry.ts'
import {
  FIRST_RETRY_MS,
  MAX_ASKED_AT_ONCE,
  MAX_BAD_DOSSIERS,
  MAX_RETRY_MS,
  MAX_SAVINGS,
  SAVED_EVERY,
} from './limits.ts'
import { pause } from './pause.ts'

export interface AskingOptions {
  readonly judging: Judging
  readonly access: GatewayAccess
  readonly deadlineMs: number
  readonly signal: AbortSignal
  /** Keeps what shows that an entry differed: the dossier as it came. */
  keep(judgement: Judgement, dossier: Uint8Array): void
}

/** Least time that a question gets, however near the deadline is. */
const LEAST_TIMEOUT_MS = 1000

/**
 * Asks for every entry, a few at a time, and hands out what is settled, in batches. Ends early when it is told to.
 *
 * @throws what `onSettled` throws
 */
export async function settleEntries(
  entries: readonly SampledEntry[],
  options: AskingOptions,
  onSettled: (batch: readonly Judgement[]) => void,
): Promise<void> {
  const batchSize = Math.max(SAVED_EVERY, Math.ceil(entries.length / MAX_SAVINGS))
  const open = entries.values()
  let batch: Judgement[] = []
  const flush = () => {
    const settled = batch
    batch = []
    if (settled.length > 0) onSettled(settled)
  }
  const work = async () => {
    for (const asked of open) {
      const judgement = await settleEntry(asked, options)
      if (judgement === undefined) return
      batch.push(judgement)
      if (batch.length >= batchSize) flush()
    }
  }
  await Promise.all(Array.from({ length: MAX_ASKED_AT_ONCE }, work))
  flush()
}

/** `undefined` when it was told to stop first. */
async function settleEntry(asked: SampledEntry, options: AskingOptions): Promise<Judgement | undefined> {
  const { judging, deadlineMs, signal } = options
  let badDossiers = 0
  for (let delayMs = FIRST_RETRY_MS; ; delayMs = Math.min(delayMs * 2, MAX_RETRY_MS)) {
    if (signal.aborted) return undefined
    const { judgement, retryAfterMs = 0 } = await askOnce(asked, options)
    if (judgement.standing === 'final') return judgement
    if (judgement.standing === 'bad' && ++badDossiers === MAX_BAD_DOSSIERS) return judgement
    const leftMs = deadlineMs - judging.now()
    if (leftMs <= 0) return judgement
    await pause(Math.min(Math.max(delayMs, retryAfterMs), leftMs), signal)
  }
}

async function askOnce(
  asked: SampledEntry,
  { judging, access, deadlineMs, keep }: AskingOptions,
): Promise<{ readonly judgement: Judgement; readonly retryAfterMs?: number | undefined }> {
  let reply: GatewayReply
  try {
    reply = await access.entry(asked.index, Math.max(LEAST_TIMEOUT_MS, deadlineMs - judging.now()))
  } catch (thrown) {
    if (!(thrown instanceof CountersignError)) throw thrown
    return { judgement: unanswered(asked, thrown.code) }
  }
  const judgement = await judgeReply(judging, asked, reply)
  if (judgement.entry.outcome === 'differed') keep(judgement, reply.body)
  return { judgement, retryAfterMs: reply.retryAfterMs }
}
