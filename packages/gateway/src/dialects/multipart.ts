/** Requests that come as forms: only the model's name is read. */
import { CountersignError, readText, ShapeError } from '@countersign/verify'
import { MAX_MODEL_LENGTH, type RequestFacts } from './dialect.ts'

/** Most parts of a form, and most bytes from the beginning of one to its content: more would keep the gateway from all else. */
const MAX_PARTS = 256
const MAX_PART_HEAD_BYTES = 4096

/** A boundary, and besides nothing but what the text is in anyway: servers differ in which of two boundaries they take. */
const CONTENT_TYPE =
  /^multipart\/form-data[ \t]*;[ \t]*(?:charset="?utf-8"?[ \t]*;[ \t]*)?boundary=(?:"([\w'()+,./:=?-]{1,70})"|([\w'()+./:=?-]{1,70}))[ \t]*(?:;[ \t]*charset="?utf-8"?[ \t]*)?$/i

/**
 * Reads the model that a form asks for. The form's bytes are left as they are.
 *
 * @throws {CountersignError} `request/malformed` when it is no form; `shape/missing-field`, `shape/bad-value` for the model
 */
export async function readForm(bytes: Uint8Array, contentType: string | undefined): Promise<RequestFacts> {
  const [, quoted, bare] = CONTENT_TYPE.exec(contentType ?? '') ?? []
  const boundary = quoted ?? bare
  if (contentType === undefined || boundary === undefined) {
    throw new CountersignError('request/malformed', 'send the request as multipart/form-data, with one boundary')
  }
  requireFewParts(bytes, boundary)
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

/** Counts before anything is taken apart. @throws {CountersignError} `request/malformed` */
function requireFewParts(bytes: Uint8Array, boundary: string): void {
  const form = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)
  const delimiter = `--${boundary}`
  let parts = 0
  for (let at = form.indexOf(delimiter); at >= 0; at = form.indexOf(delimiter, at + delimiter.length)) {
    const isLast = form.subarray(at + delimiter.length, at + delimiter.length + 2).toString('latin1') === '--'
    const head = form.subarray(at, at + MAX_PART_HEAD_BYTES)
    if (++parts > MAX_PARTS || !(isLast || head.includes('\r\n\r\n'))) {
      const most = `at most ${MAX_PARTS} parts, each with at most ${MAX_PART_HEAD_BYTES} bytes before its content`
      throw new CountersignError('request/malformed', `a form has ${most}`)
    }
  }
}
