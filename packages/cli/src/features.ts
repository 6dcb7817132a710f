/** Turns an application, as people write it, into the tensor that the credit model takes. @spec models/credit/features.json */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { CountersignError, FILE_LIMITS, Fields, type Json, type Path, parseJson } from '@countersign/verify'

type Feature =
  | { readonly name: string; readonly kind: 'category'; readonly codes: readonly string[] }
  | { readonly name: string; readonly kind: 'number'; readonly minimum: number; readonly maximum: number }

export interface FeatureSchema {
  readonly inputName: string
  readonly features: readonly Feature[]
}

/** The features that the model in a folder takes. @throws {CountersignError} `file/unreadable`, `shape/*` */
export function readFeatureSchema(modelFolder: string): FeatureSchema {
  let bytes: Uint8Array
  try {
    bytes = readFileSync(join(modelFolder, 'features.json'))
  } catch {
    throw new CountersignError('file/unreadable', `${modelFolder}: there is no features.json`)
  }
  const fields = new Fields(parseJson(bytes, FILE_LIMITS), 'features')
  fields.literal('format', 'countersign-features/v1')
  return { inputName: fields.object('input').text('name'), features: fields.list('features', 256, readFeature) }
}

function readFeature(item: Json, path: Path): Feature {
  const fields = new Fields(item, path)
  const name = fields.text('name')
  if (fields.oneOf('kind', ['category', 'number'] as const) === 'category') {
    return { name, kind: 'category', codes: fields.list('codes', 256, (code, at) => new Fields(code, at).text('code')) }
  }
  return { name, kind: 'number', minimum: readNumber(fields, 'minimum'), maximum: readNumber(fields, 'maximum') }
}

function readNumber(fields: Fields, name: string): number {
  const value = fields.required(name)
  if (typeof value !== 'number') throw new CountersignError('shape/wrong-type', `${fields.at(name)}: expected a number`)
  return value
}

/**
 * The request's body for one application.
 *
 * @throws {CountersignError} `shape/*` naming the feature: missing, unknown, not one of its codes, out of its range
 */
export function encodeApplication(schema: FeatureSchema, application: Json): Uint8Array {
  const fields = new Fields(application, 'application')
  const data = schema.features.map((feature) => {
    if (feature.kind === 'category') return feature.codes.indexOf(fields.oneOf(feature.name, feature.codes))
    const value = readNumber(fields, feature.name)
    if (value < feature.minimum || value > feature.maximum) {
      throw new CountersignError(
        'shape/bad-value',
        `${fields.at(feature.name)}: expected ${feature.minimum} to ${feature.maximum}`,
      )
    }
    return value
  })
  fields.end()
  const tensor = { name: schema.inputName, shape: [1, data.length], datatype: 'FP32', data }
  return Buffer.from(JSON.stringify({ inputs: [tensor] }))
}
