/** The claim `output`: is this what that model gives for that input? */
import { CountersignError } from '../errors.ts'
import { type ExecutionRequest, type ExecutionResult, firstDifference } from '../execution/comparison.ts'
import { parseInferenceRequest, parseInferenceResponse } from '../execution/open-inference.ts'
import type { Tensor } from '../execution/tensor.ts'
import type { ServedModel } from '../statement/deployment.ts'
import type { CommittedSubject } from '../statement/inference.ts'
import type { Trust } from '../trust/trust-file.ts'
import { type AuditorWord, type AuditorWords, findAuditorWords } from './auditor-word.ts'
import { Checklist, type ClaimRow } from './checklist.ts'
import type { RecordedAnswer, VerdictInput } from './evidence.ts'
import { findServed, openDeployment } from './model.ts'

const DOES_NOT_PROVE = [
  'that these weights ran: another model may give the same output for this input',
  'that the output is correct, fair or useful for the person it concerns',
  'that the client was sent what the model gave, where the statement commits to two different answers',
]

const NOT_RUN = 'the model was not run again; run with --execute, with the model file at hand'

/** Engines that run language models. */
const LANGUAGE_ENGINES: readonly string[] = ['node-llama-cpp']

/**
 * What to run in order to settle `output`, for an answer whose record holds.
 *
 * @throws {CountersignError} `opening/missing`, `execution/unsupported`, `statement/mismatch`, `tensor/*`, `json/*`,
 *   `shape/*`, and what opening the manifest throws
 */
export function planExecution(answer: RecordedAnswer): ExecutionRequest {
  const { statement } = answer
  const model = repeatableModel(answer)
  const request = parseInferenceRequest(contentOf(answer, 'request-sent'))
  return {
    statement,
    modelDigest: model.digest.sha256,
    servedProfile: model.engine.profile,
    referenceProfile: model.referenceProfile,
    inputs: request.inputs,
    outputs: request.outputs,
  }
}

/**
 * Decides `output` for an answer whose record holds: from the execution handed in, where the model ran here, else from
 * what auditors say.
 */
export function decideOutput(answer: RecordedAnswer, { executions = [], trust }: VerdictInput): ClaimRow {
  const list = new Checklist('output')
  const result = executions.find((each) => each.statement === answer.statement)
  if (result?.outcome !== 'ran') {
    const heard = hearAuditors(answer, trust)
    if (heard.counted !== undefined) return decideByAuditors(list, answer, heard, result?.reason ?? NOT_RUN)
    // Whatever kept it from running says nothing about the answer.
    list.missing('re-execution', result?.reason ?? NOT_RUN, result?.code)
    notePassedOver(list, heard)
  } else {
    list.attempt('re-execution', () => result)
    compare(list, answer, result)
  }
  const profile = result?.outcome === 'ran' ? result.profile : ''
  return list.row(
    { grade: 're-executed', reason: `running the model again here, in profile ${profile}, gave the same output` },
    {
      basis: [`statement ${answer.statement}`, ...(result?.outcome === 'ran' ? [`file ${result.modelDigest}`] : [])],
      trusts: ['this machine and its software'],
      doesNotProve: DOES_NOT_PROVE,
    },
  )
}

/** What auditors say of an answer. */
export interface Heard extends AuditorWords {
  /** The word that decides: one that differs, before all that agree. */
  readonly counted?: AuditorWord
}

/** What auditors say of an answer that can be run again; nothing of any other. */
export function hearAuditors(answer: RecordedAnswer, trust: Trust | undefined): Heard {
  try {
    const model = repeatableModel(answer)
    const heard = trust === undefined ? NOTHING : findAuditorWords(answer, model, trust)
    // Where the manifest promises no exact agreement, that two runs differ says nothing.
    const differing = model.agreement === 'exact' ? heard.words.find((word) => !isAgreement(word)) : undefined
    const counted = differing ?? heard.words.find(isAgreement)
    return counted === undefined ? heard : { ...heard, counted }
  } catch (thrown) {
    if (thrown instanceof CountersignError) return NOTHING
    throw thrown
  }
}

const NOTHING: AuditorWords = { words: [], passedOver: [] }
/** Whether an auditor says that it gave the same output. */
export const isAgreement = ({ outcome }: AuditorWord) => outcome === 'agreed'

/** One that differs refutes, whatever others say: the relying party trusts each of them. */
function decideByAuditors(list: Checklist, answer: RecordedAnswer, heard: Heard, notRun: string): ClaimRow {
  const { words, counted } = heard
  list.notChecked('re-execution', notRun)
  list.attempt('auditor', () => {
    if (counted?.outcome === 'agreed') return
    const why = `auditor ${counted?.auditor.name} ran the model again, and says that the output differs`
    throw new CountersignError('execution/output-differs', why)
  })
  notePassedOver(list, heard)
  const agreeing = words.filter(isAgreement)
  const names = [...new Set(agreeing.map(({ auditor }) => `auditor ${auditor.name}`))]
  const reason = `${names.join(', ')} ran the model again, and says that it gave the same output`
  return list.row(
    { grade: 'auditor-re-executed', reason },
    {
      basis: [`statement ${answer.statement}`, ...words.map(({ result }) => `statement ${result}`)],
      trusts: names,
      doesNotProve: ['that the model was run at all: this is the auditor’s word', ...DOES_NOT_PROVE],
    },
  )
}

function notePassedOver(list: Checklist, { passedOver }: AuditorWords): void {
  for (const { message } of passedOver) list.notChecked('other-auditor', message)
}

type Ran = Extract<ExecutionResult, { outcome: 'ran' }>

function compare(list: Checklist, answer: RecordedAnswer, ran: Ran): void {
  const model = list.attempt('manifest', () => repeatableModel(answer))
  if (model === undefined) return
  const isSame = list.attempt('model-file', () => {
    if (ran.modelDigest === model.digest.sha256 && ran.profile === model.referenceProfile) return true
    throw new CountersignError('execution/unsupported', 'another file or profile was run than the manifest names')
  })
  if (isSame === undefined) return
  const claimed = list.attempt('answer', () => readAnswer(answer))
  if (claimed === undefined) return
  const difference = firstDifference(claimed, ran.outputs)
  list.attempt('agreement', () => {
    if (difference === undefined) return
    const place = difference.position === undefined ? '' : ` at ${difference.position}`
    const why = `${difference.tensor}${place}: the answer has ${difference.claimed}, running it again gave ${difference.computed}`
    if (model.agreement === 'exact') throw new CountersignError('execution/output-differs', why)
    throw new CountersignError('execution/inexact', `${why}; the manifest promises no exact agreement`)
  })
}

/**
 * The model to run again, where an answer like this can be.
 *
 * @throws {CountersignError} `execution/unsupported`, `statement/mismatch`, and what opening the manifest throws
 */
function repeatableModel(answer: RecordedAnswer): ServedModel {
  const { reason } = answer.inference.finish
  if (reason === 'error' || reason === 'interrupted') {
    throw new CountersignError('execution/unsupported', `the answer ended with "${reason}"`)
  }
  const model = findServed(openDeployment(answer).models, answer.inference)
  // No profile gives the same text on every machine, and there is no tolerance between two texts.
  if (reason !== 'complete' || LANGUAGE_ENGINES.includes(model.engine.name)) {
    throw new CountersignError('execution/unsupported', 'language models are not run again in this release')
  }
  return model
}

/** The outputs that the answer claims, after it was found to name the deployment that gave it. */
function readAnswer(answer: RecordedAnswer): readonly Tensor[] {
  const { modelName, outputs } = parseInferenceResponse(contentOf(answer, 'response-received'))
  if (modelName === answer.inference.model.requested) return outputs
  throw new CountersignError('execution/output-differs', 'the answer names another model than was asked for')
}

function contentOf(answer: RecordedAnswer, subject: CommittedSubject): Uint8Array {
  const content = answer.content.get(subject)
  if (content === undefined) throw new CountersignError('opening/missing', `the dossier does not open ${subject}`)
  return content
}
