/** The claim `model`: which weights produced the answer? */
import { CountersignError, quote } from '../errors.ts'
import { parseDeployment, type ServedModel } from '../statement/deployment.ts'
import type { Attempt, Inference } from '../statement/inference.ts'
import { parseModel } from '../statement/model.ts'
import type { ServedUpstream } from '../statement/routing.ts'
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
  if (inference.model.digestSource !== 'loaded-file') list.missing('digest', whyUnknown(inference))

  const { reason: finish } = inference.finish
  if (finish === 'error' || finish === 'interrupted') {
    list.missing('finish', `the answer ended with "${finish}": no model's answer stands behind it`)
  }
  const deployment = list.attempt('deployment', () => openDeployment(answer))
  const upstreams = deployment?.upstreams
  if (upstreams !== undefined) list.attempt('route', () => checkRoute(upstreams, deployment?.models ?? [], inference))
  // A manifest lists models by digest: where there is none, it neither allows nor forbids.
  const served =
    deployment && digest !== undefined
      ? list.attempt('manifest', () => findServed(deployment.models, inference))
      : undefined
  const registration =
    served &&
    list.attempt('registration', () => {
      const signed = linked.open(served.registration, ['publisher', 'operator'])
      if (!signed.signer.roles.includes('publisher') && signed.signer.name !== answer.operator.name) {
        throw new CountersignError('statement/mismatch', 'another operator than the answer’s registered the model')
      }
      const model = parseModel(crypto, signed.statement)
      if (model.files.some((file) => file.digest === served.digest.sha256)) return signed
      throw new CountersignError('statement/mismatch', 'the registered model has no file of that digest')
    })
  // A publisher that the operator owns adds nothing to the operator's word.
  const isPublished =
    registration?.signer.roles.includes('publisher') && registration.signer.owner !== answer.operator.owner
  const grade: Grade = isPublished ? 'provider-signed' : 'operator-asserted'
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
 * @throws {CountersignError} what opening the statement throws; `statement/mismatch` when it is for another name
 */
export function openDeployment({ inference, linked, operator }: RecordedAnswer) {
  const signed = linked.open(inference.deployment.statement, ['operator'])
  // Another operator's manifest says nothing about this one's answers, nor do those who accepted it.
  if (signed.signer.name !== operator.name) {
    throw new CountersignError('statement/mismatch', 'the manifest is another operator’s than the answer')
  }
  const deployment = linked.read(signed, 'deployment', parseDeployment)
  if (deployment.name !== inference.deployment.name) {
    throw new CountersignError('statement/mismatch', 'the manifest is for a deployment of another name')
  }
  return deployment
}

/** Why nobody knows which weights answered. */
function whyUnknown({ model, attempts, repeats }: Inference): string {
  const upstream = attempts.findLast(({ outcome }) => outcome === 'answered')?.upstream
  const through = upstream === undefined ? '' : `the answer came through the upstream ${quote(upstream)}: `
  const again = repeats === undefined ? '' : `the answer repeats that of receipt ${repeats}: `
  const reported = model.digestSource === 'upstream-reported' ? '; their digest is only what was reported' : ''
  return `${again}${through}nobody here loaded the weights${reported}`
}

/**
 * Refuses an answer for which a request went to a place that the manifest does not name. Engines of the manifest's own
 * models are such places too.
 *
 * @throws {CountersignError} `statement/mismatch`
 */
function checkRoute(upstreams: readonly ServedUpstream[], models: readonly ServedModel[], inference: Inference): void {
  const isAllowed = ({ upstream, model = inference.model.requested }: Attempt) =>
    models.some(({ engine }) => engine.name === upstream) ||
    upstreams.some((each) => each.name === upstream && (each.model ?? inference.model.requested) === model)
  const astray = inference.attempts.find((attempt) => !isAllowed(attempt))
  if (astray === undefined) return
  const asked = astray.model === undefined ? '' : ` for the model ${quote(astray.model)}`
  throw new CountersignError(
    'statement/mismatch',
    `the manifest allows no request to the upstream ${quote(astray.upstream)}${asked}`,
  )
}

/**
 * The model of the manifest that the answer's statement says served it.
 *
 * @throws {CountersignError} `execution/unsupported` when the statement has no digest of the weights;
 *   `statement/mismatch` when the manifest allows no such model, or not on that engine
 */
export function findServed(models: readonly ServedModel[], inference: Inference): ServedModel {
  const { model, engine } = inference
  const digest = model.digest?.sha256
  if (digest === undefined) throw new CountersignError('execution/unsupported', whyUnknown(inference))
  const named = models.filter((each) => each.name === model.served && each.digest.sha256 === digest)
  if (named.length === 0) {
    throw new CountersignError(
      'statement/mismatch',
      `the manifest allows no model ${model.served} with digest ${digest}`,
    )
  }
  const served = named.find(
    (each) =>
      engine?.name === each.engine.name &&
      engine.version === each.engine.version &&
      engine.profile === each.engine.profile,
  )
  if (served === undefined) {
    throw new CountersignError('statement/mismatch', 'the manifest allows this model on another engine')
  }
  return served
}
