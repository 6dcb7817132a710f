/** A real engine: the bundled language model, streamed, with a record that names its weights. */
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { existsSync, readFileSync } from 'node:fs'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { exampleConfig } from '../config/config.ts'
import { provideLlama } from '../engines.testing.ts'
import { call, startGateway, temporaryFolder, testConfig } from '../gateway.testing.ts'
import { chat, commitmentWith, send, statementOf, withoutPromise } from './relay.testing.ts'

const MODEL = fileURLToPath(new URL('../../../../models/tiny-english/tiny-english-f16.gguf', import.meta.url))

test('tiny-english answers, whole and streamed, and its statement names the file', async (context) => {
  const reason = existsSync(MODEL) ? await provideLlama() : 'the model is not here'
  if (reason !== undefined) return context.skip(reason)
  const folder = temporaryFolder(context)
  const base = testConfig(folder)
  const [, language] = exampleConfig(base.dataRoot, '', MODEL).deployments
  assert.ok(language !== undefined)
  const stage = await startGateway(context, { ...base, deployments: [...base.deployments, language] })
  const path = '/v1/chat/completions'
  const body = { max_tokens: 16, temperature: 0.7, seed: 7 }
  const whole = await send(stage.gateway, path, chat('tiny-english', body))
  assert.equal(whole.status, 200, whole.bytes.toString())
  const streamed = await send(stage.gateway, path, chat('tiny-english', { ...body, stream: true }))
  const { bytes, promises } = withoutPromise(streamed.bytes)
  assert.equal(promises.length, 1)
  assert.equal(textOf(bytes.toString()), JSON.parse(whole.bytes.toString()).choices[0].message.content)
  const statement = await statementOf(stage, String(streamed.headers['countersign-receipt']))
  const digest = createHash('sha256').update(readFileSync(MODEL)).digest('hex')
  assert.deepEqual(statement.model, {
    requested: 'tiny-english',
    served: 'tiny-english-f16',
    digestSource: 'loaded-file',
    digest: { sha256: digest },
  })
  assert.equal(statement.engine?.name, 'node-llama-cpp')
  assert.equal(statement.parameters.seed, '7')
  assert.equal(statement.finish.reason, 'length')
  assert.equal(statement.commitments['response-delivered'], commitmentWith(streamed, 'response', bytes))
  const embedded = await call(
    stage.gateway,
    'POST',
    '/v1/embeddings',
    { 'content-type': 'application/json' },
    JSON.stringify({ model: 'tiny-english', input: 'It was dark.' }),
  )
  assert.equal(JSON.parse(embedded.text).data[0].embedding.length, 256)
})

/** The text of a stream's deltas. */
function textOf(stream: string): string {
  return stream
    .split('\n')
    .filter((line) => line.startsWith('data: {'))
    .map((line) => JSON.parse(line.slice(6)).choices[0]?.delta?.content ?? '')
    .join('')
}
