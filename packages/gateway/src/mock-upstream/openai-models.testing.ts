/** OpenAI's list of models: one per scenario. */
import type { Model } from 'openai/resources/models'
import { type Answer, type Call, CREATED_SECONDS, jsonAnswer } from './answer.testing.ts'
import { OPENAI } from './provider.testing.ts'
import { findScenario, modelNames } from './scenario.testing.ts'

export function answerModels({ digest }: Call): Answer {
  const text = JSON.stringify({ object: 'list', data: modelNames().map(modelOf) })
  return jsonAnswer(200, OPENAI.headers(digest), text)
}

export function answerModel({ digest, parameters: [name = ''] }: Call): Answer {
  if (findScenario(name) === undefined) return OPENAI.error(404, `The model '${name}' does not exist.`, digest)
  return jsonAnswer(200, OPENAI.headers(digest), JSON.stringify(modelOf(name)))
}

function modelOf(id: string): Model {
  return { id, object: 'model', created: CREATED_SECONDS, owned_by: 'mock-upstream' }
}
