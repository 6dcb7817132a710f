/** The claim `model`: which weights produced the answer? */
import { CountersignError } from '../errors.ts'
import { parseDeployment, type ServedModel } from '../statement/deployment.ts'
import { parseModel } from '../statement/model.ts'
import type { Grade } from '../trust/requirement.ts'
import { Checklist, type ClaimRow } from './checklist.ts'
import type { RecordedAnswer, VerdictInput } from './evidence.ts'

const DOES_NOT_PROVE = [
  'that these weights really ran: only attested hardware could show that, and re-execution only that they fit this input',
  'that the model is good, fair or fit for its purpose',
]

/** Decides `model` for an answer whose record holds. */
export function decideModel(answer: RecordedAnswer, { crypto }: VerdictInput): ClaimRow {
  const { inference, linked } = answer
  const list = new Checklist('model')
  const digest = inference.model.digest?.sha256
  if (digest === undefined) list.missing('digest', 'the statement names no digest of the weights')

  const deployment = list.attempt('deployment', () => openDeployment(answer))
  const served =
    deployment && list.attempt('manifest', () => findServed(deployment.models, inference.model.served, digest))
  const registration =
    served &&
    list.attempt('registration', () => {
      const signed = linked.open(served.registration, ['publisher', 'operator'])
      const model = parseModel(crypto, signed.statement)
      if (model.files.some((file) => file.digest === served.digest.sha256)) return signed
      throw new CountersignError('leaf/mismatch', 'the registered model has no file of that digest')
    })
  const grade: Grade = registration?.signer.roles.includes('publisher') ? 'provider-signed' : 'operator-asserted'
  const registrar = grade === 'provider-signed' ? `publisher ${registration?.signer.name}` : 'the operator itself'
  const reason = `the operator says that it loaded the file ${digest}, which its manifest allows and ${registrar} registered`
  return list.row(
    { grade, reason },
    {
      basis: [
        `file ${digest}`,
        `statement ${inference.deployment.statement}`,
        ...(served ? [`statement ${served.registration}`] : []),
      ],
      trusts: [`operator ${answer.operator.name}`],
      doesNotProve: DOES_NOT_PROVE,
    },
  )
}

/**
 * The manifest that the answer's statement names.
 *
 * @throws {CountersignError} what opening the statement throws; `leaf/mismatch` when it is for another name
 */
export function openDeployment({ inference, linked }: RecordedAnswer) {
  const signed = linked.open(inference.deployment.statement, ['operator'])
  const deployment = parseDeployment(signed.statement)
  if (deployment.name !== inference.deployment.name) {
    throw new CountersignError('leaf/mismatch', 'the manifest is for a deployment of another name')
  }
  return deployment
}

function findServed(models: readonly ServedModel[], name: string, digest: string | undefined): ServedModel {
  const served = models.find((model) => model.name === name && model.digest.sha256 === digest)
  if (served === undefined) {
    throw new CountersignError(
      'execution/model-not-found',
      `the manifest allows no model ${name} with digest ${digest}`,
    )
  }
  return served
}
