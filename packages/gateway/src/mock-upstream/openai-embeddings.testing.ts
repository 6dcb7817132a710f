/** OpenAI's embeddings: a unit vector that follows from the input's text. */
import { createHash } from 'node:crypto'
import type { CreateEmbeddingResponse, EmbeddingCreateParams } from 'openai/resources/embeddings'
import { type Answer, type Call, inputTokensOf, jsonAnswer, toJson } from './answer.testing.ts'
import { OPENAI } from './provider.testing.ts'

const DEFAULT_DIMENSIONS = 64
const MAX_DIMENSIONS = 4096
const MAX_INPUTS = 2048

/** On the wire an embedding may be base64, which the client decodes. */
type WireEmbeddings = Omit<CreateEmbeddingResponse, 'data'> & {
  readonly data: readonly {
    readonly object: 'embedding'
    readonly index: number
    readonly embedding: number[] | string
  }[]
}

export function answerEmbeddings(call: Call): Answer {
  const request = call.json as EmbeddingCreateParams
  const inputs = inputsOf(request.input)
  const dimensions = request.dimensions ?? DEFAULT_DIMENSIONS
  if (inputs.length === 0 || inputs.length > MAX_INPUTS || !(dimensions > 0 && dimensions <= MAX_DIMENSIONS)) {
    return OPENAI.error(400, 'The input or the dimensions are out of bounds.', call.digest)
  }
  const embeddings: WireEmbeddings = {
    object: 'list',
    data: inputs.map((input, index) => {
      const vector = vectorOf(JSON.stringify(input), dimensions)
      const embedding = request.encoding_format === 'base64' ? base64Of(vector) : [...vector]
      return { object: 'embedding', index, embedding }
    }),
    model: call.scenario.servedModel,
    usage: { prompt_tokens: inputTokensOf(call), total_tokens: inputTokensOf(call) },
  }
  return jsonAnswer(200, OPENAI.headers(call.digest), toJson(embeddings, call.scenario))
}

/** One text, texts, tokens, or lists of tokens. */
function inputsOf(input: EmbeddingCreateParams['input']): readonly unknown[] {
  return Array.isArray(input) && typeof input[0] !== 'number' ? input : [input]
}

function vectorOf(text: string, dimensions: number): Float32Array {
  const bytes = createHash('shake256', { outputLength: dimensions }).update(text).digest()
  const raw = Array.from(bytes, (byte) => byte - 127.5)
  const length = Math.sqrt(raw.reduce((sum, each) => sum + each * each, 0))
  return Float32Array.from(raw, (each) => each / length)
}

function base64Of(vector: Float32Array): string {
  const bytes = Buffer.alloc(vector.length * 4)
  for (const [i, value] of vector.entries()) bytes.writeFloatLE(value, i * 4)
  return bytes.toString('base64')
}
