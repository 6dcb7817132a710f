/** Requests that come as forms: only the model's name is read. */
import { CountersignError, readText, ShapeError } from '@countersign/verify'
import { MAX_MODEL_LENGTH, type RequestFacts } from './dialect.ts'

/**
 * Reads the model that a form asks for. The form's bytes are left as they are.
 *
 * @throws {CountersignError} `request/malformed` when it is no form; `shape/missing-field`, `shape/bad-value` for the model
 */
export async function readForm(bytes: Uint8Array, contentType: string | undefined): Promise<RequestFacts> {
  if (contentType === undefined || !/^multipart\/form-data\s*;/i.test(contentType)) {
    throw new CountersignError('request/malformed', 'send the request as multipart/form-data')
  }
  const body = bytes as Uint8Array<ArrayBuffer>
  const form = await new Response(body, { headers: { 'content-type': contentType } }).formData().catch(() => undefined)
  if (form === undefined) throw new CountersignError('request/malformed', 'the request is no multipart form')
  const models = form.getAll('model')
  const [model] = models
  if (models.length !== 1 || typeof model !== 'string') {
    throw new ShapeError('shape/missing-field', 'model', 'this field is required, once, as text')
  }
  return { model: readText(model, 'model', { maxLength: MAX_MODEL_LENGTH }), isStream: false, parameters: {} }
}
