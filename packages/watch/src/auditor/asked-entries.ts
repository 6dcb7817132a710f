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
  /** Time that one question gets however late it is. */
  readonly leastMs: number
  readonly signal: AbortSignal
  /** Keeps what shows that an entry differed: the dossier as it came. */
  keep(judgement: Judgement, dossier: Uint8Array): void
}

/** An entry that is not settled, with what was heard of it last. */
interface OpenEntry {
  readonly asked: SampledEntry
  last: Judgement | undefined
  badDossiers: number
}

/**
 * Asks for every entry, a few at a time, in rounds: who keeps silent about one holds up no other. Each is asked once at
 * least, however late it is. Hands out what is settled, in batches; ends early when it is told to.
 *
 * @throws what `onSettled` throws
 */
export async function settleEntries(
  entries: readonly SampledEntry[],
  options: AskingOptions,
  onSettled: (batch: readonly Judgement[]) => void,
): Promise<void> {
  const { judging, deadlineMs, signal } = options
  const batches = new Batches(Math.max(SAVED_EVERY, Math.ceil(entries.length / MAX_SAVINGS)), onSettled)
  let open = entries.map((asked): OpenEntry => ({ asked, last: undefined, badDossiers: 0 }))
  for (let delayMs = FIRST_RETRY_MS; open.length > 0; delayMs = Math.min(delayMs * 2, MAX_RETRY_MS)) {
    const round = await askRound(open, options, batches)
    if (signal.aborted) return
    open = round.open
    const leftMs = deadlineMs - judging.now()
    if (leftMs <= 0 || open.length === 0) break
    await pause(Math.min(Math.max(delayMs, round.retryAfterMs), leftMs), signal)
  }
  for (const { last } of open) if (last !== undefined) batches.add(last)
  batches.flush()
}

async function askRound(entries: readonly OpenEntry[], options: AskingOptions, batches: Batches) {
  const queue = entries.values()
  const open: OpenEntry[] = []
  let retryAfterMs = 0
  const work = async () => {
    for (const entry of queue) {
      if (options.signal.aborted) return
      const heard = await askOnce(entry.asked, options)
      entry.last = heard.judgement
      if (heard.judgement.standing === 'bad') entry.badDossiers++
      const isSettled = heard.judgement.standing === 'final' || entry.badDossiers === MAX_BAD_DOSSIERS
      if (isSettled) batches.add(heard.judgement)
      else open.push(entry)
      retryAfterMs = Math.max(retryAfterMs, heard.retryAfterMs ?? 0)
    }
  }
  await Promise.all(Array.from({ length: MAX_ASKED_AT_ONCE }, work))
  return { open, retryAfterMs }
}

/** Hands out so many at a time. */
class Batches {
  readonly #size: number
  readonly #hand: (batch: readonly Judgement[]) => void
  #batch: Judgement[] = []

  constructor(size: number, hand: (batch: readonly Judgement[]) => void) {
    this.#size = size
    this.#hand = hand
  }

  add(judgement: Judgement): void {
    this.#batch.push(judgement)
    if (this.#batch.length >= this.#size) this.flush()
  }

  flush(): void {
    const batch = this.#batch
    this.#batch = []
    if (batch.length > 0) this.#hand(batch)
  }
}

async function askOnce(
  asked: SampledEntry,
  { judging, access, deadlineMs, leastMs, keep }: AskingOptions,
): Promise<{ readonly judgement: Judgement; readonly retryAfterMs?: number | undefined }> {
  let reply: GatewayReply
  try {
    reply = await access.entry(asked.index, Math.max(leastMs, deadlineMs - judging.now()))
  } catch (thrown) {
    if (!(thrown instanceof CountersignError)) throw thrown
    return { judgement: unanswered(asked, thrown.code) }
  }
  const judgement = await judgeReply(judging, asked, reply)
  if (judgement.entry.outcome === 'differed') keep(judgement, reply.body)
  return { judgement, retryAfterMs: reply.retryAfterMs }
}
