/** What must be true once clients are done, whatever they did. */
import assert from 'node:assert/strict'
import { type Inference, parseInference, parseStatement } from '@countersign/verify'
import type { Gateway } from '../gateway.ts'
import type { RelayStage } from './relay.testing.ts'

const PAUSE_MS = 20

/** Waits until something holds; after that long it never will. */
export async function eventually(holds: () => boolean, what: string, withinMs = 30_000): Promise<void> {
  const untilMs = performance.now() + withinMs
  while (!holds()) {
    if (performance.now() > untilMs) assert.fail(`not within ${withinMs} ms: ${what}`)
    await new Promise((resolve) => setTimeout(resolve, PAUSE_MS))
  }
}

/** All statements about answers, by receipt. No receipt has two. */
export function recordedInferences({ log }: Gateway): ReadonlyMap<string, Inference> {
  const payloads = log.database.prepare("SELECT payload FROM statements WHERE kind = 'inference'").pluck().all()
  const inferences = (payloads as Uint8Array[]).map((payload) =>
    parseInference(parseStatement(new Uint8Array(payload))),
  )
  const byReceipt = new Map(inferences.map((inference) => [inference.receipt, inference]))
  assert.equal(byReceipt.size, inferences.length)
  return byReceipt
}

/**
 * Nothing is under way any more, no slot of the journal is taken, nothing was an internal error, and every receipt that
 * a client was given has its statement.
 */
export async function assertSettled({ gateway, errors }: RelayStage, receipts: Iterable<string>): Promise<void> {
  await eventually(() => gateway.health().inFlight === 0, 'requests end')
  await eventually(() => gateway.recording.journal.inUse === 0, 'slots of the journal are free')
  const recorded = recordedInferences(gateway)
  for (const receipt of receipts) assert.ok(recorded.has(receipt), `there is no statement of ${receipt}`)
  assert.deepEqual(errors, [])
}
