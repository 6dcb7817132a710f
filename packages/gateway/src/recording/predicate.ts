/** The predicate of an answer, from what the gateway knows when it ends. */
import {
  type Attempt,
  type CitedCheckpoint,
  COMMITMENT_ALGORITHM,
  type CommittedSubject,
  INFERENCE_TYPE,
  type InferencePredicate,
  type Json,
  type PriceLine,
  statementText,
} from '@countersign/verify'
import type { Deployment } from '../deployments/deployments.ts'

/** All but what the commit assigns. */
export type UnsequencedPredicate = Omit<InferencePredicate, 'sequence'>

/** Commitments by subject, in hexadecimal. */
export type Commitments = readonly (readonly [CommittedSubject, string])[]

/**
 * The payload's text in two parts: the sequence number goes between them, in the commit.
 */
export function splitPayload(
  predicate: UnsequencedPredicate,
  commitments: Commitments,
): { readonly beforeSequence: string; readonly afterSequence: string } {
  const text = statementText({
    subjects: commitments.map(([name, commitment]) => ({ name, digest: { [COMMITMENT_ALGORITHM]: commitment } })),
    predicateType: INFERENCE_TYPE,
    predicate: predicate as unknown as Json,
  })
  return { beforeSequence: `${text.slice(0, -2)},"sequence":`, afterSequence: '}}' }
}

export interface AnswerFacts {
  readonly receipt: string
  readonly rows: number
  readonly nonce: string | undefined
  readonly finish: InferencePredicate['finish']
  readonly attempt: Attempt
  readonly clamped: boolean
  readonly startedAtMs: number
  readonly endedAtMs: number
  readonly checkpoint: CitedCheckpoint
  readonly epoch: string
}

/** The predicate of an answer by an embedded model. */
export function predicateOf(deployment: Deployment, facts: AnswerFacts): UnsequencedPredicate {
  const { served, manifest } = deployment
  const { nonce } = facts
  return {
    receipt: facts.receipt,
    deployment: { name: deployment.name, statement: deployment.statement },
    model: { requested: deployment.name, served: served.name, digestSource: 'loaded-file', digest: served.digest },
    engine: served.engine,
    parameters: {},
    usage: { rows: facts.rows },
    finish: facts.finish,
    price: manifest.prices.map((price) => priceLine(price, facts.rows, manifest.operator.name)),
    attempts: [facts.attempt],
    observations: facts.clamped ? ['clock-clamped'] : [],
    evidence: [],
    parents: [],
    ...(nonce === undefined ? {} : { nonce }),
    startedAtMs: facts.startedAtMs,
    endedAtMs: facts.endedAtMs,
    checkpoint: facts.checkpoint,
    epoch: facts.epoch,
  }
}

function priceLine(price: Deployment['manifest']['prices'][number], rows: number, payee: string): PriceLine {
  return { item: price.item, amountMicros: price.amountMicros * rows, currency: price.currency, payee }
}
