/** What a deployment offers: shares where no answers are at hand. */
import type { DeploymentPredicate, ServedModel } from '../statement/deployment.ts'
import type { Party } from '../trust/trust-file.ts'
import type { Contribution } from './tally.ts'

/**
 * One offer for each model and each upstream of a manifest, of its operator and of whoever published the model. Nobody knows
 * the publisher of what an upstream serves.
 */
export function offersOf(
  { name, models, upstreams = [] }: DeploymentPredicate,
  operator: Party,
  publisherOf: (model: ServedModel) => Party | undefined,
): readonly Contribution[] {
  const publishers = [
    ...models.map((model) => publisherOf(model) ?? `model ${model.name}, file ${model.digest.sha256.slice(0, 16)}`),
    ...upstreams.map((upstream) => `model ${upstream.model ?? name} of upstream ${upstream.origin}`),
  ]
  const offer = { of: 'offers', weight: 1n } as const
  return publishers.flatMap((by): readonly Contribution[] => [
    { role: 'operator', ...offer, by: operator },
    { role: 'publisher', ...offer, by },
  ])
}
