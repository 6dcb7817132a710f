/** The models that clients may ask for, as OpenAI's and Anthropic's libraries list them. */
import type { Hono } from 'hono'
import { requireRight } from '../access/api-key.ts'
import type { RelayDeployment } from '../deployments/deployments.ts'
import type { Services } from '../services.ts'
import { type Reply, reply } from './reply.ts'
import { keyFromHeaders } from './request-headers.ts'

/** No model has a date of its own here; clients only want a number. */
const CREATED = 0

interface Listed {
  readonly id: string
  readonly owner: string
}

/** `GET /v1/models` and `GET /v1/models/{id}`; patterns are not listed, but models that fit one are found by name. */
export function addModelRoutes(app: Hono, gateway: Services, respond: (reply: Reply) => Response): void {
  app.get('/v1/models', (c) => {
    const models = listModels(gateway, c.req.raw.headers)
    return respond(reply(200, isAnthropic(c.req.raw.headers) ? anthropicList(models) : openaiList(models)))
  })
  app.get('/v1/models/:id{.+}', (c) => {
    // Decoded already, where it is percent-encoded as it should be.
    const id = c.req.param('id')
    const key = gateway.authenticate(keyFromHeaders(c.req.raw.headers))
    const deployment = gateway.relayDeployment(id)
    if (key !== undefined) requireRight(key, 'infer', deployment.name)
    const model = { id, owner: deployment.manifest.operator.name }
    return respond(reply(200, isAnthropic(c.req.raw.headers) ? anthropicModel(model) : openaiModel(model)))
  })
}

function listModels(gateway: Services, headers: Headers): readonly Listed[] {
  const key = gateway.authenticate(keyFromHeaders(headers))
  const isAllowed = ({ name }: RelayDeployment) =>
    key === undefined || key.deployments === 'all' || key.deployments.includes(name)
  return gateway.deployments.flatMap((deployment) => {
    if (deployment.kind !== 'relay' || !isAllowed(deployment)) return []
    const owner = deployment.manifest.operator.name
    return deployment.answersTo.filter((id) => !id.endsWith('*')).map((id) => ({ id, owner }))
  })
}

function isAnthropic(headers: Headers): boolean {
  return headers.has('anthropic-version')
}

function openaiModel({ id, owner }: Listed) {
  return { id, object: 'model', created: CREATED, owned_by: owner }
}

function openaiList(models: readonly Listed[]) {
  return { object: 'list', data: models.map(openaiModel) }
}

function anthropicModel({ id }: Listed) {
  return { type: 'model', id, display_name: id, created_at: new Date(CREATED).toISOString() }
}

function anthropicList(models: readonly Listed[]) {
  return {
    data: models.map(anthropicModel),
    has_more: false,
    first_id: models[0]?.id ?? null,
    last_id: models.at(-1)?.id ?? null,
  }
}
