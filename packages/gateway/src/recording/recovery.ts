/** What a crash interrupted: admitted requests without a statement get one that says so. */
import { setTimeout } from 'node:timers/promises'
import { codeOf } from '@countersign/verify'
import type { Intent } from '../journal/intent-journal.ts'
import type { LogService } from '../log/log-service.ts'
import type { StatementReader } from '../store/statement-reader.ts'
import { splitPayload, type UnsequencedPredicate } from './predicate.ts'

/** Appends an `interrupted` statement for each intent that the log does not know; how many there were. */
export async function recoverIntents(
  intents: readonly Intent[],
  log: LogService,
  statements: StatementReader,
  epoch: string,
): Promise<number> {
  // One statement for each, also where an intent should stand twice.
  const byReceipt = new Map(intents.map((intent) => [intent.receipt, intent]))
  const lost = [...byReceipt.values()].filter((intent) => statements.byReceipt(intent.receipt) === undefined)
  await Promise.all(lost.map((intent) => log.append(interrupted(intent, log.clock.read().timeMs, epoch))))
  return lost.length
}

/** Between two tries while the disk is full. */
const RETRY_MS = 1000

/**
 * Appends an `interrupted` statement, trying again for as long as the disk is full.
 *
 * @throws {CountersignError} `log/closed`, `data/damaged`: then only a restart can record it
 */
export async function recordInterrupted(intent: Intent, log: LogService, epoch: string): Promise<void> {
  for (;;) {
    try {
      await log.append(interrupted(intent, log.clock.readClamped().timeMs, epoch))
      return
    } catch (thrown) {
      if (codeOf(thrown) !== 'disk/full') throw thrown
      await setTimeout(RETRY_MS, undefined, { ref: false })
    }
  }
}

function interrupted(intent: Intent, endedAtMs: number, epoch: string) {
  const predicate: UnsequencedPredicate = {
    receipt: intent.receipt,
    deployment: { name: intent.deployment, statement: intent.manifest },
    model: { requested: intent.model, served: intent.model, digestSource: 'unknown' },
    parameters: {},
    usage: 'unknown',
    // How many bytes of a stream had left, nobody knows any more.
    finish: { reason: 'interrupted', by: 'gateway' },
    price: [],
    attempts: [],
    observations: [],
    evidence: [],
    parents: [],
    startedAtMs: intent.startedAtMs,
    endedAtMs,
    checkpoint: intent.checkpoint,
    epoch,
  }
  return {
    kind: 'inference' as const,
    deployment: intent.deployment,
    receipt: new Uint8Array(Buffer.from(intent.receipt, 'hex')),
    ...splitPayload(predicate, [['request-received', intent.request]]),
    vault: null,
  }
}
