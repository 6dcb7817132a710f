/** What an answer contributes to shares: who served it, whose model it was, who was paid. @spec spec/independence.md */
import type { Crypto } from '../crypto/crypto.ts'
import { CountersignError } from '../errors.ts'
import type { Contribution } from '../independence/tally.ts'
import type { Inference } from '../statement/inference.ts'
import { parseModel } from '../statement/model.ts'
import type { Party, Trust } from '../trust/trust-file.ts'
import type { RecordedAnswer } from './evidence.ts'
import { findServed, openDeployment } from './model.ts'
import { hearAuditors } from './output.ts'

/**
 * The contributions of an answer whose record holds: one inference of its operator, one of the model's publisher where a
 * model answered, each line of its price, and each audit that looked at it.
 *
 * A payee is a name that the operator wrote, found in the trust file letter by letter.
 */
export function contributionsOf(answer: RecordedAnswer, trust: Trust, crypto: Crypto): readonly Contribution[] {
  const { finish, price } = answer.inference
  const one = { of: 'inferences', weight: 1n } as const
  const isModels = finish.reason !== 'error' && finish.reason !== 'interrupted'
  const fees = price
    .filter(({ amountMicros }) => amountMicros > 0)
    .map(({ amountMicros, currency, payee }): Contribution => {
      const by = trust.parties.find(({ name }) => name === payee) ?? `payee ${payee}`
      return { role: 'payee', of: 'fees', currency, by, weight: BigInt(amountMicros) }
    })
  const published: Contribution = {
    role: 'publisher',
    ...one,
    by: publisherOf(answer, crypto) ?? modelName(answer.inference),
  }
  const audits = hearAuditors(answer, trust).words.map(({ auditor }): Contribution => {
    return { role: 'auditor', of: 'audits', by: auditor, weight: 1n }
  })
  return [{ role: 'operator', ...one, by: answer.operator }, ...(isModels ? [published] : []), ...fees, ...audits]
}

/** The publisher that registered the model's file; `undefined` where the operator did, or nobody is shown to have. */
function publisherOf(answer: RecordedAnswer, crypto: Crypto): Party | undefined {
  try {
    if (answer.inference.model.digestSource !== 'loaded-file') return undefined
    const served = findServed(openDeployment(answer).models, answer.inference)
    const signed = answer.linked.open(served.registration, ['publisher'])
    const { files } = parseModel(crypto, signed.statement)
    return files.some(({ digest }) => digest === served.digest.sha256) ? signed.signer : undefined
  } catch (thrown) {
    if (!(thrown instanceof CountersignError)) throw thrown
    return undefined
  }
}

/** A model that nobody knows the publisher of: by its file, or by what an upstream calls it. */
function modelName({ model, attempts }: Inference): string {
  if (model.digestSource === 'loaded-file') return `model ${model.served}, file ${model.digest?.sha256.slice(0, 16)}`
  const upstream = attempts.findLast(({ outcome }) => outcome === 'answered')?.upstream
  return upstream === undefined ? `model ${model.served}` : `model ${model.served} of upstream ${upstream}`
}
