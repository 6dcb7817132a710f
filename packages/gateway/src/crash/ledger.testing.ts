/** What a client remembers of a gateway: every answer that it got anything of, and every head that it was shown. */
import type { Question } from './question.testing.ts'
import { type Answer, receiveAnswer } from './received.testing.ts'

export interface Ledger {
  readonly answers: Answer[]
  /** Signed checkpoints, as shown. */
  readonly heads: Set<string>
  /** By receipt: once asked for, content may be gone; once confirmed, it must be. */
  readonly erasures: Map<string, 'asked' | 'confirmed'>
}

export function createLedger(): Ledger {
  return { answers: [], heads: new Set(), erasures: new Map() }
}

/** Asks once; remembers what came of the answer. False when the gateway was gone or refused. */
export async function ask(url: string, ledger: Ledger, question: Question): Promise<boolean> {
  const received = await receiveAnswer(url, question)
  if (received === undefined) return false
  ledger.answers.push(received)
  return received.isWhole || question.leaveAfterBytes !== undefined
}

/** Looks at the published checkpoint, as a witness would, and remembers it. */
export async function lookAtCheckpoint(url: string, ledger: Ledger): Promise<void> {
  try {
    const reply = await fetch(`${url}/log/checkpoint`)
    const note = await reply.text()
    if (reply.status === 200) ledger.heads.add(note)
  } catch {
    // The gateway was killed: nothing was shown.
  }
}
