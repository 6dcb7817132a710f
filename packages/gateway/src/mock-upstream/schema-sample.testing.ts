/** One value that a JSON Schema accepts: what a model says that must answer in a shape, or that calls a tool. */

export type Schema = { readonly [keyword: string]: unknown }

/** Nesting at which a recursive schema is cut off. */
const MAX_DEPTH = 16

const TEXTS: { readonly [format: string]: string } = {
  date: '2026-01-01',
  'date-time': '2026-01-01T00:00:00Z',
  email: 'someone@example.com',
  uuid: '00000000-0000-4000-8000-000000000000',
}

/** Reads the keywords that providers take in strict mode; a schema that asks for more may get a value that it refuses. */
export function sampleOf(schema: Schema): unknown {
  return sample(schema, schema, 0)
}

function sample(schema: Schema, root: Schema, depth: number): unknown {
  if (depth > MAX_DEPTH) return null
  const inner = (next: unknown) => sample(asSchema(next), root, depth + 1)
  if ('const' in schema) return schema.const
  if (Array.isArray(schema.enum)) return schema.enum[0]
  if (typeof schema.$ref === 'string') return inner(resolve(root, schema.$ref))
  for (const choices of [schema.anyOf, schema.oneOf]) if (Array.isArray(choices)) return inner(choices[0])
  const type = Array.isArray(schema.type) ? schema.type[0] : schema.type
  switch (type) {
    case 'string':
      return TEXTS[String(schema.format)] ?? 'mock'
    case 'integer':
    case 'number':
      return typeof schema.minimum === 'number' ? schema.minimum : 1
    case 'boolean':
      return true
    case 'null':
      return null
    case 'array':
      return [inner(schema.items)]
    default:
      return Object.fromEntries(Object.entries(asSchema(schema.properties)).map(([name, next]) => [name, inner(next)]))
  }
}

function resolve(root: Schema, reference: string): unknown {
  const [, ...names] = reference.split('/')
  return names.reduce((at: unknown, name) => asSchema(at)[name], root)
}

function asSchema(value: unknown): Schema {
  return typeof value === 'object' && value !== null ? (value as Schema) : {}
}
