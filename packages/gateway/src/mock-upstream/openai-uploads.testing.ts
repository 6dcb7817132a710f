/** OpenAI's calls with multipart bodies: files, transcriptions. */
import type { Transcription } from 'openai/resources/audio/transcriptions'
import type { FileObject } from 'openai/resources/files'
import { type Answer, type Call, CREATED_SECONDS, digestOf, jsonAnswer, toJson } from './answer.testing.ts'
import { OPENAI } from './provider.testing.ts'

interface Upload {
  readonly name: string
  readonly bytes: Uint8Array
  field(name: string): string | undefined
}

export async function answerFile(call: Call): Promise<Answer> {
  const upload = await readUpload(call)
  if (upload === undefined) return noFile(call)
  const file: FileObject = {
    id: `file-${digestOf(upload.name, upload.bytes).slice(0, 24)}`,
    object: 'file',
    bytes: upload.bytes.length,
    created_at: CREATED_SECONDS,
    filename: upload.name,
    purpose: (upload.field('purpose') ?? 'user_data') as FileObject['purpose'],
    status: 'processed',
  }
  return jsonAnswer(200, OPENAI.headers(call.digest), JSON.stringify(file))
}

export async function answerTranscription(call: Call): Promise<Answer> {
  const upload = await readUpload(call)
  if (upload === undefined) return noFile(call)
  const text = `A recording of ${upload.bytes.length} bytes.`
  if (upload.field('response_format') === 'text') {
    const headers = { ...OPENAI.headers(call.digest), 'content-type': 'text/plain; charset=utf-8' }
    return jsonAnswer(200, headers, `${text}\n`)
  }
  const transcription: Transcription = { text, usage: { type: 'duration', seconds: 3 } }
  return jsonAnswer(200, OPENAI.headers(call.digest), toJson(transcription, call.scenario))
}

function noFile({ digest }: Call): Answer {
  return OPENAI.error(400, "'file' is a required property", digest)
}

async function readUpload({ body, contentType }: Call): Promise<Upload | undefined> {
  const form = await new Response(new Uint8Array(body), { headers: { 'content-type': contentType } })
    .formData()
    .catch(() => undefined)
  const file = form?.get('file')
  if (file === undefined || file === null || typeof file === 'string') return undefined
  const field = (name: string) => {
    const value = form?.get(name)
    return typeof value === 'string' ? value : undefined
  }
  return { name: file.name, bytes: new Uint8Array(await file.arrayBuffer()), field }
}
