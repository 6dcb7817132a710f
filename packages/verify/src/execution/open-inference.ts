/** Requests and answers of tensor models. @spec Open Inference Protocol v2, "Inference Request/Response JSON Object" */

import { utf8 } from '../bytes/bytes.ts'
import { type Json, type JsonLimits, parseJson } from '../bytes/json.ts'
import { Fields } from '../bytes/shape.ts'
import { formatTensor, parseTensor, readName, refuseUnread, type Tensor } from './tensor.ts'

export interface InferenceRequest {
  readonly id: string | undefined
  readonly inputs: readonly Tensor[]
  /** Names of the outputs asked for; all when empty. */
  readonly outputs: readonly string[]
}

export interface InferenceResponse {
  readonly modelName: string
  readonly id: string | undefined
  readonly outputs: readonly Tensor[]
}

/** Nesting of objects, lists and tensor data. */
export const MAX_REQUEST_DEPTH = 16
const MAX_TENSORS = 64
const LIMITS: JsonLimits = { maxBytes: 32 * 1024 * 1024, maxDepth: MAX_REQUEST_DEPTH }

/**
 * Reads the body of an infer request.
 *
 * @throws {CountersignError} `json/*`, `shape/*`, `tensor/*`, `bytes/*`
 */
export function parseInferenceRequest(bytes: Uint8Array): InferenceRequest {
  const fields = new Fields(parseJson(bytes, LIMITS), 'request')
  const id = fields.optional('id', () => fields.text('id', { maxLength: 256, mayBeEmpty: true }))
  refuseUnread(fields, 'parameters')
  const inputs = fields.list('inputs', MAX_TENSORS, parseTensor)
  const outputs = fields.optional('outputs', () => fields.list('outputs', MAX_TENSORS, readRequestedOutput)) ?? []
  fields.end()
  return { id, inputs, outputs }
}

function readRequestedOutput(item: Json, path: string): string {
  const fields = new Fields(item, path)
  const name = readName(fields.required('name'), fields.at('name'))
  refuseUnread(fields, 'parameters')
  fields.end()
  return name
}

/**
 * Reads the body of an infer response.
 *
 * @throws {CountersignError} `json/*`, `shape/*`, `tensor/*`, `bytes/*`
 */
export function parseInferenceResponse(bytes: Uint8Array): InferenceResponse {
  const fields = new Fields(parseJson(bytes, LIMITS), 'response')
  const response = {
    modelName: fields.text('model_name', { maxLength: 256 }),
    id: fields.optional('id', () => fields.text('id', { maxLength: 256, mayBeEmpty: true })),
    outputs: fields.list('outputs', MAX_TENSORS, parseTensor),
  }
  refuseUnread(fields, 'model_version')
  refuseUnread(fields, 'parameters')
  fields.end()
  return response
}

/** The body of an infer response. */
export function formatInferenceResponse({ modelName, id, outputs }: InferenceResponse): Uint8Array {
  const head = id === undefined ? { model_name: modelName } : { model_name: modelName, id }
  return utf8(JSON.stringify({ ...head, outputs: outputs.map(formatTensor) }))
}
