/** The credit model's example applications, as request bodies. */
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

/** The folder of the bundled models. */
export function modelsFolder(): string {
  return fileURLToPath(new URL('../models/', import.meta.url))
}

/** One body for each example application. */
export function bodies(): readonly Uint8Array[] {
  const schema = JSON.parse(read('../models/credit/features.json')) as {
    features: { name: string; codes?: { code: string }[] }[]
  }
  const lines = read('../examples/applications.jsonl').split('\n').filter(Boolean)
  return lines.map((line) => {
    const { application } = JSON.parse(line) as { application: { [name: string]: string | number } }
    const data = schema.features.map(({ name, codes }) =>
      codes === undefined ? application[name] : codes.findIndex(({ code }) => code === application[name]),
    )
    const tensor = { name: 'application', shape: [1, data.length], datatype: 'FP32', data }
    return Buffer.from(JSON.stringify({ inputs: [tensor] }))
  })
}

function read(path: string): string {
  return readFileSync(fileURLToPath(new URL(path, import.meta.url)), 'utf8')
}
