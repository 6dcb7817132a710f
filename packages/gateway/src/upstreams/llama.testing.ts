/** Language models that say what a test tells them to: what an upstream makes of a model is looked at without running one. */
import { type GeneratedPiece, type GenerationRequest, LLAMA_PROFILE, type LlamaModel } from '@countersign/engines'
import { CountersignError } from '@countersign/verify'

export interface ScriptedModel extends LlamaModel {
  /** What it was asked for. */
  readonly asked: GenerationRequest[]
  /** Generations under way. */
  readonly underWay: number
  readonly isClosed: boolean
}

export interface Script {
  readonly pieces?: readonly string[]
  readonly finish?: 'stop' | 'length'
  /** Thrown before that piece. */
  readonly failure?: { readonly at: number; readonly error: Error }
  /** Whether it waits for a while before each piece after the first. */
  readonly isSlow?: boolean
}

export function scriptedModel({
  pieces = ['Hel', 'lo'],
  finish = 'stop',
  failure,
  isSlow,
}: Script = {}): ScriptedModel {
  const asked: GenerationRequest[] = []
  let underWay = 0
  let isClosed = false
  async function* generate(request: GenerationRequest): ReturnType<LlamaModel['generate']> {
    asked.push(request)
    underWay++
    try {
      for (const [i, text] of [...pieces, ''].entries()) {
        request.signal?.throwIfAborted()
        if (failure?.at === i) throw failure.error
        if (isSlow === true && i > 0) await new Promise((resolve) => setTimeout(resolve, 5))
        if (text !== '') yield { text, tokens: 1 } satisfies GeneratedPiece
      }
      return { finish, promptTokens: request.prompt.length, completionTokens: pieces.length }
    } finally {
      underWay--
    }
  }
  return {
    profile: LLAMA_PROFILE,
    digest: '0123456789abcdef'.repeat(4),
    contextTokens: 128,
    asked,
    get underWay() {
      return underWay
    },
    get isClosed() {
      return isClosed
    },
    chatPrompt: (messages) => messages.map(({ role, content }) => `<${role}>${content}`).join(''),
    countTokens: (text) => text.length,
    generate,
    async embed(texts) {
      if (texts.includes('')) throw new CountersignError('request/malformed', 'texts[0]: a text is needed')
      return texts.map((text, i) => Float32Array.of(text.length, 0.5, i))
    },
    async close() {
      isClosed = true
    },
  }
}
